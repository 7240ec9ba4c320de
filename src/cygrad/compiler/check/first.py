"""``compile(check="first")``: the first replay of a program is compared with eager mode, and eager mode wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from cygrad.autograd import Value, rehearsal
from cygrad.compiler.check.comparison import Comparison, OutputRecorder, equal_arrays, event_that_differs
from cygrad.compiler.check.snapshot import Snapshot
from cygrad.compiler.program.program import Program
from cygrad.compiler.record.address_map import address, owner_of
from cygrad.compiler.structure import flatten
from cygrad.generator import Generator, current_generator

__all__ = ["Trial", "run_first"]

MOST_BYTES = 32e6  # of copies from which the first launch that differs is found


class Trial(NamedTuple):
    """The result of a call, and how the program differs from eager mode, None if it does not."""

    result: Any
    difference: str | None


def run_first(program: Program, call: Callable[[], Any], args: Sequence[Any]) -> Trial:
    """Call the function eagerly, restore what the program uses, run the program and compare.

    The function runs once, and afterwards everything is as if that had been all: what the program computed, if it is
    the same, or else what eager mode did.

    Args:
        program: a program that accepts the arguments; the caller has its lock
        call: calls the function with these arguments
        args: the arguments, flat

    Raises:
        Exception: what the function raises
    """
    calls, others = program.calls(), [program.state(), generators(program), list(args)]
    changed = program.changed | {address(owner_of(args[i].array)) for i, _ in program.replay.inputs.written}
    before = Snapshot(calls, others, changed)
    eager = OutputRecorder(MOST_BYTES)
    with rehearsal.logged() as received:
        result = eager.record(call)
    places = program.replay.kept or []
    kept = [place.current() for place in places]
    after = Snapshot(calls, others, changed)
    wanted = [(name, after.copy_of(value)) for name, value in observed(program, args, result, kept)]
    difference = eager.refusal or event_that_differs(program.provenance.names, [event.name for event in eager.events])
    replayed = None
    try:
        if difference is None:
            before.restore()
            comparison = Comparison(program, eager)
            with rehearsal.answered(received):
                replayed = program.replay.run_observed(args, comparison.visit)
            kept = [place.latest(args) for place in places]
            difference = first_difference(wanted, observed(program, args, replayed, kept))
            if difference is not None and comparison.found:
                difference = comparison.found[0]
    except Exception as error:
        difference = f"it raised {type(error).__name__} ({error})"
    except BaseException:
        after.restore()
        raise
    if difference is None:
        after.restore_containers()
        return Trial(replayed, None)
    after.restore()
    return Trial(result, difference)


def observed(program: Program, args: Sequence[Any], result: Any, kept: Sequence[Any]) -> list[tuple[str, Any]]:
    """What a call can be seen to have done, each with a name: arrays and numbers."""
    replay = program.replay
    flat, structure = flatten(result)
    values = [("its result", value) for value in flat]
    values += [("a tensor that it keeps", value) for value in flatten(kept)[0]]
    values += [("an argument", args[i]) for i, _ in replay.inputs.written]
    values += [("a parameter or buffer", leaf) for leaf in program.written]
    values += [("a gradient", slot.leaf.grad_value) for slot in program.gradients]
    for update in replay.guards.updates:
        states = [update.optimizer.state[param] for param in update.params]
        values += [(f"{name} of the optimizer", state[name]) for state in states for name in state]
    values += [("the random state", generator.get_state()) for generator in generators(program)]
    seen: list[tuple[str, Any]] = [("its result", repr(structure))]
    for name, value in values:
        if isinstance(value, Value):
            seen.append((name, value.array))
        elif value is None or isinstance(value, (int, float, str, bytes)):
            seen.append((name, value))
    return seen


def generators(program: Program) -> list[Generator]:
    """The generators that a program may draw from; other threads may draw from the default one meanwhile."""
    return [*program.generators, *([current_generator()] if program.may_draw_from_default else [])]


def first_difference(wanted: Sequence[tuple[str, Any]], found: Sequence[tuple[str, Any]]) -> str | None:
    """How what was found differs from what was wanted."""
    if len(wanted) != len(found):
        return "it has other results, gradients or states"
    for (name, value), (_, other) in zip(wanted, found):
        if isinstance(value, np.ndarray) and isinstance(other, np.ndarray):
            if value.dtype != other.dtype or not equal_arrays(value, other):
                return f"{name} of shape {value.shape} differs"
        elif type(value) is not type(other) or not (value == other or value != value):
            return f"{name} is {other!r} instead of {value!r}"
    return None
