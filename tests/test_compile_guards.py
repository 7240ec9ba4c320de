"""Recorded steps: what a program watches. Each case runs in eager mode and compiled, with a change in the middle."""

from __future__ import annotations

import copy
import pickle
import warnings
from functools import partial

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn

F = nn.functional


def bits(value):
    """A nested value with arrays as bytes."""
    if isinstance(value, cg.Tensor):
        return value.dtype.str, value.shape, value.detach().numpy().tobytes()
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [bits(item) for item in value]
    return value


# Values that are read into Python

READS = {
    "array": lambda x: float(x.array[0]),
    "array of a view": lambda x: float(x[1:].array[0]),
    "array, copied": lambda x: cg.Tensor(np.array(x.array)).sum(),
    "getattr": lambda x: float(x.array.sum()),
    "vars": lambda x: float(type(x).array.__get__(x).sum()),
    "asarray": lambda x: float(np.asarray(x)[0]),
    "array()": lambda x: float(np.array(x).sum()),
    "ufunc": lambda x: float(np.add.reduce(x)),
    "numpy": lambda x: float(x.numpy()[0]),
    "data": lambda x: float(x.data.array[0]),
    "detach": lambda x: float(x.detach().array[0]),
    "from dlpack": lambda x: float(np.from_dlpack(x)[0]),
    "tolist": lambda x: x.tolist()[0],
    "float": lambda x: float(x[0]),
    "int": lambda x: int(x[0]),
    "index": lambda x: list(range(9))[x.long()[0]],
    "round": lambda x: round(float(x[0])),
    "item": lambda x: x[0].item(),
    "if": lambda x: 2.0 if x[0] > 1.5 else 3.0,
    "while": lambda x: next(n for n in range(9) if x[0] < n),
    "and": lambda x: 1.0 if x[0] > 1 and x[1] > 4 else 2.0,
    "max": lambda x: max(x),
    "sorted": lambda x: sorted(x)[0],
    "in": lambda x: 1.0 if 2.0 in x else 0.5,
    "elements": lambda x: sum([float(e) for e in x]),
    "repr": lambda x: len(repr(x)),
    "str": lambda x: len(str(x * 10)),
    "format": lambda x: float(f"{x[0]:.3f}"),
    "deepcopy": lambda x: copy.deepcopy(x),
    "deepcopy in a list": lambda x: copy.deepcopy([x])[0],
    "deepcopy of a parameter": lambda x: copy.deepcopy(nn.Parameter(x)).detach(),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "pickle of a parameter": lambda x: pickle.loads(pickle.dumps(nn.Parameter(x))).detach(),
    "save": lambda x: cg.load(saved(x))["x"],
    "tensor": lambda x: cg.tensor(x),
    "Tensor": lambda x: cg.Tensor(x),
    "new_tensor": lambda x: x.new_tensor(x),
    "equal": lambda x: float(cg.equal(x, cg.ones(3))),
}  # fmt: skip


def saved(x):
    import tempfile

    path = tempfile.mkdtemp() + "/x.npz"
    cg.save({"x": x}, path)
    return path


@pytest.mark.parametrize("name", READS)
def test_a_step_that_reads_values_runs_eagerly_and_says_so(name):
    read, results = READS[name], []
    inputs = [cg.tensor([float(n + 1), float(7 - n), 2.0 * n]) for n in range(6)]
    for wrap in (lambda f: f, cg.compile):
        step = wrap(lambda x: (x * 1.0) * read(x * 1.0))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            results.append([bits(step(x)) for x in inputs])
    assert results[1] == results[0]
    messages = [str(w.message) for w in caught]
    assert len(messages) == 1, messages
    assert "reads values into Python, at" in messages[0] and "test_compile_guards.py" in messages[0]


def test_code_of_the_library_takes_arrays_without_a_word():
    layer = nn.Linear(3, 2)

    @cg.compile
    def step(x):
        y = F.softmax(layer(x), 1)
        y[0] = 1.0
        return y.clone().reshape(-1).shape[0] + y.sum() + len(y)

    with warnings.catch_warnings(), cg.no_grad():
        warnings.simplefilter("error")
        for _ in range(4):
            step(cg.ones(2, 3))
    assert step.programs()[0].replay.runs == 2


# State that a step changes, besides tensors


