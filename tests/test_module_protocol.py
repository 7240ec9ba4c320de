"""What scripts do with PyTorch's Module: hooks of all kinds, its dicts, state dicts, lazy modules. Each case runs with
both libraries, and what it logs is compared."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def plain(value):
    """What a log holds: numbers for tensors."""
    if isinstance(value, (cg.Tensor, torch.Tensor)):
        return np.round(value.detach().numpy(), 5).tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def network(lib):
    net = lib.nn.Sequential(lib.nn.Linear(2, 3), lib.nn.Tanh(), lib.nn.Linear(3, 1))
    for i, p in enumerate(net.parameters()):
        p.data.copy_(lib.linspace(-1, 1, p.numel()).reshape(p.shape) + 0.1 * i)
    return net


def inputs(lib):
    return lib.tensor([[1.0, 2.0], [0.5, -1.0]])


@case
def full_backward_pre_hook(lib, log):
    net = network(lib)
    net[2].register_full_backward_pre_hook(lambda module, grads: log.append(grads))
    net[0].register_full_backward_pre_hook(lambda module, grads: (grads[0] * 2,))
    net[0].register_full_backward_hook(lambda module, ingoing, outgoing: log.append((len(ingoing), outgoing)))
    x = inputs(lib).requires_grad_()
    net(x).sum().backward()
    log += [x.grad, net[0].weight.grad]


@case
def hooks_of_all_modules(lib, log):
    module = lib.nn.modules.module if lib is torch else __import__("cygrad.nn.module").nn.module
    net = network(lib)
    names = {id(m): n for n, m in net.named_modules()}
    net[1].register_forward_hook(lambda m, args, output: log.append("own"))
    handles = [
        module.register_module_forward_pre_hook(lambda m, args: log.append(("before", names[id(m)]))),
        module.register_module_forward_hook(lambda m, args, output: log.append(("after", names[id(m)]))),
        module.register_module_full_backward_hook(lambda m, i, o: log.append(("backward", names[id(m)], len(i)))),
    ]
    x = inputs(lib).requires_grad_()
    net(x).sum().backward()
    for handle in handles:
        handle.remove()
    net(x)
    log.append(x.grad)


@case
def forward_hook_of_errors(lib, log):
    class Broken(lib.nn.Module):
        def forward(self, x):
            raise KeyError("broken")

    net = Broken()
    net.register_forward_hook(lambda m, args, output: log.append(("always", output)), always_call=True)
    net.register_forward_hook(lambda m, args, output: log.append("never"))
    with pytest.raises(KeyError):
        net(inputs(lib))


@case
def state_dict_hooks(lib, log):
    net = network(lib)
    net.register_state_dict_pre_hook(lambda m, prefix, keep: log.append(("pre", prefix, keep)))
    net[0].register_state_dict_post_hook(lambda m, state, prefix, meta: log.append((list(state), prefix, dict(meta))))
    net._register_state_dict_hook(lambda m, state, prefix, meta: log.append(len(state)))
    log.append(list(net.state_dict(prefix="net.")))


@case
def load_state_dict_hooks(lib, log):
    net = network(lib)
    old = {f"old.{key}": value + 1 for key, value in net.state_dict().items()}

    def rename(module, state, prefix, metadata, strict, missing, unexpected, errors):
        log.append((prefix, strict))
        for key in list(state):
            state[key.removeprefix("old.")] = state.pop(key)

    net.register_load_state_dict_pre_hook(rename)
    net[2].register_load_state_dict_post_hook(lambda m, keys: log.append(("post", list(keys.missing_keys))))
    log.append(list(net.load_state_dict(old)))
    log += [list(net.parameters()), sorted(old)]


@case
def a_hook_forgives_missing_keys(lib, log):
    net = network(lib)
    net.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    state = net.state_dict()
    del state["0.bias"]
    log.append(list(net.load_state_dict(state, strict=False)))


@case
def assigned_state(lib, log):
    net = network(lib)
    net[0].bias.requires_grad = False
    state = {key: value.double() for key, value in net.state_dict().items()}
    net.load_state_dict(state, assign=True)
    log += [(str(p.dtype).split(".")[-1], p.requires_grad) for p in net.parameters()]


@case
def extra_state(lib, log):
    class Counter(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.count, self.layer = 3, lib.nn.Linear(1, 1)

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    net, other = lib.nn.Sequential(Counter()), lib.nn.Sequential(Counter())
    other[0].count = 9
    log.append(list(net.state_dict()))
    net.load_state_dict(other.state_dict())
    log.append(net[0].count)


@case
def the_dicts_of_a_module(lib, log):
    net = network(lib)
    layer = net[0]
    log.append([list(net._modules), list(layer._parameters), list(layer._buffers), "0" in net._modules])
    net._modules["1"] = lib.nn.ReLU()
    layer._parameters["weight"] = lib.nn.Parameter(lib.ones(3, 2))
    layer._buffers["scale"] = lib.ones(1)
    del layer._parameters["bias"]
    layer.register_parameter("bias", None)
    log += [list(net.state_dict()), [n for n, _ in layer.named_parameters()], layer._parameters.get("bias", 5)]
    log.append(net(inputs(lib)))
    for name, child in net._modules.items():
        log.append((name, type(child).__name__))
    members = net._modules
    log.append([list(reversed(members)), list(reversed(members.keys())), [n for n, _ in reversed(members.items())]])
    log.append([[type(m).__name__ for m in reversed(members.values())], list(members | {"a": 1}), list({"a": 1} | members)])
    log.append([len(members.values()), list(members.copy()), net[0] in members.values(), members == dict(members)])
    name, last = members.popitem()
    log.append([name, type(last).__name__, list(net._modules), len(net)])
    members |= {"last": last}
    log.append([list(net._modules), [type(m).__name__ for m in net.children()]])
    layer._buffers.clear()
    try:
        layer._buffers.popitem()
    except KeyError:
        log.append(list(layer.buffers()))


@case
def metadata(lib, log):
    net = lib.nn.Sequential(lib.nn.Linear(1, 2))
    state = net.state_dict()
    log += [type(state).__name__, {k: dict(v) for k, v in state._metadata.items()}]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arguments by position
        log.append(list(net.state_dict({}, "a.", True)))


@case
def buffers(lib, log):
    class Net(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.kept = lib.nn.Buffer(lib.ones(2))
            self.lost = lib.nn.Buffer(lib.zeros(2), persistent=False)

    net = Net()
    net.kept = lib.full((2,), 3.0)
    log += [[n for n, _ in net.named_buffers()], dict(net.state_dict())]


@case
def missing_attributes(lib, log):
    class Wrapper(lib.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self.module, name)

    net = Wrapper(lib.nn.Linear(2, 3))
    log += [net.in_features, hasattr(net, "nothing"), list(net.weight.shape)]
    with pytest.raises(AttributeError):
        _ = net.nothing
    log.append(copy.deepcopy(net).out_features)


@case
def missing_attributes_of_a_mixin(lib, log):
    class Named:
        def __getattr__(self, name):
            return name if name.startswith("any_") else super().__getattr__(name)

    class Net(Named, lib.nn.Linear):
        pass

    net = Net(2, 3)
    log += [net.any_thing, net.in_features, hasattr(net, "nothing"), hasattr(lib.nn.Module, "__getattr__")]


@case
def an_overridden_train(lib, log):
    class Frozen(lib.nn.Linear):
        def train(self, mode=True):
            log.append(("train", mode))
            return super().train(False)

    net = lib.nn.Sequential(Frozen(1, 1), lib.nn.ReLU())
    log.append([m.training for m in net.train().modules()])


@case
def sequential_arithmetic(lib, log):
    net = network(lib)
    log += [len(net * 2), len(net + net), len(2 * net), len(lib.nn.ModuleList([net]) + [net, net])]  # noqa: RUF005
    net += lib.nn.Sequential(lib.nn.ReLU())
    net.extend([lib.nn.Tanh()])
    net.insert(1, lib.nn.Sigmoid())
    log += [[type(m).__name__ for m in net], type(net.pop(1)).__name__, len(net)]


@case
def parameter_dicts(lib, log):
    scales = lib.nn.ParameterDict({"a": lib.nn.Parameter(lib.ones(2)), "b": lib.zeros(1)})
    scales["c"] = lib.ones(3)
    log += [list(scales.keys()), len(scales), "a" in scales, scales.get("z", 1), list(scales.state_dict())]
    scales.pop("a")
    log += [[n for n, _ in scales.named_parameters()], list((scales | {"d": lib.ones(1)}).keys())]
    scales.setdefault("e", lib.ones(1))
    log.append([(k, v) for k, v in scales.items()])
    scales.clear()
    log.append(list(scales))


@case
def lazy_modules(lib, log):
    net = lib.nn.Sequential(lib.nn.LazyLinear(4), lib.nn.LazyBatchNorm1d(), lib.nn.ReLU(), lib.nn.LazyLinear(1, bias=False))
    log += [net[0].has_uninitialized_params(), list(net.state_dict()), isinstance(net[0].weight, lib.nn.UninitializedParameter)]
    with pytest.raises(RuntimeError):
        _ = net[0].weight.shape
    optimizer = lib.optim.SGD(net.parameters(), 0.1)
    out = net(lib.ones(5, 3))
    log += [list(out.shape), [type(m).__name__ for m in net], [list(p.shape) for p in net.parameters()]]
    out.sum().backward()
    optimizer.step()
    other = lib.nn.Sequential(lib.nn.LazyLinear(4), lib.nn.LazyBatchNorm1d(), lib.nn.ReLU(), lib.nn.LazyLinear(1, bias=False))
    other.load_state_dict(net.state_dict())
    net.eval(), other.eval()
    x = lib.arange(6.0).reshape(2, 3)
    log.append(bool(lib.allclose(other(x), net(x))))


@case
def submodules_by_name(lib, log):
    net = lib.nn.Sequential(network(lib))
    net.set_submodule("0.1", lib.nn.ReLU())
    log += [type(net.get_submodule("0.1")).__name__, list(net.get_parameter("0.0.bias").shape)]
    net.register_module("more", lib.nn.Identity())
    log += [[n for n, _ in net.named_modules()], [n for n, _ in net.named_parameters(recurse=False)]]
    log.append(type(net.to_empty(device="cpu")).__name__)


@case
def old_reductions(lib, log):
    x, y = lib.tensor([1.0, 2.0]), lib.tensor([0.0, 0.5])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for flags in ((None, None), (False, None), (True, False), (None, True), (False, True)):
            log.append(lib.nn.MSELoss(*flags)(x, y))
            log.append(lib.nn.functional.l1_loss(x, y, *flags))


@pytest.mark.parametrize("name", CASES)
def test_pytorch_does_the_same(name):
    logs = []
    for lib in (torch, cg):
        log = []
        CASES[name](lib, log)
        logs.append(plain(log))
    assert logs[1] == logs[0]


def test_a_lazy_module_survives_copies():
    for lazy in (copy.deepcopy(cg.nn.LazyLinear(2)), pickle.loads(pickle.dumps(cg.nn.LazyLinear(2)))):
        assert lazy(cg.ones(1, 3)).shape == (1, 2)


def test_attributes_of_modules_are_read_without_getattr():
    """Until a class has one: Python reads every attribute of a class with a __getattr__ more slowly."""
    code = "import cygrad as cg; assert not hasattr(cg.nn.Linear, '__getattr__')"
    subprocess.run([sys.executable, "-c", code], check=True)
