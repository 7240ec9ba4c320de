"""Recorded steps: the numbers that a step reaches by name. A table of ways to reach one × values that it takes."""

from __future__ import annotations

import collections
import contextvars
import copy
import cProfile
import ctypes
import dataclasses
import enum
import functools
import gc
import math
import operator
import os
import signal
import sys
import threading
import types
import warnings
import weakref

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from cygrad.compiler import CompiledFunction
from cygrad.train.step import TrainingStep

GLOBAL = 0.5
NESTED = {"loss": {"beta": 0.5}, "other": 1}
MODULE = types.ModuleType("settings")
CONTEXT = contextvars.ContextVar("beta", default=0.5)


class Settings:
    shared = 0.5

    def __init__(self, beta=0.5):
        self.beta = beta
        self._hidden = beta
        self.inner = types.SimpleNamespace(beta=beta)

    @property
    def derived(self):
        return self._hidden * 2

    @functools.cached_property
    def cached(self):
        return [self.beta]

    def __getitem__(self, key):
        return self.inner.beta if key == "beta" else None

    def scaled(self, x):
        return x * self.beta

    def __call__(self, x):
        return x * self.inner.beta

    @classmethod
    def of_class(cls, x):
        return x * cls.shared

    @staticmethod
    def of_none(x):
        return x * Settings.shared


class Slots:
    __slots__ = ("beta",)

    def __init__(self):
        self.beta = 0.5


class Dynamic:
    def __init__(self):
        self.__dict__["values"] = {"beta": 0.5}

    def __getattr__(self, name):
        return self.values[name]


class AttributeDict(dict):
    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


class SelfDict(dict):
    def __init__(self, **items):
        super().__init__(items)
        self.__dict__ = self


@dataclasses.dataclass
class Data:
    beta: float = 0.5
    inner: object = None


class Mode(enum.Enum):
    A = 0.5
    B = 2.0


Pair = collections.namedtuple("Pair", ["beta"])


class Loss(nn.Module):
    def __init__(self):
        super().__init__()
        self.beta = 0.5
        self.options = {"beta": 0.5}
        self.weights = [0.5, 1.0]
        self.settings = Settings()

    def forward(self, x):
        return x * self.beta * self.options["beta"] * self.weights[0] * self.settings.beta


def helper(x, settings, key="beta"):
    return x * getattr(settings, key)


def indirect(x, settings):
    return helper(x, settings)


def decorated(function):
    scale = types.SimpleNamespace(beta=0.5)

    @functools.wraps(function)
    def wrapper(x):
        return function(x) * scale.beta

    wrapper.scale = scale
    return wrapper


# Each way is a function that returns a step and a function that sets the number.
WAYS = {}


def way(make):
    WAYS[make.__name__.replace("_", " ")] = make
    return make


@way
def closure():
    beta = 0.5

    def change(value):
        nonlocal beta
        beta = value

    return lambda x: x * beta, change


@way
def closure_of_an_inner_function():
    beta = 0.5

    def change(value):
        nonlocal beta
        beta = value

    def step(x):
        def inner(y):
            return y * beta

        return inner(x)

    return step, change


@way
def closure_of_a_comprehension():
    beta = 0.5

    def change(value):
        nonlocal beta
        beta = value

    return lambda x: sum([x * beta * n for n in range(1, 3)]), change


@way
def closure_of_a_helper():
    beta = 0.5

    def change(value):
        nonlocal beta
        beta = value

    def scaled(x):
        return x * beta

    return lambda x: scaled(x) + 1, change


@way
def closure_of_a_helper_in_a_list():
    beta = 0.5

    def change(value):
        nonlocal beta
        beta = value

    terms = [lambda x: x * beta, lambda x: x + 1]
    return lambda x: sum([term(x) for term in terms]), change


def scaled_by(beta):
    """A function, and one that sets the number in its closure."""

    def change(value):
        nonlocal beta
        beta = value

    return lambda x: x * beta, change


@way
def first_of_several_closures():
    (first, change), (second, _), (third, _) = [scaled_by(beta) for beta in (0.5, 3.0, 4.0)]
    return lambda x: third(second(first(x))), change


@way
def last_of_several_closures():
    pairs = [scaled_by(beta) for beta in (3.0, 4.0, 0.5)]

    def step(x):
        for term, _ in pairs:
            x = term(x)
        return x

    return step, pairs[-1][1]


