"""Products and the ReLU that follows: the kernel of products can do both."""

from __future__ import annotations

from typing import Any

from cygrad.compiler.passes.plan import Plan, is_launch, only_uses

__all__ = ["merge_relu"]

RELU = 1  # GEMM_RELU of csrc/kernels/gemm.h


def merge_relu(plan: Plan) -> None:
    """y = relu(c), c = A·B + bias: one launch that writes y, where nobody else needs c. The bits are the same."""
    uses = plan.uses
    merged = []
    for relu in plan.events:
        if not is_launch(relu, "relu"):
            continue
        c, y = relu.addresses("x")[0], relu.addresses("y")[0]
        product = uses[plan.owner(c)][0].event
        if (
            is_launch(product, "gemm")
            and plan.owner(c) in plan.temporary
            and only_uses(uses[plan.owner(c)], product, relu)
            and product.addresses("c")[0] == c
            and gives_all_of(product, relu)
            and uses[plan.owner(y)][0].event is relu
        ):
            product.set_number("activation", RELU)
            plan.replace(product, "c", y, (relu, "y"))
            merged.append(relu)
    plan.remove(merged)


def gives_all_of(product: Any, relu: Any) -> bool:
    """Whether the product writes what the ReLU reads, all of it, in one piece."""
    m, n, batch = product.number("m"), product.number("n"), product.number("batch")
    plain = not product.number("activation") and not product.number("accumulate")
    lies_together = product.number("ldc") == n and (batch == 1 or product.number("c_batch") == m * n)
    same = product.dtype == relu.dtype and relu.number("n") == m * n * batch
    return plain and lies_together and same
