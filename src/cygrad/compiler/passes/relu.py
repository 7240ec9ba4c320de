"""ReLU: choose its kernels, and fuse it, or its gradient, with the matrix product before it."""

from __future__ import annotations

from typing import Any

from cygrad import _kernels as kernels
from cygrad.compiler.plan.plan import Plan, Use, is_launch, used_only_by

__all__ = ["fuse_relu", "fuse_relu_backward", "unmask_relu"]

RELU = 1  # GEMM_RELU of csrc/kernels/gemm.h


def unmask_relu(plan: Plan) -> None:
    """Let backward read [y > 0] from the output y of a ReLU instead of a mask of one bit per element.

    In eager mode large outputs have a mask, which is less to read when y has left the cache. A program computes both
    from y, with the same bits, because only the kernels without a mask can be fused with matrix products and chained.
    """
    uses = plan.uses
    replacements = {}
    for index, relu in enumerate(plan.events):
        if not is_launch(relu, "relu_masked"):
            continue
        x, y, mask = (relu.addresses(operand)[0] for operand in ("x", "y", "mask"))
        backward = [use for use in uses[plan.owner(mask)] if use.event is not relu]
        last = max([use.position for use in backward], default=index)
        writes = [use.position for use in uses[plan.owner(y)] if use.operand is not None and use.operand.written]
        if any([index < write < last for write in writes]):
            continue
        if all([is_launch(use.event, "relu_masked_backward") for use in backward]):
            replacements[id(relu)] = elementwise("relu", relu, y=y, x=x)
            for _, event, _ in backward:
                dx, dy = event.addresses("dx")[0], event.addresses("dy")[0]
                replacements[id(event)] = elementwise("relu_backward", event, dx=dx, dy=dy, output=y)
    plan.substitute(replacements)


def elementwise(kernel: str, like: Any, **addresses: int) -> Any:
    """A launch of an elementwise kernel on as many elements as another launch."""
    launch = kernels.new_launch(kernel, like.dtype)
    launch.set_number("n", like.number("n"))
    for operand, address in addresses.items():
        launch.set_address(operand, 0, address)
    return launch


def fuse_relu(plan: Plan) -> None:
    """y = relu(c) with c = A·B + bias: one launch that writes y, where nothing else needs c. The bits are the same."""
    uses = plan.uses
    fused = []
    for relu in plan.events:
        if not is_launch(relu, "relu"):
            continue
        product = first_use(plan, uses, relu, "x").event
        if can_fuse(plan, uses, product, relu, "x", "y"):
            product.set_number("activation", RELU)
            plan.redirect(product, "c", relu.addresses("y")[0], (relu, "y"))
            fused.append(relu)
    plan.remove(fused)


def fuse_relu_backward(plan: Plan) -> None:
    """dx = dy where y > 0, else 0, with dy = A·B: one launch as well, if y is final when the product runs."""
    uses = plan.uses
    fused = []
    for index, relu in enumerate(plan.events):
        if not is_launch(relu, "relu_backward"):
            continue
        product, y = first_use(plan, uses, relu, "dy"), relu.addresses("output")[0]
        writes = [use.position for use in uses[plan.owner(y)] if use.operand is None or use.operand.written]
        is_final = not any([product.position < write < index for write in writes])
        if is_final and can_fuse(plan, uses, product.event, relu, "dy", "dx"):
            product.event.set_address("mask", 0, y)
            plan.redirect(product.event, "c", relu.addresses("dx")[0], (relu, "dx"))
            fused.append(relu)
    plan.remove(fused)


def first_use(plan: Plan, uses: dict[int, list[Use]], relu: Any, operand: str) -> Use:
    """The first use of the array that a ReLU reads through `operand`."""
    return uses[plan.owner(relu.addresses(operand)[0])][0]


def can_fuse(plan: Plan, uses: dict[int, list[Use]], product: Any, relu: Any, source: str, result: str) -> bool:
    """Whether the product can compute the ReLU too: it writes all of what the ReLU reads and nothing else uses, and
    the result is not used before."""
    c, y = relu.addresses(source)[0], relu.addresses(result)[0]
    return (
        is_launch(product, "gemm")
        and plan.owner(c) in plan.temporary
        and used_only_by(uses[plan.owner(c)], product, relu)
        and product.addresses("c")[0] == c
        and writes_all(product, relu)
        and uses[plan.owner(y)][0].event is relu
    )


def writes_all(product: Any, relu: Any) -> bool:
    """Whether the plain product A·B + bias writes all elements that the ReLU reads, contiguously."""
    m, n, batch = product.number("m"), product.number("n"), product.number("batch")
    plain = not any([product.number("activation"), product.number("accumulate"), product.addresses("mask")[0]])
    contiguous = product.number("ldc") == n and (batch == 1 or product.number("c_batch") == m * n)
    same = product.dtype == relu.dtype and relu.number("n") == m * n * batch
    return plain and contiguous and same
