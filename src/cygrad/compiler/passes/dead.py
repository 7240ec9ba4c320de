"""Launches whose results nobody reads."""

from __future__ import annotations

from cygrad.compiler.launches import reads_and_writes
from cygrad.compiler.memory import address, owner_of
from cygrad.compiler.passes.plan import Plan, is_launch

__all__ = ["drop_dead"]


def drop_dead(plan: Plan) -> None:
    """Leaves out launches that write only temporary arrays which no later launch reads. A call of Python stays."""
    wanted: set[int] = set()
    dead = []
    for event in reversed(plan.events):
        if not is_launch(event):
            wanted |= {address(owner_of(array)) for array in event.arrays()}
            continue
        reads, writes = [{plan.owner(pointer) for pointer in part} for part in reads_and_writes(event)]
        if id(event) in plan.effects or any([key in wanted or key not in plan.temporary for key in writes]):
            wanted |= reads
        else:
            dead.append(event)
    plan.remove(dead)
