"""The state that a step may change, to be restored: arrays, and the containers and attributes around them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from cygrad.autograd import Value, recording
from cygrad.generator import Generator
from cygrad.nn.module import Module
from cygrad.optim.lr_scheduler import LRScheduler
from cygrad.optim.optimizer import Optimizer

__all__ = ["Snapshot"]

STATEFUL = (Module, Optimizer, LRScheduler, Generator)  # whose attributes a step may change


class Snapshot:
    """A copy of the state that can be reached from `roots`: tensors and arrays, lists and dicts, attributes of modules,
    optimizers, schedulers and generators, and what functions and methods are bound to.

    Args:
        roots: where the search starts, in nested tuples, lists and dicts
    """

    def __init__(self, roots: Any) -> None:
        self.visited: dict[int, Any] = {}
        self.arrays: list[tuple[Any, Any]] = []
        self.gradients: list[tuple[Value, Any]] = []
        self.containers: list[tuple[Any, Any]] = []
        pending = [roots]
        while pending:
            value = pending.pop()
            if id(value) not in self.visited:
                self.visited[id(value)] = value
                pending += self.save(value)

    def save(self, value: Any) -> list[Any]:
        """Save one object, and return the objects that it refers to."""
        if isinstance(value, np.ndarray):
            if value.flags.writeable:
                self.arrays.append((value, value.copy()))
            return []
        if isinstance(value, Value):
            self.gradients.append((value, value.grad_value))
            return [value.array, value.grad_value]
        if isinstance(value, (list, dict)):
            self.containers.append((value, value.copy()))
            return list(value) if isinstance(value, list) else [*value.keys(), *value.values()]
        if isinstance(value, tuple):
            return list(value)
        if isinstance(value, STATEFUL):
            return [vars(value)]
        if isinstance(value, functools.partial):
            return [value.func, value.args, value.keywords]
        referred = [getattr(value, "__self__", None), getattr(value, "__wrapped__", None)] if callable(value) else []
        for cell in getattr(value, "__closure__", None) or ():
            try:
                referred.append(cell.cell_contents)
            except ValueError:  # the name has no value yet
                continue
        return referred

    def restore(self) -> None:
        """Put everything back."""
        recording.note_change()  # attributes of modules are not set one by one
        for container, before in self.containers:
            if isinstance(container, list):
                container[:] = before
            else:
                container.clear()
                container.update(before)
        for value, gradient in self.gradients:
            value.grad_value = gradient
        for array, before in self.arrays:
            np.copyto(array, before)
