"""Let temporary arrays share memory where they are not in use at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.compiler.plan.launches import Operand
from cygrad.compiler.plan.plan import Plan, Use, launches_of
from cygrad.compiler.record.address_map import address

__all__ = ["MemoryLayout", "share_memory"]

ALIGNMENT = 64  # bytes


class Lifetime(NamedTuple):
    """A temporary array: the address of its owner, its size in bytes, and the indices of the first and the last event
    that use it."""

    key: int
    size: int
    first: int
    last: int


class MemoryLayout:
    """The array of each operand, and the bytes of all temporary arrays: as recorded, each in memory of its own, and
    shared."""

    def __init__(self) -> None:
        self.operands: dict[int, list[tuple[Operand, Array]]] = {}  # by the launch's id
        self.bytes_recorded = self.bytes_shared = 0

    def of(self, event: Any) -> list[tuple[Operand, Array]]:
        """The operands of a launch or a chain, each with its array."""
        return [pair for launch in launches_of(event) for pair in self.operands[id(launch)]]

    def barriers(self, events: Sequence[Any]) -> list[bool]:
        """Before which events all threads must have finished those since the last barrier: two may run at the same
        time if neither writes what the other uses."""
        result = []
        read: list[tuple[int, int]] = []
        written: list[tuple[int, int]] = []
        for event in events:
            spans = [(operand, span(array)) for operand, array in self.of(event)]
            reads = [interval for operand, interval in spans if operand.read]
            writes = [interval for operand, interval in spans if operand.written]
            needed = overlap(reads + writes, written) or overlap(writes, read)
            if needed:
                read, written = [], []
            read += reads
            written += writes
            result.append(needed)
        return result


def span(array: Array) -> tuple[int, int]:
    """The addresses of an array's first byte and of the one behind its last."""
    start = address(array)
    return start, start + max(array.nbytes, 1)


def overlap(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> bool:
    """Whether any interval overlaps any of the others."""
    for a, b in some:
        for c, d in others:
            if a < d and c < b:
                return True
    return False


def share_memory(plan: Plan) -> MemoryLayout:
    """Move temporary arrays into one block of memory, in which arrays with disjoint lifetimes may overlap. An array
    that is read before it is written keeps its own memory and contents.

    The largest arrays come first, each at the lowest offset with enough room: greedy by size, Y. Pisarchyk, J. Lee
    (2020), "Efficient memory management for deep neural net inference".
    """
    uses, layout = plan.uses, MemoryLayout()
    lifetimes = [
        lifetime(plan, key, uses[key]) for key in plan.temporary if key in uses and is_written_first(uses[key])
    ]
    offsets = assign_offsets(lifetimes)
    layout.bytes_recorded = sum([array.nbytes for array in plan.temporary.values()])
    layout.bytes_shared = max([offsets[life.key] + life.size for life in lifetimes], default=0)
    block = kernels.pooled(np.empty, layout.bytes_shared + ALIGNMENT, np.uint8)
    start = -address(block) % ALIGNMENT
    shared = {
        life.key: np.ndarray(array.shape, array.dtype, block, start + offsets[life.key])
        for life in lifetimes
        for array in [plan.temporary[life.key]]
    }
    for key, array_uses in uses.items():
        target = shared.get(key)
        array = plan.array(key) if target is None else target
        shift = 0 if target is None else address(target) - key
        for _, launch, operand in array_uses:
            if operand is None:
                continue
            if target is not None:
                operand = operand._replace(pointer=operand.pointer + shift)
                launch.set_address(operand.name, operand.entry, operand.pointer)
            layout.operands.setdefault(id(launch), []).append((operand, array))
    return layout


def is_written_first(uses: list[Use]) -> bool:
    """Whether the first event that uses an array writes it and does not read it."""
    first = [use.operand for use in uses if use.event is uses[0].event]
    return all([operand is not None and operand.written and not operand.read for operand in first])


def lifetime(plan: Plan, key: int, uses: list[Use]) -> Lifetime:
    size = -(-max(plan.temporary[key].nbytes, 1) // ALIGNMENT) * ALIGNMENT
    return Lifetime(key, size, uses[0].position, uses[-1].position)


def assign_offsets(lifetimes: list[Lifetime]) -> dict[int, int]:
    """The offset of each array in bytes, by its key."""
    offsets: dict[int, int] = {}
    placed: list[Lifetime] = []
    for life in sorted(lifetimes, key=lambda life: (-life.size, life.first)):
        offset = 0
        others = [other for other in placed if other.first <= life.last and life.first <= other.last]
        for other in sorted(others, key=lambda other: offsets[other.key]):
            if offset + life.size <= offsets[other.key]:
                break
            offset = max(offset, offsets[other.key] + other.size)
        offsets[life.key] = offset
        placed.append(life)
    return offsets
