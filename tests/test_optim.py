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
    of_all = {"foreach", "fused", "capturable", "differentiable"}  # documented at Optimizer
    missing = [arg for arg in inspect.signature(cls).parameters if arg not in of_all and arg[0] != "_" and not re.search(rf"^ +{arg}: ", cls.__doc__, re.M)]
    assert not missing, f"{cls.__name__} does not document {missing}"


OPTIMIZERS = {
    "SGD": lambda p: cg.optim.SGD(p, 0.1),
    "SGD with momentum": lambda p: cg.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: cg.optim.Adam(p, 0.1),
    "Adam with amsgrad": lambda p: cg.optim.Adam(p, 0.1, amsgrad=True),
    "AdamW": lambda p: cg.optim.AdamW(p, 0.1),
    "RMSprop": lambda p: cg.optim.RMSprop(p, 0.1),
    "RMSprop, centered": lambda p: cg.optim.RMSprop(p, 0.1, centered=True, momentum=0.5),
    "Adagrad": lambda p: cg.optim.Adagrad(p, 0.1),
}


def stepped(make):
    """Two parameters and their optimizer after a step."""
    params = [
        cg.tensor(np.arange(1.0, 7.0, dtype=np.float32).reshape(2, 3), requires_grad=True),
        cg.ones(4, requires_grad=True),
    ]
    optimizer = make(params)
    step(optimizer, params)
    return optimizer, params


def step(optimizer, params):
    optimizer.zero_grad()
    sum((p * p).sum() for p in params).backward()
    optimizer.step()


def snapshot(optimizer):
    """Everything that a state could change, by value."""
    groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    state = {
        id(p): {name: v if name == "step" else v.array.copy().tolist() for name, v in entry.items()}
        for p, entry in optimizer.state.items()
    }
    return repr((groups, state))


@pytest.mark.parametrize("target", OPTIMIZERS)
@pytest.mark.parametrize("source", OPTIMIZERS)
def test_a_state_of_another_optimizer_is_refused(source, target):
    """Of the same kind it is loaded, and steps then go on as those of the source."""
    state = stepped(OPTIMIZERS[source])[0].state_dict()
    optimizer, params = stepped(OPTIMIZERS[target])
    before = snapshot(optimizer)
    if source.split()[0].rstrip(",W") != target.split()[0].rstrip(",W"):
        with pytest.raises(ValueError, match="load_state_dict: the state is that of another optimizer: a group lacks"):
            optimizer.load_state_dict(state)
        assert snapshot(optimizer) == before
        return
    optimizer.load_state_dict(state)
    step(optimizer, params)
    other, other_params = stepped(OPTIMIZERS[source])
    step(other, other_params)
    if source == target:
        for p, q in zip(params, other_params):
            np.testing.assert_array_equal(p.array, q.array)


def changed(path, value):
    """A function that changes one entry of a state dict; DELETED removes it."""

    def change(state):
        place = state
        for key in path[:-1]:
            place = place[key]
        if value is DELETED:
            del place[path[-1]]
        else:
            place[path[-1]] = value(place[path[-1]]) if callable(value) else value

    return change


