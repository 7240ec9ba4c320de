"""Arguments and results as flat lists: tuples, lists and dicts may hold tensors at any depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["flatten", "has_containers", "unflatten"]

LEAF = object()  # where a flat value goes


def flatten(value: Any) -> tuple[list[Any], Any]:
    """(what is in it, one after the other; a structure that can be compared)."""
    found: list[Any] = []
    return found, described(value, found)


def described(value: Any, found: list[Any]) -> Any:
    if type(value) in (tuple, list):
        return (type(value), *[described(part, found) for part in value])
    if type(value) is dict:
        return (dict, *[(key, described(part, found)) for key, part in value.items()])
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return (type(value), *[described(part, found) for part in value])
    found.append(value)
    return LEAF


def unflatten(structure: Any, values: Iterator[Any]) -> Any:
    """The value of a structure, with what comes out of `values` in the places of what was flattened."""
    if structure is LEAF:
        return next(values)
    kind, *parts = structure
    if kind is dict:
        return {key: unflatten(part, values) for key, part in parts}
    made = [unflatten(part, values) for part in parts]
    return kind(*made) if hasattr(kind, "_fields") else kind(made)


def has_containers(args: Any) -> bool:
    """Whether there are any in which tensors may be."""
    return any([isinstance(arg, (list, tuple, dict)) for arg in args])
