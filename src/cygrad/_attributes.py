"""Attributes that are computed on first use, and attributes that ``__init__`` has to set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

__all__ = [
    "AssertedError",
    "NotInitializedError",
    "RangeError",
    "ShapeError",
    "cached_property",
    "not_initialized",
    "set_by_init",
]

T = TypeVar("T")


class ShapeError(RuntimeError, ValueError):
    """Shapes that do not fit: RuntimeError in PyTorch, ValueError in NumPy."""


class AssertedError(AssertionError, ValueError):
    """An argument that does not fit: AssertionError in PyTorch's attention, ValueError elsewhere."""


class RangeError(IndexError, RuntimeError):
    """An index out of range: IndexError in NumPy, RuntimeError in PyTorch's gather and scatter."""


class cached_property(Generic[T]):
    """A property that becomes an attribute on first use. That of ``functools`` has a lock for all objects of a class
    until Python 3.12, so that threads wait for each other, and a forked child for threads that it does not have.

    Args:
        function: computes the value.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: Any = None) -> cached_property[T]: ...
    @overload
    def __get__(self, instance: object, owner: Any = None) -> T: ...
    def __get__(self, instance: object, owner: Any = None) -> cached_property[T] | T:
        if instance is None:
            return self
        value = self.function(instance)
        result: T = instance.__dict__.setdefault(self.function.__name__, value)  # of two threads, the first one's
        return result


class set_by_init:
    """Stands for an attribute of objects before ``__init__`` is called: reading it raises RuntimeError, which is an
    AttributeError too."""

    def __get__(self, instance: object, owner: Any = None) -> set_by_init:
        if instance is None:
            return self
        raise not_initialized(instance, NotInitializedError)


class NotInitializedError(RuntimeError, AttributeError):
    """An object whose ``__init__`` has not run: its attributes are missing, as ``hasattr`` says."""


def not_initialized(thing: object, kind: type[RuntimeError] = RuntimeError) -> RuntimeError:
    """The error of every method of an object that ``__new__`` made and ``__init__`` did not."""
    return kind(f"{type(thing).__name__}: the object is not initialized; call super().__init__() first")
