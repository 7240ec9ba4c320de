"""Memory for temporary arrays, shared by those that are not in use at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.compiler.plan.launches import Operand
from cygrad.compiler.plan.plan import Plan, Use, launches_of
from cygrad.compiler.record.address_map import address

__all__ = ["Places", "share_memory"]

ALIGNMENT = 64  # bytes


class Life(NamedTuple):
    """A temporary array: the address of its owner, its bytes, and the first and the last event that use it."""

    key: int
    size: int
    first: int
    last: int


class Places:
    """The arrays in which the operands of launches lie, and the bytes of those that the step makes for itself: in
    memory of their own, as they were recorded, and shared."""

    def __init__(self) -> None:
        self.operands: dict[int, list[tuple[Operand, Array]]] = {}  # by the launch's id
        self.bytes_apart = self.bytes_shared = 0

    def of(self, event: Any) -> list[tuple[Operand, Array]]:
        """The operands of a launch or a chain, each with the array that it is in."""
        return [pair for launch in launches_of(event) for pair in self.operands[id(launch)]]

    def barriers(self, events: Sequence[Any]) -> list[bool]:
        """Before which events all threads must have finished those since the last barrier: two may run beside each
        other if neither writes what the other uses."""
        result = []
        read: list[tuple[int, int]] = []
        written: list[tuple[int, int]] = []
        for event in events:
            spans = [(operand, span(array)) for operand, array in self.of(event)]
            reads = [own for operand, own in spans if operand.read]
            writes = [own for operand, own in spans if operand.written]
            needed = meet(reads + writes, written) or meet(writes, read)
            if needed:
                read, written = [], []
            read += reads
            written += writes
            result.append(needed)
        return result


def span(array: Array) -> tuple[int, int]:
    start = address(array)
    return start, start + max(array.nbytes, 1)


def meet(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> bool:
    """Whether one of some addresses lies in one of the others."""
    for a, b in some:
        for c, d in others:
            if a < d and c < b:
                return True
    return False


def share_memory(plan: Plan) -> Places:
    """Moves temporary arrays into one block of memory, in which those whose lives do not meet may lie in the same
    place. An array whose first use reads it keeps its own memory, and what is in it.

    The largest are placed first, each in the lowest gap that fits it: Y. Pisarchyk, J. Lee (2020), "Efficient memory
    management for deep neural net inference", greedy by size.
    """
    uses, places = plan.uses, Places()
    lives = [life_of(plan, key, uses[key]) for key in plan.temporary if key in uses and is_made(uses[key])]
    offsets = placed(lives)
    places.bytes_apart = sum([array.nbytes for array in plan.temporary.values()])
    places.bytes_shared = max([offsets[life.key] + life.size for life in lives], default=0)
    block = kernels.pooled(np.empty, places.bytes_shared + ALIGNMENT, np.uint8)
    start = -address(block) % ALIGNMENT
    homes = {
        life.key: np.ndarray(array.shape, array.dtype, block, start + offsets[life.key])
        for life in lives
        for array in [plan.temporary[life.key]]
    }
    for key, own in uses.items():
        home = homes.get(key)
        array = plan.array(key) if home is None else home
        further = 0 if home is None else address(home) - key
        for _, launch, operand in own:
            if operand is None:
                continue
            if home is not None:
                operand = Operand(*operand[:2], operand.pointer + further, *operand[3:])
                launch.move(*operand[:3])
            places.operands.setdefault(id(launch), []).append((operand, array))
    return places


def is_made(uses: list[Use]) -> bool:
    """Whether the step itself makes an array: what uses it first, writes it and does not read it."""
    first = [use.operand for use in uses if use.event is uses[0].event]
    return all([operand is not None and operand.written and not operand.read for operand in first])


def life_of(plan: Plan, key: int, uses: list[Use]) -> Life:
    size = -(-max(plan.temporary[key].nbytes, 1) // ALIGNMENT) * ALIGNMENT
    return Life(key, size, uses[0].place, uses[-1].place)


def placed(lives: list[Life]) -> dict[int, int]:
    """Where each array lies: its offset in bytes, by its key."""
    offsets: dict[int, int] = {}
    done: list[Life] = []
    for life in sorted(lives, key=lambda life: (-life.size, life.first)):
        offset = 0
        others = [other for other in done if other.first <= life.last and life.first <= other.last]
        for other in sorted(others, key=lambda other: offsets[other.key]):
            if offset + life.size <= offsets[other.key]:
                break
            offset = max(offset, offsets[other.key] + other.size)
        offsets[life.key] = offset
        done.append(life)
    return offsets
