"""Places to which names are bound, what is there, and when two values count as the same.

The usual places and values are compared in C, in ``replay/guards.pxi``; these functions do the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from numbers import Number
from types import MappingProxyType
from typing import Any

import numpy as np

__all__ = ["MISSING", "PLAIN", "Place", "current", "elements_of", "is_equal", "is_plain"]


class Place:
    """Where a name is bound: in a closure cell; under a key of a dict, such as the globals or the attributes of an
    object; at an index of a list; in an attribute that C code holds; in a class; in a context variable. `ELEMENTS` are
    those of a container, `LENGTH` is their number, and `NOWHERE` is a place that is watched by other means."""

    CELL, ITEM, INDEX, ATTRIBUTE, CLASS, CONTEXT, ELEMENTS, LENGTH, NOWHERE = range(9)


class Missing:
    """Stands for the value of a place that has none."""

    def __repr__(self) -> str:
        return "missing"


MISSING = Missing()

# A value of these types can't change.
PLAIN = (int, float, complex, str, bytes, type(None), np.generic, np.dtype, Number, Enum, range, slice, Missing)


def is_plain(value: Any) -> bool:
    """Whether a value can't change, and counts as the same where it is equal: numbers, strings, None, and tuples of
    them."""
    if isinstance(value, (tuple, frozenset)):
        return all([is_plain(item) for item in value])
    return isinstance(value, PLAIN)


def is_equal(recorded: Any, value: Any) -> bool:
    """Whether two values of the same type are plain and equal, in the bits of their numbers."""
    if recorded is value or not is_plain(value):
        return recorded is value
    if isinstance(value, tuple):
        return len(recorded) == len(value) and all(
            [type(a) is type(b) and is_equal(a, b) for a, b in zip(recorded, value)]
        )
    if isinstance(value, (float, complex, np.generic)):
        return np.asarray(recorded).tobytes() == np.asarray(value).tobytes() or bool(
            recorded != recorded and value != value
        )
    return bool(recorded == value)


def current(place: int, container: Any, key: Any) -> Any:
    """What a place has now, MISSING for nothing."""
    if place == Place.CELL:
        try:
            return container.cell_contents
        except ValueError:
            return MISSING
    if place == Place.ITEM:
        return container.get(key, MISSING)
    if place == Place.INDEX:
        return container[key] if -len(container) <= key < len(container) else MISSING
    if place == Place.ATTRIBUTE:
        return getattr(container, key, MISSING)
    if place == Place.CLASS:
        return next((vars(base)[key] for base in container.__mro__ if key in vars(base)), MISSING)
    if place == Place.CONTEXT:
        return container.get(MISSING)
    return elements_of(container) if place == Place.ELEMENTS else len(container)


def elements_of(container: Any) -> list[Any]:
    """The elements of a container, with the keys of a dict before its values; of an array its bytes."""
    if isinstance(container, (dict, MappingProxyType)):
        return [*container, *container.values()]
    if isinstance(container, np.ndarray):
        return [container.shape, container.dtype, container.tobytes()]
    elements: Iterable[Any] = [bytes(container)] if hasattr(container, "itemsize") else container
    return list(elements)
