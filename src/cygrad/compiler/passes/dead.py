"""Remove launches whose results nobody reads."""

from __future__ import annotations

from cygrad.compiler.plan.plan import Plan, is_launch, owners_in

__all__ = ["remove_dead"]


def remove_dead(plan: Plan) -> None:
    """Remove launches that write only temporary arrays which no later launch reads. Calls are kept."""
    read: set[int] = set()  # by later events
    dead = []
    for event in reversed(plan.events):
        if not is_launch(event):
            read |= owners_in(event)
            continue
        written = plan.written_by(event)
        if id(event) in plan.effects or any([key in read or key not in plan.temporary for key in written]):
            read |= {key for operand, key in plan.operands(event) if operand.read}
        else:
            dead.append(event)
    plan.remove(dead)
