"""The state that a step may change, to be restored: arrays, and the containers and attributes around them."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad.autograd import Value, recording
from cygrad.compiler.record.address_map import address, owner_of
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
        others: where it starts too, for arrays only if the address of their owner is in `changed`
        changed: these addresses
    """

    def __init__(self, roots: Any, others: Any = (), changed: Collection[int] = ()) -> None:
        self.changed: Collection[int] | None = None
        self.visited: dict[int, Any] = {}
        self.arrays: list[tuple[Any, Any]] = []
        self.copies: dict[int, Any] = {}  # by the id of an array
        self.gradients: list[tuple[Value, Any]] = []
        self.versions: list[tuple[Any, int]] = []
        self.containers: list[tuple[Any, Any]] = []
        self.search(roots)
        self.changed = changed
        self.search(others)

    def search(self, roots: Any) -> None:
        """Save what can be reached from `roots`."""
        pending = [roots]
        while pending:
            value = pending.pop()
            if id(value) not in self.visited:
                self.visited[id(value)] = value
                pending += self.save(value)

    def save(self, value: Any) -> list[Any]:
        """Save one object, and return the objects that it refers to."""
        if isinstance(value, np.ndarray):
            if value.flags.writeable and (self.changed is None or address(owner_of(value)) in self.changed):
                self.copies[id(value)] = kernels.pooled(value.copy)
                self.arrays.append((value, self.copies[id(value)]))
            return []
        if isinstance(value, Value):
            self.gradients.append((value, value.grad_value))
            self.versions.append((value.version, value.version.value))
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

    def copy_of(self, value: Any) -> Any:
        """The copy of an array that was saved; any other value itself."""
        return self.copies.get(id(value), value)

    def restore(self) -> None:
        """Put everything back."""
        self.restore_containers()
        for value, gradient in self.gradients:
            value.grad_value = gradient
        for version, before in self.versions:
            version.value = before
        for array, before in self.arrays:
            if not same_bits(array, before):  # other threads may read what the step only reads
                np.copyto(array, before)

    def restore_containers(self) -> None:
        """Put back lists and dicts, attributes included."""
        recording.note_change()  # attributes of modules are not set one by one
        for container, before in self.containers:
            if isinstance(container, list):
                container[:] = before
            else:
                put_back(container, before)


def put_back(container: dict[Any, Any], before: dict[Any, Any]) -> None:
    """Give a dict its items of before, in their order. It lacks none meanwhile unless one was deleted: it may hold
    the attributes of a module that another thread calls, or that a child inherits by a fork."""
    for key in [key for key in container if key not in before]:
        del container[key]
    moved = [*map(id, container)] != [*map(id, before)]
    for key, value in before.items():
        if moved:
            container.pop(key, None)
        container[key] = value


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether arrays of numbers of at most 64 bits are equal bit by bit; False for arrays of anything else."""
    if a.dtype.kind not in "biuf" or a.itemsize > 8:
        return False
    bits = f"i{a.itemsize}"
    return np.array_equal(a.view(bits), b.view(bits))
