"""States and groups of the optimizers. Their steps are rows of tests/op_db/optim.py."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import cygrad as cg
from cygrad import optim

torch = pytest.importorskip("torch")

CASES = [
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.1}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.5, "centered": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
]
each_case = pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{len(o)}" for n, o in CASES])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
START = [np.linspace(-1, 1, 6).reshape(2, 3), np.array([0.5])]


def parameters(library, dtype, start=START):
    return [library.tensor(a.astype(dtype)).requires_grad_() for a in start]


def train(params, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        sum(((p - 3) ** 2).sum() for p in params).backward()
        optimizer.step()


@each_case
@each_dtype
def test_training_resumes_from_a_saved_state(name, options, dtype):
    params = parameters(cg, dtype)
    optimizer = getattr(optim, name)(params, **options)
    train(params, optimizer, 3)
    copies = parameters(cg, dtype, [p.numpy().copy() for p in map(cg.Tensor.detach, params)])
    resumed = getattr(optim, name)(copies, lr=5.0)
    resumed.load_state_dict(optimizer.state_dict())
    train(params, optimizer, 4)
    train(copies, resumed, 4)
    for p, q in zip(params, copies):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


@each_case
@each_dtype
def test_a_loaded_state_is_a_copy(name, options, dtype):
    params = parameters(cg, dtype)
    optimizer = getattr(optim, name)(params, **options)
    train(params, optimizer, 2)
    saved = optimizer.state_dict()
    other = parameters(cg, dtype)
    resumed = getattr(optim, name)(other, **options)
    resumed.load_state_dict(saved)
    before = [p.detach().numpy().copy() for p in params]
    train(other, resumed, 2)
    again = parameters(cg, dtype, before)
    third = getattr(optim, name)(again, **options)
    third.load_state_dict(saved)
    train(params, optimizer, 1)
    train(again, third, 1)
    for p, q in zip(params, again):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


@each_case
@each_dtype
def test_training_resumes_from_pytorchs_state(name, options, dtype):
    theirs = parameters(torch, dtype)
    there = getattr(torch.optim, name)(theirs, **options)
    train(theirs, there, 3)
    state = there.state_dict()
    ours = parameters(cg, dtype, [p.detach().numpy().copy() for p in theirs])
    here = getattr(optim, name)(ours, **options)
    here.load_state_dict(
        {
            "state": {
                i: {k: v.numpy() if isinstance(v, torch.Tensor) else v for k, v in s.items()}
                for i, s in state["state"].items()
            },
            "param_groups": [
                {k: v for k, v in g.items() if k in (*here.defaults, "params")} for g in state["param_groups"]
            ],
        }
    )
    train(theirs, there, 3)
    train(ours, here, 3)
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(
            p.detach().numpy(), q.detach().numpy(), rtol=1e-5, atol=1e-6 if dtype == "float32" else 1e-12
        )


@each_case
def test_a_state_that_does_not_fit_changes_nothing(name, options):
    params = parameters(cg, "float32")
    optimizer = getattr(optim, name)(params, **options)
    train(params, optimizer, 2)
    wrong = optimizer.state_dict()
    other = parameters(cg, "float32", [np.ones(4), np.ones(1)])
    target = getattr(optim, name)(other, lr=0.5)
    if any(k != "step" for s in wrong["state"].values() for k, v in s.items() if v is not None):
        with pytest.raises(ValueError, match=r"has shape \(2, 3\), but its parameter has \(4,\)"):
            target.load_state_dict(wrong)
        assert not target.state
        assert target.param_groups[0]["lr"] == 0.5
    with pytest.raises(ValueError, match="the parameter groups differ in number or size"):
        getattr(optim, name)(other[:1], lr=0.5).load_state_dict(wrong)


def test_groups_have_their_own_options():
    a, b = parameters(cg, "float64")
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.1)
    a.grad, b.grad = cg.ones(2, 3, dtype=cg.float64), cg.ones(1, dtype=cg.float64)
    optimizer.step()
    np.testing.assert_allclose(a.detach().numpy(), START[0] - 0.1)
    np.testing.assert_allclose(b.detach().numpy(), START[1] - 1)


def test_float32_and_float64_in_one_group():
    mixed = [cg.ones(3, requires_grad=True), cg.ones(3, dtype=cg.float64, requires_grad=True)]
    optimizer = optim.Adam(mixed, lr=0.1)
    train(mixed, optimizer, 2)
    np.testing.assert_allclose(mixed[0].detach().numpy(), mixed[1].detach().numpy(), rtol=1e-6)
    assert [str(p.dtype).rsplit(".")[-1] for p in mixed] == ["float32", "float64"]


def test_closure_computes_the_loss():
    (p,) = parameters(cg, "float64", [np.array([2.0])])
    optimizer = optim.SGD([p], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert p.item() == 1.0


def test_backward_detects_a_step():
    """A parameter that is saved for backward must not change before it."""
    p = cg.ones(2, requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    y = (p * p).sum()
    p.grad = cg.ones(2)
    optimizer.step()
    with pytest.raises(RuntimeError, match="in place"):
        y.backward()


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ([], ValueError, "SGD: the list of parameters is empty"),
        (cg.ones(2), TypeError, "SGD: params must be an iterable of tensors or dicts, got a tensor"),
        ([1.0], TypeError, "SGD: a parameter must be a tensor, got float"),
        ([cg.ones(2).long()], TypeError, "SGD: a parameter's dtype must be float32 or float64, got int64"),
        ([cg.ones(2, requires_grad=True) * 2], ValueError, "SGD: a parameter must be a leaf"),
        ([{"params": {cg.ones(2)}}], TypeError, "SGD: parameters must be ordered, got a set"),
    ],
)
def test_bad_parameters(params, error, match):
    with pytest.raises(error, match=match):
        optim.SGD(params)


def test_a_parameter_is_in_one_group():
    p = cg.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match=r"SGD: a parameter of shape \(2,\) appears twice"):
        optim.SGD([p, p])


CLASSES = [
    getattr(module, name)
    for module in (optim, optim.lr_scheduler, optim.swa_utils)
    for name in module.__all__
    if isinstance(getattr(module, name), type)
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_docstrings_name_every_argument_of_the_constructor(cls):
    missing = [arg for arg in inspect.signature(cls).parameters if not re.search(rf"^ +{arg}: ", cls.__doc__, re.M)]
    assert not missing, f"{cls.__name__} does not document {missing}"
