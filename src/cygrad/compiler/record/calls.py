"""Calls back into Python, which a recording contains for ops that do not consist of kernels alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import Node, Op, engine
from cygrad.compiler.record.address_map import arrays_in
from cygrad.generator import Generator

__all__ = ["Call", "ForwardCall", "RuleCall"]


class Call:
    """A call back into Python.

    Args:
        name: for messages
        function: what is called
        args, options: what it is called with
        result: the arrays that the recorded call returned, in nested tuples; every replay copies its results there.
            None for a call that is made for its effects.
        is_pure: whether it changes nothing but its results, arrays that the recorder has noted, and generators
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        args: Sequence[Any],
        options: dict[str, Any],
        result: Any,
        is_pure: bool,
    ):
        self.name = name
        self.function = function
        self.args = args
        self.options = options
        self.result = result
        self.is_pure = is_pure

    def __call__(self) -> None:
        result = self.function(*self.args, **self.options)
        if self.result is not None:
            copy_result(self.result, result, self.name)

    def __repr__(self) -> str:
        return f"<call of {self.name}>"

    def arrays(self) -> list[Array]:
        """The arrays that the call reads or writes, as far as its arguments show."""
        return list(arrays_in([self.args, self.options, self.result]))

    def reachable(self) -> list[Any]:
        """The objects through which the call may change something, other than arrays that the recorder has noted."""
        if self.is_pure:
            return [part for part in self.args if isinstance(part, Generator)]
        return [self.function, self.args, self.options, self.result]


class ForwardCall(Call):
    """A repeated forward of an op. The arrays that it saves for backward are copied as well."""

    def __init__(self, op: Op, operands: Sequence[Any], options: dict[str, Any], result: Any, saved: tuple[Any, ...]):
        super().__init__(op.name, op.forward, operands, options, result, not op.opaque)
        self.saved = saved
        self.node = engine.detached_node(operands[0], saved)

    def __call__(self) -> None:
        result = self.function(self.node, *self.args[1:], **self.options)
        copy_result(self.result, result, self.name)
        saved = []
        for target, value in zip(self.saved, self.node.saved):
            if is_buffer(target) and isinstance(value, np.ndarray):
                copy_result(target, value, self.name)
                saved.append(target)
            else:
                saved.append(value)
        self.node.saved = tuple(saved)

    def arrays(self) -> list[Array]:
        return [*super().arrays(), *arrays_in(self.saved)]


class RuleCall(Call):
    """A repeated gradient rule of an op. It reads the arrays that the recorded forward saved and, where the forward
    is a call too, everything else that this call has saved since."""

    def __init__(self, node: Node, forward: ForwardCall | None, upstream: Sequence[Any], result: Any):
        self.saved = node.saved
        self.forward = forward
        args = (engine.detached_node(node, node.saved), *upstream)
        super().__init__(f"{node.op.name} backward", node.op.rule, args, {}, result, not node.op.opaque)

    def __call__(self) -> None:
        if self.forward is not None:
            latest = self.forward.node.saved
            self.args[0].saved = tuple(
                [target if is_buffer(target) else value for target, value in zip(self.saved, latest)]
            )
        super().__call__()

    def arrays(self) -> list[Array]:
        return [*super().arrays(), *arrays_in(self.saved)]


def copy_result(target: Any, result: Any, name: str) -> None:
    """Copy what a call returned, arrays or tuples of them, to the arrays of the recorded call."""
    if isinstance(target, tuple):
        for one, value in zip(target, result if isinstance(result, tuple) else (result,)):
            copy_result(one, value, name)
    elif isinstance(target, np.ndarray):
        result = np.asarray(result)
        if result.shape != target.shape:
            raise RuntimeError(
                f"{name}: a recorded step returned shape {target.shape} when it was recorded and {result.shape} now; "
                "shapes must not depend on the values of tensors"
            )
        if result is not target:
            np.copyto(target, result)


def is_buffer(saved: Any) -> bool:
    """Whether a saved value is an array that a replay can write to."""
    return isinstance(saved, np.ndarray) and bool(saved.flags.writeable)
