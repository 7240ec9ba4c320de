"""Ways to break the engine on purpose, to check that the tests notice.

`broken_kernels` and `broken_ops` wrap every wrapper of a kernel, or every op, in a function that does one thing wrong, for
the duration of a `with`.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import cygrad.ops
from cygrad import _kernels as kernels
from cygrad.autograd import Op

# Functions that configure the engine and compute nothing.
ADMINISTRATION = {
    "block_size",
    "cpu_level",
    "cpu_levels",
    "kernel_names",
    "num_threads",
    "pooled",
    "set_num_threads",
    "use_cpu_level",
    "fault_error",
    "use_tape",
    "index_error",
}


def shift(result: Any) -> Any:
    """The result with its first array of floats wrong by about two percent."""
    if isinstance(result, np.ndarray) and result.dtype.kind == "f":
        return np.asarray(result * 1.02 + 0.01, result.dtype)
    if isinstance(result, np.floating):
        return type(result)(result * 1.02 + 0.01)
    if isinstance(result, np.ndarray) and result.dtype.kind == "b":
        return ~result
    if isinstance(result, np.ndarray) and result.dtype.kind in "iu":
        return result + result.dtype.type(1)
    if isinstance(result, cygrad.Tensor) and result.array.dtype.kind == "f":
        return result * 1.02 + 0.01
    if isinstance(result, tuple):
        first = next((i for i, part in enumerate(result) if part is not None), None)
        return tuple(shift(part) if i == first else part for i, part in enumerate(result))
    return result


def arrays_of(args: tuple[Any, ...]) -> list[np.ndarray]:
    flat = [part for a in args for part in (a if isinstance(a, (tuple, list)) else [a])]
    return [a for a in flat if isinstance(a, np.ndarray)]


def wrong_value(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = function(*args, **kwargs)
    return shift_in_place(args) if result is None else shift(result)


def shift_in_place(args: tuple[Any, ...]) -> None:
    """The same for the first argument, which a kernel without a result has written."""
    for array in arrays_of(args[:1]):
        array[...] = shift(array)


def wrong_with_threads(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return (wrong_value if kernels.num_threads() > 1 else call)(function, *args, **kwargs)


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


def wrong_in_other_layouts(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = function(*args, **kwargs)
    plain = all(a.flags.carray for a in arrays_of(args))
    return result if plain else shift(result)


def writes_its_input(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = function(*args, **kwargs)
    for array in arrays_of(args):
        if array.flags.writeable and array.dtype.kind == "f":
            array *= 2
        elif array.flags.writeable and array.dtype.kind == "b":
            np.logical_not(array, out=array)
        elif array.flags.writeable and array.dtype.kind in "iu":
            array += 1
    return result


def all_ops() -> list[Op]:
    modules = [importlib.import_module(f"cygrad.ops.{m.name}") for m in pkgutil.iter_modules(cygrad.ops.__path__)]
    return list({id(v): v for module in modules for v in vars(module).values() if isinstance(v, Op)}.values())


def is_backward(name: str) -> bool:
    """Whether a wrapper serves gradients, as one that returns the slope as well."""
    return "backward" in name or name.endswith("_with_slope")


def broken(how: Callable[..., Any], name: str, function: Callable[..., Any], backward: bool) -> Callable[..., Any]:
    """The wrapper, broken; for one that returns (value, slope), only one of them."""
    if not name.endswith("_with_slope"):
        return lambda *args, **kwargs: how(function, *args, **kwargs)

    def with_slope(x: Any) -> Any:
        y, slope = function(x)
        return (y, how(lambda _: slope, x)) if backward else (how(lambda _: y, x), slope)

    return with_slope


@contextlib.contextmanager
def broken_kernels(how: Callable[..., Any], backward: bool) -> Iterator[None]:
    """Break the wrappers of backward kernels, or those of all others."""
    originals = {
        name: function
        for name, function in vars(kernels).items()
        if callable(function)
        and not name.startswith("_")
        and not isinstance(function, type)
        and name not in ADMINISTRATION
        and (is_backward(name) == backward or name.endswith("_with_slope"))
    }
    for name, function in originals.items():
        setattr(kernels, name, broken(how, name, function, backward))
    try:
        yield
    finally:
        for name, function in originals.items():
            setattr(kernels, name, function)


@contextlib.contextmanager
def broken_ops(how: Callable[..., Any], backward: bool) -> Iterator[None]:
    """Break the gradient rules of all ops, or their forward functions."""
    with broken_field("rule" if backward else "forward", how):
        yield


@contextlib.contextmanager
def broken_field(field: str, how: Callable[..., Any]) -> Iterator[None]:
    """Break one kind of functions of all ops."""
    originals = [(op, getattr(op, field)) for op in all_ops() if getattr(op, field) is not None]
    for op, function in originals:
        setattr(
            op, field, lambda ctx, *a, _function=function, **k: how(lambda *b, **l: _function(ctx, *b, **l), *a, **k)
        )
    try:
        yield
    finally:
        for op, function in originals:
            setattr(op, field, function)
