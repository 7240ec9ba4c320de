"""Launches in a row that work number by number: run block by block, so that what one writes the next finds in the
cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cygrad import _kernels as kernels
from cygrad.compiler.plan.launches import Cut, cut_of
from cygrad.compiler.plan.plan import Plan, is_launch

__all__ = ["chain"]

# Below so many bytes everything stays in the cache from launch to launch, and going from block to block only costs.
CACHE_BYTES = 256 << 10


def chain(plan: Plan, in_order: bool) -> None:
    """Makes chains of launches in a row that can run block by block. With `in_order` those that have effects can't."""
    events: list[Any] = []
    run: list[Any] = []
    cut: Cut | None = None
    for event in plan.events:
        own = cut_of(event) if is_launch(event) else None
        if in_order and id(event) in plan.effects:
            own = None
        if not (run and own is not None and cut is not None and own.sizes == cut.sizes and joins(plan, run, event)):
            events += closed(plan, run, cut)
            run, cut = [], own
        run.append(event)
    plan.arrange(events + closed(plan, run, cut))


def closed(plan: Plan, run: list[Any], cut: Cut | None) -> list[Any]:
    """A run of launches as a chain, where that pays."""
    if len(run) < 2 or cut is None:
        return run
    keys = {key for launch in run for _, key in plan.operands(launch)}
    size = sum([plan.array(key).nbytes for key in keys])
    return run if size < CACHE_BYTES else [kernels.Chain(run, cut.blocks)]


def joins(plan: Plan, run: Sequence[Any], launch: Any) -> bool:
    """Whether a launch can be part of the chain: where it and one before it use the same array, and one of them writes
    that, both use the same part of it in every block."""
    mine = placed_operands(plan, launch)
    for other in run:
        for key, place, writes in placed_operands(plan, other):
            for own_key, own_place, own_writes in mine:
                if key == own_key and (writes or own_writes) and (place is None or place != own_place):
                    return False
    return True


def placed_operands(plan: Plan, launch: Any) -> list[tuple[int, tuple[int, int] | None, bool]]:
    """(array, its part in every block, whether it is written) of each operand: the part is told by the number and the
    address of what is cut, None where blocks read more of it."""
    cut = cut_of(launch)
    assert cut is not None
    return [
        (key, None if o.name in cut.whole else (o.number, o.pointer), o.written) for o, key in plan.operands(launch)
    ]