@way
def closures_of_equal_numbers():
    pairs = [scaled_by(0.5) for _ in range(3)]
    return lambda x: sum([term(x) for term, _ in pairs]), pairs[1][1]


@way
def one_of_several_closures():
    pairs = [scaled_by(0.5) for _ in range(3)]

    def step(x):
        term, _ = [pair for pair in pairs][1]  # noqa: C416
        return term(x)

    return step, pairs[1][1]


@way
def closures_made_in_the_step():
    numbers = [0.5, 3.0]
    return lambda x: sum([scaled_by(beta)[0](x) for beta in numbers]), functools.partial(operator.setitem, numbers, 0)


@way
def closure_that_calls_its_like():
    def after(inner, beta):
        def change(value):
            nonlocal beta
            beta = value

        return lambda x: inner(x) * beta + inner(x) * beta, change

    inner, change = after(cg.exp, 0.5)
    return after(inner, 2.0)[0], change


@way
def closure_behind_map():
    beta = 0.5

    def change(value):
        nonlocal beta
        beta = value

    return lambda x: sum(map(lambda y: y * beta, [x, x])), change  # noqa: C417


@way
def global_name():
    def change(value):
        global GLOBAL
        GLOBAL = value

    change(0.5)
    return lambda x: x * GLOBAL, change


@way
def globals_function():
    def change(value):
        globals()["GLOBAL"] = value

    change(0.5)
    return lambda x: x * globals()["GLOBAL"], change


@way
def item_of_nested_dicts():
    change = functools.partial(operator.setitem, NESTED["loss"], "beta")
    change(0.5)
    return lambda x: x * NESTED["loss"]["beta"], change


@way
def replaced_inner_dict():
    options = {"loss": {"beta": 0.5}}
    return lambda x: x * options["loss"]["beta"], lambda value: options.update(loss={"beta": value})


@way
def item_by_get():
    options = {"beta": 0.5}
    return lambda x: x * options.get("beta", 1.0), functools.partial(operator.setitem, options, "beta")


@way
def item_that_was_missing():
    options = {}
    return lambda x: x * options.get("beta", 0.5), functools.partial(operator.setitem, options, "beta")


@way
def item_under_a_variable():
    options, key = {"beta": 0.5}, ["beta"]
    return lambda x: x * options[key[0]], functools.partial(operator.setitem, options, "beta")


@way
def item_of_a_default_dict():
    options = collections.defaultdict(lambda: 0.5)
    return lambda x: x * options["beta"], functools.partial(operator.setitem, options, "beta")


@way
def item_of_an_ordered_dict():
    options = collections.OrderedDict(beta=0.5)
    return lambda x: x * options["beta"], functools.partial(operator.setitem, options, "beta")


@way
def item_of_a_user_dict():
    options = collections.UserDict(beta=0.5)
    return lambda x: x * options["beta"], functools.partial(operator.setitem, options, "beta")


@way
def item_of_a_chain_map():
    options = collections.ChainMap({}, {"beta": 0.5})
    return lambda x: x * options["beta"], functools.partial(operator.setitem, options, "beta")


@way
def sum_of_a_dict():
    options = {"a": 1.0, "beta": 0.5}
    return lambda x: x * sum(options.values()), functools.partial(operator.setitem, options, "beta")


@way
def loop_over_items():
    options = {"beta": 0.5}

    def step(x):
        for _name, beta in options.items():
            x = x * beta
        return x

    return step, functools.partial(operator.setitem, options, "beta")


@way
def keyword_arguments():
    options = {"alpha": 0.5}
    return lambda x: cg.add(x, x, **options), functools.partial(operator.setitem, options, "alpha")


@way
def keyword_arguments_of_a_function():
    options = {"beta": 0.5}

    def scaled(x, beta):
        return x * beta

    return lambda x: scaled(x, **options), functools.partial(operator.setitem, options, "beta")


@way
def item_of_a_list():
    values = [1.0, 0.5]
    return lambda x: x * values[1] * values[0], functools.partial(operator.setitem, values, 1)


@way
def last_item_of_a_list():
    values = [0.5]
    return lambda x: x * values[-1], values.append


@way
def unknown_item_of_a_list():
    values = [1.0, 0.5]
    return lambda x: x * values[x.ndim], functools.partial(operator.setitem, values, 1)


@way
def loop_over_a_list():
    values = [1.0, 0.5]

    def step(x):
        for value in values:
            x = x * value
        return x

    return step, functools.partial(operator.setitem, values, 1)


