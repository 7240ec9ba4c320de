"""Descriptions: a network of ``cygrad.nn`` modules as plain values, and the network built from them.

A description, as JSON, and a file of weights are a complete model. Loading them runs no code.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from cygrad import nn
from cygrad._files import one_line
from cygrad.nn.module import Module
from cygrad.nn.modules.container import ModuleDict, ModuleList, Sequential
from cygrad.nn.parameter import Parameter
from cygrad.tensor import Tensor

__all__ = ["build", "describe"]

Description = dict[str, Any]
CONTAINERS = (Sequential, ModuleList, ModuleDict)
PLAIN = (bool, int, float, str, type(None))
MAX_DEPTH = 64


def describe(module: Module) -> Description:
    """Describe a module as a dict of plain values, without its weights.

    Args:
        module: a module of ``cygrad.nn``, or a container of such modules.

    Returns:
        ``type``, the name of its class, and ``options``, the constructor's arguments; for a container, ``modules``, the
        descriptions of its modules by name.

    Raises:
        TypeError: a module is not one of ``cygrad.nn``, has an option that is not a plain value, or two modules share a
            parameter.

    >>> from cygrad.nn.description import build, describe
    >>> describe(cg.nn.Sequential(cg.nn.Linear(3, 2), cg.nn.ReLU()))["modules"]["0"]
    {'type': 'Linear', 'options': {'in_features': 3, 'out_features': 2, 'bias': True, 'dtype': 'float32'}}
    >>> build(describe(cg.nn.Dropout(0.3)))
    Dropout(p=0.3, inplace=False)
    """
    names: dict[int, str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if names.setdefault(id(parameter), name) != name:
            raise TypeError(
                f"describe: {name} is the same parameter as {names[id(parameter)]}, which a description can't express"
            )
    return describe_below(module, "")


def describe_below(module: Module, path: str) -> Description:
    """Describe the module at a path."""
    kind = type(module).__name__
    where = f" at {path}" if path else ""
    if class_named(kind) is not type(module):
        raise TypeError(f"describe: {kind}{where} is not a module of cygrad.nn, and its code can't be saved")
    if kind in ("ParameterList", "ParameterDict"):
        raise TypeError(
            f"describe: a {kind}{where} can't be described: its parameters are made outside of its constructor"
        )
    if isinstance(module, CONTAINERS):
        inner = {name: describe_below(child, f"{path}.{name}".lstrip(".")) for name, child in children_of(module)}
        return {"type": kind, "modules": inner}
    described = getattr(module, "_described", None)  # of modules whose options are not attributes, some of them modules
    if described is not None:
        given = described()
        for name, value in given.items():
            if isinstance(value, Module):
                given[name] = describe_below(value, f"{path}.{name}".lstrip("."))
        return {"type": kind, "options": given}
    options = {name: option(module, name) for name in arguments_of(type(module)) if name != "device"}
    return {"type": kind, "options": {name: value for name, value in options.items() if value is not ABSENT}}


def children_of(module: Module) -> list[tuple[str, Module]]:
    """Return the direct submodules and their names; one with two names appears twice."""
    return list(module._own_modules())


ABSENT: Any = object()


def option(module: Module, name: str) -> Any:
    """Return a constructor argument of a module, read from the attribute of the same name."""
    if name == "dtype":
        tensors = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        floats = [tensor for tensor in tensors if tensor.is_floating_point()]
        return str(floats[0].array.dtype) if floats else ABSENT
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
    raise TypeError(f"describe: {type(module).__name__} has {kind} for its option {name}, wanted a plain value")


def build(description: Mapping[str, Any]) -> Module:
    """Build the module of a description, with new weights.

    Args:
        description: what ``describe`` returned, perhaps read from JSON.

    Raises:
        ValueError: the description is invalid. The message says where.
    """
    return build_below(description, 0)


def build_below(description: Any, depth: int) -> Module:
    """Build a module that is nested `depth` deep."""
    if not isinstance(description, Mapping) or depth > MAX_DEPTH:
        raise ValueError(f"build: a description must be a dict, nested at most {MAX_DEPTH} deep")
    kind = description.get("type")
    cls = class_named(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ValueError(f"build: cygrad.nn has no module {kind!r}")
    if issubclass(cls, CONTAINERS):
        return build_container(cls, description.get("modules"), depth)
    options = description.get("options")
    if not isinstance(options, Mapping) or not set(options) <= set(arguments_of(cls)) - {"device"}:
        raise ValueError(f"build: {kind} does not take the options {options!r}")
    made = {n: build_below(v, depth + 1) if isinstance(v, Mapping) else v for n, v in options.items()}
    try:
        return cls(**made)
    except (AssertionError, AttributeError, RuntimeError, TypeError, ValueError, OverflowError, MemoryError) as error:
        raise ValueError(f"build: {kind} can't be created with {dict(options)!r} ({one_line(error)})") from None


def build_container(cls: type[Module], modules: Any, depth: int) -> Module:
    """Build a container and the modules in it."""
    if not isinstance(modules, Mapping):
        raise ValueError(f"build: {cls.__name__} needs a dict of modules, got {type(modules).__name__}")
    result = cls()
    for name, inner in modules.items():
        try:
            result.add_module(name, build_below(inner, depth + 1))
        except (KeyError, TypeError) as error:
            raise ValueError(f"build: {cls.__name__} can't contain a module {name!r} ({one_line(error)})") from None
    return result


def class_named(name: str) -> type[Module] | None:
    """Return the module class of ``cygrad.nn`` with a name, or None."""
    found = getattr(nn, name, None) if name[:1] != "_" else None
    public = inspect.isclass(found) and issubclass(found, Module) and found.__module__.startswith("cygrad.nn.modules.")
    return found if public else None


def arguments_of(cls: type[Module]) -> list[str]:
    """Return the names of a constructor's arguments."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in inspect.signature(cls).parameters.values() if p.kind not in kinds]
