"""Launches whose results nobody reads."""

from __future__ import annotations

from cygrad.compiler.plan.plan import Plan, is_launch
from cygrad.compiler.record.address_map import address, owner_of

__all__ = ["drop_dead"]


def drop_dead(plan: Plan) -> None:
    """Leaves out launches that write only temporary arrays which no later launch reads. A call of Python stays."""
    wanted: set[int] = set()
    dead = []
    for event in reversed(plan.events):
        if not is_launch(event):
            wanted |= {address(owner_of(array)) for array in event.arrays()}
            continue
        writes = plan.written_by(event)
        if id(event) in plan.effects or any([key in wanted or key not in plan.temporary for key in writes]):
            wanted |= {key for operand, key in plan.operands(event) if operand.read}
        else:
            dead.append(event)
    plan.remove(dead)
