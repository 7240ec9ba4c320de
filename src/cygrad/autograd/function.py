"""Function: operations with a gradient rule of the user's own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import engine
from cygrad.autograd.arrays import broadcasts
from cygrad.autograd.engine import Node, Op, Value
from cygrad.autograd.functional import as_sequence, grad
from cygrad.autograd.grad_mode import enable_grad, is_grad_enabled, no_grad

__all__ = ["Function", "FunctionCtx", "InplaceFunction", "once_differentiable"]


class FunctionCtx:
    """Carries data from forward to backward: saved tensors, and any attributes."""

    def __init__(self, args: tuple[Any, ...]) -> None:
        self.specs = [(a.array.shape, a.array.dtype) if isinstance(a, Value) else None for a in args]
        self.to_save: tuple[Value | None, ...] = ()
        self.places: list[int | None] = []  # of what was saved: an input's number, −1 − an output's, or None
        self.saved_tensors: tuple[Any, ...] = ()
        self.needs_input_grad: tuple[bool, ...] = tuple([isinstance(a, Value) and a.requires_grad for a in args])
        self.flat_outputs: tuple[Value, ...] = ()
        self.dirty: tuple[Any, ...] = ()
        self.written: list[tuple[int, int]] = []  # the numbers of an input that was changed in place, and of its output
        self.materialize_grads = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Save inputs or outputs, or None, for ``saved_tensors``. An in-place write to one is noticed in backward."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Value):
                raise TypeError(
                    f"save_for_backward: expected tensors or None, got {type(tensor).__name__}; use an attribute of ctx"
                )
        self.to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """As :meth:`save_for_backward`, for ``jvp``. What is saved for backward takes its place."""
        if not self.to_save:
            self.save_for_backward(*tensors)

    def mark_dirty(self, *tensors: Any) -> None:
        """Mark inputs that forward changes in place, and returns: they take the outputs' positions in the graph."""
        self.dirty = tensors

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
    each argument of forward, None where there is none. ``apply`` calls it. Instead of saving in ``forward``, a subclass
    may define ``forward(*args)`` and ``setup_context(ctx, inputs, output)``.

    With ``create_graph=True`` the ops of ``backward`` are recorded, so that gradients of gradients are right if it
    computes with ``ctx.saved_tensors`` and its arguments alone; see :func:`once_differentiable` if it does not.

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
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Save what backward needs, after a ``forward`` that takes no ctx."""

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Compute the gradient of each argument of forward; defined by every subclass."""
        raise NotImplementedError("Function: backward is not defined")

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """Compute the tangent of each output from those of forward's arguments, in differentiable operations that are
        linear in them. A subclass may define it in place of backward, which is then its transpose."""
        raise NotImplementedError("Function: jvp is not defined")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Compute forward and, where a gradient is wanted, record backward.

        Args:
            args: the arguments of forward.

        Returns:
            What forward returns.
        """
        context = FunctionCtx(args)
        outputs = op_of(cls)(*args, context=context)
        if context.written:
            outputs = with_inputs(outputs, args, context.written)
        marked = [tensor.array for tensor in context.flat_outputs]
        for output in outputs if isinstance(outputs, tuple) else (outputs,):
            if any([output.array is array for array in marked]):
                output.detach_()
        return outputs


class InplaceFunction(Function):
    """A Function that may change its first argument. As ``torch.autograd.function.InplaceFunction``."""


def with_inputs(outputs: Any, args: Sequence[Any], written: Sequence[tuple[int, int]]) -> Any:
    """The outputs of a forward; those that are inputs, changed in place, are the callers' tensors."""
    results = list(outputs) if isinstance(outputs, tuple) else [outputs]
    for number, place in written:
        results[place] = engine.rewrite(args[number], results[place])
    return tuple(results) if isinstance(outputs, tuple) else results[0]


def op_of(cls: type[Function]) -> Op:
    """The op behind a subclass of Function, created once."""
    result: Op | None = cls.__dict__.get("_op")
    if result is None:

        def forward(node: Node, *arrays: Any, context: FunctionCtx) -> Any:
            return run_forward(cls, node, arrays, context)

        result = Op(cls.__name__, forward)
        result.materialize = False  # the context decides
        result.opaque = True
        result.gradient(lambda node, *upstream: run_backward(cls, node, upstream))
        result.definition(lambda node, *upstream: run_definition(cls, node, upstream))
        cls._op = result  # type: ignore[attr-defined]
    return result


