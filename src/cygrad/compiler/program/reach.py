"""The tensors that a function can use besides its arguments, as far as they can be found before it runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import Any

from cygrad.autograd import Value
from cygrad.compiler.program.bindings import bound_values
from cygrad.compiler.record.arguments import overlapping
from cygrad.nn.module import Module
from cygrad.optim.optimizer import Optimizer

__all__ = ["sharing_with_reach"]

MOST_ITEMS = 1000  # of a container that is searched


def sharing_with_reach(function: Callable[..., Any], flat: Sequence[Any]) -> list[Value]:
    """The tensors among the arguments, and those in the function's reach, that share memory with one another; none
    where arguments share memory only among themselves."""
    given = [value for value in flat if isinstance(value, Value)]
    if not given:
        return []
    tensors = [*given, *tensors_in_reach(function)]
    found: list[Value] = []
    for group in overlapping([(i, value.array) for i, value in enumerate(tensors)]):
        if min(group) < len(given) <= max(group):
            found += [tensors[i] for i in group]
    return found


def tensors_in_reach(function: Callable[..., Any]) -> list[Value]:
    """Tensors, and those of modules, optimizers, containers and functions, to which a function's names are bound."""
    found: list[Value] = []
    visited: set[int] = set()
    pending: list[Any] = [function]
    while pending:
        value = pending.pop()
        if id(value) in visited:
            continue
        visited.add(id(value))
        if isinstance(value, Value):
            found.append(value)
            pending.append(value.grad_value)
        else:
            pending += referred(value)
    return found


def referred(value: Any) -> list[Any]:
    """The objects to which one that is no tensor refers."""
    if isinstance(value, (list, tuple, dict)):
        items = list(value.values()) if isinstance(value, dict) else list(value)
        return items if len(items) <= MOST_ITEMS else []
    if isinstance(value, Module):
        return list(vars(value).values())
    if isinstance(value, Optimizer):
        return [value.param_groups, list(value.state.values())]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, (FunctionType, MethodType)):
        method = [value.__func__, value.__self__] if isinstance(value, MethodType) else []
        return method + bound_values(value)
    return []
