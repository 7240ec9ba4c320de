"""PyTorch's own option sets of its optimizers (OptimizerInfo): the same training, states that move both ways, refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")
import tests.torch_internals  # noqa: E402, F401, I001 - before the next line
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db  # noqa: E402

INFOS = [info for info in optim_db if info.optim_cls.__name__ != "SparseAdam"]
SHAPES = [(3, 4), (4,), (2, 3, 2), ()]
CASES = [
    pytest.param(info, entry, id=f"{info.optim_cls.__name__}-{entry.desc}")
    for info in INFOS
    for entry in info.optim_inputs_func(device="cpu")
]
LEFT_OUT = {  # error type or message that cygrad has not: why
    "duplicate parameters": "PyTorch warns and counts the parameter twice; here it is an error",
    "complex": "there are no complex numbers",
}


def here(value, memo=None):
    """A value with cygrad's tensors in place of PyTorch's."""
    memo = {} if memo is None else memo
    if isinstance(value, torch.nn.Parameter):
        return memo.setdefault(id(value), cg.nn.Parameter(cg.tensor(value.detach().numpy())))
    if isinstance(value, torch.Tensor):
        return cg.tensor(value.detach().numpy())
    if isinstance(value, dict):
        return {key: here(item, memo) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([here(item, memo) for item in value])
    return value


class Training:
    """The same parameters and data in either library, and an optimizer of the given class and options."""

    def __init__(self, library, name, options, dtype):
        self.library = library
        rng = np.random.default_rng(5)
        shapes = SHAPES if name != "Muon" else [(3, 4), (5, 2)]
        self.params = [library.tensor(rng.normal(size=s).astype(dtype)).requires_grad_() for s in shapes]
        self.targets = [library.tensor(rng.normal(size=s).astype(dtype)) for s in shapes]
        self.optimizer = getattr(library.optim, name)(self.params, **options)

    def closure(self):
        self.optimizer.zero_grad()
        loss = sum((((p - t) ** 2).sum() + (p * t).sin().sum()) for p, t in zip(self.params, self.targets))
        loss.backward()
        return loss

    def run(self, steps):
        return [float(self.optimizer.step(self.closure).detach()) for _ in range(steps)]

    def values(self):
        return [p.detach().numpy().copy() for p in self.params]


@pytest.fixture(autouse=True)
def without_bfloat16(monkeypatch):
    """PyTorch's Muon in the dtype of its parameters, as here: its steps convert by this method alone."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("info", "entry"), CASES)
def test_training_is_pytorchs(info, entry, dtype):
    name = info.optim_cls.__name__
    theirs, ours = Training(torch, name, entry.kwargs, dtype), Training(cg, name, here(entry.kwargs), dtype)
    steps = 3 if name == "LBFGS" else 8
    rtol = {"Muon": 1e-4 if dtype == "float32" else 1e-6, "LBFGS": 1e-3 if dtype == "float32" else 1e-7}.get(name, 1e-5 if dtype == "float32" else 1e-7)
    np.testing.assert_allclose(ours.run(steps), theirs.run(steps), rtol=rtol)
    for a, b in zip(ours.values(), theirs.values()):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("name", sorted({info.optim_cls.__name__ for info in INFOS}))
def test_states_move_both_ways(name):
    options = {"Rprop": {"lr": 0.01}, "SGD": {"momentum": 0.9}}.get(name, {})
    for source, target in ((torch, cg), (cg, torch)):
        first = Training(source, name, options, "float64")
        first.run(3)
        second, other = Training(target, name, options, "float64"), Training(source, name, options, "float64")
        for training in (second, other):
            convert = torch.tensor if training.library is torch else cg.tensor
            with torch.no_grad(), cg.no_grad():
                for p, value in zip(training.params, first.values()):
                    p[...] = convert(value)
        state = first.optimizer.state_dict()
        other.optimizer.load_state_dict(state)
        second.optimizer.load_state_dict(here(state) if target is cg else there(state))
        np.testing.assert_allclose(second.run(3), other.run(3), rtol=1e-6)


