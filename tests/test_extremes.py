"""Losses, norms and softmax far from 0 and at tiny and huge scales: value and gradient against float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cygrad as cg
from cygrad.nn import functional as F

ROWS, COLUMNS = 40, 24  # more than a run of rows of batch norm's statistics, whole vectors and a rest
LABELS = np.arange(ROWS) % COLUMNS
OFFSETS = [0.0, 1e2, 1e3, 1e4, 1e5, 1e6, -1e6]


def logits(rng):
    return rng.standard_normal((ROWS, COLUMNS)) * 2


def probabilities(rng, shape=(ROWS, COLUMNS)):
    x = rng.random(shape) + 0.1
    return x / x.sum(-1, keepdims=True)


# Functions that don't change where a number is added to x; logsumexp grows by it.
SHIFTED = {
    "cross_entropy": lambda m, x, c: m.nn.functional.cross_entropy(x, c["labels"]),
    "cross_entropy(none)": lambda m, x, c: m.nn.functional.cross_entropy(x, c["labels"], reduction="none"),
    "cross_entropy(smoothed, weighted)": lambda m, x, c: m.nn.functional.cross_entropy(x, c["labels"], c["weight"], label_smoothing=0.1),
    "cross_entropy(ignored)": lambda m, x, c: m.nn.functional.cross_entropy(x, c["labels"], ignore_index=3, reduction="sum"),
    "cross_entropy(soft)": lambda m, x, c: m.nn.functional.cross_entropy(x, c["soft"]),
    "cross_entropy(soft, weighted)": lambda m, x, c: m.nn.functional.cross_entropy(x, c["soft"], c["weight"], label_smoothing=0.1),
    "cross_entropy(10 classes)": lambda m, x, c: m.nn.functional.cross_entropy(x[:, :10], c["few"]),
    "cross_entropy(binary)": lambda m, x, c: m.nn.functional.cross_entropy(x[:, :2], c["few"] % 2),
    "softmax": lambda m, x, c: m.nn.functional.softmax(x, 1),
    "log_softmax": lambda m, x, c: m.nn.functional.log_softmax(x, 1),
    "logsumexp": lambda m, x, c: m.logsumexp(x, 1),
    "batch_norm": lambda m, x, c: m.nn.functional.batch_norm(x, None, None, c["weight"], c["shift"], True),
    "batch_norm(one channel)": lambda m, x, c: m.nn.functional.batch_norm(x.reshape(-1, 1), None, None, None, None, True),
    "batch_norm(images)": lambda m, x, c: m.nn.functional.batch_norm(x.reshape(10, 3, 8, 4), None, None, c["weight"][:3], c["shift"][:3], True),
    "layer_norm": lambda m, x, c: m.nn.functional.layer_norm(x, (24,), c["weight"], c["shift"]),
    "layer_norm(plain)": lambda m, x, c: m.nn.functional.layer_norm(x, (24,)),
    "layer_norm(odd)": lambda m, x, c: m.nn.functional.layer_norm(x[:, :5].contiguous(), (5,)),
    "var": lambda m, x, c: m.var(x, 0),
    "std": lambda m, x, c: m.std(x, 1),
    "mse_loss": lambda m, x, c: m.nn.functional.mse_loss(x, c["near"]),
    "l1_loss": lambda m, x, c: m.nn.functional.l1_loss(x, c["near"], reduction="none"),
    "smooth_l1_loss": lambda m, x, c: m.nn.functional.smooth_l1_loss(x, c["near"], reduction="none"),
    "huber_loss": lambda m, x, c: m.nn.functional.huber_loss(x, c["near"], reduction="none", delta=0.5),
}  # fmt: skip


def context(library, x, dtype):
    """What the functions need beside x, the same numbers in every precision."""
    rng = np.random.default_rng(1)
    near = x + np.round(rng.standard_normal(x.shape)).astype(x.dtype)  # exact, also at 10⁶
    arrays = {
        "weight": (rng.random(COLUMNS) + 0.5).astype(np.float32),
        "shift": (rng.random(COLUMNS) + 0.5).astype(np.float32),
        "soft": probabilities(rng).astype(np.float32),
        "near": near,
    }
    return {
        **{name: library.tensor(array.astype(dtype)) for name, array in arrays.items()},
        "labels": library.tensor(LABELS),
        "few": library.tensor(LABELS % 10),
    }


def outcome(library, call, x, dtype):
    """Result and gradient for the numbers x, computed in `dtype`."""
    t = library.tensor(x.astype(dtype), requires_grad=True)
    result = call(library, t, context(library, x, dtype))
    seed = np.random.default_rng(2).uniform(0.5, 1.5, tuple(result.shape)).astype(np.float32).astype(dtype)
    result.backward(library.tensor(seed))
    return result.detach().numpy(), t.grad.numpy()


def assert_near(got, want, tolerance, what):
    """Every element to `tolerance` of itself or of the largest one."""
    scale = np.abs(want).max() if want.size else 1
    assert np.isfinite(got).all(), f"{what}: {np.count_nonzero(~np.isfinite(got))} are not finite"
    error = np.abs(got.astype(np.float64) - want).max() / (scale or 1)
    assert error <= tolerance, f"{what}: error {error:.2g}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SHIFTED)
def test_offsets(name, dtype):
    """Against PyTorch in float64 on the same numbers, less the offset."""
    for offset in OFFSETS:
        x = (np.round(logits(np.random.default_rng(0)) * 256) / 256 + offset).astype(np.float32)
        got = outcome(cg, SHIFTED[name], x, dtype)
        want = outcome(torch, SHIFTED[name], x.astype(np.float64) - offset, np.float64)
        shift = offset if name == "logsumexp" else 0.0
        for what, g, w in zip(("value", "gradient"), got, (want[0] + shift, want[1])):
            assert_near(g, w, 3e-6 if dtype == np.float32 else 2e-9, f"{what} of {name} at {offset:g}")


SCALED = {
    "batch_norm": (lambda m, x: m.nn.functional.batch_norm(x, None, None, None, None, True, eps=0.0), 0),
    "batch_norm(images)": (lambda m, x: m.nn.functional.batch_norm(x.reshape(10, 3, 8, 4), None, None, None, None, True, eps=0.0), 0),
    "layer_norm": (lambda m, x: m.nn.functional.layer_norm(x, (24,), eps=0.0), 0),
    "norm": (lambda m, x: m.norm(x), 1),
    "norm(rows)": (lambda m, x: m.norm(x, 2, 1), 1),
    "std": (lambda m, x: m.std(x, 1), 1),
    "normalize": (lambda m, x: m.nn.functional.normalize(x, dim=1, eps=0.0), 0),
    "l1_loss": (lambda m, x: m.nn.functional.l1_loss(x, -x, reduction="none"), 1),
    "atan2": (lambda m, x: m.atan2(x, x.flip((0,))), 0),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SCALED)
def test_huge_scales(name, dtype):
    """f(c·x) = cᵏ·f(x), and its gradient is cᵏ⁻¹·f′(x)."""
    call, degree = SCALED[name]
    x = logits(np.random.default_rng(0)).astype(np.float32)
    want = outcome(cg, lambda m, t, c: call(m, t), x, np.float64)
    for c in (2.0**30, 2.0**62, 2.0**100):
        value, gradient = outcome(cg, lambda m, t, _: call(m, t), (x * np.float32(c)), dtype)
        assert_near(value / c**degree, want[0], 1e-5, f"value at {c:g}")
        assert_near(gradient / c ** (degree - 1), want[1], 1e-5, f"gradient at {c:g}")


@pytest.mark.parametrize("name", ["norm", "norm(rows)", "std", "normalize", "l1_loss", "atan2"])
def test_tiny_scales(name):
    call, degree = SCALED[name]
    x = logits(np.random.default_rng(0)).astype(np.float32)
    want = outcome(cg, lambda m, t, c: call(m, t), x, np.float64)
    for c in (2.0**-30, 2.0**-62, 2.0**-100):
        value, gradient = outcome(cg, lambda m, t, _: call(m, t), x * np.float32(c), np.float32)
        assert_near(value / c**degree, want[0], 1e-5, f"value at {c:g}")
        assert_near(gradient / c ** (degree - 1), want[1], 1e-5, f"gradient at {c:g}")


@pytest.mark.parametrize("scale", [1e-45, 1e-41, 1e-38, 1e-30])
@pytest.mark.parametrize(
    "name", ["batch_norm", "layer_norm", "cross_entropy", "logsumexp", "softmax", "var", "mse_loss"]
)
def test_tiny_numbers_with_the_usual_eps(name, scale):
    x = (logits(np.random.default_rng(0)) * scale).astype(np.float32)
    got, want = (
        outcome(library, SHIFTED[name], x, dtype) for library, dtype in ((cg, np.float32), (torch, np.float64))
    )
    for what, g, w in zip(("value", "gradient"), got, want):
        assert np.isfinite(g).all()
        np.testing.assert_allclose(g, w, 1e-4, max(1e-6 * np.abs(w).max(), 1e-44), err_msg=what)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("scale", [1e-44, 1e-38, 1e-30, 1e-20, 1e15, 1e19, 1e30, 1e33])
def test_clipping_by_norm_at_every_scale(scale, norm_type):
    rng = np.random.default_rng(0)
    grads = [(rng.standard_normal(shape) * scale).astype(np.float32) for shape in ((5, 7), (5000,), ())]
    parameters = [cg.zeros(g.shape, requires_grad=True) for g in grads]
    for p, g in zip(parameters, grads):
        p.grad = cg.tensor(g)
    wide = np.concatenate([g.astype(np.float64).ravel() for g in grads])
    want = np.linalg.norm(wide, norm_type)
    got = cg.nn.utils.clip_grad_norm_(parameters, 1.0, norm_type).item()
    np.testing.assert_allclose(got, want, 1e-5, 2e-45)
    factor = min(1.0, 1.0 / (want + 1e-6))
    for p, g in zip(parameters, grads):
        np.testing.assert_allclose(p.grad.numpy(), g * factor, 1e-5, 2e-45)


@pytest.mark.parametrize("scale", [1e-44, 1e-30, 1e-20, 1e15, 1e30, 1e36])
@pytest.mark.parametrize("unitwise", [True, False])
def test_adaptive_clipping_at_every_scale(scale, unitwise):
    rng = np.random.default_rng(0)
    g, w = (rng.standard_normal((6, 50)) * scale).astype(np.float32), rng.standard_normal((6, 50)).astype(np.float32)
    p = cg.tensor(w, requires_grad=True)
    p.grad = cg.tensor(g)
    total = cg.nn.utils.clip_grad_adaptive_(p, 0.01, 1e-3, unitwise).item()
    axis = 1 if unitwise else None
    wide = g.astype(np.float64)
    norm, own = (np.linalg.norm(a.astype(np.float64), axis=axis, keepdims=True) for a in (wide, w))
    np.testing.assert_allclose(total, np.linalg.norm(wide), 1e-5, 2e-45)
    np.testing.assert_allclose(p.grad.numpy(), wide * np.minimum(1, 0.01 * np.maximum(own, 1e-3) / norm), 1e-5, 2e-45)


LOGITS = [
    -np.inf,
    -1e30,
    -1e4,
    -88.0,
    -30.0,
    -15.0,
    -1.0,
    -1e-40,
    -0.0,
    0.0,
    0.5,
    1.0,
    15.0,
    30.0,
    88.0,
    1e4,
    1e30,
    np.inf,
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("target", [0.0, 0.25, 0.5, 1.0])
def test_binary_cross_entropy_of_confident_logits(dtype, target):
    """log(1 + e^±x) by its definition; PyTorch's value is NaN where x is infinite."""
    x = cg.tensor(np.array(LOGITS, dtype), requires_grad=True)
    losses = F.binary_cross_entropy_with_logits(x, cg.full(x.shape, target, dtype=dtype), reduction="none")
    losses.backward(cg.ones(x.shape, dtype=dtype))
    wide = np.array(LOGITS, np.longdouble)
    with np.errstate(all="ignore"):
        tail = np.log1p(np.exp(-np.abs(wide)))
        positive, negative = tail + np.maximum(-wide, 0), tail + np.maximum(wide, 0)  # losses for t = 1 and t = 0
        terms = [np.where(t == 0, 0, t * loss) for t, loss in ((target, positive), (1 - target, negative))]
        sigmoid, rest = 1 / (1 + np.exp(-wide)), 1 / (1 + np.exp(wide))
    tolerance = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(losses.detach().numpy(), sum(terms).astype(dtype), tolerance, 1e-44)
    want = ((1 - target) * sigmoid - target * rest).astype(dtype)
    np.testing.assert_allclose(
        x.grad.numpy(), want, tolerance, 5 * np.finfo(dtype).eps if target not in (0, 1) else 1e-44
    )


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("pos_weight", [0.0, 0.5, 1.0, 3.0])
def test_weighted_binary_cross_entropy_of_confident_logits(dtype, target, pos_weight, compiled):
    """(1 − t)·log(1 + eˣ) + w·t·log(1 + e⁻ˣ), a term of weight 0 is 0; PyTorch's value is NaN where x is infinite, its
    gradient is right."""
    options = {"reduction": "none"}
    x, want = (library.tensor(np.array(LOGITS, dtype), requires_grad=True) for library in (cg, torch))
    t, w = cg.full(x.shape, target, dtype=dtype), cg.full(x.shape, pos_weight, dtype=dtype)

    def step():
        x.grad = None
        losses = F.binary_cross_entropy_with_logits(x, t, pos_weight=w, **options)
        losses.sum().backward()
        return losses.detach()

    function = cg.compile(step) if compiled else step
    for _ in range(3):
        losses = function()
    wide = np.array(LOGITS, np.longdouble)
    with np.errstate(all="ignore"):
        tail = np.log1p(np.exp(-np.abs(wide)))
        terms = [(1 - target, tail + np.maximum(wide, 0)), (target * pos_weight, tail + np.maximum(-wide, 0))]
        value = sum(np.where(factor == 0, 0, factor * loss) for factor, loss in terms).astype(dtype)
    np.testing.assert_allclose(losses.numpy(), value, 20 * np.finfo(dtype).eps, 1e-44)
    wt, ww = (torch.full((len(LOGITS),), v, dtype=want.dtype) for v in (target, pos_weight))
    torch.nn.functional.binary_cross_entropy_with_logits(want, wt, pos_weight=ww, **options).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), want.grad.numpy(), 20 * np.finfo(dtype).eps, 5 * np.finfo(dtype).eps)


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize(
    "dtype, exponents",
    [(np.float32, (-100, -80, -64, 0, 64, 80, 110)), (np.float64, (-1000, -700, -530, -400, 0, 400, 530, 700, 1000))],
)
def test_norms_at_every_scale(dtype, exponents, order):
    """‖c·x‖ = c·‖x‖, and the gradient is that of x; c a power of two."""
    x = np.random.default_rng(0).uniform(-2, 2, (7, 50)).astype(np.float32)
    functions = {
        "norm": lambda t: t.norm(order), "norm(rows)": lambda t: t.norm(order, 1, True),
        "normalize": lambda t: F.normalize(t, order, 1, 0.0),
    }  # fmt: skip
    if order == 2:
        functions["std"] = lambda t: t.std(0)
    for name, function in functions.items():
        results = []
        for c in (1.0, *(2.0**e for e in exponents)):
            t = cg.tensor(x.astype(dtype) * dtype(c), requires_grad=True)
            y = function(t)
            (y / c if name == "normalize" else y).backward(
                cg.ones(y.shape, dtype=dtype) * (c if name == "normalize" else 1)
            )
            value, gradient = (
                y.detach().numpy() / (1 if name == "normalize" else c),
                t.grad.numpy() * (c if name == "normalize" else 1),
            )
            results.append((value, gradient))
        for value, gradient in results[1:]:
            np.testing.assert_allclose(value, results[0][0], 1e-5, 1e-12, err_msg=name)
            np.testing.assert_allclose(gradient, results[0][1], 1e-4, 1e-6, err_msg=name)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, -1.0, np.inf])
