"""float16 is a dtype for storage: every op gives PyTorch's values and gradients, and modules train on it."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from tests.op_db import ROWS
from tests.test_ops import call, cg_tensor

torch = pytest.importorskip("torch")

ELSEWHERE = {  # what needs float32 or float64
    "batch_norm_running": "running statistics", "batch_norm_counted": "running statistics", "batch_norm_evaluation": "running statistics",
    "clip_grad_norm": "gradients", "clip_grad_value": "gradients", "clip_grad_adaptive": "gradients",
    **dict.fromkeys(["sgd", "adam", "adamw", "rmsprop", "adagrad"], "an optimizer"),
}  # fmt: skip
FAR = {"batch_norm_far", "layer_norm_far"}  # what float16 leaves of such numbers is noise
TABLE = [row for row in ROWS if row.torch is not None and np.float32 in row.dtypes and not row.bare and row.name not in FAR]


def assert_near(ours, theirs, tolerance, what):
    """Within a tolerance of each number and of the largest."""
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, f"{what}: {ours.dtype}, PyTorch {theirs.dtype}"
    a, b = ours.astype(float), theirs.astype(float)
    largest = np.abs(b[np.isfinite(b)]).max(initial=1e-2)
    with np.errstate(invalid="ignore"):
        wrong = ~((np.abs(a - b) <= tolerance * (np.abs(b) + largest)) | (a == b) | (np.isnan(a) & np.isnan(b)))
    assert not wrong.any(), f"{what}: {a[wrong][:3]}, PyTorch {b[wrong][:3]}"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_op_has_pytorchs_values_and_gradients(row):
    np.seterr(all="ignore")
    for sample in list(row.samples(np.random.default_rng(1), np.float16))[:6]:
        if row.name in ELSEWHERE:
            with pytest.raises(TypeError, match="must be float32 or float64"):
                call(row.op, sample, cg_tensor)
            continue
        ours, leaves = call(row.op, sample, cg_tensor)
        theirs, their_leaves = call(row.torch(torch), sample, lambda a: torch.tensor(a, requires_grad=a.dtype.kind == "f"))
        for mine, other in zip(ours, theirs, strict=True):
            assert_near(mine.array, other.detach().numpy(), 4e-3, f"{sample}")
        if not row.differentiable or not any(o.requires_grad for o in theirs):
            continue
        wanted = [number for number, other in enumerate(theirs) if other.requires_grad]
        upstream = [np.random.default_rng(2).uniform(-1, 1, tuple(theirs[n].shape)).astype(np.float16) for n in wanted]
        cg.autograd.backward([ours[n] for n in wanted], [cg.Tensor(g) for g in upstream])
        torch.autograd.backward([theirs[n] for n in wanted], [torch.tensor(g) for g in upstream])
        for mine, other in zip(leaves, their_leaves, strict=True):
            if mine.grad is not None and other.grad is not None:
                assert_near(mine.grad.array, other.grad.numpy(), 2e-2, f"gradient of {sample}")


def test_a_model_is_stored_in_half_and_trained_in_float32():
    model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2)).half()
    x = cg.randn(16, 4).half()
    loss = nn.functional.cross_entropy(model(x), cg.zeros(16, dtype=cg.int64))
    loss.backward()
    assert loss.dtype == cg.float16 and all(p.grad.dtype == cg.float16 for p in model.parameters())
    with pytest.raises(TypeError, match="must be float32 or float64"):
        cg.optim.SGD(model.parameters(), lr=0.1).step()
    model.float()
    assert {p.dtype for p in model.parameters()} == {cg.float32}


def test_a_recorded_step_repeats_what_was_computed_in_float32():
    x = cg.randn(5, 3).half()
    step = cg.compile(lambda x: (x @ x.T).softmax(1) + x.sum())
    want = (x @ x.T).softmax(1) + x.sum()
    for _ in range(3):
        assert (step(x) == want).all()


def test_bfloat16_is_a_name():
    with cg.amp.autocast("cpu", dtype=cg.bfloat16):
        assert cg.ones(2).dtype == cg.float32 != cg.bfloat16 and repr(cg.bfloat16) == "torch.bfloat16"
    for make in (lambda: cg.ones(2, dtype=cg.bfloat16), lambda: cg.ones(2).to(cg.bfloat16), lambda: cg.tensor([1.0], dtype=cg.bfloat16)):
        with pytest.raises(TypeError, match="bfloat16: NumPy has no such dtype; use float16 for storage, or float32"):
            make()


def test_limits_of_floats_that_numpy_does_not_have_are_pytorchs():
    torch = pytest.importorskip("torch")
    from cygrad.dtypes import LIMITS, Absent

    for name in LIMITS:
        ours, theirs = cg.finfo(Absent(name, 2 if name == "bfloat16" else 1, "")), torch.finfo(getattr(torch, name))
        for limit in ("bits", "min", "max", "eps", "tiny", "smallest_normal", "resolution"):
            assert getattr(ours, limit) == getattr(theirs, limit), (name, limit)
    assert cg.finfo(cg.bfloat16).max == torch.finfo(torch.bfloat16).max
