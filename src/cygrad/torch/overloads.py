"""Calls that PyTorch accepts with a warning: a factor before the operands, and masks of uint8 for ``where``."""

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


def number_first(function: Callable[..., Any], name: str, factor: str) -> Callable[..., Any]:
    """A function that takes its factor before its other operands too: ``add(x, 2, y)`` is x + 2·y."""

    @wraps(function)
    def call(input: Any, *args: Any, **options: Any) -> Any:
        if len(args) > OPERANDS[factor]:
            warnings.warn(f"{name}: a number before the operands is deprecated, use {factor}=", UserWarning, 2)
            options, args = {**options, factor: args[0]}, args[1:]
        return function(input, *args, **options)

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
    return {**functions, "where": wraps(cygrad.where)(old_where)}


def accept_old_calls() -> None:
    """Let the methods of tensors accept old calls."""
    for name, factor in FACTORS.items():
        for method in (name, f"{name}_"):
            setattr(Tensor, method, number_first(getattr(Tensor, method), method, factor))
    own: Any = Tensor
    own.where = lambda self, condition, other: old_where(condition, self, other)
