"""Gradients of the parts of one tensor that rules have written into one array, as the parts lie in the tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from cygrad._typing import Array
from cygrad.autograd import arrays

Span = tuple[int, int, int]  # (period, begin, end): elements begin to end of each period of an array, in any order


class PartNode(Protocol):
    """What is asked of the node of an index."""

    op: Any
    edges: list[Any]
    indices: list[int] | None
    hooks: Any

    @property
    def freed(self) -> bool: ...


N = TypeVar("N", bound=PartNode)


def joined(node: N, gradient: Array, pending: dict[N, list[Array | None]]) -> tuple[Array | None, list[N]]:
    """The gradient of the tensor of which the node is a part, and the nodes of all its parts, where their gradients are
    the parts of one array; (None, []) where they are not.

    All of them have arrived, because the nodes are equally deep. A hook may have replaced a gradient or kept it.
    """
    frame, root = node.op.frame_rule, arrays.root(gradient)
    whole = None if frame is None or node.freed else frame(node, gradient)
    if frame is None or whole is None:
        return None, []
    parts = {node: gradient}
    for other, (part, *_) in pending.items():
        if other.op is node.op and other.edges[:1] == node.edges and other.indices == node.indices:
            if part is None or arrays.root(part) is not root or frame(other, part) is None:
                return None, []
            parts[other] = part
    hooked = any([part.hooks is not None for part in parts])
    return (None, []) if hooked or not tile([span(part) for part in parts.values()]) else (whole, list(parts))


def span(part: Array) -> Span | None:
    """Where a part of many elements lies in the memory of its root array, which has no gaps; None if not in a span."""
    whole, item = arrays.root(part), part.itemsize
    runs: list[tuple[int, int]] = []  # (size, step in bytes), the innermost first
    for step, size in sorted(zip(part.strides, part.shape)):
        if runs and step == runs[-1][0] * runs[-1][1]:
            runs[-1] = size * runs[-1][0], runs[-1][1]
        elif size != 1:
            runs.append((size, step))
    begin = (arrays.address(part) - arrays.address(whole)) // item
    (length, step), period = runs[0], whole.size if len(runs) == 1 else runs[1][1] // item
    dense = step == item and (len(runs) == 1 or (len(runs) == 2 and runs[1][0] * period == whole.size))
    return (period, begin, begin + length) if dense else None


def tile(spans: Sequence[Span | None]) -> bool:
    """Whether spans of one array cover it, each element once."""
    known: list[Any] = sorted([span for span in spans if span is not None])
    ends = [0, *[end for _, _, end in known]]
    whole = len(known) == len(spans) and {period for period, _, _ in known} == {ends[-1]}
    return whole and [begin for _, begin, _ in known] == ends[:-1]
