"""Write gradients instead of adding them: over zeros, or by the matrix product that computes them."""

from __future__ import annotations

from typing import Any, NamedTuple

from cygrad.compiler.plan.launches import cut_of, operands_of
from cygrad.compiler.plan.plan import Plan, Use, is_launch, used_only_by

__all__ = ["write_gradients"]

LONGEST_SUM = 1024  # GEMM_K of csrc/kernels/gemm.h: longer sums are computed in parts, C among them


class Addition(NamedTuple):
    """total ← total + new, as the engine accumulates a gradient: a sum into an array of its own, which is copied."""

    producer: Any  # the launch that computes `new`
    add: Any
    copy: Any
    new: int  # addresses
    total: int


def write_gradients(plan: Plan) -> None:
    """Let the launch that computes a gradient write it to the array to which it is added.

    Over zeros it is written: 0 + g = g except for the sign of a zero, which is the one bit in which a program may
    differ from eager mode. Otherwise a matrix product accumulates, with the bits of the addition.
    """
    uses = plan.uses
    for addition in additions(plan, uses):
        target = uses[plan.owner(addition.total)]
        first = [use.event for use in target].index(addition.add)
        before = target[first - 1].event if first else None
        if used_since(plan, target[:first], addition.producer):
            continue
        if before is not None and is_zeroing(plan, before, addition):
            operand = output_operand(addition.producer, addition.new)
            plan.redirect(addition.producer, operand, addition.total, (addition.copy, "y"))
            plan.remove([before, addition.add, addition.copy])
        elif can_accumulate(addition):
            plan.redirect(addition.producer, "c", addition.total, (addition.copy, "y"))
            addition.producer.set_number("accumulate", 1)
            plan.invalidate(addition.producer)
            plan.remove([addition.add, addition.copy])


def additions(plan: Plan, uses: dict[int, list[Use]]) -> list[Addition]:
    """Where a temporary array, as a whole, is added to another one and used nowhere else."""
    result = []
    for add, copy in zip(plan.events, plan.events[1:]):
        if not (is_launch(add, "add") and is_launch(copy, "copy")):
            continue
        total, new = add.addresses("x")[0], add.addresses("y")[0]
        sum_, target = copy.addresses("x")[0], copy.addresses("y")[0]
        cut = cut_of(add)
        if add.addresses("out")[0] != sum_ or target != total or cut is None or cut.whole:
            continue
        new_uses = uses[plan.owner(new)]
        if not used_only_by(uses[plan.owner(sum_)], add, copy) or len(new_uses) != 2 or new_uses[1].event is not add:
            continue
        producer = new_uses[0].event
        temporary = plan.owner(sum_) in plan.temporary and plan.owner(new) in plan.temporary
        whole = all([plan.covers(pointer, copy.number("bytes")) for pointer in (total, new, sum_)])
        if temporary and whole and is_launch(producer) and output_operand(producer, new):
            result.append(Addition(producer, add, copy, new, total))
    return result


def output_operand(launch: Any, pointer: int) -> str:
    """The operand through which a launch writes an array without reading it, empty if there is none."""
    for operand in operands_of(launch):
        if operand.pointer == pointer and operand.written and not operand.read:
            return operand.name
    return ""


def used_since(plan: Plan, uses: list[Use], producer: Any) -> bool:
    """Whether one of these uses is the producer's own or comes after it, which would then write too early."""
    start = next(index for index, event in enumerate(plan.events) if event is producer)
    later = {id(event) for event in plan.events[start:]}
    return any([id(use.event) in later for use in uses])


def is_zeroing(plan: Plan, event: Any, addition: Addition) -> bool:
    """Whether an event sets all of the total to zero."""
    if not is_launch(event, "copy") or event.addresses("y")[0] != addition.total:
        return False
    return event.addresses("x")[0] in plan.zeros and plan.covers(addition.total, event.number("bytes"))


def can_accumulate(addition: Addition) -> bool:
    """Whether the producer is a matrix product that can add to C with the same bits."""
    product = addition.producer
    if not is_launch(product, "gemm") or output_operand(product, addition.new) != "c":
        return False
    plain = not product.number("activation") and not product.addresses("bias")[0]
    short = product.number("k") <= LONGEST_SUM
    return plain and short and product.number("batch") == 1 and product.number("ldc") == product.number("n")
