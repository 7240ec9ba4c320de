"""Gradients that are added to others: written at once where the others are zero, added by the product that makes them
where there is one."""

from __future__ import annotations

from typing import Any, NamedTuple

from cygrad.compiler.plan.launches import cut_of
from cygrad.compiler.plan.plan import Plan, Use, is_launch, only_uses
from cygrad.compiler.record.address_map import address

__all__ = ["write_gradients"]

LONGEST_SUM = 1024  # GEMM_K of csrc/kernels/gemm.h: products that sum more do it in parts, C among them


class Addition(NamedTuple):
    """total ← total + new, as the engine adds a gradient: a sum into an array of its own, which is copied."""

    maker: Any  # the launch that makes `new`
    add: Any
    copy: Any
    new: int  # addresses
    total: int


def write_gradients(plan: Plan) -> None:
    """Lets the launch that makes a gradient write it to where it is added.

    0 + g = g, but for the sign of a zero: that is the one bit in which a program may differ from eager mode. A product
    adds what it sums to what is there, as the addition would.
    """
    uses = plan.uses
    for addition in additions(plan, uses):
        target = uses[plan.owner(addition.total)]
        first = [use.event for use in target].index(addition.add)
        before = target[first - 1].event if first else None
        if between(target[:first], addition.maker, plan):
            continue
        if before is not None and zeroes(before, addition, plan):
            plan.replace(addition.maker, field_of(addition.maker, addition.new), addition.total, (addition.copy, "y"))
            plan.remove([before, addition.add, addition.copy])
        elif can_add(addition):
            plan.replace(addition.maker, "c", addition.total, (addition.copy, "y"))
            addition.maker.set_number("accumulate", 1)
            plan.look_again(addition.maker)
            plan.remove([addition.add, addition.copy])


def additions(plan: Plan, uses: dict[int, list[Use]]) -> list[Addition]:
    """Where a temporary array, whole and by itself, is added to another."""
    found = []
    for add, copy in zip(plan.events, plan.events[1:]):
        if not (is_launch(add, "add") and is_launch(copy, "copy")):
            continue
        total, new = add.addresses("x")[0], add.addresses("y")[0]
        sum_, target = copy.addresses("x")[0], copy.addresses("y")[0]
        cut = cut_of(add)
        if add.addresses("out")[0] != sum_ or target != total or cut is None or cut.whole:
            continue
        if not only_uses(uses[plan.owner(sum_)], add, copy) or len(uses[plan.owner(new)]) != 2:
            continue
        maker = uses[plan.owner(new)][0].event
        temporary = plan.owner(sum_) in plan.temporary and plan.owner(new) in plan.temporary
        whole = all([covers(plan, pointer, copy.number("bytes")) for pointer in (total, new, sum_)])
        if temporary and whole and is_launch(maker) and field_of(maker, new) and uses[plan.owner(new)][1].event is add:
            found.append(Addition(maker, add, copy, new, total))
    return found


def covers(plan: Plan, pointer: int, count: int) -> bool:
    """Whether so many bytes from an address on are all of an array."""
    owner = plan.known.find(pointer)
    return owner is not None and address(owner) == pointer and owner.nbytes == count


def field_of(launch: Any, pointer: int) -> str:
    """The operand through which a launch writes an array, and does not read it; empty where there is none."""
    for name, kind in launch.fields:
        if kind == "OUT" and launch.addresses(name)[0] == pointer:
            adds = launch.name == "gemm" and name == "c" and launch.number("accumulate")
            return "" if adds else str(name)
    return ""


def between(uses: list[Use], maker: Any, plan: Plan) -> bool:
    """Whether one of these uses comes after the maker, which would then write too early, or is the maker's own."""
    place = next(i for i, event in enumerate(plan.events) if event is maker)
    later = {id(event) for event in plan.events[place:]}
    return any([id(use.event) in later for use in uses])


def zeroes(event: Any, addition: Addition, plan: Plan) -> bool:
    """Whether an event sets all of the total to zero."""
    if not is_launch(event, "copy") or event.addresses("y")[0] != addition.total:
        return False
    return event.addresses("x")[0] in plan.zeros and covers(plan, addition.total, event.number("bytes"))


def can_add(addition: Addition) -> bool:
    """Whether the maker is a product that can add its sums to what is there, with the same bits."""
    maker = addition.maker
    if not is_launch(maker, "gemm") or field_of(maker, addition.new) != "c":
        return False
    plain = not maker.number("activation") and not maker.addresses("bias")[0] and maker.number("k") <= LONGEST_SUM
    return plain and maker.number("batch") == 1 and maker.number("ldc") == maker.number("n")
