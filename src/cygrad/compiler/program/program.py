"""A recorded step as a program: launches in segments that run without the GIL, and calls of Python between them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Value
from cygrad.compiler.passes import Plan, optimize
from cygrad.compiler.plan.plan import is_launch, launches_of
from cygrad.compiler.program.profile import measure, table, trace
from cygrad.compiler.record.address_map import address, owner_of
from cygrad.compiler.record.recorder import Recorder
from cygrad.compiler.replay.loop import Loop, loops
from cygrad.compiler.replay.replay import Draws, Form, Replay, Update, commit, prepare
from cygrad.compiler.structure import flatten, unflatten
from cygrad.generator import current_generator

__all__ = ["Program"]


class Program:
    """One recorded step, for arguments of one form.

    ``launches`` lists what it runs; ``explain()`` prints it.
    """

    def __init__(
        self, name: str, recorder: Recorder, structure: Any, flat: Sequence[Any], buffers: Sequence[Any], result: Any
    ):
        self.name = name
        self.replay = replay = Replay()
        replay.structure = structure
        replay.forms = [Form(given.array) if isinstance(given, Value) else None for given in flat]
        replay.buffers = [b.array if isinstance(b, Value) else None for b in buffers]
        replay.constants = [None if isinstance(given, Value) else given for given in flat]
        self.keep_result(result, recorder)
        plan = Plan(recorder, [*replay.results, *recorder.visible()])
        self.guard(recorder, plan)
        self.arrange(recorder, plan)

    @property
    def launches(self) -> list[Any]:
        """Launches, chains of them, and calls of Python, in order."""
        return list(self.events)

    def __repr__(self) -> str:
        shapes = [
            f"{f.dtype}{list(f.shape)}" if f is not None else repr(c)
            for f, c in zip(self.replay.forms, self.replay.constants)
        ]
        launches = sum([len(launches_of(event)) for event in self.events])
        calls = sum([not launches_of(event) for event in self.events])
        return f"<program of {self.name}({', '.join(shapes)}): {launches} launches, {calls} calls>"

    def explain(self, sort: str = "order", rounds: int = 20) -> None:
        """Prints every launch with its sizes, the bytes that it reads and writes, the floating-point operations of
        products, and the median time of `rounds` runs of it alone on the last inputs; nothing is changed by that.
        Launches that run block by block are one line. The last line tells the memory that the step takes for what it
        computes on the way, shared and as it was recorded. ``sort`` is "order" or "time", the longest first.
        """
        if sort not in ("order", "time"):
            raise ValueError(f"explain: sort must be order or time, got {sort!r}")
        rows = measure(self, rounds)
        if sort == "time":
            rows.sort(key=lambda row: -row.nanoseconds if row.nanoseconds == row.nanoseconds else 0.0)
        print(table(rows))
        shared, apart = self.places.bytes_shared, self.places.bytes_apart
        print(f"{shared:,} bytes of memory for what is between, {apart:,} as recorded")

    def save_trace(self, path: str | Path, rounds: int = 20) -> None:
        """Writes the launches and their times as a trace that Perfetto and Chrome's tracing page show."""
        trace(measure(self, rounds), self.name, path)

    # What it stands on

    def guard(self, recorder: Recorder, plan: Plan) -> None:
        """Tells the replay what has to be as it was."""
        replay = self.replay
        leaves = dict(recorder.leaves)
        for module in recorder.modules.values():
            for tensor in tensors_of(module):
                leaves.setdefault(id(tensor), tensor)
        found = list(leaves.values())
        replay.leaves, replay.arrays = found, [leaf.array for leaf in found]
        replay.flags = [leaf.requires_grad for leaf in found]
        written = {key for event in plan.events for key in plan.written_by(event)}
        self.written = [leaf for leaf in found if address(owner_of(leaf.array)) in written]
        replay.versions = [leaf.version for leaf in self.written]
        gradients = list(recorder.gradients.values())
        replay.grad_leaves = [g.leaf for g in gradients]
        replay.grads_before = [
            Ellipsis if g.forgotten else None if g.before is None else g.before.array for g in gradients
        ]
        replay.grads_after = [g.after for g in gradients]
        replay.modules_fit = World(list(recorder.modules.values()), found).fit

    @cached_property
    def moved(self) -> list[Any]:
        """What a run changes and another run would find changed: the memory of parameters and statistics, and
        generators that have a name."""
        named = [draws.generator for draws in self.replay.draws if draws.generator is not None]
        return [owner_of(leaf.array) for leaf in self.written] + named

    def keep_result(self, result: Any, recorder: Recorder) -> None:
        """Notes which arrays the result is made of. Tensors that were there before the step are handed out
        themselves."""
        flat, structure = flatten(result)
        arrays: list[Array] = []
        places: list[int | None] = []
        made = recorder.own_memory()
        for value in flat:
            fresh = isinstance(value, Value) and address(owner_of(value.array)) in made
            places.append(len(arrays) if fresh else None)
            if fresh:
                arrays.append(value.array)
        self.replay.results = arrays
        self.returns_fresh = len(arrays) == sum([isinstance(value, Value) for value in flat])
        single = len(flat) == 1 and len(arrays) == 1 and isinstance(result, Value)
        plain = type(result) is tuple and len(flat) == len(result)  # the commonest structure

        def build(tensors: list[Value]) -> Any:
            values = [own if place is None else tensors[place] for own, place in zip(flat, places)]
            return tuple(values) if plain else unflatten(structure, iter(values))

        self.replay.build = None if single else build

    def roots(self) -> list[Any]:
        """What leads to everything that a run of it may change."""
        replay = self.replay
        calls = [part for event in self.events if not launches_of(event) for part in event.reaches()]
        generators = [part.generator for part in [*replay.draws, *replay.parts] if isinstance(part, Draws)]
        optimizers = [update.optimizer for update in replay.updates]
        return [replay.leaves, replay.grad_leaves, replay.grads_after, self.memory, optimizers, generators, calls]

    # How it runs

    @cached_property
    def loop(self) -> Loop | None:
        """The program on the rows of whole arrays, None where it needs Python between its runs."""
        return Loop(self) if loops(self) else None

    def arrange(self, recorder: Recorder, plan: Plan) -> None:
        """Optimizes the events, and cuts them into parts: segments of launches, and calls. Step counts of optimizers
        and counters of generators are written before everything else if no call can come between."""
        replay = self.replay
        updates = {id(moved.event): Update(moved, tuple(moved.tensors[0])) for moved in recorder.moves}
        states = [id(state) for moved in recorder.moves for state in moved.states]
        in_order = len(set(states)) < len(states) or not all(map(is_launch, recorder.events)) or draws_in_turn(recorder)
        self.places = optimize(plan, in_order)
        self.events = plan.events
        self.memory = plan.memory()
        self.recorded = [event.name for event in recorder.events]
        self.numbers, self.stands_for = plan.numbers, plan.stands_for
        replay.updates = list(updates.values())
        replay.draws = []
        if not in_order:
            by_generator: dict[int, list[Any]] = {}
            for draw in recorder.draws:
                by_generator.setdefault(id(draw.generator), []).append(draw)
            replay.draws = [Draws(draws[0].generator, draws) for draws in by_generator.values()]
            replay.parts = [self.segment(self.events)]
            replay.writes_at = 0
        else:
            self.arrange_in_order(updates, {id(draw.event): Draws(draw.generator, [draw]) for draw in recorder.draws})
        replay.seal()

    def arrange_in_order(self, updates: dict[int, Update], draws: dict[int, Draws]) -> None:
        replay = self.replay
        parts: list[Any] = []
        run: list[Any] = []

        def close() -> None:
            if run:
                parts.append(self.segment(run))
                run.clear()

        replay.writes_at = None
        for event in self.events:
            update = updates.get(id(event))
            if id(event) in draws:
                close()
                parts.append(draws[id(event)])
            if update is not None:
                close()
                parts.append(prepare(update))
            if launches_of(event):
                run.append(event)
            else:
                close()
                parts.append(event)
            if update is not None:
                close()
                if replay.writes_at is None:
                    replay.writes_at = len(parts) - 1
                parts.append(commit(update))
        close()
        replay.parts = parts
        if replay.writes_at is None:
            replay.writes_at = len(parts)

    def segment(self, events: Sequence[Any]) -> Any:
        """Launches and chains as one part, with a barrier before each that needs what is not finished."""
        return kernels.Segment(list(events), self.places.barriers(events))