@way
def loop_over_objects():
    values = [Settings(1.0), Settings(0.5)]

    def step(x):
        for i, settings in enumerate(values):
            x = x * settings.beta + i
        return x

    return step, lambda value: setattr(values[1], "beta", value)


@way
def loop_over_pairs():
    values, factors = [Settings(1.0), Settings(0.5)], [1.0, 2.0]
    return (
        lambda x: sum([x * settings.beta * f for settings, f in zip(values, factors)]),
        lambda value: setattr(values[1], "beta", value),
    )


@way
def unpacked_list():
    values = [1.0, 0.5]

    def step(x):
        alpha, beta = values
        return x * alpha * beta

    return step, functools.partial(operator.setitem, values, 1)


@way
def sum_of_a_list():
    values = [1.0, 0.5]
    return lambda x: x * sum(values), functools.partial(operator.setitem, values, 1)


@way
def slice_of_a_list():
    values = [1.0, 0.5]
    return lambda x: x * values[1:][0], functools.partial(operator.setitem, values, 1)


@way
def item_of_a_deque():
    values = collections.deque([1.0, 0.5])
    return lambda x: x * values[1], functools.partial(operator.setitem, values, 1)


@way
def tuple_in_a_name():
    state = types.SimpleNamespace(betas=(0.5, 1.0))
    return lambda x: x * state.betas[0], lambda value: setattr(state, "betas", (value, 1.0))


@way
def member_of_a_set():
    values = {0.5}

    def change(value):
        values.clear()
        values.add(value)

    return lambda x: x * (2.0 if 0.5 in values else 3.0), change


@way
def attribute():
    settings = Settings()
    return lambda x: x * settings.beta, functools.partial(setattr, settings, "beta")


@way
def attribute_by_dict():
    settings = Settings()
    return lambda x: x * settings.beta, functools.partial(operator.setitem, vars(settings), "beta")


@way
def nested_attribute():
    settings = Settings()
    return lambda x: x * settings.inner.beta, functools.partial(setattr, settings.inner, "beta")


@way
def replaced_object():
    settings = Settings()
    return lambda x: x * settings.inner.beta, lambda v: setattr(settings, "inner", types.SimpleNamespace(beta=v))


@way
def attribute_of_a_class():
    return lambda x: x * Settings.shared, functools.partial(setattr, Settings, "shared")


@way
def attribute_of_an_instances_class():
    settings = Settings()
    return lambda x: x * settings.shared, functools.partial(setattr, Settings, "shared")


@way
def attribute_that_hides_that_of_the_class():
    settings = Settings()
    return lambda x: x * settings.shared, functools.partial(setattr, settings, "shared")


@way
def attribute_by_getattr():
    settings = Settings()
    return lambda x: x * getattr(settings, "beta"), functools.partial(setattr, settings, "beta")  # noqa: B009


@way
def attribute_by_vars():
    settings = Settings()
    return lambda x: x * vars(settings)["beta"], functools.partial(setattr, settings, "beta")


@way
def attribute_of_an_argument_of_a_helper():
    settings = Settings()
    return lambda x: indirect(x, settings), functools.partial(setattr, settings, "beta")


@way
def attribute_of_an_argument():
    settings = Settings()
    step = functools.partial(lambda settings, x: x * settings.beta, settings)
    return step, functools.partial(setattr, settings, "beta")


@way
def property_of_an_object():
    settings = Settings()
    return lambda x: x * settings.derived, functools.partial(setattr, settings, "_hidden")


@way
def cached_property():
    settings = Settings()
    return lambda x: x * settings.cached[0], functools.partial(operator.setitem, settings.cached, 0)


@way
def getitem_of_an_object():
    settings = Settings()
    return lambda x: x * settings["beta"], functools.partial(setattr, settings.inner, "beta")


@way
def getattr_of_an_object():
    settings = Dynamic()
    return lambda x: x * settings.beta, functools.partial(operator.setitem, settings.values, "beta")


@way
def attribute_dict():
    settings = AttributeDict(beta=0.5)
    return lambda x: x * settings.beta, functools.partial(setattr, settings, "beta")


@way
def self_dict():
    settings = SelfDict(beta=0.5)
    return lambda x: x * settings.beta, functools.partial(setattr, settings, "beta")


@way
def method():
    settings = Settings()
    return settings.scaled, functools.partial(setattr, settings, "beta")


@way
def method_of_an_object():
    settings = Settings()
    return lambda x: settings.scaled(x), functools.partial(setattr, settings, "beta")


