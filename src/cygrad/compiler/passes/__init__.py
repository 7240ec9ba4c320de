"""What a recording goes through before it becomes a program: passes that change its launches, and keep its numbers."""

from cygrad.compiler.passes.chains import chain
from cygrad.compiler.passes.dead import drop_dead
from cygrad.compiler.passes.gradients import write_gradients
from cygrad.compiler.passes.relu import merge_relu, merge_relu_backward
from cygrad.compiler.passes.sharing import Places, share_memory
from cygrad.compiler.plan.plan import Plan

__all__ = ["Places", "Plan", "optimize"]


def optimize(plan: Plan, in_order: bool) -> Places:
    """All passes, in order, and where the arrays of the launches lie after them. `in_order` says that what launches do
    besides writing arrays has to be done between others, so that they can't be part of a chain."""
    drop_dead(plan)
    write_gradients(plan)
    merge_relu(plan)
    merge_relu_backward(plan)
    chain(plan, in_order)
    return share_memory(plan)