@pytest.mark.parametrize("exponent", [-1040, -700, -400, 300, 520, 700, 1015])
def test_clipping_of_doubles_at_every_scale(exponent, norm_type, compiled):
    """Blocks of ordinary, huge and tiny numbers; against long double."""
    rng = np.random.default_rng(0)
    scales = [2.0**exponent, 2.0**exponent, 2.0 ** (exponent // 2)]
    grads = [rng.uniform(0.5, 1, shape) * scale for shape, scale in zip(((5, 7), (5000,), ()), scales)]
    parameters = [cg.zeros(g.shape, dtype="float64", requires_grad=True) for g in grads]

    def step():
        return cg.nn.utils.clip_grad_norm_(parameters, 1.0, norm_type)

    function = cg.compile(step) if compiled else step
    for _ in range(3):
        for p, g in zip(parameters, grads):
            p.grad = cg.tensor(g)
        got = function().item()
    wide = np.concatenate([g.astype(np.longdouble).ravel() for g in grads])
    most = wide.max()
    want = most if norm_type == np.inf else most * ((wide / most) ** norm_type).sum() ** (1 / np.longdouble(norm_type))
    if want < np.finfo(np.float64).max:
        np.testing.assert_allclose(got, float(want), 1e-9)
        factor = min(1.0, 1.0 / (float(want) + 1e-6))
        for p, g in zip(parameters, grads):
            np.testing.assert_allclose(p.grad.numpy(), g * factor, 1e-9)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e-160, 1.0, 1e160, 1e300])
