"""Module: attributes, iteration, state and hooks; options; containers; names and repr as in PyTorch."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections import OrderedDict

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from cygrad.nn import functional as F
from cygrad.nn.options import KW_ONLY, Configured, stores_options

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")


def parameter(*shape, dtype=np.float32):
    return nn.Parameter(np.arange(np.prod(shape), dtype=dtype).reshape(shape))


class Scale(nn.Module):
    """ReLU(x), with a parameter, a buffer, and a buffer that is not saved."""

    def __init__(self, size=3):
        super().__init__()
        self.factor = parameter(size)
        self.register_buffer("count", cg.Tensor(np.zeros((), np.int64)))
        self.register_buffer("scratch", cg.Tensor(np.zeros(2)), persistent=False)

    def forward(self, x):
        return F.relu(x)


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Scale()
        self.bias = parameter(1)
        self.second = Scale()

    def forward(self, x):
        return self.second(self.first(x))


# Attributes


def test_parameter_shares_memory_and_version():
    tensor = cg.Tensor(np.ones(3))
    shared = nn.Parameter(tensor)
    assert shared.array is tensor.array
    assert shared.version is tensor.version
    assert shared.requires_grad and not tensor.requires_grad


def test_parameter_of_integers_needs_requires_grad_false():
    with pytest.raises(RuntimeError, match="Parameter: only floats can require a gradient, got int64"):
        nn.Parameter(cg.Tensor(np.arange(3)))
    assert not nn.Parameter(cg.Tensor(np.arange(3)), requires_grad=False).requires_grad


def test_the_result_of_an_op_on_a_parameter_is_a_tensor():
    assert type(F.relu(parameter(3))) is cg.Tensor


@pytest.mark.parametrize("value", [3, np.ones(3), cg.Tensor(np.ones(3)), "x"])
def test_a_parameter_is_only_replaced_by_a_parameter(value):
    module = Scale()
    before = module.factor
    with pytest.raises(TypeError, match="Scale: factor can only be replaced by a Parameter or None, got "):
        module.factor = value
    assert module.factor is before
    module.factor = None
    assert list(module.parameters()) == []


def test_a_module_is_only_replaced_by_a_module():
    module = Pair()
    with pytest.raises(TypeError, match="Pair: first can only be replaced by a Module or None, got int"):
        module.first = 3
    module.first = nn.Identity()
    assert isinstance(module.first, nn.Identity)


def test_a_buffer_is_only_replaced_by_a_tensor():
    module = Scale()
    with pytest.raises(TypeError, match="Scale: count can only be replaced by a Tensor or None, got int"):
        module.count = 3
    module.count = cg.Tensor(np.ones(()))
    assert "count" in module.state_dict()


def test_a_buffer_that_becomes_a_parameter_is_not_a_buffer():
    module = Scale()
    module.count = parameter(1)
    assert [name for name, _ in module.named_buffers()] == ["scratch"]
    assert [name for name, _ in module.named_parameters()] == ["factor", "count"]


def test_forgetting_init_raises():
    class Forgetful(nn.Module):
        def __init__(self):
            self.weight = parameter(2)

    with pytest.raises(AttributeError, match=r"Forgetful: weight was assigned before super\(\).__init__\(\)"):
        Forgetful()


def test_a_deleted_buffer_is_gone():
    module = Scale()
    del module.count
    assert list(module.state_dict()) == ["factor"]


@pytest.mark.parametrize("add", ["register_parameter", "register_buffer", "add_module"])
@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("", KeyError, "empty"),
        ("a.b", KeyError, "dot"),
        (3, TypeError, "string"),
        ("forward", KeyError, "already"),
    ],
)
def test_bad_names(add, name, error, match):
    with pytest.raises(error, match=match):
        getattr(Scale(), add)(name, None)


@pytest.mark.parametrize("add", ["register_parameter", "register_buffer", "add_module"])
def test_bad_values(add):
    with pytest.raises(TypeError, match=f"{add}: thing must be a .* or None, got int"):
        getattr(Scale(), add)("thing", 3)


def test_a_parameter_may_be_none_at_first():
    module = Scale()
    module.register_parameter("late", None)
    assert [name for name, _ in module.named_parameters()] == ["factor"]
    module.late = parameter(2)
    assert [name for name, _ in module.named_parameters()] == ["factor", "late"]


# Iteration


def test_names_in_order():
    module = Pair()
    assert [n for n, _ in module.named_parameters()] == ["bias", "first.factor", "second.factor"]
    assert [n for n, _ in module.named_parameters("net", recurse=False)] == ["net.bias"]
    assert [n for n, _ in module.named_buffers()] == [
        "first.count", "first.scratch", "second.count", "second.scratch",
    ]  # fmt: skip
    assert [n for n, _ in module.named_modules()] == ["", "first", "second"]
    assert [n for n, _ in module.named_children()] == ["first", "second"]
    assert [id(p) for p in module.parameters()] == [id(p) for _, p in module.named_parameters()]
    assert list(module.modules()) == [module, module.first, module.second]


def test_shared_members_appear_once():
    module = Pair()
    module.second = module.first
    module.bias = module.first.factor
    assert [n for n, _ in module.named_parameters()] == ["bias"]
    assert len(list(module.parameters())) == 1
    names = [n for n, _ in module.named_parameters(remove_duplicate=False)]
    assert names == ["bias", "first.factor", "second.factor"]
    assert list(module.children()) == [module.first]
    assert [n for n, _ in module.named_modules(remove_duplicate=False)] == ["", "first", "second"]
    assert list(module.state_dict()) == [
        "bias",
        "first.factor",
        "first.count",
        "second.factor",
        "second.count",
    ]


def test_lookup_by_dotted_name():
    module = Pair()
    assert module.get_submodule("") is module
    assert module.get_submodule("first") is module.first
    assert module.get_parameter("first.factor") is module.first.factor
    assert module.get_buffer("second.scratch") is module.second.scratch
    with pytest.raises(AttributeError, match="get_submodule: Pair has no module 'third'"):
        module.get_submodule("third.factor")
    with pytest.raises(AttributeError, match=r"get_parameter: Pair has no parameter 'first.count'"):
        module.get_parameter("first.count")
    with pytest.raises(AttributeError, match=r"get_buffer: Pair has no buffer 'first.factor'"):
        module.get_buffer("first.factor")


def test_apply_goes_from_the_leaves_up():
    module = Pair()
    order = []
    assert module.apply(order.append) is module
    assert order == [module.first, module.second, module]


# State


def test_state_dict_shares_memory():
    module = Pair()
    state = module.state_dict()
    assert list(state) == ["bias", "first.factor", "first.count", "second.factor", "second.count"]
    assert state["bias"].array is module.bias.array
    assert type(state["bias"]) is cg.Tensor and not state["bias"].requires_grad
    assert state["bias"].version is module.bias.version
    assert module.state_dict(keep_vars=True)["bias"] is module.bias
    assert "net.bias" in module.state_dict(prefix="net.")


def test_load_state_dict_copies():
    source, target = Pair(), Pair()
    source.first.factor.array[:] = 7
    version = target.first.factor.version.value
    result = target.load_state_dict(source.state_dict())
    assert result.missing_keys == [] and result.unexpected_keys == []
    assert repr(result) == "<All keys matched successfully>"
    np.testing.assert_array_equal(target.first.factor.array, 7)
    assert target.first.factor.array is not source.first.factor.array
    assert target.first.factor.version.value == version + 1


def test_load_state_dict_takes_arrays_and_other_floats():
    target = Scale()
    target.load_state_dict({"factor": np.array([5.0, 6.0, 7.0]), "count": np.array(9)})
    np.testing.assert_array_equal(target.factor.array, np.float32([5, 6, 7]))
    assert target.factor.array.dtype == np.float32
    assert target.count.array == 9


def broken_states():
    good = Pair().state_dict()
    yield {**good, "extra": good["bias"]}, "unexpected keys 'extra'"
    yield {k: v for k, v in good.items() if k != "bias"}, "missing keys 'bias'"
    yield {**good, "second.factor": np.zeros((3, 1))}, r"'second.factor' has shape \(3, 1\), wanted \(3,\)"
    yield {**good, "second.count": np.array(1.5)}, "'second.count' has dtype float64, wanted int64"
    yield {**good, "second.factor": None}, r"'second.factor' has shape \(\), wanted \(3,\)"


@pytest.mark.parametrize(("state", "match"), list(broken_states()))
def test_a_state_that_does_not_fit_changes_nothing(state, match):
    state["first.factor"] = np.full(3, 9.0)
    module = Pair()
    before = {name: value.array.copy() for name, value in module.state_dict().items()}
    with pytest.raises(RuntimeError, match=f"load_state_dict: the state does not fit Pair: {match}") as caught:
        module.load_state_dict(state)
    assert "\n" not in str(caught.value)
    for name, value in module.state_dict().items():
        np.testing.assert_array_equal(value.array, before[name])


def test_load_state_dict_not_strict():
    module = Scale()
    result = module.load_state_dict({"factor": np.ones(3), "other": np.ones(3)}, strict=False)
    assert result.missing_keys == ["count"] and result.unexpected_keys == ["other"]
    np.testing.assert_array_equal(module.factor.array, 1)
    with pytest.raises(RuntimeError, match="shape"):
        module.load_state_dict({"factor": np.ones(4)}, strict=False)
    with pytest.raises(TypeError, match="load_state_dict: state_dict must be a mapping, got list"):
        module.load_state_dict([("factor", np.ones(3))])


def test_read_only_memory_is_not_written():
    module = Scale()
    module.factor.array.flags.writeable = False
    with pytest.raises(RuntimeError, match="'factor' is in read-only memory"):
        module.load_state_dict({"factor": np.ones(3), "count": np.array(1)})
    assert module.count.array == 0


def test_calls_and_forwards_can_be_replaced():
    class Doubled(nn.Linear):
        def __call__(self, *args, **kwargs):
            return super().__call__(*args, **kwargs) * 2

        def forward(self, input, plus=0.0):
            return super().forward(input) + plus

    module = Doubled(2, 2)
    x = cg.ones(1, 2)
    want = (x @ module.weight.detach().T + module.bias.detach()) * 2
    np.testing.assert_allclose(module(x).detach().numpy(), want.numpy(), rtol=1e-6)
    np.testing.assert_allclose(module(x, plus=1.0).detach().numpy(), want.numpy() + 2, rtol=1e-6)
    module.forward = lambda *args: args[-1]
    assert module(x, 3) == 6
    module.register_forward_hook(lambda module, args, result: result + 1)
    assert module(x, 3) == 8
    with pytest.raises(NotImplementedError, match="Module: forward is not defined"):
        nn.Module()(x)


def test_deepcopy_and_pickle_keep_everything():
    module = Pair()
    module.first.factor.array[:] = 4
    module.note = "kept"
    module.second.eval()
    module.bias.requires_grad = False
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert other.note == "kept"
        assert not other.second.training and other.first.training
        assert isinstance(other.bias, nn.Parameter) and not other.bias.requires_grad
        np.testing.assert_array_equal(other.first.factor.array, 4)
        assert not np.shares_memory(other.first.factor.array, module.first.factor.array)
        assert list(other.state_dict()) == list(module.state_dict())


def test_deepcopy_keeps_sharing():
    module = Pair()
    module.second.factor = module.first.factor
    other = copy.deepcopy(module)
    assert other.second.factor is other.first.factor


# Changes to all modules


def test_train_and_eval():
    module = Pair()
    assert module.eval() is module
    assert not module.training and not module.first.training
    assert module.train().second.training
    with pytest.raises(ValueError, match="train: mode must be True or False, got 1"):
        module.train(1)


def test_requires_grad_and_zero_grad():
    module = Pair()
    for p in module.parameters():
        p.grad_value = cg.Tensor(np.ones_like(p.array))
    module.zero_grad(set_to_none=False)
    assert all((p.grad_value.array == 0).all() for p in module.parameters())
    module.zero_grad()
    assert all(p.grad_value is None for p in module.parameters())
    assert module.requires_grad_(False) is module
    assert not any(p.requires_grad for p in module.parameters())


def test_dtypes():
    module = Pair()
    before = module.bias
    assert module.double() is module
    assert module.bias is before and before.array.dtype == np.float64
    assert module.first.count.array.dtype == np.int64
    assert module.float().bias.array.dtype == np.float32
    assert module.to(np.float64).bias.array.dtype == np.float64
    assert module.to("cpu", np.float32).bias.array.dtype == np.float32
    assert module.to(cg.Tensor(np.ones(1))).bias.array.dtype == np.float64
    with pytest.raises(TypeError, match="to: a module's dtype must be float32, float64 or float16, got int64"):
        module.to(np.int64)


@pytest.mark.parametrize("call", [lambda m: m.to("cuda"), lambda m: m.to(device="cuda:0")])
def test_there_is_no_other_device(call):
    with pytest.raises(ValueError, match="to: cygrad computes on the CPU only, got device 'cuda"):
        call(Pair())


# Hooks


def test_forward_is_undefined_at_first():
    with pytest.raises(NotImplementedError, match="Module: forward is not defined"):
        nn.Module()(3)


def test_forward_hooks_see_and_change():
    module, seen = nn.Identity(), []
    handle = module.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    module.register_forward_hook(lambda m, args, output: seen.append((m, args, output)))
    module.register_forward_hook(lambda m, args, output: output * 10)
    assert module(1) == 20
    assert seen == [(module, (2,), 2)]
    handle.remove()
    handle.remove()
    assert module(1) == 10


def test_hooks_with_keywords_and_order():
    class Add(nn.Module):
        def forward(self, x, *, y):
            return x + y

    module, order = Add(), []
    module.register_forward_pre_hook(lambda m, args, kwargs: (args, {"y": 5}), with_kwargs=True)
    module.register_forward_hook(lambda m, args, kwargs, out: order.append(kwargs["y"]), with_kwargs=True)
    module.register_forward_hook(lambda m, args, out: order.append("before"), prepend=True)
    with module.register_forward_pre_hook(lambda m, args: 3, prepend=True):
        assert module(1, y=2) == 8
    assert module(1, y=2) == 6
    assert order == ["before", 5, "before", 5]


def test_backward_hook_sees_both_gradients():
    module, seen = Scale(), []
    module.register_full_backward_hook(lambda m, *gradients: seen.append(gradients))
    x = cg.Tensor(np.array([-1.0, 2.0]), requires_grad=True)
    y = module(x)
    (dx,) = cg.autograd.gradients([y], [x], [np.array([3.0, 4.0])], False)
    ((dx_seen,), (dy_seen,)) = seen[0]
    np.testing.assert_array_equal(dx_seen.array, [0, 4])
    np.testing.assert_array_equal(dy_seen.array, [3, 4])
    np.testing.assert_array_equal(dx, [0, 4])


def test_backward_hook_replaces_the_gradient():
    module = Scale()
    module.register_full_backward_hook(lambda m, grad_input, _: (cg.Tensor(grad_input[0].array * 2),))
    x = cg.Tensor(np.array([-1.0, 2.0]), requires_grad=True)
    (dx,) = cg.autograd.gradients([module(x)], [x], [np.array([3.0, 4.0])], False)
    np.testing.assert_array_equal(dx, [0, 8])


def test_backward_hook_runs_if_no_input_needs_a_gradient():
    class Weighted(Scale):
        def forward(self, x):
            return F.relu(self.factor)

    module, seen = Weighted(), []
    module.register_full_backward_hook(lambda m, grad_input, grad_output: seen.append(grad_input))
    y = module(cg.Tensor(np.ones(3, np.float32)))
    cg.autograd.gradients([y], [module.factor], [np.ones(3, np.float32)], False)
    assert seen == [(None,)]


def test_a_backward_hook_with_the_wrong_number_of_gradients_raises():
    module = Scale()
    module.register_full_backward_hook(lambda m, grad_input, grad_output: (grad_input[0], None))
    x = cg.Tensor(np.ones(2), requires_grad=True)
    with pytest.raises(RuntimeError, match="the hook returned 2 gradients for 1 inputs"):
        cg.autograd.gradients([module(x)], [x], [np.ones(2)], False)


# Options


class Shifted(Configured):
    def forward(self, x):
        return x + self.by


def test_options_are_declared_once():
    """The constructor, its signature and the repr come from the annotations."""

    @stores_options
    class Shift(Shifted):
        by: float
        inplace: bool = False
        _: KW_ONLY
        generator: cg.random.Generator | None = None

    signature = "(by: 'float', inplace: 'bool' = False, *, generator: 'cg.random.Generator | None' = None) -> 'None'"
    assert str(inspect.signature(Shift)) == signature
    module = Shift(2.0, True)
    assert (module.by, module.inplace, module.generator, module.training) == (2.0, True, None, True)
    assert repr(module) == "Shift(by=2.0, inplace=True, generator=None)"
    assert "inplace" not in repr(Shift(1.0)) and not hasattr(Shift, "inplace")
    for call, message in (
        (lambda: Shift(), "Shift: missing a required argument: 'by'"),
        (lambda: Shift(1.0, False, None), "Shift: too many positional arguments"),
        (lambda: Shift(1.0, to=3), "Shift: got an unexpected keyword argument 'to'"),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_a_subclass_of_a_module_with_options_is_an_ordinary_class():
    class Noisy(nn.LeakyReLU):
        scale: float  # an annotation of a user's class is no option

        def __init__(self, scale):
            super().__init__(0.2)
            self.scale = scale

    module = Noisy(3.0)
    assert list(inspect.signature(Noisy).parameters) == ["scale"]
    assert repr(module) == "Noisy(negative_slope=0.2)" and isinstance(module, nn.LeakyReLU)
    assert nn.LeakyReLU() != nn.LeakyReLU() and len({nn.LeakyReLU(), nn.LeakyReLU()}) == 2


@pytest.mark.parametrize("name", [name for name in nn.__all__ if isinstance(getattr(nn, name), type)])
def test_docstrings_name_every_argument_of_the_constructor(name):
    cls = getattr(nn, name)
    missing = [
        arg
        for arg in inspect.signature(cls).parameters
        if not re.search(rf"^ +(\w+, )*\*?{arg}(, \w+)*(:|,$)", cls.__doc__, re.M)
    ]
    assert set(missing) <= {"kwargs", "size_average", "reduce"}, f"{name} does not document {missing}"


# Containers


def three():
    return [nn.Identity(), nn.ReLU(), nn.Flatten()]


def test_sequential_calls_in_order():
    class Times(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x):
            return x * self.factor + 1

    assert nn.Sequential(Times(2), Times(3))(1) == 10
    assert nn.Sequential()(5) == 5


def test_sequential_is_a_list():
    layers = three()
    net = nn.Sequential(*layers)
    assert len(net) == 3 and list(net) == layers
    assert net[0] is layers[0] and net[-1] is layers[2]
    part = net[1:]
    assert isinstance(part, nn.Sequential) and list(part) == layers[1:]
    net[1] = nn.Tanh()
    assert isinstance(net[1], nn.Tanh)
    assert net.append(nn.ReLU()) is net and len(net) == 4
    net.insert(1, layers[1])
    assert net[1] is layers[1] and [name for name, _ in net.named_children()] == list("01234")
    del net[0]
    assert [name for name, _ in net.named_children()] == list("0123")
    assert net.pop(-1) not in net and len(net) == 3
    assert len(net.extend(three())) == 6
    assert len(nn.Sequential(nn.ReLU()) + nn.Sequential(nn.Tanh())) == 2


def test_sequential_with_names():
    net = nn.Sequential(OrderedDict(first=nn.ReLU(), second=nn.Tanh()))
    assert net.first is net[0]
    assert [name for name, _ in net[1:].named_children()] == ["second"]
    del net[0]
    assert [name for name, _ in net.named_children()] == ["second"]


def test_module_list():
    layers = nn.ModuleList(three())
    layers[0] = nn.ReLU()
    layers += [nn.Tanh()]
    assert len(layers) == 4 and isinstance(layers, nn.ModuleList)
    assert isinstance(layers[1:3], nn.ModuleList)
    with pytest.raises(NotImplementedError, match="ModuleList: forward is not defined"):
        layers(1)


def test_module_dict():
    heads = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()})
    heads["c"] = nn.Identity()
    assert list(heads) == heads.keys() == ["a", "b", "c"] and len(heads) == 3
    assert "a" in heads and "training" not in heads and 3 not in heads
    assert heads.a is heads["a"] is heads.values()[0]
    assert heads.pop("a") and "a" not in heads
    del heads["b"]
    assert [name for name, _ in heads.items()] == ["c"]
    heads.clear()
    assert len(heads) == 0
    with pytest.raises(KeyError, match="ModuleDict: there is no module 'training'"):
        heads["training"]


def test_parameter_list():
    values = nn.ParameterList([parameter(2), cg.Tensor(np.ones(3))])
    assert [name for name, _ in values.named_parameters()] == ["0", "1"]
    assert all(isinstance(p, nn.Parameter) for p in values)


def test_lists_keep_what_is_no_module_or_parameter():
    torch = pytest.importorskip("torch")
    for lib in (torch, cg):
        layers = lib.nn.ModuleList([lib.nn.Linear(2, 2), None, lib.nn.ReLU()])
        layers.append(None)
        layers.insert(1, lib.nn.Tanh())
        assert [type(layer).__name__ for layer in layers] == ["Linear", "Tanh", "NoneType", "ReLU", "NoneType"]
        assert (
            len(layers) == 5
            and None in layers
            and layers[-1] is None
            and list(layers.state_dict()) == ["0.weight", "0.bias"]
        )
        assert layers.pop(2) is None and len(layers[1:]) == 3
        values = lib.nn.ParameterList([lib.ones(2), lib.nn.ParameterList([lib.zeros(1)]), 3, None])
        assert (
            [name for name, _ in values.named_parameters()] == ["0", "1.0"]
            and values[2] == 3
            and values[3] is None
            and len(values) == 4
        )
    assert repr(values).splitlines()[-3:] == ["  (2): Object of type int", "  (3): Object of type NoneType", ")"]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: nn.Sequential(3), TypeError, "Sequential: an item must be a Module, got int"),
        (lambda: nn.Sequential(nn.ReLU())[1], IndexError, "Sequential: index 1 is out of range for 1 items"),
        (lambda: nn.Sequential().pop(), IndexError, "Sequential: index -1 is out of range for 0 items"),
        (lambda: nn.ModuleList([nn.ReLU(), 3]), TypeError, "ModuleList: an item must be a Module, got int"),
        (lambda: nn.ModuleDict({"a.b": nn.ReLU()}), KeyError, "add_module: the name must not be"),
        (lambda: nn.ModuleDict({"a": 3}), TypeError, "add_module: a must be a Module or None, got int"),
    ],
)
def test_bad_containers(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_a_bad_item_changes_nothing():
    net = nn.Sequential(nn.ReLU())
    with pytest.raises(TypeError):
        net.extend([nn.Tanh(), 3])
    assert len(net) == 1


def build(nn):
    """The same network from either library."""
    return nn.Sequential(
        nn.Linear(4, 3, bias=False),
        nn.BatchNorm1d(3, momentum=None),
        nn.ModuleList([nn.ReLU(inplace=True), nn.ReLU(inplace=True), nn.Tanh()]),
        nn.ModuleDict({"a": nn.Sequential(nn.Dropout(0.2), nn.Flatten()), "b": nn.LayerNorm((2, 3))}),
        nn.Sequential(),
        nn.Embedding(5, 2, padding_idx=1),
    )


@needs_torch
def test_repr_is_pytorchs():
    assert repr(build(nn)) == repr(build(torch.nn))


@needs_torch
def test_names_are_pytorchs():
    ours, theirs = build(nn), build(torch.nn)
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in ours.named_buffers()] == [n for n, _ in theirs.named_buffers()]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[name].array, value.numpy())


def test_parameters_follow_changes():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    assert len(list(net.parameters())) == 2
    assert next(net.parameters()) is net[0].weight
    net[0].weight = nn.Parameter(cg.ones(3, 2))
    assert next(net.parameters()) is net[0].weight
    net.append(nn.Linear(3, 1))
    assert len(list(net.parameters())) == 4
    del net[0]
    assert len(list(net.parameters())) == 2


def test_modules_that_are_equal_have_parameters_of_their_own():
    class Equal(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(cg.ones(1))

        def __eq__(self, other):
            return True

        __hash__ = None

    one, other = Equal(), Equal()
    assert [p is one.weight for p in one.parameters()] == [True]
    assert [p is other.weight for p in other.parameters()] == [True]


def hidden_by_object(net, name, value):
    object.__setattr__(net, name, value)


def hidden_in_dict(net, name, value):
    net.__dict__[name] = value


@pytest.mark.parametrize("hide", [hidden_by_object, hidden_in_dict])
def test_what_is_put_past_setattr_is_no_member(hide):
    """As in PyTorch: a teacher, or the module that owns this one, is kept without being trained or saved."""
    net, teacher = nn.Linear(2, 3), nn.Linear(2, 3)
    inner = nn.Sequential(net)
    hide(net, "owner", inner)
    hide(net, "teacher", teacher)
    hide(net, "extra", nn.Parameter(cg.ones(2)))
    assert (
        [name for name, _ in net.named_parameters()]
        == ["weight", "bias"]
        == list(net.state_dict())
        == list(net._parameters)
    )
    assert list(net.children()) == [] == list(net._modules) and list(inner.modules()) == [inner, net]
    inner.eval()
    assert not net.training and teacher.training and net.owner is inner and "teacher" not in repr(net)
    copied = copy.deepcopy(inner)
    assert copied[0].owner is copied and list(copied.modules()) == [copied, copied[0]]
    net.teacher = teacher
    assert list(net.children()) == [teacher]
    del net.teacher
    hide(net, "teacher", teacher)
    assert list(net.children()) == []
    net._modules["teacher"] = teacher
    assert list(net.children()) == [teacher]


def test_a_copied_module_has_its_buffers():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.mean = nn.Buffer(cg.ones(2))
            self.count = nn.Buffer(cg.zeros(1), persistent=False)

    for copied in (copy.deepcopy(Own()), copy.copy(Own())):
        assert [name for name, _ in copied.named_buffers()] == ["mean", "count"]
        assert list(copied.state_dict()) == ["mean"]
    for copied in (copy.deepcopy(Own().count), copy.copy(Own().mean), pickle.loads(pickle.dumps(Own().count))):
        assert type(copied) is nn.Buffer
    assert not pickle.loads(pickle.dumps(Own().count)).persistent
    shared = nn.Buffer(cg.ones(2), persistent=False)
    copied = copy.copy(shared)
    copied[0] = 3
    assert shared.tolist() == [3, 1] and not copied.persistent