DELETED = object()
STATE = ("state", 0)
GROUP = ("param_groups", 0)
BROKEN = {
    "no groups": changed(("param_groups",), DELETED),
    "no state": changed(("state",), DELETED),
    "groups of another kind": changed(("param_groups",), "abc"),
    "a group of another kind": changed(GROUP, [1, 2]),
    "a group without params": changed((*GROUP, "params"), DELETED),
    "another group": changed(("param_groups",), lambda groups: groups * 2),
    "a parameter less": changed((*GROUP, "params"), [0]),
    "a parameter twice": changed((*GROUP, "params"), [0, 0]),
    "an index of another kind": changed((*GROUP, "params"), [0, "b"]),
    "state of an unknown parameter": changed(("state", 7), {"step": 1}),
    "state of no parameter": changed(("state", "weight"), {"step": 1}),
    "state of another kind": changed(("state",), [1]),
    "an entry of another kind": changed(STATE, 3),
    "an option less": changed((*GROUP, "eps"), DELETED),
    "a negative rate": changed((*GROUP, "lr"), -1.0),
    "a rate of NaN": changed((*GROUP, "lr"), float("nan")),
    "a rate of text": changed((*GROUP, "lr"), "0.1"),
    "no rate": changed((*GROUP, "lr"), None),
    "betas out of range": changed((*GROUP, "betas"), (0.9, 1.0)),
    "one beta": changed((*GROUP, "betas"), (0.9,)),
    "betas of text": changed((*GROUP, "betas"), ("a", "b")),
    "a number for a flag": changed((*GROUP, "amsgrad"), 0.5),
    "a tensor less": changed((*STATE, "exp_avg"), DELETED),
    "another shape": changed((*STATE, "exp_avg"), lambda t: cg.ones(3, 2)),
    "a shape that broadcasts": changed((*STATE, "exp_avg"), lambda t: cg.ones(1)),
    "integers": changed((*STATE, "exp_avg"), lambda t: t.long()),
    "complex numbers": changed((*STATE, "exp_avg"), lambda t: t.numpy().astype(np.complex64)),
    "text": changed((*STATE, "exp_avg"), np.full((2, 3), "a")),
    "objects": changed((*STATE, "exp_avg"), lambda t: t.numpy().astype(object)),
    "negative steps": changed((*STATE, "step"), -1),
    "half a step": changed((*STATE, "step"), 1.5),
    "steps of NaN": changed((*STATE, "step"), float("nan")),
    "steps of text": changed((*STATE, "step"), "1"),
    "several steps": changed((*STATE, "step"), np.ones(2)),
    "the last entry broken": changed(("state", 1, "exp_avg_sq"), lambda t: cg.ones(5)),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_state_is_checked_whole_before_anything_changes(reason):
    optimizer, _ = stepped(OPTIMIZERS["Adam"])
    before = snapshot(optimizer)
    source, params = stepped(lambda p: cg.optim.Adam(p, 0.5))
    step(source, params)
    state = source.state_dict()
    BROKEN[reason](state)
    with pytest.raises(ValueError, match="Adam: "):
        optimizer.load_state_dict(state)
    assert snapshot(optimizer) == before


@pytest.mark.parametrize("state", [None, 3, [], "abc", {}])
def test_a_state_of_another_form_is_refused(state):
    optimizer, _ = stepped(OPTIMIZERS["SGD"])
    with pytest.raises(ValueError, match="the state must be a dict with the keys param_groups and state"):
        optimizer.load_state_dict(state)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_pytorchs_state_is_loaded(name):
    parameter = torch.ones(3, requires_grad=True)
    theirs = getattr(torch.optim, name)([parameter], 0.1)
    parameter.grad = torch.ones(3)
    theirs.step()
    p = cg.ones(3, requires_grad=True)
    ours = getattr(cg.optim, name)([p], 0.2)
    ours.load_state_dict(theirs.state_dict())
    assert ours.param_groups[0]["lr"] == 0.1
    assert len(ours.state) == len(theirs.state) and all(entry["step"] == 1 for entry in ours.state.values())


INFINITE = {
    "SGD": ({}, {"weight_decay": 0.1}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"maximize": True}),
    "Adam": ({}, {"weight_decay": 0.1}, {"amsgrad": True}, {"maximize": True}),
    "AdamW": ({}, {"weight_decay": 0.0}, {"amsgrad": True}, {"maximize": True}),
    "RMSprop": ({}, {"weight_decay": 0.1}, {"centered": True}, {"momentum": 0.9}),
    "Adagrad": ({}, {"weight_decay": 0.1}, {"lr_decay": 0.1}),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name, options", [(name, options) for name in INFINITE for options in INFINITE[name]])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_parameters_and_gradients_that_are_not_finite(name, options, dtype, compiled):
    """As in PyTorch: an infinite parameter stays where the step is finite, and becomes NaN only where ∞ − ∞ or 0·∞ does."""
    values = [1.0, np.inf, -np.inf, np.nan, 0.0]
    pairs = np.array([(p, g) for p in values for g in (1.0, 0.0, -1.0, np.inf, -np.inf, np.nan)] * 3, dtype)
    got, want = (library.tensor(pairs[:, 0].copy(), requires_grad=True) for library in (cg, torch))
    mine, other = (
        getattr(cg.optim, name)([got], lr=0.1, **options),
        getattr(torch.optim, name)([want], lr=0.1, **options),
    )
    got.grad, want.grad = cg.tensor(pairs[:, 1]), torch.tensor(pairs[:, 1])
    step = cg.compile(mine.step) if compiled else mine.step
    for _ in range(4):
        step(), other.step()
        np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), 1e-5, 1e-6)


WITH_STATE = [
    lambda p: cg.optim.SGD(p, 0.1, momentum=0.9), lambda p: cg.optim.Adam(p, 0.1), lambda p: cg.optim.AdamW(p, 0.1, amsgrad=True),
    lambda p: cg.optim.RMSprop(p, 0.1, momentum=0.5, centered=True), lambda p: cg.optim.Adagrad(p, 0.1),
]  # fmt: skip


@pytest.mark.parametrize("make", WITH_STATE)
@pytest.mark.parametrize("where", ["nowhere", "added", "all", "one"])
def test_none_in_a_state_is_no_tensor(make, where, tmp_path):
    """It is saved, loaded and left out; a state that lacks some of its tensors is refused, one without any starts anew."""
    p = cg.tensor([1.0, 2.0], requires_grad=True)
    optimizer = make([p])
    p.grad = cg.tensor([1.0, -1.0])
    optimizer.step()
    names = [name for name in optimizer.state[p] if name != "step"]
    changes = {"nowhere": [], "added": ["extra"], "all": names, "one": names[:1]}[where]
    optimizer.state[p].update(dict.fromkeys(changes))
    cg.save(optimizer.state_dict(), tmp_path / "state.npz")
    saved = cg.load(tmp_path / "state.npz")
    other = make([cg.tensor([1.0, 2.0], requires_grad=True)])
    if where == "one" and len(names) > 1:
        before = other.state_dict()
        with pytest.raises(ValueError, match=f"load_state_dict: .* {names[0]} is missing"):
            other.load_state_dict(saved)
        assert other.state_dict() == before
        return
    other.load_state_dict(saved)
    (q,) = other.param_groups[0]["params"]
    assert None not in other.state[q].values()
    assert set(other.state[q]) == {"step", *names} - set(changes)
    q.grad = cg.tensor([1.0, -1.0])
    other.step()
    assert set(other.state[q]) == {"step", *names} and np.isfinite(q.detach().numpy()).all()


def test_with_pytorchs_rules_fixed_parameters_of_other_dtypes_are_left_alone(monkeypatch):
    monkeypatch.setattr("cygrad.optim.optimizer.follows_torch", lambda: True)
    weight, mask = cg.nn.Parameter(cg.ones(2)), cg.nn.Parameter(cg.tensor([True, False]), requires_grad=False)
    optimizer = cg.optim.AdamW([weight, mask], lr=0.1)
    (weight * mask).sum().backward()
    optimizer.step()
    assert mask.tolist() == [True, False] and weight[0] < weight[1] and len(optimizer.state_dict()["state"]) == 1
    with pytest.raises(TypeError, match="float32 or float64, got float16"):
        cg.optim.SGD([cg.ones(2, dtype=cg.float16, requires_grad=True)], lr=0.1)