@pytest.mark.parametrize("unitwise", [True, False])
def test_adaptive_clipping_of_doubles_at_every_scale(scale, unitwise):
    rng = np.random.default_rng(0)
    g, w = rng.standard_normal((6, 50)) * scale, rng.standard_normal((6, 50))
    p = cg.tensor(w, requires_grad=True)
    p.grad = cg.tensor(g)
    total = cg.nn.utils.clip_grad_adaptive_(p, 0.01, 1e-3, unitwise).item()
    axis, wide = 1 if unitwise else None, g.astype(np.longdouble)
    norm, own = (np.sqrt((a**2).sum(axis, keepdims=True)) for a in (wide, w.astype(np.longdouble)))
    np.testing.assert_allclose(total, float(np.sqrt((wide**2).sum())), 1e-9)
    want = wide * np.minimum(1, 0.01 * np.maximum(own, 1e-3) / norm)
    np.testing.assert_allclose(p.grad.numpy(), want.astype(np.float64), 1e-9, 1e-322)


def test_confident_positive_by_hand():
    x = cg.tensor([15.0], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, cg.ones(1))
    loss.backward()
    assert loss.item() == pytest.approx(3.059e-7, rel=1e-3)
    assert x.grad.item() == pytest.approx(-3.059e-7, rel=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["cross_entropy", "softmax", "log_softmax", "logsumexp", "batch_norm", "layer_norm"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_infinities_and_nan(name, dtype):
    """Finite results stay those of PyTorch, and what is NaN there is NaN."""
    for value in (np.inf, -np.inf, np.nan):
        x = logits(np.random.default_rng(0)).astype(dtype)
        x[3, 5] = x[4, LABELS[4]] = value
        x[6] = -np.inf if value == -np.inf else x[6]
        got, want = (outcome(library, SHIFTED[name], x, dtype) for library in (cg, torch))
        for g, w in zip(got, want):
            np.testing.assert_allclose(g, w, 2e-5, 1e-6)