def there(value):
    """A value with PyTorch's tensors in place of cygrad's."""
    if isinstance(value, cg.Tensor):
        return torch.tensor(value.detach().numpy())
    if isinstance(value, dict):
        return {key: there(item) for key, item in value.items()}
    return type(value)([there(item) for item in value]) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.optim_cls.__name__)
def test_refusals_are_pytorchs(info):
    for error in info.optim_error_inputs_func(device="cpu", dtype=torch.float32):
        if error.error_on != OptimizerErrorEnum.CONSTRUCTION_ERROR or any(w in error.error_regex for w in LEFT_OUT):
            continue
        entry = error.optimizer_error_input
        params = [torch.nn.Parameter(torch.ones(2, 2))] if entry.params is None else entry.params
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(error.error_type):
                getattr(cg.optim, info.optim_cls.__name__)(here(params), **here(entry.kwargs))


def test_every_optimizer_has_pytorchs_options():
    parameter = lambda library: [library.nn.Parameter(library.ones(2, 2))]  # noqa: E731
    for info in INFOS:
        name = info.optim_cls.__name__
        theirs = getattr(torch.optim, name)(parameter(torch)).param_groups[0]
        ours = getattr(cg.optim, name)(parameter(cg)).param_groups[0]
        assert {k: v for k, v in ours.items() if k != "params"} == {k: v for k, v in theirs.items() if k != "params"}


def test_sparse_adam_is_refused_by_name():
    with pytest.raises(NotImplementedError, match="SparseAdam"):
        cg.optim.SparseAdam([cg.nn.Parameter(cg.ones(2))])


# Hooks


def hooked(library, optimizer, log):
    optimizer.register_step_pre_hook(lambda o, args, kwargs: log.append(("pre", o is optimizer, len(args), kwargs)))
    optimizer.register_step_post_hook(lambda o, args, kwargs: log.append(("post", o is optimizer, len(args), kwargs)))
    optimizer.register_state_dict_pre_hook(lambda o: log.append("before state"))
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1})
    optimizer.register_state_dict_post_hook(lambda o, state: log.append(sorted(state)), prepend=True)
    optimizer.register_load_state_dict_pre_hook(lambda o, state: {k: v for k, v in state.items() if k != "more"})
    return optimizer.register_load_state_dict_post_hook(lambda o: log.append("loaded"))


@pytest.mark.parametrize("name", ["SGD", "Adamax", "Own"])
def test_hooks_are_called_as_in_pytorch(name):
    logs = []
    for library in (cg, torch):

        class Own(library.optim.Optimizer):
            def __init__(self, params):
                super().__init__(params, {"lr": 0.1})

            def step(self, closure=None):
                for group in self.param_groups:
                    for p in group["params"]:
                        state = self.state[p]
                        state["step"] = state.get("step", 0) + 1
                        p.data.add_(p.grad.data, alpha=-group["lr"])

        log = []
        p = library.nn.Parameter(library.ones(2))
        optimizer = (Own if name == "Own" else getattr(library.optim, name))([p])
        handle = hooked(library, optimizer, log)
        p.sum().backward()
        optimizer.step()
        optimizer.step(None)
        optimizer.load_state_dict(optimizer.state_dict())
        handle.remove()
        optimizer.load_state_dict(optimizer.state_dict())
        log.append(round(float(p[0].detach()), 6))
        logs.append(log)
    # What the arguments are differs: PyTorch's closure is among them only where the caller gives it.
    logs = [[entry[:2] if isinstance(entry, tuple) else entry for entry in log] for log in logs]
    assert logs[0] == logs[1]


def test_parameters_may_have_names():
    model = cg.nn.Linear(3, 2)
    optimizer = cg.optim.Adam(model.named_parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    model(cg.ones(1, 3)).sum().backward()
    optimizer.step()
