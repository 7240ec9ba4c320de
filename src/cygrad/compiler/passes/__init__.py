"""Stage 3: passes that change the launches of a plan, and keep its results bit for bit."""

from cygrad.compiler.passes.chains import chain
from cygrad.compiler.passes.dead import remove_dead
from cygrad.compiler.passes.gradients import write_gradients
from cygrad.compiler.passes.relu import fuse_relu, fuse_relu_backward, unmask_relu
from cygrad.compiler.passes.sharing import MemoryLayout, share_memory
from cygrad.compiler.plan import Plan

__all__ = ["MemoryLayout", "optimize"]


def optimize(plan: Plan, in_order: bool) -> MemoryLayout:
    """Run all passes.

    Args:
        plan: its events are changed in place
        in_order: whether the effects of launches, such as drawing random numbers, have to happen between other
            launches; such launches can't be part of a chain

    Returns:
        The array of each operand.
    """
    unmask_relu(plan)
    remove_dead(plan)
    write_gradients(plan)
    fuse_relu(plan)
    fuse_relu_backward(plan)
    chain(plan, in_order)
    return share_memory(plan)