@way
def method_in_a_name():
    scaled = Settings().scaled
    return lambda x: scaled(x), functools.partial(setattr, scaled.__self__, "beta")


@way
def callable_object():
    settings = Settings()
    return settings, functools.partial(setattr, settings.inner, "beta")


@way
def class_method():
    return lambda x: Settings.of_class(x), functools.partial(setattr, Settings, "shared")


@way
def static_method():
    return lambda x: Settings.of_none(x), functools.partial(setattr, Settings, "shared")


@way
def slots():
    settings = Slots()
    return lambda x: x * settings.beta, functools.partial(setattr, settings, "beta")


@way
def data_class():
    settings = Data(inner=Data())
    return lambda x: x * settings.inner.beta, functools.partial(setattr, settings.inner, "beta")


@way
def replaced_data_class():
    state = {"settings": Data()}
    return lambda x: x * state["settings"].beta, lambda v: state.update(
        settings=dataclasses.replace(state["settings"], beta=v)
    )


@way
def named_tuple():
    pair = Pair(0.5)

    def change(value):
        nonlocal pair
        pair = pair._replace(beta=value)

    return lambda x: x * pair.beta, change


@way
def enumeration():
    mode = Mode.A

    def change(value):
        nonlocal mode
        mode = Mode.A if value == 0.5 else Mode.B

    return lambda x: x * mode.value, change


@way
def attribute_of_a_module():
    MODULE.beta = 0.5
    return lambda x: x * MODULE.beta, functools.partial(setattr, MODULE, "beta")


@way
def attribute_of_a_function():
    def scaled(x):
        return x * scaled.beta

    scaled.beta = 0.5
    return scaled, functools.partial(setattr, scaled, "beta")


@way
def thread_local():
    settings = threading.local()
    settings.beta = 0.5
    return lambda x: x * settings.beta, functools.partial(setattr, settings, "beta")


@way
def context_variable():
    CONTEXT.set(0.5)
    return lambda x: x * CONTEXT.get(), CONTEXT.set


@way
def environment():
    os.environ["CYGRAD_TEST_BETA"] = "0.5"
    return lambda x: x * float(os.environ["CYGRAD_TEST_BETA"]), lambda v: os.environ.update(
        CYGRAD_TEST_BETA=str(float(v))
    )


@way
def default_argument():
    def scaled(x, beta=0.5):
        return x * beta

    return lambda x: scaled(x), lambda value: setattr(scaled, "__defaults__", (value,))


@way
def default_of_the_step():
    def step(x, beta=0.5):
        return x * beta

    return step, lambda value: setattr(step, "__defaults__", (value,))


@way
def keyword_default():
    def scaled(x, *, beta=0.5):
        return x * beta

    return lambda x: scaled(x), lambda value: scaled.__kwdefaults__.update(beta=value)


@way
def mutable_default():
    def step(x, options={"beta": 0.5}):  # noqa: B006
        return x * options["beta"]

    return step, functools.partial(operator.setitem, step.__defaults__[0], "beta")


@way
def keyword_of_a_partial_function():
    def scaled(x, beta):
        return x * beta

    step = functools.partial(scaled, beta=0.5)
    return step, functools.partial(operator.setitem, step.keywords, "beta")


@way
def keyword_of_a_partial_function_in_a_name():
    loss = functools.partial(cg.add, alpha=0.5)
    return lambda x: loss(x, x), functools.partial(operator.setitem, loss.keywords, "alpha")


@way
def closure_of_a_decorator():
    step = decorated(lambda x: x + 1)
    return step, functools.partial(setattr, step.scale, "beta")


@way
def closure_of_a_decorated_helper():
    inner = decorated(lambda x: x + 1)
    return lambda x: inner(x) * 2, functools.partial(setattr, inner.scale, "beta")


@way
def attribute_of_a_users_module():
    loss = Loss()
    return lambda x: loss(x), functools.partial(setattr, loss, "beta")


@way
def attribute_of_a_users_module_by_dict():
    loss = Loss()
    return lambda x: loss(x), functools.partial(operator.setitem, vars(loss), "beta")


@way
def dict_of_a_users_module():
    loss = Loss()
    return loss, functools.partial(operator.setitem, loss.options, "beta")


@way
def list_of_a_users_module():
    loss = nn.Sequential(nn.Identity(), Loss())
    return loss, functools.partial(operator.setitem, loss[1].weights, 0)


