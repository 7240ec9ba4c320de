"""Arguments and results as flat lists: tensors may be in tuples, lists and dicts at any depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["containers_in", "flatten", "has_containers", "unflatten"]

LEAF = object()  # stands for a flat value in a structure


def flatten(value: Any) -> tuple[list[Any], Any]:
    """(all values that are not containers, in order; the structure around them, which can be compared)"""
    values: list[Any] = []
    return values, structure_of(value, values)


def structure_of(value: Any, values: list[Any]) -> Any:
    """The structure of a value; its leaves are appended to `values`."""
    if type(value) in (tuple, list):
        return (type(value), *[structure_of(item, values) for item in value])
    if type(value) is dict:
        return (dict, *[(key, structure_of(item, values)) for key, item in value.items()])
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return (type(value), *[structure_of(item, values) for item in value])
    values.append(value)
    return LEAF


def unflatten(structure: Any, values: Iterator[Any]) -> Any:
    """The value with this structure, its leaves taken from `values` in order."""
    if structure is LEAF:
        return next(values)
    kind, *items = structure
    if kind is dict:
        return {key: unflatten(item, values) for key, item in items}
    parts = [unflatten(item, values) for item in items]
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


def containers_in(value: Any) -> list[Any]:
    """All containers in nested tuples, lists and dicts, each before what it contains."""
    if type(value) not in (tuple, list, dict) and not (isinstance(value, tuple) and hasattr(value, "_fields")):
        return []
    items = value.values() if isinstance(value, dict) else value
    return [value] + [container for item in items for container in containers_in(item)]


def has_containers(args: Any) -> bool:
    """Whether any argument is a container, which could hold tensors."""
    return any([isinstance(arg, (list, tuple, dict)) for arg in args])
