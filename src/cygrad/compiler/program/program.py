"""A recorded step as a program: what it runs, what it changes, and what its launches cost."""

from __future__ import annotations

from functools import partial
from math import isnan
from pathlib import Path
from typing import Any

from cygrad._attributes import cached_property
from cygrad.autograd import Value
from cygrad.compiler.passes.sharing import MemoryLayout
from cygrad.compiler.plan.plan import Plan, launches_of
from cygrad.compiler.program.profile import Timing, format_timings, measure, write_trace
from cygrad.compiler.record.address_map import owner_of
from cygrad.compiler.replay.loop import BatchLoop, can_loop
from cygrad.compiler.replay.replay import RandomDraws, Replay

__all__ = ["Program"]


class Program:
    """One recorded step, for arguments of one kind.

    ``launches`` lists what it runs, ``explain()`` prints it.

    Args:
        name: the name of the function
        replay: runs the program
        plan: the events, after all passes
        layout: the array of each operand
        written: the tensors from before the step that the launches write to
        computes_all: whether every tensor that the step returns is computed by it
    """

    def __init__(
        self, name: str, replay: Replay, plan: Plan, layout: MemoryLayout, written: list[Value], computes_all: bool
    ):
        self.name = name
        self.replay = replay
        self.events = plan.events
        self.provenance = plan.provenance
        self.borrowed = plan.borrowed()
        self.layout = layout
        self.written = written
        self.computes_all = computes_all

    @property
    def launches(self) -> list[Any]:
        """Launches, chains of launches, and calls back into Python, in order."""
        return list(self.events)

    def __repr__(self) -> str:
        inputs = self.replay.inputs
        args = [
            repr(constant) if spec is None else f"{spec.dtype}{list(spec.shape)}"
            for spec, constant in zip(inputs.specs, inputs.constants)
        ]
        launches = sum([len(launches_of(event)) for event in self.events])
        calls = sum([not launches_of(event) for event in self.events])
        return f"<program of {self.name}({', '.join(args)}): {launches} launches, {calls} calls>"

    def explain(self, sort: str = "order", rounds: int = 20) -> None:
        """Print every launch with its sizes, the bytes that it reads and writes, the floating-point operations of
        matrix products, and its time in µs on the latest inputs, measured alone. Nothing is changed.

        A chain, whose launches run block by block, is one line. The last line is the memory for intermediate results,
        shared and as recorded.

        Args:
            sort: "order", or "time" for the longest first
            rounds: number of runs, of which the median time is printed

        Raises:
            ValueError: `sort` is neither "order" nor "time"
        """
        if sort not in ("order", "time"):
            raise ValueError(f"explain: sort must be order or time, got {sort!r}")
        timings = self.measure(rounds)
        if sort == "time":
            timings.sort(key=lambda timing: 0.0 if isnan(timing.nanoseconds) else -timing.nanoseconds)
        print(format_timings(timings))
        print(
            f"{self.layout.bytes_shared:,} bytes of memory for intermediate results, "
            f"{self.layout.bytes_recorded:,} as recorded"
        )

    def save_trace(self, path: str | Path, rounds: int = 20) -> None:
        """Write the launches and their times as a trace, for Perfetto or Chrome's tracing page.

        Args:
            path: the file to write, JSON
            rounds: number of runs, of which the median time is written
        """
        write_trace(self.measure(rounds), self.name, path)

    def measure(self, rounds: int) -> list[Timing]:
        """The time of every launch and chain."""
        timings: list[Timing] = self.replay.lock.call(True, partial(measure, self.events, self.layout, rounds), refuse)
        return timings

    @cached_property
    def loop(self) -> BatchLoop | None:
        """The program in a loop over the rows of arrays, None if it needs Python between its runs."""
        return BatchLoop(self.replay) if self.computes_all and can_loop(self.replay) else None

    @cached_property
    def claims(self) -> list[Any]:
        """What only one job at a time may use: the memory of parameters and statistics that a run writes to, and the
        generators, other than the default one, that it draws from."""
        generators = [draws.generator for draws in self.replay.effects.draws if draws.generator is not None]
        return [owner_of(leaf.array) for leaf in self.written] + generators

    def state(self) -> list[Any]:
        """Objects through which everything that a run may change can be reached."""
        replay = self.replay
        leaves = [guard.leaf for guard in replay.guards.leaves]
        gradients = [(gradient.leaf, gradient.after) for gradient in replay.guards.gradients]
        optimizers = [update.optimizer for update in replay.guards.updates]
        draws = [part for part in [*replay.effects.draws, *replay.parts] if isinstance(part, RandomDraws)]
        generators = [part.generator for part in draws]
        calls = [part for event in self.events if not launches_of(event) for part in event.reachable()]
        return [leaves, gradients, self.borrowed, optimizers, generators, calls]


def refuse() -> list[Timing]:
    """Called where a program is in use by the thread that wants to measure it."""
    raise RuntimeError("a program can't be measured by the step that runs it")