@way
def object_of_a_users_module():
    loss = Loss()
    return lambda x: loss(x), functools.partial(setattr, loss.settings, "beta")


@way
def attribute_of_a_module_that_is_not_called():
    loss = Loss()
    return lambda x: x * loss.beta, functools.partial(setattr, loss, "beta")


@way
def attribute_of_a_librarys_module():
    layer = nn.LeakyReLU(0.5)
    return lambda x: layer(-x), functools.partial(setattr, layer, "negative_slope")


@way
def closure_of_a_forward_hook():
    beta, layer = 0.5, nn.Identity()

    def change(value):
        nonlocal beta
        beta = value

    layer.register_forward_hook(lambda module, args, output: output * beta)
    return lambda x: layer(x), change


@way
def closure_of_a_tensors_hook():
    beta, weight = 0.5, cg.ones(2, requires_grad=True)

    def change(value):
        nonlocal beta
        beta = value

    def step(x):
        weight.grad = None
        y = x * weight
        y.register_hook(lambda gradient: gradient * beta)
        y.sum().backward()
        return weight.grad

    return step, change


@way
def numpy_array():
    values = np.array([0.5, 1.0])
    return lambda x: x * float(values[0]), functools.partial(operator.setitem, values, 0)


@way
def item_of_a_numpy_array():
    values = np.array([0.5, 1.0])
    return lambda x: x * values.max().item(), functools.partial(operator.setitem, values, 1)


@way
def numpy_array_without_dimensions():
    value = np.array(0.5, np.float32)
    return lambda x: x * value, functools.partial(operator.setitem, value, ...)


@way
def condition():
    settings = Settings()
    return lambda x: x * 2 if settings.beta == 0.5 else x * 3, functools.partial(setattr, settings, "beta")


@way
def conditional_expression():
    settings, other = Settings(), Settings(3.0)
    return lambda x: x * (settings if x.ndim else other).beta, functools.partial(setattr, settings, "beta")


@way
def try_and_with():
    settings = Settings()

    def step(x):
        try:
            with cg.no_grad():
                x = x * settings.beta
        finally:
            x = x * settings.inner.beta
        return x

    return step, functools.partial(setattr, settings, "beta")


@way
def walrus_and_format():
    settings = Settings()
    return lambda x: x * float(f"{(beta := settings.beta)}") * beta, lambda v: setattr(settings, "beta", float(v))


@way
def generator_function():
    settings = Settings()

    def factors():
        yield 1.0
        yield settings.beta

    return lambda x: sum([x * factor for factor in factors()]), functools.partial(setattr, settings, "beta")


@way
def object_that_a_function_returns():
    settings = Settings()

    def current():
        return settings

    return lambda x: x * current().beta, functools.partial(setattr, settings, "beta")


@way
def object_of_a_registry():
    settings = Settings()
    registry = {"loss": lambda: settings}

    def step(x):
        chosen = registry["loss"]()
        return x * chosen.beta

    return step, functools.partial(setattr, settings, "beta")


@way
def object_that_a_property_returns():
    class Owner:
        @property
        def settings(self):
            return self.__dict__["own"]

        @settings.setter
        def settings(self, value):
            self.__dict__["own"] = value

    owner = Owner()
    owner.settings = Settings()
    return lambda x: x * owner.settings.inner.beta, functools.partial(setattr, owner.settings.inner, "beta")


@way
def object_that_getattr_returns():
    settings = Dynamic()
    settings.values["inner"] = Settings()
    return lambda x: x * settings.inner.beta, functools.partial(setattr, settings.values["inner"], "beta")


@way
def object_that_a_generator_yields():
    settings = [Settings(1.0), Settings(0.5)]

    def step(x):
        for one in (s for s in settings):
            x = x * one.beta
        return x

    return step, functools.partial(setattr, settings[1], "beta")


@way
def context_manager():
    settings = Settings()

    class Scaled:
        def __enter__(self):
            self.factor = settings.beta
            return self

        def __exit__(self, *error):
            pass

    def step(x):
        with Scaled() as scaled:
            return x * scaled.factor

    return step, functools.partial(setattr, settings, "beta")


@way
def inherited_method():
    class Derived(Settings):
        def scaled(self, x):
            return super().scaled(x) * 2

    settings = Derived()
    return lambda x: settings.scaled(x), functools.partial(setattr, settings, "beta")