def run_forward(cls: type[Function], node: Node, arrays: tuple[Any, ...], context: FunctionCtx) -> Any:
    """Run the subclass's forward on tensors over the arrays; return arrays."""
    args = [a if spec is None else engine.wrap(a) for a, spec in zip(arrays, context.specs)]
    with no_grad():
        if cls.setup_context is Function.setup_context:
            result = cls.forward(context, *args)
        else:
            result = cls.forward(*args)
            cls.setup_context(context, tuple(args), result)
    outputs = result if isinstance(result, tuple) else (result,)
    for output in outputs:
        if not isinstance(output, Value):
            raise TypeError(f"{cls.__name__}: forward must return tensors, got {type(output).__name__}")
    node.save(*[None if t is None else t.array for t in context.to_save], context)
    context.written = [written_places(cls.__name__, tensor, args, outputs) for tensor in context.dirty]
    context.dirty = ()
    outcome = {number: -1 - place for number, place in context.written}
    places = [place_of(tensor, args, outputs) for tensor in context.to_save]
    context.places = [place if place is None else outcome.get(place, place) for place in places]
    context.to_save = ()
    return tuple([output.array for output in outputs]) if isinstance(result, tuple) else result.array


def written_places(name: str, tensor: Any, args: Sequence[Any], outputs: Sequence[Any]) -> tuple[int, int]:
    """The numbers of the input that a tensor given to ``mark_dirty`` is, and of the output that it is."""
    number = next((i for i, arg in enumerate(args) if arg is tensor), None)
    place = next((i for i, output in enumerate(outputs) if output is tensor), None)
    if number is None or place is None:
        raise RuntimeError(f"{name}: a tensor given to mark_dirty must be an input, and be returned by forward")
    return number, place


def place_of(tensor: Any, args: Sequence[Any], outputs: Sequence[Any]) -> int | None:
    """The number i of the input that a tensor is, −1 − i for an output, None for neither."""
    found = [i for i, arg in enumerate(args) if arg is tensor] + [-1 - i for i, y in enumerate(outputs) if y is tensor]
    return found[0] if found and tensor is not None else None


def rule_of(cls: type[Function]) -> Callable[..., Any]:
    """The subclass's backward, or the transpose of its jvp."""
    if cls.backward is not Function.backward or cls.jvp is Function.jvp:
        return cls.backward
    return functools.partial(transposed_jvp, cls)


def transposed_jvp(cls: type[Function], context: FunctionCtx, *upstream: Any) -> tuple[Any, ...]:
    """The gradients vᵀJ of a Function that knows J·t: the derivative of (v, J·t) with respect to t."""
    again = is_grad_enabled()  # as when a backward of gradients of gradients runs
    with enable_grad():
        tangents: list[Any] = [None if spec is None else engine.wrap(np.zeros(*spec)) for spec in context.specs]
        wanted = [t for t, needed in zip(tangents, context.needs_input_grad) if needed]
        for tangent in wanted:
            tangent.requires_grad = True
        outputs = as_sequence(cls.jvp(context, *tangents))
        pairs = [(y, dy) for y, dy in zip(outputs, upstream) if dy is not None and y is not None and y.requires_grad]
        found: Any = [None] * len(wanted)
        if pairs:
            ys, dys = zip(*pairs)
            found = grad(ys, wanted, dys, create_graph=again, allow_unused=True)
    by_tangent = iter(found)
    return tuple([next(by_tangent) if needed else None for needed in context.needs_input_grad])


def run_backward(cls: type[Function], node: Node, upstream: Sequence[Array | None]) -> tuple[Array | None, ...]:
    """Run the subclass's backward on tensors over the gradients; return arrays."""
    *saved, context = node.saved
    context.saved_tensors = tuple([leaf_or_positioned(node, a, place) for a, place in zip(saved, context.places)])
    context.needs_input_grad = tuple(node.needs)
    if context.materialize_grads:
        upstream = engine.materialized(node, upstream)
    try:
        with no_grad():
            results = rule_of(cls)(context, *[None if array is None else engine.wrap(array) for array in upstream])
    finally:
        context.saved_tensors = ()  # an output leads to the node, which has the context: a cycle
    gradients = checked_gradients(cls.__name__, results, context.specs)
    return tuple([None if g is None else np.array(g.array, s[1]) for g, s in zip(gradients, context.specs)])


