"""The parts of a program: segments of launches that run without the GIL, and Python between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cygrad import _kernels as kernels
from cygrad.compiler.passes.sharing import MemoryLayout
from cygrad.compiler.plan.plan import is_launch, launches_of
from cygrad.compiler.record.recorder import Recorder
from cygrad.compiler.replay.replay import OptimizerUpdate, RandomDraws
from cygrad.generator import current_generator

__all__ = ["Schedule", "needs_order"]


def needs_order(recorder: Recorder) -> bool:
    """Whether step counts and random counters have to be written between the events, in their order. Otherwise they
    are written before all of them, and the program is one segment."""
    states = [id(state) for launch in recorder.optimizer_launches for state in launch.states]
    calls = not all(map(is_launch, recorder.events))
    # Draws from the default generator, by its name and without it, depend on each other.
    generators = [draw.generator for draw in recorder.draws]
    mixed = None in generators and current_generator() in generators
    return calls or mixed or len(set(states)) < len(states)


class Schedule:
    """The parts of a program.

    Args:
        events: launches, chains and calls
        layout: the array of each operand
        updates: by the launch's id
        recorder: what was recorded
        in_order: the answer of ``needs_order``

    Attributes:
        parts: segments and functions without arguments, in order
        first_update: index of the first part that changes a parameter, ``len(parts)`` if there is none
        draws: the random draws before all parts; with `in_order` they are parts themselves
    """

    def __init__(
        self,
        events: Sequence[Any],
        layout: MemoryLayout,
        updates: dict[int, OptimizerUpdate],
        recorder: Recorder,
        in_order: bool,
    ) -> None:
        self.layout = layout
        self.parts: list[Any] = []
        self.draws: list[RandomDraws] = []
        if in_order:
            draws = {id(d.event): RandomDraws(d.generator, [(d.event, d.counters)]) for d in recorder.draws}
            self.first_update = self.arrange(events, updates, draws)
        else:
            by_generator: dict[int, list[Any]] = {}
            for draw in recorder.draws:
                by_generator.setdefault(id(draw.generator), []).append(draw)
            self.draws = [
                RandomDraws(draws[0].generator, [(draw.event, draw.counters) for draw in draws])
                for draws in by_generator.values()
            ]
            self.parts.append(self.segment(events))
            self.first_update = 0

    def arrange(self, events: Sequence[Any], updates: dict[int, OptimizerUpdate], draws: dict[int, RandomDraws]) -> int:
        """Fill in the parts in the order of the events; returns the index of the first update."""
        run: list[Any] = []
        first_update = None

        def close() -> None:
            if run:
                self.parts.append(self.segment(run))
                run.clear()

        def append(part: Any) -> None:
            close()
            self.parts.append(part)

        for event in events:
            update = updates.get(id(event))
            if id(event) in draws:
                append(draws[id(event)])
            if update is not None:
                append(update.prepare_part)
            if launches_of(event):
                run.append(event)
            else:
                append(event)
            if update is not None:
                append(update.commit_part)
                if first_update is None:
                    first_update = len(self.parts) - 2
        close()
        return len(self.parts) if first_update is None else first_update

    def segment(self, events: Sequence[Any]) -> Any:
        """Launches and chains as one part, with a barrier before each that needs unfinished results."""
        return kernels.Segment(list(events), self.layout.barriers(events))
