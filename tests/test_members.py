"""Members of modules as programs reach them: under names of methods, through the dicts ``_parameters``, ``_buffers`` and
``_modules``, and in copies that they make by hand. Each case runs with both libraries, and what it logs is compared."""

from __future__ import annotations

import copy
import io
import pickle
import sys
import weakref

import pytest

import cygrad as cg
from tests.test_module_protocol import inputs, network, plain

torch = pytest.importorskip("torch")

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def outcome(action, *args):
    """What a call returns, or the type of its error."""
    try:
        return action(*args)
    except Exception as error:
        return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")


@case
def a_submodule_with_the_name_of_a_method(lib, log):
    class Net(lib.nn.Module):
        label = None

        def __init__(self):
            super().__init__()
            self.parameters = [1]
            self.parameters = lib.nn.ParameterList([lib.nn.Parameter(lib.ones(2))])
            self.train = lib.nn.Linear(2, 1)
            self.half = lib.nn.Sequential(lib.nn.Tanh())
            self.forward = lib.nn.Linear(1, 1)
            self.label = lib.nn.Identity()
            self.type = lib.nn.Linear(1, 2, bias=False)
            self.type = lib.nn.Linear(2, 2, bias=False)

        def forward(self, x):
            return self._modules["train"](x) + self._modules["parameters"][0].sum()

    net = Net()
    log += [list(net.state_dict()), [n for n, _ in net.named_children()], "parameters" in vars(net), net.label]
    log += [len(list(net.parameters())), net.eval().training, net._modules["train"].training]
    log.append(net.type(lib.float64) is net)
    log += [net._modules["train"].weight.dtype == lib.float64, net(lib.ones(3, 2, dtype=lib.float64)).shape]
    twin = copy.deepcopy(net)
    twin._modules["parameters"][0].data.zero_()
    log += [net._modules["parameters"][0], twin._modules["parameters"][0], [type(m).__name__ for m in twin.children()]]
    log += [list(pickle.loads(pickle.dumps(lib.nn.Linear(2, 1))).state_dict()), len(list(net.modules()))]
    del net.train
    log += [list(net._modules), net.train(False) is net]
    net.half = None
    log += [list(net._modules), [n for n, _ in net.named_children()], callable(net.half)]


@case
def names_that_are_refused(lib, log):
    class Net(lib.nn.Module):
        scale = None

    net = Net()
    net.own = 1
    one = lib.nn.Parameter(lib.ones(1))
    for name in ("type", "scale", "own", "a.b", ""):
        log.append([name, outcome(setattr, net, name, one), outcome(net.register_parameter, name, one)])
        log.append(outcome(net.register_buffer, name, one.data))
        log += [outcome(net.add_module, name, lib.nn.Identity()), list(net._parameters), list(net._modules)]
    net.register_parameter("later", None)
    log += [net.later, outcome(setattr, net, "later", lib.ones(1)), dict(net._parameters)]
    log.append(list(net.parameters()))
    net.later = one
    log += [dict(net.named_parameters()), outcome(net.register_buffer, "later", lib.ones(1))]
    log += [outcome(setattr, net, "later", lib.nn.Identity()), outcome(setattr, net, "later", 3)]
    net.register_buffer("turns", lib.ones(1))
    net.turns = lib.nn.Identity()
    log += [list(net._buffers), list(net._modules), outcome(setattr, net, "turns", 3)]
    net.turns = one
    log += [list(net._parameters), list(net._modules)]
    net.taken = None
    log += [outcome(net.register_parameter, "taken", one), outcome(net.register_buffer, "taken", None)]
    net.taken = one
    log += [list(net._parameters), outcome(delattr, net, "nowhere")]


@case
def the_dicts_can_be_read_written_and_replaced(lib, log):
    net = network(lib)[0]
    log += [list(net.__dict__["_parameters"]), "weight" in vars(net)["_parameters"], len(vars(net)["_buffers"])]
    weight = net._parameters.pop("weight")
    log += [hasattr(net, "weight"), list(net._parameters), list(net.state_dict())]
    net.weight = weight * 2  # a plain attribute now, through which gradients flow
    net(inputs(lib)).sum().backward()
    log += [weight.grad, [n for n, _ in net.named_parameters()], list(vars(net)["_parameters"])]
    net._parameters = {"bias": net._parameters["bias"], "scale": weight}
    log += [net.scale is weight, [n for n, _ in net.named_parameters()]]
    net._parameters = type(net._parameters)() if lib is torch else {}
    log += [hasattr(net, "scale"), hasattr(net, "bias"), hasattr(net, "weight"), len(list(net.parameters()))]
    net.__dict__["_buffers"]["running"] = lib.zeros(1)
    net.running = lib.ones(1)
    log += [net._buffers["running"], list(net.state_dict()), net._buffers.get("other"), dict(net._buffers)]
    net._buffers.update(other=None)
    net._non_persistent_buffers_set.add("running")
    log += [net.other, list(net.state_dict()), [n for n, _ in net.named_buffers()], bool(net._modules)]
    net._buffers.clear()
    log += [hasattr(net, "running"), net._buffers.setdefault("again", lib.ones(2)), net.again]