def draws_in_turn(recorder: Recorder) -> bool:
    """Whether the default generator is drawn from by itself and under its name: then draws have to keep their order."""
    generators = [draw.generator for draw in recorder.draws]
    return None in generators and current_generator() in generators


def tensors_of(module: Any) -> list[Any]:
    """A module's own parameters and buffers."""
    return [value for value in vars(module).values() if isinstance(value, Value)]


class World:
    """The attributes and hooks of modules, and the hooks of leaves, as they were."""

    def __init__(self, modules: list[Any], leaves: list[Value]) -> None:
        self.modules = modules
        self.leaves = leaves
        self.before = [snapshot(module) for module in modules]
        self.hooks = hooks_of(leaves)

    def fit(self) -> bool:
        """Whether they are still the same."""
        same = all([equal(snapshot(module), before) for module, before in zip(self.modules, self.before)])
        return same and hooks_of(self.leaves) == self.hooks


def hooks_of(leaves: list[Value]) -> list[list[int]]:
    """The numbers of the hooks of each leaf, which are given once."""
    return [list(leaf.hooks or ()) for leaf in leaves]


def snapshot(module: Any) -> dict[str, Any]:
    found = dict(vars(module))
    hooks = found.get("_hooks")
    if hooks is not None:
        found["_hooks"] = [tuple(part.items()) for part in vars(hooks).values() if isinstance(part, dict)]
    return found


def equal(now: dict[str, Any], before: dict[str, Any]) -> bool:
    if now.keys() != before.keys():
        return False
    for name, value in now.items():
        other = before[name]
        plain = isinstance(value, (int, float, str, bool, tuple, list, dict)) and not isinstance(value, np.ndarray)
        if value is not other and not (plain and type(value) is type(other) and same_plain(value, other)):
            return False
    return True


def same_plain(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except (ValueError, RuntimeError):
        return False
