"""Products and the ReLU, or its gradient, that follows: the kernel of products can do both."""

from __future__ import annotations

from typing import Any

from cygrad.compiler.plan.plan import Plan, Use, is_launch, only_uses

__all__ = ["merge_relu", "merge_relu_backward"]

RELU = 1  # GEMM_RELU of csrc/kernels/gemm.h


def merge_relu(plan: Plan) -> None:
    """y = relu(c), c = A·B + bias: one launch that writes y, where nobody else needs c. The bits are the same."""
    uses = plan.uses
    merged = []
    for relu in plan.events:
        if not is_launch(relu, "relu"):
            continue
        product = maker_of(plan, uses, relu, "x").event
        if can_do(plan, uses, product, relu, "x", "y"):
            product.set_number("activation", RELU)
            plan.replace(product, "c", relu.addresses("y")[0], (relu, "y"))
            merged.append(relu)
    plan.remove(merged)


def merge_relu_backward(plan: Plan) -> None:
    """dx = dy where y > 0, else 0, with dy = A·B: likewise. y has to be there when the product is made."""
    uses = plan.uses
    merged = []
    for place, relu in enumerate(plan.events):
        if not is_launch(relu, "relu_backward"):
            continue
        maker, saved = maker_of(plan, uses, relu, "dy"), relu.addresses("saved")[0]
        changes = [use.place for use in uses[plan.owner(saved)] if use.operand is None or use.operand.written]
        if can_do(plan, uses, maker.event, relu, "dy", "dx") and not any([maker.place < c < place for c in changes]):
            maker.event.move("mask", 0, saved)
            plan.replace(maker.event, "c", relu.addresses("dx")[0], (relu, "dx"))
            merged.append(relu)
    plan.remove(merged)


def maker_of(plan: Plan, uses: dict[int, list[Use]], relu: Any, operand: str) -> Use:
    """The first use of an operand of the ReLU."""
    return uses[plan.owner(relu.addresses(operand)[0])][0]


def can_do(plan: Plan, uses: dict[int, list[Use]], product: Any, relu: Any, source: str, result: str) -> bool:
    """Whether the product can do the ReLU too: it makes all of what that reads, which nobody else needs, and nobody
    uses the result before."""
    c, y = relu.addresses(source)[0], relu.addresses(result)[0]
    return (
        is_launch(product, "gemm")
        and plan.owner(c) in plan.temporary
        and only_uses(uses[plan.owner(c)], product, relu)
        and product.addresses("c")[0] == c
        and gives_all_of(product, relu)
        and uses[plan.owner(y)][0].event is relu
    )


def gives_all_of(product: Any, relu: Any) -> bool:
    """Whether the product writes what the ReLU reads, all of it, in one piece."""
    m, n, batch = product.number("m"), product.number("n"), product.number("batch")
    plain = not any([product.number("activation"), product.number("accumulate"), product.addresses("mask")[0]])
    lies_together = product.number("ldc") == n and (batch == 1 or product.number("c_batch") == m * n)
    same = product.dtype == relu.dtype and relu.number("n") == m * n * batch
    return plain and lies_together and same
