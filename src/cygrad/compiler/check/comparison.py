"""Run a program beside eager mode, and find the first launch whose results differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.compiler.check.snapshot import Snapshot
from cygrad.compiler.plan.launches import operands_of
from cygrad.compiler.plan.plan import launches_of
from cygrad.compiler.program.program import Program
from cygrad.compiler.record.calls import Call
from cygrad.compiler.record.recorder import Recorder
from cygrad.generator import current_generator

__all__ = ["run_beside_eager"]

Output = tuple[str, int]  # an operand: its name, and its index in a list


class OutputRecorder(Recorder):
    """A recorder that copies the arrays which every launch and call writes."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: dict[int, tuple[Any, dict[Output, Array]]] = {}  # by the event's id: the event, its outputs

    def launched(self, launch: Any) -> None:
        """Copy the arrays that a launch has written."""
        super().launched(launch)
        written = [(o, self.known.find(o.pointer)) for o in operands_of(launch) if o.written]
        self.copies[id(launch)] = launch, {(o.name, o.entry): a.copy() for o, a in written if a is not None}

    def add(self, call: Call) -> None:
        super().add(call)
        self.copies[id(call)] = call, {("", i): array.copy() for i, array in enumerate(call.arrays())}

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
    before = Snapshot([program.state(), current_generator(), function, list(args)])
    try:
        eager = OutputRecorder()
        eager.record(call)
        before.restore()
        compare_events(name, program.provenance.names, [event.name for event in eager.events])
        return program.replay.run_observed(args, Comparison(name, program, eager).visit)
    except BaseException:
        before.restore()
        raise


def compare_events(name: str, recorded: list[str], now: list[str]) -> None:
    """Raise RuntimeError unless the step runs the same launches and calls as when it was recorded."""
    for number, (before, after) in enumerate(zip([*recorded, "its end"], [*now, "its end"])):
        if before != after:
            raise RuntimeError(
                f"compile: {name} has {after} now where {before} was recorded, as event {number}; it depends on "
                "something that a program can't see"
            )


class Comparison:
    """Compares what a program writes with what eager mode wrote.

    Args:
        name: the name of the function, for messages
        program: the program
        eager: recorded the step in eager mode
    """

    def __init__(self, name: str, program: Program, eager: OutputRecorder) -> None:
        self.name = name
        self.program = program
        self.eager = eager

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
                    self.compare(launch.name, number, (field, operand.entry), array)

    def compare(self, kernel: str, number: int, output: Output, array: Array) -> None:
        """Raise RuntimeError unless an array equals that of eager mode, NaN included."""
        expected = self.eager.copies_of(number).get(output)
        if expected is None or np.array_equal(array, expected, equal_nan=array.dtype.kind == "f"):
            return
        different = int(np.count_nonzero(array != expected)) if array.shape == expected.shape else array.size
        raise RuntimeError(
            f"compile: {self.name}: {kernel}, recorded as event {number}, differs from eager mode in {different} of "
            f"{array.size} elements"
        )
