"""A recorded step beside the step itself: the first launch that gives other numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad._typing import Array
from cygrad.compiler.check.snapshot import Snapshot
from cygrad.compiler.plan.launches import operands_of
from cygrad.compiler.plan.plan import launches_of
from cygrad.compiler.record.calls import Call
from cygrad.compiler.record.recorder import Recorder
from cygrad.generator import current_generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from cygrad.compiler.program.program import Program

__all__ = ["checked"]

Output = tuple[str, int]  # an operand: its name, and its number where it is a list


class Witness(Recorder):
    """A recorder that keeps what every launch and call has written."""

    def __init__(self) -> None:
        super().__init__()
        self.tape.observer = self.saw
        self.outputs: dict[int, tuple[Any, dict[Output, Array]]] = {}

    def saw(self, launch: Any) -> None:
        """Copies the arrays that a launch has written to."""
        self.learn_new()
        written = [o for o in operands_of(launch) if o.written]
        found = [(o, self.known.find(o.pointer)) for o in written]
        self.outputs[id(launch)] = launch, {(o.name, o.number): a.copy() for o, a in found if a is not None}

    def add(self, call: Call) -> None:
        super().add(call)
        self.outputs[id(call)] = call, {("", i): a.copy() for i, a in enumerate(call.arrays())}


def checked(
    name: str, program: Program, function: Callable[..., Any], call: Callable[[], Any], flat: Sequence[Any]
) -> Any:
    """Makes the call of the function eagerly, puts everything back, and runs the program event by event; returns its
    result.

    Raises RuntimeError at the first launch or call whose results are not those of eager mode, or where the step does
    something else now than when it was recorded; then everything is as it was before.
    """
    with program.replay.lock:
        before = Snapshot([program.roots(), current_generator(), function])
        try:
            witness = Witness()
            witness.start()
            try:
                call()
            finally:
                witness.stop()
            before.restore()
            compare_order(name, program.recorded, [event.name for event in witness.events])
            return program.replay.checked(flat, Comparison(name, program, witness).visit)
        except BaseException:
            before.restore()
            raise


def compare_order(name: str, recorded: list[str], now: list[str]) -> None:
    """Raises RuntimeError unless the step does the same as when it was recorded."""
    for number, (was, new) in enumerate(zip([*recorded, "its end"], [*now, "its end"])):
        if was != new:
            raise RuntimeError(
                f"compile: {name} has {new} now where {was} was recorded, at number {number}; it depends on something "
                "that a program can't see"
            )


class Comparison:
    """What a program writes against what a witness saw."""

    def __init__(self, name: str, program: Program, witness: Witness) -> None:
        self.name, self.program, self.witness = name, program, witness

    def visit(self, event: Any) -> None:
        """Compares what an event has just written."""
        number = self.program.numbers.get(id(event))
        if number is not None and not launches_of(event):
            for i, array in enumerate(event.arrays()):
                self.compare(event.name, number, ("", i), array)
        for launch in launches_of(event):
            for operand, array in self.program.places.operands.get(id(launch), []):
                if operand.written:
                    number, field = self.program.stands_for.get(
                        (id(launch), operand.name), (self.program.numbers[id(launch)], operand.name)
                    )
                    self.compare(launch.name, number, (field, operand.number), array)

    def compare(self, kernel: str, number: int, output: Output, array: Array) -> None:
        """Raises RuntimeError unless an array has the numbers that it had in eager mode."""
        expected = self.witness.outputs[id(self.witness.events[number])][1].get(output)
        if expected is None or np.array_equal(array, expected, equal_nan=array.dtype.kind == "f"):
            return
        different = int(np.count_nonzero(array != expected)) if array.shape == expected.shape else array.size
        raise RuntimeError(
            f"compile: {self.name}: {kernel}, number {number} of what was recorded, gives other numbers than eager "
            f"mode in {different} of {array.size} places"
        )
