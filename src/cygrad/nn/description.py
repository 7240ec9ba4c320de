"""Descriptions: a network of the library's own modules as plain values, and the network from them.

A file with a description, as JSON, and the weights beside it hold a whole model, and to load them runs no code.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from cygrad.nn.module import Module
from cygrad.nn.modules.container import ModuleDict, ModuleList, Sequential
from cygrad.nn.parameter import Parameter
from cygrad.tensor import Tensor

__all__ = ["build", "describe"]

Description = dict[str, Any]
HOLDERS = (Sequential, ModuleList, ModuleDict)
PLAIN = (bool, int, float, str, type(None))
MOST_NESTED = 64


def describe(module: Module) -> Description:
    """What a module is made of: ``type``, the name of its class in ``cygrad.nn``, and ``options``, the arguments that
    make another one, or the ``modules`` that it holds, under their names. The weights are not part of it.

    Raises TypeError, naming the module, where it is of a class that ``cygrad.nn`` has not, or has the same
    parameters in two places.

    >>> from cygrad.nn.description import build, describe
    >>> describe(cg.nn.Sequential(cg.nn.Linear(3, 2), cg.nn.ReLU()))["modules"]["0"]
    {'type': 'Linear', 'options': {'in_features': 3, 'out_features': 2, 'bias': True, 'dtype': 'float32'}}
    >>> build(describe(cg.nn.Dropout(0.3)))
    Dropout(p=0.3, inplace=False)
    """
    places: dict[int, str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if places.setdefault(id(parameter), name) != name:
            raise TypeError(f"describe: {name} is the same parameter as {places[id(parameter)]}, which can't be told")
    return described(module, "")


def described(module: Module, place: str) -> Description:
    kind = type(module).__name__
    if classes().get(kind) is not type(module):
        where = f" at {place}" if place else ""
        raise TypeError(f"describe: {kind}{where} is no module of cygrad.nn, and its code is not saved")
    if isinstance(module, HOLDERS):
        inner = {name: described(child, f"{place}.{name}".lstrip(".")) for name, child in named(module)}
        return {"type": kind, "modules": inner}
    options = {name: option(module, name) for name in parameters_of(type(module)) if name != "device"}
    return {"type": kind, "options": {name: value for name, value in options.items() if value is not ABSENT}}


def named(module: Module) -> list[tuple[str, Module]]:
    """The modules directly below, one that stands there twice in both places."""
    return [(name, child) for name, child in vars(module).items() if isinstance(child, Module)]


ABSENT: Any = object()


def option(module: Module, name: str) -> Any:
    """The argument that a module was made with, read from the attribute of the same name."""
    if name == "dtype":
        held = [t for t in (*module.parameters(recurse=False), *module.buffers(recurse=False)) if t.is_floating_point()]
        return str(held[0].array.dtype) if held else ABSENT
    value = getattr(module, name, ABSENT)
    if name == "bias" and (isinstance(value, Tensor) or value is None):
        return value is not None
    if isinstance(value, (tuple, list)) and all(type(item) in PLAIN for item in value):
        return list(value)
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) in PLAIN or value is ABSENT:
        return value
    kind = "a parameter" if isinstance(value, Parameter) else f"a {type(value).__name__}"
    raise TypeError(f"describe: {type(module).__name__} has {kind} for its option {name}, which can't be told")


def build(description: Mapping[str, Any]) -> Module:
    """The module that a description tells of, with new weights.

    Raises ValueError, naming what is wrong, where a description is not one that ``describe`` gives.
    """
    return built(description, 0)


def built(description: Any, depth: int) -> Module:
    if not isinstance(description, Mapping) or depth > MOST_NESTED:
        raise ValueError(f"build: a description must be a dict, nested at most {MOST_NESTED} deep")
    kind = description.get("type")
    cls = classes().get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ValueError(f"build: cygrad.nn has no module {kind!r}")
    if issubclass(cls, HOLDERS):
        return holder(cls, description.get("modules"), depth)
    options = description.get("options")
    if not isinstance(options, Mapping) or not set(options) <= set(parameters_of(cls)) - {"device"}:
        raise ValueError(f"build: {kind} does not take the options {options!r}")
    try:
        return cls(**options)
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        raise ValueError(f"build: {kind} can't be made of {dict(options)!r} ({error})") from None


def holder(cls: type[Module], described: Any, depth: int) -> Module:
    if not isinstance(described, Mapping):
        raise ValueError(f"build: {cls.__name__} wants a dict of modules, got {type(described).__name__}")
    made = cls()
    for name, inner in described.items():
        try:
            made.add_module(name, built(inner, depth + 1))
        except (KeyError, TypeError) as error:
            raise ValueError(f"build: {cls.__name__} can't hold a module {name!r} ({error})") from None
    return made


def classes() -> dict[str, type[Module]]:
    """The modules of ``cygrad.nn`` by name."""
    from cygrad import nn

    found = {name: getattr(nn, name) for name in nn.__all__}
    return {name: item for name, item in found.items() if inspect.isclass(item) and issubclass(item, Module)}


def parameters_of(cls: type[Module]) -> list[str]:
    """The names of the arguments that a class is made with."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in inspect.signature(cls).parameters.values() if p.kind not in kinds]
