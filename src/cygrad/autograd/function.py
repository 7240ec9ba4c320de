"""Function: operations with a gradient rule of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import engine
from cygrad.autograd.engine import Node, Op, Value
from cygrad.autograd.grad_mode import no_grad

__all__ = ["Function"]


class Context:
    """Carries data from forward to backward: saved tensors, and any attributes."""

    def __init__(self, args: tuple[Any, ...]) -> None:
        self.specs = [(a.array.shape, a.array.dtype) if isinstance(a, Value) else None for a in args]
        self.to_save: tuple[Value | None, ...] = ()
        self.saved_tensors: tuple[Any, ...] = ()
        self.needs_input_grad: tuple[bool, ...] = tuple([isinstance(a, Value) and a.requires_grad for a in args])
        self.flat_outputs: tuple[Value, ...] = ()
        self.materialize_grads = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Save inputs or outputs, or None, for ``saved_tensors``. An in-place write to one is noticed in backward."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Value):
                raise TypeError(
                    f"save_for_backward: expected tensors or None, got {type(tensor).__name__}; use an attribute of ctx"
                )
        self.to_save = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Mark outputs that require no gradient."""
        self.flat_outputs = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Choose whether backward receives zeros (default) or None for an output without a gradient."""
        self.materialize_grads = bool(value)


class Function:
    """The base class of operations with a gradient rule of their own. As ``torch.autograd.Function``.

    A subclass defines two static methods: ``forward(ctx, *args)``, which takes tensors and anything else and returns
    one or several tensors, and ``backward(ctx, *grads)``, which takes the gradient of each output and returns one for
    each argument of forward, None where there is none. ``apply`` calls it.

    >>> class Cube(cg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x * x * grad
    >>> x = cg.tensor([2.0], requires_grad=True)
    >>> Cube.apply(x).sum().backward()
    >>> x.grad
    tensor([12.])
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        """Compute the outputs; defined by every subclass."""
        raise NotImplementedError("Function: forward is not defined")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Compute the gradient of each argument of forward; defined by every subclass."""
        raise NotImplementedError("Function: backward is not defined")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Compute forward and, where a gradient is wanted, record backward.

        Args:
            args: the arguments of forward.

        Returns:
            What forward returns.
        """
        context = Context(args)
        outputs = op_of(cls)(*args, context=context)
        marked = [tensor.array for tensor in context.flat_outputs]
        for output in outputs if isinstance(outputs, tuple) else (outputs,):
            if any([output.array is array for array in marked]):
                output.detach_()
        return outputs


def op_of(cls: type[Function]) -> Op:
    """The op behind a subclass of Function, created once."""
    result: Op | None = cls.__dict__.get("_op")
    if result is None:

        def forward(node: Node, *arrays: Any, context: Context) -> Any:
            return run_forward(cls, node, arrays, context)

        result = Op(cls.__name__, forward)
        result.materialize = False  # the context decides
        result.opaque = True
        result.gradient(lambda node, *upstream: run_backward(cls, node, upstream))
        cls._op = result  # type: ignore[attr-defined]
    return result


def run_forward(cls: type[Function], node: Node, arrays: tuple[Any, ...], context: Context) -> Any:
    """Run the subclass's forward on tensors over the arrays; return arrays."""
    args = [a if spec is None else engine.wrap(a) for a, spec in zip(arrays, context.specs)]
    with no_grad():
        result = cls.forward(context, *args)
    outputs = result if isinstance(result, tuple) else (result,)
    for output in outputs:
        if not isinstance(output, Value):
            raise TypeError(f"{cls.__name__}: forward must return tensors, got {type(output).__name__}")
    node.save(*[None if t is None else t.array for t in context.to_save], context)
    context.to_save = ()
    return tuple([output.array for output in outputs]) if isinstance(result, tuple) else result.array


def run_backward(cls: type[Function], node: Node, upstream: Sequence[Array | None]) -> tuple[Array | None, ...]:
    """Run the subclass's backward on tensors over the gradients; return arrays."""
    *saved, context = node.saved
    context.saved_tensors = tuple([None if a is None else engine.wrap(a) for a in saved])
    context.needs_input_grad = tuple(node.needs)
    if context.materialize_grads:
        upstream = engine.materialized(node, upstream)
    with no_grad():
        results = cls.backward(context, *[None if array is None else engine.wrap(array) for array in upstream])
    results = results if isinstance(results, tuple) else (results,)
    while len(results) > len(context.specs) and results[-1] is None:
        results = results[:-1]
    if len(results) != len(context.specs):
        raise RuntimeError(
            f"{cls.__name__}: backward returned {len(results)} gradients for {len(context.specs)} arguments"
        )
    return tuple([checked_gradient(cls.__name__, i, r, s) for i, (r, s) in enumerate(zip(results, context.specs))])


def checked_gradient(name: str, number: int, result: Any, spec: Any) -> Array | None:
    """A gradient as an array of its argument's shape and dtype."""
    if result is None:
        return None
    if spec is None:
        raise RuntimeError(f"{name}: backward returned a gradient for argument {number}, which is not a tensor")
    if not isinstance(result, Value):
        raise TypeError(
            f"{name}: backward must return tensors or None, got {type(result).__name__} for argument {number}"
        )
    shape, dtype = spec
    if result.array.shape != shape:
        raise RuntimeError(
            f"{name}: backward returned a gradient of shape {result.array.shape} for argument {number} of shape {shape}"
        )
    return np.array(result.array, dtype)
