"""A recorded step as a program: what it runs, what it changes, and what its launches cost."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Sequence
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any

from cygrad._attributes import cached_property
from cygrad._typing import Array
from cygrad.autograd import Value
from cygrad.compiler.passes.sharing import MemoryLayout
from cygrad.compiler.plan.plan import Plan, launches_of
from cygrad.compiler.program.kept import Surroundings, held_elsewhere, kept_tensors
from cygrad.compiler.program.modules import ModuleGuard
from cygrad.compiler.program.profile import Timing, format_timings, measure, write_trace
from cygrad.compiler.record.address_map import address, owner_of
from cygrad.compiler.record.recorder import Recorder
from cygrad.compiler.replay.loop import BatchLoop, can_loop
from cygrad.compiler.replay.replay import GradientSlot, RandomDraws, Replay

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
        gradients: those of tensors from before the step
        modules: the guard on modules
        changed: the addresses of all arrays that the events write to, by their owners
        computes_all: whether every tensor that the step returns is computed by it

    Attributes:
        is_checked: whether its first run was compared with eager mode
    """

    def __init__(
        self,
        name: str,
        replay: Replay,
        plan: Plan,
        layout: MemoryLayout,
        written: list[Value],
        gradients: list[GradientSlot],
        modules: ModuleGuard,
        changed: set[int],
        computes_all: bool,
    ):
        self.name = name
        self.replay = replay
        self.events = plan.events
        self.provenance = plan.provenance
        self.borrowed = plan.borrowed()
        self.layout = layout
        self.written = written
        self.gradients = gradients
        self.modules = modules
        self.changed = changed
        self.computes_all = computes_all
        self.is_checked = False

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

    def keep(
        self,
        surroundings: Surroundings,
        recorder: Recorder,
        args: Sequence[Any],
        arguments: dict[int, weakref.ref[Value]],
    ) -> str | None:
        """Let each run keep the tensors that the recorded step has kept; returns why that can't be, None if it can.

        Args:
            surroundings: what was there before the step
            recorder: what was recorded
            args: the caller's arguments, flat
            arguments: the tensors that the step received in their place, by their indices
        """
        received = {id(reference()): i for i, reference in arguments.items() if reference() is not None}
        written = recorder.computed()  # other memory was there before, and stays

        def array_of(value: Any) -> Array | None:
            return value.array if isinstance(value, Value) and address(owner_of(value.array)) in written else None

        # Gradients and the states of optimizers stay where they are.
        fixed = {id(slot.leaf.grad_value) for slot in self.replay.guards.gradients}
        states = [tensors for launch in recorder.optimizer_launches for tensors in launch.tensors]
        fixed |= {id(v) for tensors in states for v in tensors.values()}
        values = [reference() for reference in [*recorder.exposed, *arguments.values()]]
        alive = [v for v in values if v is not None and id(v) not in fixed and array_of(v) is not None]
        del values
        own = [id(value) for value in recorder.leaves.values()]
        own += [id(guard.leaf) for guard in self.replay.guards.leaves]
        alive = held_elsewhere(alive, Counter(own))
        if not alive:
            return None
        kept, refusal = kept_tensors(alive, surroundings, array_of, lambda value: received.get(id(value)))
        for place in kept:
            place.replace(place.latest(args))  # the next run overwrites what the step has put there
        if kept:
            self.replay.kept = kept
        self.modules.ignore(kept)
        return refusal

    def state(self) -> list[Any]:
        """Objects through which everything that launches may change can be reached."""
        replay = self.replay
        leaves = [guard.leaf for guard in replay.guards.leaves]
        gradients = [(gradient.leaf, gradient.after) for gradient in replay.guards.gradients]
        optimizers = [update.optimizer for update in replay.guards.updates]
        return [leaves, gradients, self.borrowed, optimizers, self.generators]

    @property
    def draws(self) -> list[RandomDraws]:
        """The random draws of a run: those before all parts, and those that are parts of their own."""
        parts = [*self.replay.effects.draws, *self.replay.parts]
        return [part for part in parts if isinstance(part, RandomDraws)]

    @property
    def generators(self) -> list[Any]:
        """The generators, other than the default one, that launches draw from."""
        return [draws.generator for draws in self.draws if draws.generator is not None]

    @property
    def may_draw_from_default(self) -> bool:
        """Whether a run may draw from the default generator: in a launch, or in a call back into Python."""
        calls_python = any([not launches_of(event) for event in self.events])
        return calls_python or any([draws.generator is None for draws in self.draws])

    def calls(self) -> list[Any]:
        """Objects through which everything can be reached that calls back into Python may change besides."""
        return [part for event in self.events if not launches_of(event) for part in event.reachable()]


def refuse() -> list[Timing]:
    """Called where a program is in use by the thread that wants to measure it."""
    raise RuntimeError("a program can't be measured by the step that runs it")