class Worn:
    """A small training; every instance starts in the same state."""

    def __init__(self, optimizer=lambda p: cg.optim.SGD(p, 0.1, momentum=0.9)):
        cg.manual_seed(1)
        self.model = Net()
        self.optimizer = optimizer(list(self.model.parameters()))
        self.buffer, self.source = cg.zeros(3), cg.ones(3)

    def step(self, x):
        self.optimizer.zero_grad()
        loss = (self.model(x) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        self.buffer.copy_(self.buffer * 0.5 + self.source)
        return loss

    def accumulating_step(self, x):
        loss = (self.model(x) ** 2).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.buffer[...] = self.source
        self.buffer[1:] += self.source[1:]
        return loss

    def state(self):
        states = [self.optimizer.state.get(p, {}) for g in self.optimizer.param_groups for p in g["params"]]
        parameters = list(self.model.parameters())
        return bits(
            [parameters, [p.grad for p in parameters], [dict(s) for s in states], self.buffer, cg.get_rng_state()]
        )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])
        self.named = nn.ModuleDict({"a": nn.Linear(3, 3)})
        self.chain = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
        self.scales = nn.ParameterList([cg.ones(3)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).tanh()
        for name in self.named:
            x = self.named[name](x)
        for scale in self.scales:
            x = x * scale
        return self.chain(x)


def linear(scale=0.5):
    layer = nn.Linear(3, 3)
    for parameter in layer.parameters():
        parameter.array[...] = scale * np.linspace(-1, 1, parameter.array.size).reshape(parameter.shape)
    return layer


def first(worn):
    return worn.optimizer.param_groups[0]["params"][0]


def state_of(worn):
    return worn.optimizer.state[first(worn)]


def other(tensor):
    return cg.Tensor(tensor.array * 0.25)


def hook(worn):
    worn.optimizer.register_step_post_hook(lambda *_: first(worn).array.__imul__(0.5))


def swap_params(worn):
    group, new = worn.optimizer.param_groups[0], linear()
    worn.model.layers[0] = new
    group["params"][0], group["params"][1] = new.weight, new.bias


REPLACEMENTS = {
    "list item": lambda w: w.model.layers.__setitem__(0, linear()),
    "list append": lambda w: w.model.layers.append(linear()),
    "list extend": lambda w: w.model.layers.extend([linear()]),
    "list insert": lambda w: w.model.layers.insert(0, linear()),
    "list delete": lambda w: w.model.layers.__delitem__(0),
    "list pop": lambda w: w.model.layers.pop(),
    "list setattr": lambda w: setattr(w.model.layers, "0", linear()),
    "list reversed": lambda w: w.model.layers._set_items(list(w.model.layers)[::-1]),
    "new list": lambda w: setattr(w.model, "layers", nn.ModuleList([linear()])),
    "dict item": lambda w: w.model.named.__setitem__("a", linear()),
    "dict more": lambda w: w.model.named.__setitem__("b", linear()),
    "dict update": lambda w: w.model.named.update({"a": linear()}),
    "dict pop": lambda w: w.model.named.pop("a"),
    "dict clear": lambda w: w.model.named.clear(),
    "sequential item": lambda w: w.model.chain.__setitem__(0, linear()),
    "sequential append": lambda w: w.model.chain.append(linear()),
    "sequential delete": lambda w: w.model.chain.__delitem__(1),
    "activation": lambda w: w.model.chain.__setitem__(1, nn.ReLU()),
    "parameter list item": lambda w: w.model.scales.__setitem__(0, nn.Parameter(cg.full((3,), 2.0))),
    "parameter list append": lambda w: w.model.scales.append(nn.Parameter(cg.full((3,), 2.0))),
    "weight": lambda w: setattr(w.model.layers[0], "weight", nn.Parameter(other(w.model.layers[0].weight))),
    "no bias": lambda w: setattr(w.model.layers[0], "bias", None),
    "state": lambda w: state_of(w).update(momentum_buffer=other(state_of(w)["momentum_buffer"])),
    "memory of a state": lambda w: setattr(state_of(w)["momentum_buffer"], "data", other(state_of(w)["momentum_buffer"])),
    "state dict of a parameter": lambda w: w.optimizer.state.__setitem__(first(w), {"step": 0}),
    "state cleared": lambda w: w.optimizer.state.clear(),
    "state of one popped": lambda w: w.optimizer.state.pop(first(w)),
    "state replaced": lambda w: setattr(w.optimizer, "state", {}),
    "state loaded": lambda w: w.optimizer.load_state_dict(copy.deepcopy(w.optimizer.state_dict())),
    "state of zeros loaded": lambda w: w.optimizer.load_state_dict(cg.optim.SGD(w.model.parameters(), 0.2, momentum=0.9).state_dict()),
    "group added": lambda w: (w.model.layers.append(linear()), w.optimizer.add_param_group({"params": list(w.model.layers[-1].parameters()), "lr": 0.7})),
    "group replaced": lambda w: w.optimizer.param_groups.__setitem__(0, {**w.optimizer.param_groups[0], "lr": 0.7}),
    "params of a group swapped": swap_params,
    "param of a group removed": lambda w: w.optimizer.param_groups[0]["params"].pop(),
    "params of a group reduced": lambda w: w.optimizer.param_groups[0].update(params=w.optimizer.param_groups[0]["params"][1:]),
    "optimizer": lambda w: setattr(w, "optimizer", cg.optim.Adam(w.model.parameters(), 0.1)),
    "optimizer hook": hook,
    "data": lambda w: setattr(first(w), "data", other(first(w))),
    "array": lambda w: setattr(first(w), "array", first(w).array * 0.5),
    "frozen": lambda w: first(w).requires_grad_(False),
    "all frozen but one": lambda w: w.model.chain.requires_grad_(False),
    "gradient data": lambda w: setattr(first(w).grad, "data", other(first(w).grad)),
    "gradient array": lambda w: setattr(first(w).grad, "array", first(w).grad.array * 2),
    "gradient": lambda w: setattr(first(w), "grad", other(first(w).grad)),
    "no gradient": lambda w: setattr(first(w), "grad", None),
    "gradients zeroed": lambda w: w.model.zero_grad(set_to_none=False),
    "gradients forgotten": lambda w: w.model.zero_grad(),
    "gradient of what had none": lambda w: setattr(w.source, "grad", cg.ones(3)),
    "hook on a parameter": lambda w: first(w).register_hook(lambda g: g * 0.5),
    "hook on a module": lambda w: w.model.layers[1].register_forward_hook(lambda m, a, o: o * 2),
    "double": lambda w: (w.model.double(), w.optimizer.state.clear()),
    "buffer": lambda w: setattr(w, "buffer", cg.full((3,), 5.0)),
    "memory of a buffer": lambda w: setattr(w.buffer, "data", cg.full((3,), 5.0)),
    "memory of a source": lambda w: setattr(w.source, "data", cg.full((3,), 5.0)),
    "source": lambda w: setattr(w, "source", cg.full((3,), 5.0)),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["step", "accumulating_step"])
@pytest.mark.parametrize("name", REPLACEMENTS)
def test_a_program_notices_a_replaced(name, kind):
    results = []
    for wrap in (lambda f: f, cg.compile):
        worn = Worn()
        step = wrap(getattr(worn, kind))
        record = [(bits(step(batch(n))), worn.state()) for n in range(4)]
        REPLACEMENTS[name](worn)
        dtype = first(worn).dtype
        record += [(bits(step(batch(n).to(dtype))), worn.state()) for n in range(4, 8)]
        results.append(record)
    for number, (compiled, eager) in enumerate(zip(results[1], results[0])):
        assert compiled == eager, f"step {number}"
    assert len(step.programs()) <= 3, "one before, one after, and perhaps one where gradients begin"


def batch(number):
    return cg.Tensor(np.random.default_rng(number).standard_normal((4, 3)).astype(np.float32))


def assign_data(worn, x):
    for parameter in worn.model.parameters():
        parameter.data = parameter.data * 0.9
    return worn.model(x).detach()


def assign_gradient_data(worn, x):
    loss = worn.step(x)
    first(worn).grad.data = first(worn).grad.data * 2.0
    return loss + (first(worn).grad ** 2).sum()


def load_state(worn, x):
    worn.step(x)
    worn.model.load_state_dict({key: value * 0.5 for key, value in worn.model.state_dict().items()})
    return worn.model(x).detach()


def load_optimizer(worn, x):
    state = worn.optimizer.state_dict()
    worn.step(x)
    worn.optimizer.load_state_dict(state)
    return worn.model(x).detach()


def write_vector(worn, x):
    worn.step(x)
    with cg.no_grad():
        nn.utils.vector_to_parameters(
            nn.utils.parameters_to_vector(worn.model.parameters()) * 0.5, worn.model.parameters()
        )
        return worn.model(x)


def seed(worn, x):
    cg.manual_seed(3)
    return F.dropout(x, 0.5) + cg.rand(3)


def restore_generator(worn, x):
    state = cg.get_rng_state()
    first_mask = F.dropout(x, 0.5)
    cg.set_rng_state(state)
    return first_mask + F.dropout(x, 0.5) + F.dropout(x, 0.5)


def average(worn, x):
    cg.optim.swa_utils.get_ema_multi_avg_fn(0.5)([worn.buffer], [worn.source * x.sum()], 1)
    return worn.buffer * 1


def scale_by_rate(worn, x):
    if not hasattr(worn, "scheduler"):
        worn.scheduler = cg.optim.lr_scheduler.ExponentialLR(worn.optimizer, 0.5)
    worn.scheduler.step()
    return x * worn.scheduler.get_last_lr()[0]


INSIDE = {
    "data": assign_data, "data of a gradient": assign_gradient_data, "load_state_dict": load_state,
    "load_state_dict of an optimizer": load_optimizer, "vector_to_parameters": write_vector, "manual_seed": seed,
    "set_rng_state": restore_generator, "weight averaging": average, "get_last_lr": scale_by_rate,
}  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
@pytest.mark.filterwarnings("ignore:compile. .* runs eagerly")
def test_a_step_that_changes_state_does_so_every_time(name):
    results = []
    for wrap in (lambda f: f, cg.compile):
        worn = Worn()
        step = wrap(partial(INSIDE[name], worn))
        results.append([(bits(step(batch(n))), worn.state()) for n in range(6)])
    assert results[1] == results[0]