@way
def attribute_of_a_parameter():
    weight = nn.Parameter(cg.ones(2), requires_grad=False)
    weight.scale = 0.5
    return lambda x: x * weight * weight.scale, functools.partial(setattr, weight, "scale")


@way
def mapping_proxy():
    options = {"beta": 0.5}
    proxy = types.MappingProxyType(options)
    return lambda x: x * proxy["beta"], functools.partial(operator.setitem, options, "beta")


@way
def weak_reference():
    settings = Settings()
    weak = weakref.ref(settings)
    return lambda x: x * weak().beta, functools.partial(setattr, settings, "beta")


@way
def c_number():
    number = ctypes.c_double(0.5)
    return lambda x: x * number.value, functools.partial(setattr, number, "value")


@way
def match_of_a_mode():
    settings = Settings()

    def step(x):
        match settings.beta:
            case 0.5:
                return x * 7
            case beta:
                return x * beta

    return step, functools.partial(setattr, settings, "beta")


def run(way, wrap, values):
    step, change = way()
    step, results = wrap(step), []
    for value in values:
        if value is not None:
            change(value)
        y = step(cg.tensor([1.0, -2.0]))
        results.append((y.dtype, y.detach().numpy().tobytes()))
    return results, step


@pytest.fixture(autouse=True)
def unchanged():
    yield
    Settings.shared = 0.5


@pytest.mark.parametrize("name", WAYS)
def test_a_number_that_changes_is_noticed(name):
    values = [None] * 4 + [2.0, None, None, 0.25, None, None, 2.0, None]
    wanted, _ = run(WAYS[name], lambda f: f, values)
    Settings.shared = 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got, step = run(WAYS[name], cg.compile, values)
    assert got == wanted
    assert got[3] != got[4]
    assert 2 <= len(step.programs()) <= 4
    assert sum([program.replay.runs for program in step.programs()]) >= 4


# Values other than floats


TYPES = {
    "int": (1, 2), "bool": (True, False), "bool for int": (1, True), "float for int": (1, 1.0), "none": (1.0, None),
    "string": ("sum", "mean"), "sign of zero": (0.0, -0.0), "nan": (1.0, math.nan), "inf": (1.0, math.inf),
    "scalar": (np.float32(1.5), np.float32(2.5)), "scalar's type": (np.float32(1.5), np.float64(1.5)),
    "integer scalar": (np.int64(1), np.int64(2)), "tuple": ((0, 1), (1, 0)), "large int": (2**70, 2**71),
    "complex": (1j, 2j), "range": (range(2), range(3)), "dtype": (np.dtype(np.float32), np.dtype(np.float64)),
    "type": (np.float32, np.float64), "function": (cg.exp, cg.tanh), "enumeration": (Mode.A, Mode.B),
}  # fmt: skip


def use(x, value):
    """What depends on a value of any type."""
    if callable(value) and not isinstance(value, type):
        return value(x)
    text = repr(value)
    return x * sum(text.encode()) if not text.startswith("<") else x * len(text)


@pytest.mark.parametrize("name", TYPES)
def test_values_are_compared_by_type_and_bits(name):
    before, after = TYPES[name]
    settings = types.SimpleNamespace(value=before)
    step = cg.compile(lambda x: use(x, settings.value))
    for value in [before] * 4 + [after] * 4 + [copy.copy(before)] * 2:
        settings.value = value
        assert step(cg.ones(2)).tolist() == use(cg.ones(2), value).tolist()
    assert len(step.programs()) == 2


@pytest.mark.parametrize(
    "value", [math.nan, 1.5, 10**9, "mode" * 30, np.float32(2.5), (1.5, "a"), np.float64("nan"), 1.5 + 2j]
)
def test_an_equal_value_records_nothing(value):
    settings = types.SimpleNamespace(value=value)
    step = cg.compile(lambda x: x * len(repr(settings.value)))
    for _ in range(6):
        settings.value = copy.deepcopy(
            eval(repr(value), {"nan": float("nan"), "np": np})
            if not isinstance(value, np.generic)
            else type(value)(value)
        )
        step(cg.ones(2))
    assert len(step.programs()) == 1


# Numbers that the step itself changes


def annealed():
    settings = Settings(1.0)

    def step(x):
        settings.beta *= 0.5
        return x * settings.beta

    return step, lambda: settings.beta


def counted():
    counts = {"steps": 0}

    def step(x):
        counts["steps"] += 1
        return x * 2

    return step, lambda: counts["steps"]


