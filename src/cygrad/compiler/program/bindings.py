"""What the names that a function uses are bound to outside of it: a program is that of these tensors, modules,
optimizers and functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from cygrad.autograd import Value
from cygrad.generator import Generator
from cygrad.nn.module import Module
from cygrad.optim.lr_scheduler import LRScheduler
from cygrad.optim.optimizer import Optimizer

__all__ = ["Binding", "bindings_of"]

GUARDED = (Value, Module, Optimizer, LRScheduler, Generator, FunctionType)


class Binding(NamedTuple):
    """A name: the cell that it has in a closure, or the dict of globals or attributes that it is in; and its value."""

    place: Any
    name: str | None  # None for a cell
    value: Any

    def holds(self) -> bool:
        """Whether it is bound to the same."""
        if self.name is not None:
            return self.place.get(self.name) is self.value
        try:
            return self.place.cell_contents is self.value
        except ValueError:  # the name was deleted
            return False


def bindings_of(function: Callable[..., Any]) -> list[Binding]:
    """The names of a function, and of the functions that it reaches by name, that are bound to what a program depends
    on. Numbers and containers are not among them: a counter would end every program."""
    found: list[Binding] = []
    seen: set[int] = set()
    pending: list[Any] = [function]
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        names = [binding for binding in names_of(value) if isinstance(binding.value, GUARDED)]
        found += names
        pending += [binding.value for binding in names if isinstance(binding.value, FunctionType)]
        if isinstance(value, MethodType):
            pending.append(value.__func__)
        elif isinstance(value, functools.partial):
            pending.append(value.func)
    return found


def names_of(value: Any) -> list[Binding]:
    """The names that a function's code refers to, or the attributes of the object that a method is bound to."""
    if isinstance(value, MethodType):
        attributes = getattr(value.__self__, "__dict__", {})
        # A module's own attributes are watched as those of all modules that are called.
        watched = isinstance(value.__self__, Module)
        return [] if watched else [Binding(attributes, name, found) for name, found in attributes.items()]
    if not isinstance(value, FunctionType) or value.__module__.startswith("cygrad."):
        return []
    globals_ = value.__globals__
    names = [Binding(globals_, name, globals_[name]) for name in value.__code__.co_names if name in globals_]
    for cell in value.__closure__ or ():
        try:
            names.append(Binding(cell, None, cell.cell_contents))
        except ValueError:  # a name that has no value yet
            continue
    return names
