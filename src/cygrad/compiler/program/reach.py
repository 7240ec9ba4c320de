"""What a function can use besides its arguments, as far as it can be found before it runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from cygrad.autograd import Value
from cygrad.compiler.program.bindings import bound_values
from cygrad.compiler.record.arguments import overlapping
from cygrad.optim.optimizer import Optimizer

__all__ = ["reach_of", "sharing_with_reach"]

MOST_ITEMS = 1000  # of a container that is searched
MOST_OBJECTS = 10_000  # that are searched
WITHOUT_REFERENCES = (int, float, complex, str, bytes, np.ndarray, type(None))


def sharing_with_reach(flat: Sequence[Any], reach: Sequence[Any]) -> list[Value]:
    """The tensors among the arguments, and those in reach, that share memory with one another; none where arguments
    share memory only among themselves."""
    given = [value for value in flat if isinstance(value, Value)]
    if not given:
        return []
    tensors = [*given, *[value for value in reach if isinstance(value, Value)]]
    found: list[Value] = []
    for group in overlapping([(i, value.array) for i, value in enumerate(tensors)]):
        if min(group) < len(given) <= max(group):
            found += [tensors[i] for i in group]
    return found


def reach_of(function: Callable[..., Any]) -> list[Any]:
    """The objects to which a function's names lead: tensors, containers, modules, optimizers, functions and others."""
    visited: dict[int, Any] = {}
    pending: list[Any] = [function]
    while pending and len(visited) < MOST_OBJECTS:
        value = pending.pop(0)
        if id(value) not in visited and not isinstance(value, WITHOUT_REFERENCES):
            visited[id(value)] = value
            pending += referred(value)
    return list(visited.values())


def referred(value: Any) -> list[Any]:
    """The objects to which one refers."""
    if isinstance(value, Value):
        return [value.grad_value]
    if isinstance(value, (list, tuple, dict)):
        items = list(value.values()) if isinstance(value, dict) else list(value)
        return items if len(items) <= MOST_ITEMS else []
    if isinstance(value, Optimizer):
        return [value.param_groups, list(value.state.values())]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, (FunctionType, MethodType)):
        method = [value.__func__, value.__self__] if isinstance(value, MethodType) else []
        return method + bound_values(value)
    return [vars(value)] if hasattr(value, "__dict__") and not isinstance(value, (type, ModuleType)) else []
