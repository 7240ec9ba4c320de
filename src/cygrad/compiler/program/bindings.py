"""Guards on names: the tensors, modules, optimizers and functions that a function's names are bound to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from cygrad.autograd import Value
from cygrad.compiler.replay.replay import Binding
from cygrad.generator import Generator
from cygrad.nn.module import Module
from cygrad.optim.lr_scheduler import LRScheduler
from cygrad.optim.optimizer import Optimizer

__all__ = ["bindings_of"]

GUARDED = (Value, Module, Optimizer, LRScheduler, Generator, FunctionType)


def bindings_of(function: Callable[..., Any]) -> list[Binding]:
    """The bindings that a program of the function depends on, those of functions that it reaches by name included.
    Numbers and containers are not guarded: a counter would force a new recording on every call."""
    result: list[Binding] = []
    visited: set[int] = set()
    pending: list[Any] = [function]
    while pending:
        value = pending.pop()
        if id(value) in visited:
            continue
        visited.add(id(value))
        guarded = [binding for binding in all_bindings(value) if isinstance(binding.value, GUARDED)]
        result += guarded
        pending += [binding.value for binding in guarded if isinstance(binding.value, FunctionType)]
        if isinstance(value, MethodType):
            pending.append(value.__func__)
        elif isinstance(value, functools.partial):
            pending.append(value.func)
    return result


def all_bindings(value: Any) -> list[Binding]:
    """The names that the code of a function refers to, or the attributes of a method's object."""
    if isinstance(value, MethodType):
        attributes = getattr(value.__self__, "__dict__", {})
        # The attributes of a module are guarded when the module is called.
        is_module = isinstance(value.__self__, Module)
        return [] if is_module else [Binding(attributes, name, bound) for name, bound in attributes.items()]
    if not isinstance(value, FunctionType) or value.__module__.startswith("cygrad."):
        return []
    globals_ = value.__globals__
    bindings = [Binding(globals_, name, globals_[name]) for name in value.__code__.co_names if name in globals_]
    for cell in value.__closure__ or ():
        try:
            bindings.append(Binding(cell, None, cell.cell_contents))
        except ValueError:  # the name has no value yet
            continue
    return bindings
