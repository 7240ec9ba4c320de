"""Chain consecutive elementwise launches: they run block by block, so that each finds its input in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cygrad import _kernels as kernels
from cygrad.compiler.plan.launches import Cut, cut_of
from cygrad.compiler.plan.plan import Plan, is_launch

__all__ = ["chain"]

# Smaller arrays stay in the cache from launch to launch, and going from block to block would only cost time.
CACHE_BYTES = 256 << 10


def chain(plan: Plan, in_order: bool) -> None:
    """Make chains of consecutive launches that can run block by block. With `in_order`, launches with effects can't."""
    events: list[Any] = []
    run: list[Any] = []
    cut: Cut | None = None  # of the launches in `run`
    for event in plan.events:
        event_cut = cut_of(event) if is_launch(event) else None
        if in_order and id(event) in plan.effects:
            event_cut = None
        joins = run and event_cut is not None and cut is not None and event_cut.sizes == cut.sizes
        if not (joins and can_join(plan, run, event)):
            events += finish(plan, run, cut)
            run, cut = [], event_cut
        run.append(event)
    plan.arrange(events + finish(plan, run, cut))


def finish(plan: Plan, run: list[Any], cut: Cut | None) -> list[Any]:
    """A run of launches as a chain, if that pays."""
    if len(run) < 2 or cut is None:
        return run
    keys = {key for launch in run for _, key in plan.operands(launch)}
    size = sum([plan.array(key).nbytes for key in keys])
    return run if size < CACHE_BYTES else [kernels.Chain(run, cut.blocks)]


def can_join(plan: Plan, run: Sequence[Any], launch: Any) -> bool:
    """Whether a launch can extend the chain: where it shares an array with an earlier launch and one of them writes
    it, both use the same part of the array in every block."""
    operands = block_operands(plan, launch)
    for other in run:
        for other_key, other_part, other_writes in block_operands(plan, other):
            for key, part, writes in operands:
                if key == other_key and (writes or other_writes) and (part is None or part != other_part):
                    return False
    return True


def block_operands(plan: Plan, launch: Any) -> list[tuple[int, tuple[int, int] | None, bool]]:
    """(array, its part in every block, whether it is written) of each operand. The part is given by list index and
    address of the array that is cut into blocks, None where blocks read more of it."""
    cut = cut_of(launch)
    assert cut is not None
    return [(key, None if o.name in cut.whole else (o.entry, o.pointer), o.written) for o, key in plan.operands(launch)]