@case
def dicts_of_hooks(lib, log):
    net = network(lib)
    net.register_forward_hook(lambda module, args, output: log.append("after"))
    keep = net.register_forward_hook(lambda module, args, kwargs, output: log.append(kwargs), with_kwargs=True)
    net[1].register_forward_pre_hook(lambda module, args: log.append("before"))
    net[1].register_full_backward_hook(lambda module, ingoing, outgoing: log.append("backward"))
    log += [len(net._forward_hooks), len(net[1]._forward_pre_hooks), len(net[0]._forward_hooks), len(net._state_dict_hooks)]
    net(inputs(lib)).sum().backward()
    for number, hook in list(net._forward_hooks.items()):
        log.append(callable(hook))
        if number == next(iter(net._forward_hooks)):
            del net._forward_hooks[number]
    net[1]._forward_pre_hooks.clear()
    net[1]._backward_hooks = type(net[1]._backward_hooks)()
    net(inputs(lib)).sum().backward()
    keep.remove()
    log.append(len(net._forward_hooks))
    net(inputs(lib))


@case
def modules_that_load_in_their_own_way(lib, log):
    class Renamed(lib.nn.Linear):
        """Reads an old name, and drops what it does not need."""

        _version = 2

        def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
            log.append([prefix, local_metadata.get("version"), type(rest[0]).__name__])
            state_dict.pop(prefix + "steps", None)
            if prefix + "kernel" in state_dict:
                state_dict[prefix + "weight"] = state_dict.pop(prefix + "kernel")
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    class Doubled(lib.nn.Module):
        """Loads its tensor by itself, and has a submodule that does not."""

        def __init__(self):
            super().__init__()
            self.w = lib.nn.Parameter(lib.zeros(2))
            self.inner = lib.nn.Linear(1, 1)

        def _load_from_state_dict(self, state_dict, prefix, *rest):
            with lib.no_grad():
                self.w.copy_(state_dict[prefix + "v"] * 2)

    net = lib.nn.Sequential(Renamed(1, 1), Doubled())
    state = {"0.kernel": lib.ones(1, 1), "0.bias": lib.ones(1), "0.steps": lib.ones(1), "1.v": lib.ones(2)}
    state |= {"1.inner.weight": lib.ones(1, 1) * 3, "1.inner.bias": lib.zeros(1)}
    log += [net.load_state_dict(state) is not None, list(state), net[0].weight, net[1].w, net[1].inner.weight]
    log += [outcome(net.load_state_dict, {**state, "1.inner.other": lib.ones(1)}), list(net.state_dict())]
    net.load_state_dict({**net.state_dict(), "1.v": lib.ones(2)}, strict=False)
    saved = Renamed(1, 1).state_dict()
    Renamed(1, 1).load_state_dict(saved)


@case
def tensors_take_the_place_of_parameters(lib, log):
    """One step of gradient descent whose result depends on the first weights, as in meta-learning."""
    net = network(lib)
    first = list(net.parameters())
    loss = net(inputs(lib)).square().sum()
    steps = lib.autograd.grad(loss, first, create_graph=True)
    fresh = dict(zip(first, [p - 0.1 * g for p, g in zip(first, steps)]))
    for module in net.modules():
        for name, p in list(module._parameters.items()):
            module._parameters[name] = fresh[p]
    log += [[n for n, _ in net.named_parameters()], net[0].weight, [p.requires_grad for p in net.parameters()]]
    net(inputs(lib)).square().sum().backward()
    log += [p.grad for p in first]


def cloned(module):
    """A copy whose parameters are functions of the module's."""
    clone = module.__new__(type(module))
    clone.__dict__ = module.__dict__.copy()
    clone._parameters = clone._parameters.copy()
    clone._buffers = clone._buffers.copy()
    clone._modules = clone._modules.copy()
    for name, p in module._parameters.items():
        clone._parameters[name] = p * 2
    for name, b in module._buffers.items():
        clone._buffers[name] = b.clone()
    for name, child in module._modules.items():
        clone._modules[name] = cloned(child)
    return clone


