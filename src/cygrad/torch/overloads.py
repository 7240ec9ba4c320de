"""Calls that PyTorch accepts: with a warning a factor before the operands, and masks of uint8 for ``where``; and names
of arguments that cygrad calls otherwise."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

import cygrad
from cygrad.tensor import Tensor

__all__ = ["accept_old_calls", "old_functions"]

FACTORS = {"add": "alpha", "sub": "alpha", "addcmul": "value", "addcdiv": "value"}
OPERANDS = {"alpha": 1, "value": 2}  # beside the first
KEYWORDS = {"split": {"tensor": "input"}, "det": {"input": "A"}, "uniform_": {"from": "a", "to": "b"}}
PRODUCTS = "addmm", "addmv", "addr", "addbmm", "baddbmm"


def number_first(function: Callable[..., Any], name: str, factor: str) -> Callable[..., Any]:
    """A function that takes its factor before its other operands too: ``add(x, 2, y)`` is x + 2·y."""

    @wraps(function)
    def call(input: Any, *args: Any, **options: Any) -> Any:
        if len(args) > OPERANDS[factor]:
            warnings.warn(f"{name}: a number before the operands is deprecated, use {factor}=", UserWarning, 2)
            options, args = {**options, factor: args[0]}, args[1:]
        return function(input, *args, **options)

    return call


def numbers_first(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A product's function that takes its factors first too: ``addmm(2, x, 3, a, b)`` and ``addmm(2, x, a, b)``."""

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        if args and not isinstance(args[0], Tensor) and len(args) > 3:
            warnings.warn(f"{name}: a number before the operands is deprecated, use beta= and alpha=", UserWarning, 2)
            options, args = {**options, "beta": args[0]}, args[1:]
            if len(args) > 3:
                options, args = {**options, "alpha": args[1]}, (args[0], *args[2:])
        return function(*args, **options)

    return call


def numbers_first_of(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A product's method that takes its factors first too: ``x.addmm_(2, 3, a, b)`` and ``x.addmm_(2, a, b)``."""

    @wraps(method)
    def call(self: Tensor, *args: Any, **options: Any) -> Any:
        if len(args) > 2:
            warnings.warn(f"{name}: a number before the operands is deprecated, use beta= and alpha=", UserWarning, 2)
            options = {**options, **dict(zip(("beta", "alpha"), args[:-2]))}
        return method(self, *args[-2:], **options)

    return call


def renaming(function: Callable[..., Any], names: dict[str, str]) -> Callable[..., Any]:
    """A function whose arguments PyTorch names otherwise."""

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        return function(*args, **{names.get(name, name): value for name, value in options.items()})

    return call


def random_with_names(fill: Callable[..., Any]) -> Callable[..., Any]:
    """``random_`` with the bounds "from" and "to" as keywords too."""

    @wraps(fill)
    def call(self: Tensor, *limits: Any, **options: Any) -> Any:
        if "to" in options:
            limits = (options.pop("from", *limits[:1] or (0,)), options.pop("to"))
        return fill(self, *limits, **options)

    return call


def old_where(condition: Any, *args: Any, **options: Any) -> Any:
    """``where``, whose condition may be of uint8."""
    if isinstance(condition, Tensor) and condition.array.dtype == "uint8":
        warnings.warn("where: a condition of uint8 is deprecated, use bool", UserWarning, 2)
        condition = condition.bool()
    return cygrad.where(condition, *args, **options)


def old_functions() -> dict[str, Callable[..., Any]]:
    """The functions of ``torch`` that accept old calls."""
    functions = {name: number_first(getattr(cygrad, name), name, factor) for name, factor in FACTORS.items()}
    functions |= {name: numbers_first(getattr(cygrad, name), name) for name in PRODUCTS}
    functions |= {name: renaming(getattr(cygrad, name), KEYWORDS[name]) for name in ("split", "det")}
    return {**functions, "where": wraps(cygrad.where)(old_where)}


def accept_old_calls() -> None:
    """Let the methods of tensors accept old calls."""
    for name, factor in FACTORS.items():
        for method in (name, f"{name}_"):
            setattr(Tensor, method, number_first(getattr(Tensor, method), method, factor))
    for name in PRODUCTS:
        for method in (name, f"{name}_"):
            setattr(Tensor, method, numbers_first_of(getattr(Tensor, method), method))
    own: Any = Tensor
    own.uniform_, own.random_ = renaming(own.uniform_, KEYWORDS["uniform_"]), random_with_names(own.random_)
    own.where = lambda self, condition, other: old_where(condition, self, other)
