"""Tracing: records the ops that a function applies to its inputs, for translation into other formats."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import engine
from cygrad.autograd.engine import Op, Value, Version

__all__ = ["Trace", "TracedOp", "ValueRef", "trace"]


class ValueRef(NamedTuple):
    """A value of a trace, by its index."""

    value: int


class TracedOp(NamedTuple):
    """One application of an op. An argument is a reference to a value, or a plain number or None. ``outputs`` are
    indices of values."""

    op: Op
    args: tuple[Any, ...]
    options: dict[str, Any]
    outputs: tuple[int, ...]


class Sighting(NamedTuple):
    """The index of an array's value, and the number of writes to its memory when it was last seen."""

    value: int
    version: Version
    writes: int


class Trace:
    """The ops that one call of a function applied (``steps``), and the values between them.

    A value is identified by its array. ``arrays[index]`` is the array of a value as it was when first seen. ``inputs``,
    ``outputs`` and ``constants`` are indices; constants are values that come neither from the inputs nor from an op,
    such as parameters. Their arrays are copies, because the function may write to the originals, which are in
    ``sources``.
    """

    def __init__(self) -> None:
        self.steps: list[TracedOp] = []
        self.arrays: list[Array] = []
        self.sources: list[Array] = []
        self.constants: set[int] = set()
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self._thread = threading.get_ident()
        self._sightings: dict[int, Sighting] = {}  # by the id of the array, which `sources` keeps alive

    @property
    def active(self) -> bool:
        """Whether this thread is being traced."""
        return threading.get_ident() == self._thread

    def add(self, value: Value) -> int:
        """Adds a new value, and returns its index."""
        index = len(self.arrays)
        self.arrays.append(value.array)
        self.sources.append(value.array)
        self._see(value, index)
        return index

    def _see(self, value: Value, index: int) -> None:
        self._sightings[id(value.array)] = Sighting(index, value.version, value.version.value)

    def index_of(self, value: Value, op: str) -> int:
        """The index of a value. A value not seen before becomes a constant."""
        seen = self._sightings.get(id(value.array))
        if seen is None:
            index = self.add(value)
            self.arrays[index] = value.array.copy()
            self.constants.add(index)
            return index
        if seen.version is value.version and seen.writes != value.version.value:
            raise RuntimeError(
                f"{op}: a tensor was changed in place, by an assignment or through another tensor that shares its "
                "memory, which cannot be traced"
            )
        return seen.value

    def applied(self, op: Op, args: tuple[Any, ...], options: dict[str, Any], outputs: Sequence[Value]) -> None:
        """Called by the engine after an op. An op whose results are already known, because it returned its argument or
        consists of other ops, is not recorded."""
        if not self.active:
            return
        if all([id(value.array) in self._sightings for value in outputs]):
            return
        refs = tuple([ValueRef(self.index_of(a, op.name)) if isinstance(a, Value) else a for a in args])
        self.steps.append(TracedOp(op, refs, options, tuple([self.add(value) for value in outputs])))

    def rewritten(self, value: Value, result: Value) -> None:
        """Called by the engine after it wrote `result` into the memory of `value`."""
        if not self.active:
            return
        if value.array.dtype != result.array.dtype:
            raise RuntimeError(
                f"in-place: writing a {result.array.dtype} result to a {value.array.dtype} tensor cannot be traced"
            )
        index = self.index_of(result, "in-place")
        self.sources.append(value.array)  # it may be new
        self._see(value, index)


_lock = threading.RLock()


def forget_other_threads() -> None:
    """Called in a forked child."""
    global _lock
    _lock = threading.RLock()


kernels.in_child(forget_other_threads)


def trace(function: Callable[..., Any], *inputs: Value) -> tuple[Trace, Any]:
    """Calls ``function(*inputs)`` and records the ops that it applies in this thread.

    Args:
        function: returns a tensor, or a tuple or list of tensors.
        inputs: tensors.

    Returns:
        The trace, and the result of the function. The trace's ``outputs`` are the indices of the returned tensors.

    Raises:
        TypeError: the function returned something else.
        RuntimeError: a tensor was changed in place in a way that cannot be traced.

    Example:
        >>> steps = cg.autograd.trace(lambda x: (2 * x).relu(), cg.ones(3))[0].steps
        >>> [step.op.name for step in steps]
        ['mul', 'relu']
    """
    result = Trace()
    result.inputs = [result.add(value) for value in inputs]
    with _lock:
        returned = engine.call_traced(result, function, inputs)
    values = list(returned) if isinstance(returned, (tuple, list)) else [returned]
    for value in values:
        if not isinstance(value, Value):
            raise TypeError(f"trace: the function must return one or more tensors, got {type(value).__name__}")
    result.outputs = [result.index_of(value, "trace") for value in values]
    return result, returned
