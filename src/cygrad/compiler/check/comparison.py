"""Run a program beside eager mode, and find the first launch whose results differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import rehearsal
from cygrad.compiler.check.snapshot import Snapshot
from cygrad.compiler.plan.launches import operands_of, part_written
from cygrad.compiler.plan.plan import launches_of
from cygrad.compiler.program.program import Program
from cygrad.compiler.record.calls import Call
from cygrad.compiler.record.recorder import Recorder
from cygrad.generator import current_generator

__all__ = ["run_beside_eager"]

Output = tuple[str, int]  # an operand: its name, and its index in a list


class OutputRecorder(Recorder):
    """A recorder that copies the arrays which every launch and call writes, up to so many bytes."""

    def __init__(self, most_bytes: float = math.inf) -> None:
        super().__init__()
        self.bytes_left = most_bytes
        self.copies: dict[int, tuple[Any, dict[Output, Array]]] = {}  # by the event's id: the event, its outputs

    def launched(self, launch: Any) -> None:
        """Copy the arrays that a launch has written."""
        super().launched(launch)
        written = [(o, self.known.find(o.pointer)) for o in operands_of(launch) if o.written]
        parts = {(o.name, o.entry): part_written(launch, o, a) for o, a in written if a is not None}
        self.copies[id(launch)] = launch, self.copied(parts)

    def add(self, call: Call) -> None:
        super().add(call)
        self.copies[id(call)] = call, self.copied({("", i): array for i, array in enumerate(call.arrays())})

    def copied(self, outputs: dict[Output, Array]) -> dict[Output, Array]:
        """Copies of arrays, as long as there is room for them."""
        self.bytes_left -= sum([array.nbytes for array in outputs.values()])
        return {output: array.copy() for output, array in outputs.items()} if self.bytes_left > 0 else {}

    def copies_of(self, number: int) -> dict[Output, Array]:
        """Copies of the arrays that event `number` has written."""
        return self.copies[id(self.events[number])][1]


def run_beside_eager(
    name: str, program: Program, function: Callable[..., Any], call: Callable[[], Any], args: Sequence[Any]
) -> Any:
    """Call the function eagerly, restore everything, run the program event by event and compare; return its result.
    The caller has the program's lock.

    Args:
        name: the name of the function, for messages
        program: a program that accepts the arguments
        function: the function; what it is bound to is restored
        call: calls the function with these arguments
        args: the arguments, flat

    Raises:
        RuntimeError: a launch or call gives other results than in eager mode, or the step runs other launches than
            when it was recorded; everything is restored
    """
    before = Snapshot([program.calls(), program.state(), current_generator(), function, list(args)])
    try:
        eager = OutputRecorder()
        with rehearsal.logged() as received:
            eager.record(call)
        before.restore()
        difference = event_that_differs(program.provenance.names, [event.name for event in eager.events])
        if difference is not None:
            raise RuntimeError(f"compile: {name} has {difference}")
        comparison = Comparison(program, eager)

        def visit(event: Any) -> None:
            comparison.visit(event)
            if comparison.found:
                raise RuntimeError(f"compile: {name}: {comparison.found[0]}")

        with rehearsal.answered(received):
            return program.replay.run_observed(args, visit)
    except BaseException:
        before.restore()
        raise


def event_that_differs(recorded: list[str], now: list[str]) -> str | None:
    """The first launch or call that differs from that of the recording, None if there is none."""
    for number, (before, after) in enumerate(zip([*recorded, "its end"], [*now, "its end"])):
        if before != after:
            return (
                f"{after} now where {before} was recorded, as event {number}; it depends on something that a program "
                "can't see"
            )
    return None


def equal_arrays(a: Array, b: Array) -> bool:
    """Whether two arrays have the same shape and equal elements; NaN equals NaN."""
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


class Comparison:
    """Compares what a program writes with what eager mode wrote.

    Args:
        program: the program
        eager: recorded the step in eager mode

    Attributes:
        found: the differences, in order
    """

    def __init__(self, program: Program, eager: OutputRecorder) -> None:
        self.program = program
        self.eager = eager
        self.found: list[str] = []

    def visit(self, event: Any) -> None:
        """Compare what an event has just written."""
        provenance = self.program.provenance
        launches = launches_of(event)
        number = provenance.number(event)
        if number is not None and not launches:
            for i, array in enumerate(event.arrays()):
                self.compare(event.name, number, ("", i), array)
        for launch in launches:
            for operand, array in self.program.layout.operands.get(id(launch), []):
                if operand.written:
                    number, field = provenance.output(launch, operand.name)
                    part = part_written(launch, operand, array)
                    self.compare(launch.name, number, (field, operand.entry), part)

    def compare(self, kernel: str, number: int, output: Output, array: Array) -> None:
        """Compare an array with that of eager mode; NaN equals NaN."""
        expected = self.eager.copies_of(number).get(output)
        if expected is None or equal_arrays(array, expected):
            return
        different = int(np.count_nonzero(array != expected)) if array.shape == expected.shape else array.size
        self.found.append(
            f"{kernel}, recorded as event {number}, differs from eager mode in {different} of {array.size} elements"
        )