def counted_by_a_module():
    layer = nn.Identity()

    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return layer(x)

    module = Counter()
    return module, lambda: module.calls


def counted_by_nonlocal():
    count = 0

    def step(x):
        nonlocal count
        count += 1
        return x * 1

    return step, lambda: count


def counted_in_a_list():
    values = []

    def step(x):
        values.append(1)
        return x * len(values)

    return step, lambda: len(values)


def popped():
    values = list(range(40))

    def step(x):
        return x * values.pop()

    return step, lambda: len(values)


def carried_dict():
    state = {"steps": 0}

    def step(x):
        nonlocal state
        state = {"steps": state["steps"] + 1}
        return x * state["steps"]

    return step, lambda: state


def toggled():
    settings = types.SimpleNamespace(flag=True)

    def step(x):
        settings.flag = not settings.flag
        return x * 2 if settings.flag else x * 3

    return step, lambda: settings.flag


def read_rate():
    weight = cg.ones(2, requires_grad=True)
    optimizer = cg.optim.SGD([weight], 0.5)
    scheduler = cg.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def step(x):
        scheduler.step()
        return x * optimizer.param_groups[0]["lr"]

    return step, lambda: scheduler.last_epoch


CARRIED = [
    annealed,
    counted,
    counted_by_a_module,
    counted_by_nonlocal,
    counted_in_a_list,
    popped,
    carried_dict,
    toggled,
    read_rate,
]


@pytest.mark.parametrize("make", CARRIED, ids=lambda make: make.__name__)
def test_a_number_that_the_step_changes_makes_it_eager_with_one_warning(make):
    step, state = make()
    wanted = [(step(cg.ones(2)).tolist(), state()) for _ in range(6)]
    step, state = make()
    with pytest.warns(RuntimeWarning, match="it changes .*, which it also reads") as caught:
        compiled = cg.compile(step)
        assert [(compiled(cg.ones(2)).tolist(), state()) for _ in range(6)] == wanted
    assert len(caught) == 1 and not compiled.programs()
    with pytest.raises(RuntimeError, match="it changes"):
        strict = cg.compile(make()[0], fullgraph=True)
        for _ in range(3):
            strict(cg.ones(2))


def test_a_number_that_the_step_only_sets_is_what_eager_mode_leaves():
    results = []
    for wrap in (lambda f: f, cg.compile):
        settings = Settings()

        def step(x, factor):
            settings.latest = factor  # noqa: B023
            return x * factor

        step, seen = wrap(step), []
        for factor in (1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0):
            step(cg.ones(2), factor)
            seen.append(settings.latest)
        results.append(seen)
    assert results[1] == results[0]


def test_an_annealed_weight_falls_back_after_the_bound_with_one_warning():
    settings = Settings()
    step = cg.compile(lambda x: x * settings.beta)
    with pytest.warns(RuntimeWarning, match="there are 16 programs already") as caught:
        for number in range(40):
            settings.beta = float(number)
            assert step(cg.ones(2)).tolist() == [float(number)] * 2
    assert len(caught) == 1 and len(step.programs()) == 16


# What must not record again


def quiet(step, calls, arguments=lambda n: (cg.ones(4, 3),)):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(calls):
            step(*arguments(number))
    assert len(step.programs()) == 1


def test_schedulers_averages_and_logs_replay():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.2))
    optimizer = cg.optim.AdamW(model.parameters(), 0.1)
    scheduler = cg.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    averaged = cg.optim.swa_utils.AveragedModel(model)
    history, epoch = [], 0

    @cg.compile
    def step(x):
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        averaged.update_parameters(model)
        return loss

    def batch(number):
        nonlocal epoch
        epoch += 1
        history.append(epoch)
        return (cg.randn(4, 3),)

    quiet(step, 8, batch)
    assert step.programs()[0].replay.runs == 6 and averaged.n_averaged.item() == 8


def test_what_a_step_does_not_name_is_free_to_change():
    settings = Settings()
    settings.steps = 0
    step = cg.compile(lambda x: x * settings.beta)

    def count(number):
        settings.steps += 1
        settings.log = [number]
        return (cg.ones(4, 3),)

    quiet(step, 6, count)


def test_temporary_objects_are_not_watched():
    def step(x):
        options = {"beta": 2.0}
        return helper(x, types.SimpleNamespace(**options)) + Settings(3.0).scaled(x)

    compiled = cg.compile(step)
    quiet(compiled, 5)
    watched = {binding.key for binding in compiled.programs()[0].replay.guards.bindings}
    assert "beta" not in watched and "inner" not in watched