def run_definition(cls: type[Function], node: Node, upstream: Sequence[Any]) -> tuple[Any, ...]:
    """Run the subclass's backward on values at their positions in the graph, so that its ops are recorded."""
    *saved, context = node.saved
    context.saved_tensors = tuple([positioned(node, array, place) for array, place in zip(saved, context.places)])
    context.needs_input_grad = tuple(node.needs)
    if context.materialize_grads:
        upstream = engine.materialized_values(node, upstream)
    rule = rule_of(cls)
    if getattr(rule, "once", False):
        with no_grad():
            results = rule(context, *upstream)
        results = results if isinstance(results, tuple) else (results,)
        sources = [*[value for value in upstream if value is not None], *inputs_of(node, context.specs)]
        results = tuple([None if r is None else differentiated_once(r, *sources, name=cls.__name__) for r in results])
    else:
        results = rule(context, *upstream)
    gradients = checked_gradients(cls.__name__, results, context.specs)
    return tuple([None if g is None else g.to(s[1]) for g, s in zip(gradients, context.specs)])


def inputs_of(node: Node, specs: Sequence[Any]) -> list[Any]:
    """Tensors at the positions of the inputs that require a gradient; their elements do not matter."""
    pairs = [(i, edge) for i, edge in enumerate(node.edges) if edge is not None]
    return [node.input(i, np.zeros(*specs[i])) if isinstance(edge, Node) else edge for i, edge in pairs]


def leaf_or_positioned(node: Node, array: Array | None, place: int | None) -> Any:
    """A saved tensor, for which a backward may ask ``autograd.grad``: the leaf itself, or one at its position."""
    edge = node.edges[place] if place is not None and place >= 0 else None
    if array is not None and isinstance(edge, Value):
        return edge if edge.array is array else engine.wrap(array)
    return positioned(node, array, place)


def positioned(node: Node, array: Array | None, place: int | None) -> Any:
    """A saved tensor at its position in the graph."""
    if array is None:
        return None
    if place is None:
        return engine.wrap(array)
    return node.input(place, array) if place >= 0 else node.output(array, -1 - place)


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a Function's ``backward``: its gradients can't be differentiated, and trying to raises.

    As ``torch.autograd.function.once_differentiable``, for a backward that computes with something else than tensors.
    """

    @functools.wraps(function)
    def backward(ctx: Any, *grads: Any) -> Any:
        return function(ctx, *grads)

    backward.once = True  # type: ignore[attr-defined]
    return backward


@engine.op
def differentiated_once(ctx: Node, gradient: Array, *sources: Array, name: str) -> Array:
    """The gradient itself, which depends on the sources in an unknown way."""
    ctx.save(name)
    return gradient


@differentiated_once.definition
@differentiated_once.gradient
def _(ctx: Node, dy: Array) -> Any:
    raise RuntimeError(f"{ctx.saved[0]}: its backward is once_differentiable: it has no gradients of gradients")


def checked_gradients(name: str, results: Any, specs: Sequence[Any]) -> list[Any]:
    """What a backward has returned, one gradient or None for each argument."""
    results = results if isinstance(results, tuple) else (results,)
    while len(results) > len(specs) and results[-1] is None:
        results = results[:-1]
    if len(results) != len(specs):
        raise RuntimeError(f"{name}: backward returned {len(results)} gradients for {len(specs)} arguments")
    return [checked_gradient(name, i, r, s) for i, (r, s) in enumerate(zip(results, specs))]


def checked_gradient(name: str, number: int, result: Any, spec: Any) -> Any:
    """A gradient, of its argument's shape: one of a shape to which the argument broadcasts is summed."""
    if result is None:
        return None
    if spec is None:
        raise RuntimeError(f"{name}: backward returned a gradient for argument {number}, which is not a tensor")
    if not isinstance(result, Value):
        raise TypeError(
            f"{name}: backward must return tensors or None, got {type(result).__name__} for argument {number}"
        )
    shape, _ = spec
    if result.array.shape == shape:
        return result
    if broadcasts(shape, result.array.shape):
        narrow: Any = result
        return narrow.sum_to_size(shape)
    raise RuntimeError(
        f"{name}: backward returned a gradient of shape {result.array.shape} for argument {number} of shape {shape}"
    )
