"""Function: an op with a gradient rule of the user's own."""

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
    """What forward leaves for backward: saved tensors, and any attributes."""

    def __init__(self, args: tuple[Any, ...]) -> None:
        self.specs = [(a.array.shape, a.array.dtype) if isinstance(a, Value) else None for a in args]
        self.to_save: tuple[Value | None, ...] = ()
        self.saved_tensors: tuple[Any, ...] = ()
        self.needs_input_grad: tuple[bool, ...] = tuple([isinstance(a, Value) and a.requires_grad for a in args])
        self.flat_outputs: tuple[Value, ...] = ()
        self.materialize_grads = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keeps inputs or outputs, or None, for ``saved_tensors``; writing to one before backward is noticed."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Value):
                raise TypeError(
                    f"save_for_backward: only tensors are saved so, got {type(tensor).__name__}; use an attribute"
                )
        self.to_save = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Outputs among these will not require a gradient."""
        self.flat_outputs = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward receives zeros (the default) or None for an output that no gradient reached."""
        self.materialize_grads = bool(value)


class Function:
    """Base class of operations with a rule of their own. As ``torch.autograd.Function``.

    A subclass gives two static methods: ``forward(ctx, *args)``, which takes tensors and anything else and returns a
    tensor or several, and ``backward(ctx, *grads)``, which takes the gradient of each output and returns one of each
    argument of forward, None for those without. It is called by ``apply``.

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
        """What the function computes; every subclass gives its own."""
        raise NotImplementedError("Function: forward is not defined")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """The gradient of each argument of forward; every subclass gives its own."""
        raise NotImplementedError("Function: backward is not defined")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Computes forward and, where a gradient is wanted, records backward."""
        context = Context(args)
        outputs = op_of(cls)(*args, context=context)
        marked = [tensor.array for tensor in context.flat_outputs]
        for output in outputs if isinstance(outputs, tuple) else (outputs,):
            if any([output.array is array for array in marked]):
                output.detach_()
        return outputs


def op_of(cls: type[Function]) -> Op:
    """The op behind a subclass of Function, made once."""
    made = cls.__dict__.get("_op")
    if made is None:

        def forward(node: Node, *arrays: Any, context: Context) -> Any:
            return run_forward(cls, node, arrays, context)

        made = Op(cls.__name__, forward)
        made.materialize = False  # the context decides
        made.opaque = True
        made.gradient(lambda node, *upstream: run_backward(cls, node, upstream))
        cls._op = made  # type: ignore[attr-defined]
    return made


def run_forward(cls: type[Function], node: Node, arrays: tuple[Any, ...], context: Context) -> Any:
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
        raise RuntimeError(f"{cls.__name__}: backward gave {len(results)} gradients for {len(context.specs)} arguments")
    return tuple([checked(cls.__name__, i, r, s) for i, (r, s) in enumerate(zip(results, context.specs))])


def checked(name: str, number: int, result: Any, spec: Any) -> Array | None:
    """A gradient as an array of its argument's shape and dtype."""
    if result is None:
        return None
    if spec is None:
        raise RuntimeError(f"{name}: backward gave a gradient for argument {number}, which is no tensor; give None")
    if not isinstance(result, Value):
        raise TypeError(
            f"{name}: backward must give tensors or None, got {type(result).__name__} for argument {number}"
        )
    shape, dtype = spec
    if result.array.shape != shape:
        raise RuntimeError(
            f"{name}: backward gave a gradient of shape {result.array.shape} for argument {number} of shape {shape}"
        )
    return np.array(result.array, dtype)