@case
def copies_of_dict_by_hand(lib, log):
    net = lib.nn.Sequential(network(lib), lib.nn.BatchNorm1d(1))
    clone = cloned(net)
    clone(inputs(lib) * 100)[0].square().sum().backward()
    log += [net[0][0].weight.grad, [n for n, _ in clone.named_parameters()], net[1].running_mean, clone[1].running_mean]
    log += [[n for n, _ in net.named_parameters()], clone.training, len(list(clone.modules()))]
    other = lib.nn.Linear.__new__(lib.nn.Linear)
    other.__dict__.update(net[0][0].__dict__)
    log += [other(inputs(lib)), other.weight is net[0][0].weight, list(other.state_dict()), repr(other)]
    empty = lib.nn.Linear.__new__(lib.nn.Linear)
    empty.note = 1
    log += [outcome(setattr, empty, "weight", lib.nn.Parameter(lib.ones(1))), empty.note]
    log += [outcome(setattr, empty, "inner", lib.nn.Identity())]
    shallow = copy.copy(net)
    log += [shallow(inputs(lib)).shape, [n for n, _ in shallow.named_parameters()], shallow[0] is net[0]]


@case
def attributes_set_by_the_modules_own_code(lib, log):
    """A module with its own ``__setattr__``, ``__getattr__`` and ``__delattr__`` on the dicts."""

    class Own(lib.nn.Module):
        def __setattr__(self, name, value):
            parameters = self.__dict__.get("_parameters")
            if parameters is not None and name in parameters:
                parameters[name] = value
            elif isinstance(value, lib.nn.Module):
                modules = self.__dict__["_modules"]
                self.__dict__.pop(name, None)
                modules[name] = value
            else:
                super().__setattr__(name, value)

        def __getattr__(self, name):
            for kind in ("_parameters", "_buffers", "_modules"):
                if kind in self.__dict__ and name in self.__dict__[kind]:
                    return self.__dict__[kind][name]
            raise AttributeError(name)

        def __delattr__(self, name):
            if name in self._parameters:
                del self._parameters[name]
            else:
                super().__delattr__(name)

    net = Own()
    net.inner = lib.nn.Linear(1, 1)
    net.w = lib.nn.Parameter(lib.ones(2))
    net.w = lib.zeros(2)
    log += [net.w, [n for n, _ in net.named_parameters()], net.inner is net._modules["inner"]]
    del net.w
    log += [hasattr(net, "w"), [n for n, _ in net.named_parameters()]]


class State:
    """Pickling hooks that leave one attribute out."""

    def __getstate__(self):
        state = self.__dict__.copy()
        del state["cache"]
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.cache = "new"


Pickled = {lib: type(f"Pickled{lib.__name__}", (State, lib.nn.Module), {}) for lib in (torch, cg)}
for kind in Pickled.values():
    kind.__module__, kind.__qualname__ = __name__, kind.__name__
    setattr(sys.modules[__name__], kind.__name__, kind)


@case
def pickling_hooks(lib, log):
    net = Pickled[lib]()
    net.cache, net.layer = "old", network(lib)
    net.w = lib.nn.Parameter(lib.ones(2))
    net.register_buffer("b", lib.ones(1), persistent=False)
    for twin in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net), copy.copy(net)):
        twin.extra = lib.nn.Identity()
        log += [twin.cache, list(twin.state_dict()), [n for n, _ in twin.named_children()]]
        log.append([n for n, _ in twin.named_buffers()])
        log += [twin.w, twin.layer(inputs(lib)), twin._non_persistent_buffers_set, twin._modules["layer"] is twin.layer]
    file = io.BytesIO()
    pickle.dump(net, file)


@pytest.mark.parametrize("name", CASES)
def test_pytorch_does_the_same(name):
    logs = {}
    for lib in (torch, cg):
        logs[lib] = []
        CASES[name](lib, logs[lib])
    assert [repr(plain(item)) for item in logs[cg]] == [repr(plain(item)) for item in logs[torch]]


def test_a_module_is_freed_with_its_last_reference():
    net = network(cg)
    dead = weakref.ref(net)
    assert net._modules and net[0]._parameters
    del net
    assert dead() is None


def test_members_without_a_module_say_so():
    members = copy.deepcopy(cg.nn.Linear(1, 1)._parameters)
    with pytest.raises(RuntimeError, match="these members belong to no module"):
        members["weight"]
    assert list(members) == ["weight", "bias"]


def test_a_module_without_init_is_named():
    empty = cg.nn.Linear.__new__(cg.nn.Linear)
    with pytest.raises(RuntimeError, match=r"Linear: the object is not initialized"):
        list(empty.parameters())


def test_a_recorded_step_follows_a_hidden_submodule():
    class Net(cg.nn.Module):
        def __init__(self):
            super().__init__()
            self.type = cg.nn.Linear(2, 1)

        def forward(self, x):
            return self._modules["type"](x)

    net, x = Net(), cg.ones(1, 2)
    step = cg.compile(lambda x: net(x).sum().detach())
    values = [step(x).item() for _ in range(3)]
    net.type = cg.nn.Linear(2, 1)
    net._modules["type"].weight.data.fill_(1.0)
    net._modules["type"].bias.data.fill_(0.5)
    assert values[0] == values[2] and step(x).item() == 2.5
