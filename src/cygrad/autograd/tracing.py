"""Tracing: the ops that a function applies to its inputs, in order, as a list from which programs for other engines are
made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cygrad._typing import Array
from cygrad.autograd import engine
from cygrad.autograd.engine import Op, Value, Version

__all__ = ["Place", "Step", "Trace", "trace"]


class Place(NamedTuple):
    """A value of a trace, by its number."""

    number: int


class Step(NamedTuple):
    """One application of an op. An argument is the place of a value, or a number or None that was given as it is."""

    op: Op
    args: tuple[Any, ...]
    options: dict[str, Any]
    outputs: tuple[int, ...]


class Sighting(NamedTuple):
    """Where an array was last seen: the number of its value, and how often its memory had been written to."""

    number: int
    version: Version
    writes: int


class Trace:
    """The steps of one call, and the values between them.

    A value is known by its array. ``arrays`` has one for each number, as it was when it was first seen; those whose
    numbers are in ``constants`` come from neither the inputs nor a step: parameters, and whatever else the function
    brings with it. Constants are copies, for the function may write to its own; ``sources`` has the originals.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.arrays: list[Array] = []
        self.sources: list[Array] = []
        self.constants: set[int] = set()
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self._thread = threading.get_ident()
        self._sightings: dict[int, Sighting] = {}  # by the id of an array, which `sources` keeps alive

    def add(self, value: Value) -> int:
        """The number of a new value."""
        number = len(self.arrays)
        self.arrays.append(value.array)
        self.sources.append(value.array)
        self._see(value, number)
        return number

    def _see(self, value: Value, number: int) -> None:
        self._sightings[id(value.array)] = Sighting(number, value.version, value.version.value)

    def number_of(self, value: Value, op: str) -> int:
        """The number of a value; one not seen before is a constant."""
        seen = self._sightings.get(id(value.array))
        if seen is None:
            number = self.add(value)
            self.arrays[number] = value.array.copy()
            self.constants.add(number)
            return number
        if seen.version is value.version and seen.writes != value.version.value:
            raise RuntimeError(
                f"{op}: a tensor was changed in place, by an assignment or through another tensor that shares its "
                "memory, which a trace does not follow"
            )
        return seen.number

    def applied(self, op: Op, args: tuple[Any, ...], options: dict[str, Any], outputs: Sequence[Value]) -> None:
        """Called by the engine after an op. One whose results are known already, since it gave its argument back or
        is made of ops, is no step."""
        if threading.get_ident() != self._thread:
            return
        if all([id(value.array) in self._sightings for value in outputs]):
            return
        places = tuple([Place(self.number_of(a, op.name)) if isinstance(a, Value) else a for a in args])
        self.steps.append(Step(op, places, options, tuple([self.add(value) for value in outputs])))

    def rewritten(self, value: Value, result: Value) -> None:
        """Called by the engine after it wrote `result` into the memory of `value`."""
        if threading.get_ident() != self._thread:
            return
        if value.array.dtype != result.array.dtype:
            raise RuntimeError(
                f"in-place: a {result.array.dtype} result in a {value.array.dtype} tensor is not followed by a trace"
            )
        number = self.number_of(result, "in-place")
        self.sources.append(value.array)  # it may not have been seen before
        self._see(value, number)


_lock = threading.RLock()


def trace(function: Callable[..., Any], *inputs: Value) -> tuple[Trace, Any]:
    """The trace of ``function(*inputs)`` in this thread, and what it returned: a tensor, or a tuple or list of them,
    whose numbers are the trace's ``outputs``.

    Raises TypeError where it returned something else, RuntimeError for a write to memory that it can't follow.

    >>> steps = cg.autograd.trace(lambda x: (2 * x).relu(), cg.ones(3))[0].steps
    >>> [step.op.name for step in steps]
    ['mul', 'relu']
    """
    result = Trace()
    result.inputs = [result.add(value) for value in inputs]
    with _lock:
        before = engine.set_tracer(result)
        try:
            returned = function(*inputs)
        finally:
            engine.set_tracer(before)
    values = list(returned) if isinstance(returned, (tuple, list)) else [returned]
    for value in values:
        if not isinstance(value, Value):
            raise TypeError(f"trace: the function must return a tensor or several, got {type(value).__name__}")
    result.outputs = [result.number_of(value, "trace") for value in values]
    return result, returned