def test_nothing_is_executed_to_look_for_numbers():
    calls = []

    class Noisy:
        @property
        def beta(self):
            calls.append("property")
            return 2.0

        def __getattr__(self, name):
            calls.append(name)
            raise AttributeError(name)

        def __eq__(self, other):
            calls.append("==")
            return True

        __hash__ = None

        def __len__(self):
            calls.append("len")
            return 1

        def __bool__(self):
            calls.append("bool")
            return True

        def __iter__(self):
            calls.append("iter")
            return iter(())

    noisy = Noisy()

    def step(x):
        return x if noisy is None else x * 1

    def unused(x):
        return noisy.beta, noisy.other, [*noisy], noisy == 1

    def branch(x):
        return unused(x) if x.ndim > 5 else step(x)

    compiled = cg.compile(branch)
    quiet(compiled, 5)
    assert not calls


def test_profilers_go_on():
    seen = []

    def profiler(frame, event, arg):
        seen.append(event)

    step = cg.compile(lambda x: x * GLOBAL)
    before = sys.getprofile()
    sys.setprofile(profiler)
    try:
        step(cg.ones(2))
        step(cg.ones(2))
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(before)
    profile = cProfile.Profile()
    step = cg.compile(lambda x: x * GLOBAL)
    profile.enable()
    for _ in range(4):
        step(cg.ones(2))
    math.factorial(3)
    profile.disable()
    profile.create_stats()
    assert any("factorial" in name for _, _, name in profile.stats)
    assert sys.getprofile() is before


def test_an_error_in_the_step_ends_the_watch():
    def fail(x):
        raise KeyError("wrong")

    step = cg.compile(fail)
    for _ in range(3):
        with pytest.raises(KeyError):
            step(cg.ones(2))
    assert sys.getprofile() is None and sys.gettrace() is None


def test_an_interrupt_in_the_step_ends_the_watch():
    def interrupted(x):
        raise KeyboardInterrupt

    step = cg.compile(interrupted)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            step(cg.ones(2))
    assert sys.getprofile() is None and sys.gettrace() is None


@pytest.mark.parametrize("install, current", [(sys.setprofile, sys.getprofile), (sys.settrace, sys.gettrace)])
def test_numbers_are_seen_beside_a_profiler_or_a_debugger(install, current):
    settings, before = Settings(), current()
    step = cg.compile(lambda x: helper(x, settings))

    def observer(frame, event, arg):
        return None

    install(observer)
    try:
        for value in (0.5, 0.5, 0.5, 2.0):
            settings.beta = value
            assert step(cg.ones(1)).tolist() == [value]
        assert current() is observer
    finally:
        install(before)


def test_a_step_of_the_library_is_not_traced():
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    optimizer = cg.optim.SGD(model.parameters(), 0.1)
    seen = []
    step = CompiledFunction(TrainingStep(model, nn.functional.mse_loss, optimizer).gradient, quiet=True)
    for _ in range(4):
        step(cg.ones(2, 3), cg.ones(2, 3), 1.0, True, False, None, 1.0)
        seen.append(sys.gettrace())
    assert seen == [None] * 4 and len(step.programs()) == 1
    model[0] = nn.Linear(3, 3)
    step(cg.ones(2, 3), cg.ones(2, 3), 1.0, True, False, None, 1.0)
    assert model[0].weight.grad is not None


def collecting(counts):
    """Run a callback of the garbage collector, which writes to what it reads, with every collection."""

    def called(phase, info):
        counts["collections"] = counts.get("collections", 0) + 1

    gc.callbacks.append(called)
    return lambda: gc.callbacks.remove(called), gc.collect


def signaled(counts):
    """Run a handler, which writes to what it reads, with every signal."""

    def handler(number, frame):
        counts["signals"] = counts.get("signals", 0) + 1

    before = signal.signal(signal.SIGINT, handler)
    return lambda: signal.signal(signal.SIGINT, before), lambda: signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("install", [collecting, signaled])
def test_what_interrupts_a_step_is_not_a_part_of_it(install):
    counts = {}
    remove, interrupt = install(counts)
    try:
        step = cg.compile(lambda x: (interrupt(), x * 2.0)[1])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(4):
                assert step(cg.ones(3)).tolist() == [2.0] * 3
    finally:
        remove()
    assert counts and len(step.programs()) == 1
