"""The objects to which the names of a function are bound, found without running it."""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import Any

from cygrad.nn.module import Module

__all__ = ["bound_values"]


def bound_values(value: Any) -> list[Any]:
    """What the code of a function refers to by name, or the attributes of a method's object."""
    if isinstance(value, MethodType):
        attributes = getattr(value.__self__, "__dict__", {})
        return [value.__self__] if isinstance(value.__self__, Module) else list(attributes.values())
    if not isinstance(value, FunctionType) or (value.__module__ or "").startswith("cygrad."):
        return []
    found = [value.__globals__[name] for name in value.__code__.co_names if name in value.__globals__]
    for cell in value.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # the name has no value yet
            continue
    return found
