"""Calls back into Python: what a recording keeps of an op that is not all kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import Node, Op, engine
from cygrad.compiler.record.address_map import arrays_in

__all__ = ["Call", "ForwardCall", "RuleCall"]


def copy_result(target: Any, fresh: Any, name: str) -> None:
    """Writes what a call gave to where it was the first time: arrays, or tuples of them."""
    if isinstance(target, tuple):
        for own, new in zip(target, fresh if isinstance(fresh, tuple) else (fresh,)):
            copy_result(own, new, name)
    elif isinstance(target, np.ndarray):
        fresh = np.asarray(fresh)
        if fresh.shape != target.shape:
            raise RuntimeError(
                f"{name}: a recorded step gave shape {target.shape} when it was recorded and {fresh.shape} now; "
                "its shapes must not depend on the numbers"
            )
        if fresh is not target:
            np.copyto(target, fresh)


class Call:
    """A call back into Python. What it returns is copied to `result`, the arrays of the first time."""

    def __init__(
        self, name: str, function: Callable[..., Any], args: Sequence[Any], options: dict[str, Any], result: Any
    ):
        self.name = name
        self.function = function
        self.args = args
        self.options = options
        self.result = result

    def __call__(self) -> None:
        fresh = self.function(*self.args, **self.options)
        if self.result is not None:
            copy_result(self.result, fresh, self.name)

    def __repr__(self) -> str:
        return f"<call of {self.name}>"

    def arrays(self) -> list[Array]:
        """The arrays that the call reads or writes, as far as its arguments tell."""
        return list(arrays_in([self.args, self.options, self.result]))

    def reaches(self) -> list[Any]:
        """What the call may change."""
        return [self.function, self.args, self.options, self.result]


class ForwardCall(Call):
    """The forward of an op, called again: what it saves is copied too."""

    def __init__(self, op: Op, operands: Sequence[Any], options: dict[str, Any], result: Any, saved: tuple[Any, ...]):
        super().__init__(op.name, op.forward, operands, options, result)
        self.saved = saved
        self.shadow = shadow_of(operands[0], saved)

    def __call__(self) -> None:
        node = self.shadow
        fresh = self.function(node, *self.args[1:], **self.options)
        copy_result(self.result, fresh, self.name)
        kept = []
        for own, new in zip(self.saved, node.saved):
            if is_own(own) and isinstance(new, np.ndarray):
                copy_result(own, new, self.name)
                kept.append(own)
            else:
                kept.append(new)
        node.saved = tuple(kept)

    def arrays(self) -> list[Array]:
        return [*super().arrays(), *arrays_in(self.saved)]


class RuleCall(Call):
    """The gradient rule of an op, called again. It reads the arrays that were saved the first time, and everything
    else that the forward, where it is a call too, has saved anew."""

    def __init__(self, node: Node, forward: ForwardCall | None, upstream: Sequence[Any], result: Any):
        self.saved = node.saved
        self.forward = forward
        shadow = shadow_of(node, node.saved)
        super().__init__(f"{node.op.name} backward", node.op.rule, (shadow, *upstream), {}, result)

    def __call__(self) -> None:
        if self.forward is not None:
            fresh = self.forward.shadow.saved
            self.args[0].saved = tuple([own if is_own(own) else new for own, new in zip(self.saved, fresh)])
        super().__call__()

    def arrays(self) -> list[Array]:
        return [*super().arrays(), *arrays_in(self.saved)]


def is_own(saved: Any) -> bool:
    """Whether what a node saved is an array that a replay can write to."""
    return isinstance(saved, np.ndarray) and bool(saved.flags.writeable)


def shadow_of(node: Node, saved: tuple[Any, ...]) -> Node:
    """A node that is in no graph, for an op that is called again."""
    shadow = engine.new_node(node.op)
    shadow.needs = list(node.needs)
    shadow.saved = saved
    shadow.outputs = node.outputs
    return shadow
