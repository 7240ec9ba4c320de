"""From outputs to gradients: ``backward`` accumulates them in leaves, ``grad`` returns those of chosen inputs."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any, Literal, overload

import numpy as np

from cygrad._typing import Tensor
from cygrad.autograd import engine
from cygrad.autograd.engine import Value

__all__ = ["backward", "grad"]


def as_sequence(values: Any) -> tuple[Any, ...]:
    """A value as a tuple of one; what gives several, such as ``model.parameters()``, as a tuple."""
    one = isinstance(values, (Value, np.ndarray, str)) or not isinstance(values, Iterable)
    return (values,) if one else tuple(values)


def upstream_gradients(op: str, outputs: tuple[Any, ...], given: Any, create_graph: bool) -> list[Any]:
    """One gradient for each output: the given ones, or 1 for outputs of one element. Arrays, or values with a history
    where that is to go on."""
    gradients = (None,) * len(outputs) if given is None else as_sequence(given)
    if len(gradients) != len(outputs):
        raise RuntimeError(f"{op}: expected {len(outputs)} gradients, one per output, got {len(gradients)}")
    return [upstream_gradient(op, output, gradient, create_graph) for output, gradient in zip(outputs, gradients)]


def upstream_gradient(op: str, output: Any, gradient: Any, create_graph: bool) -> Any:
    """The gradient of one output in its dtype; 1 where none is given."""
    if gradient is None:
        array = engine.seed(op, output)
        return engine.wrap(array) if create_graph else array
    if not isinstance(output, Value):
        raise TypeError(f"{op}: an output must be a tensor, got {type(output).__name__}")
    array = output.array
    if not output.requires_grad:
        raise RuntimeError(f"{op}: the output of shape {array.shape} does not require a gradient")
    if not isinstance(gradient, Value):
        raise TypeError(f"{op}: a gradient must be a tensor or None, got {type(gradient).__name__}")
    if gradient.array.shape != array.shape:
        raise RuntimeError(
            f"{op}: the gradient has shape {gradient.array.shape}, but the output has shape {array.shape}"
        )
    if create_graph:
        return gradient if gradient.array.dtype == array.dtype else gradient.to(array.dtype)  # type: ignore[attr-defined]
    return gradient.array.astype(array.dtype, copy=False)


def check_inputs(op: str, inputs: tuple[Any, ...]) -> None:
    """Raise unless each input is a tensor that requires a gradient."""
    for value in inputs:
        if not isinstance(value, Value):
            raise TypeError(f"{op}: an input must be a tensor, got {type(value).__name__}")
        if not value.requires_grad:
            raise RuntimeError(f"{op}: an input of shape {value.array.shape} does not require a gradient")


def backward(
    tensors: Tensor | Iterable[Tensor],
    grad_tensors: Tensor | Iterable[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Iterable[Tensor] | None = None,
) -> None:
    """Add ∂(Σ tensors·grad_tensors)/∂leaf to the ``grad`` of every leaf that requires a gradient.

    If anything raises, no ``grad`` has changed. As ``torch.autograd.backward``.

    Args:
        tensors: a tensor, or an iterable of tensors, that require a gradient.
        grad_tensors: the gradient of each, of its shape, converted to its dtype; None (default) means 1, for
            tensors of one element.
        retain_graph: whether to keep the graph for another backward; it is freed by default.
        create_graph: whether the gradients can be differentiated in their turn; the graph is then retained.
        inputs: the tensors whose ``grad`` to add to; by default all leaves.

    Raises:
        RuntimeError: if a tensor does not require a gradient, a shape does not fit, the graph was freed, or a saved
            tensor was changed in place.
        TypeError: if an argument is not a tensor.
        NotImplementedError: with create_graph, for an op without a definition in differentiable ops.

    >>> x = cg.tensor([1.0, 2.0], requires_grad=True)
    >>> cg.autograd.backward((x * x).sum())
    >>> x.grad
    tensor([2., 4.])
    """
    outputs = as_sequence(tensors)
    upstream = upstream_gradients("backward", outputs, grad_tensors, create_graph)
    retain = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        engine.backward(outputs, upstream, retain, create_graph)
        return
    chosen = tuple(dict.fromkeys(as_sequence(inputs)))  # each once
    if not chosen:
        raise RuntimeError("backward: inputs is empty; pass None for all leaves")
    check_inputs("backward", chosen)
    for value, gradient in zip(chosen, engine.gradients(outputs, chosen, upstream, retain, create_graph)):
        if gradient is not None:
            engine.accumulate(value, gradient, True)


@overload
def grad(
    outputs: Tensor | Iterable[Tensor],
    inputs: Tensor | Iterable[Tensor],
    grad_outputs: Tensor | Iterable[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: Literal[False] | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]: ...
@overload
def grad(
    outputs: Tensor | Iterable[Tensor],
    inputs: Tensor | Iterable[Tensor],
    grad_outputs: Tensor | Iterable[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]: ...
def grad(
    outputs: Tensor | Iterable[Tensor],
    inputs: Tensor | Iterable[Tensor],
    grad_outputs: Tensor | Iterable[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """Return ∂(Σ outputs·grad_outputs)/∂input for each input; no ``grad`` changes. As ``torch.autograd.grad``.

    Args:
        outputs: a tensor, or an iterable of tensors, that require a gradient.
        inputs: a tensor, or an iterable of tensors, that require a gradient.
        grad_outputs: the gradient of each output, of its shape; None (default) means 1, for outputs of one
            element.
        retain_graph: whether to keep the graph for another backward; it is freed by default.
        create_graph: whether the gradients can be differentiated in their turn; the graph is then retained.
        only_inputs: accepted as in PyTorch, where only True is left.
        allow_unused: whether an input that no output depends on gets None; it raises by default.
        is_grads_batched: whether each of `grad_outputs` is a batch of gradients along a first dimension, and so the
            results.
        materialize_grads: whether such an input gets zeros.

    Returns:
        A tuple with the gradient of each input.

    Raises:
        RuntimeError: as ``backward``, and if no output depends on an input.

    >>> x = cg.tensor([1.0, 2.0], requires_grad=True)
    >>> cg.autograd.grad((x * x).sum(), x)
    (tensor([2., 4.]),)
    """
    chosen, sources = as_sequence(inputs), as_sequence(outputs)
    check_inputs("grad", chosen)
    if is_grads_batched:
        options = (create_graph, True, allow_unused, False, materialize_grads)
        return batched_gradients(sources, chosen, as_sequence(grad_outputs), retain_graph, *options)
    upstream = upstream_gradients("grad", sources, grad_outputs, create_graph)
    retain = create_graph if retain_graph is None else retain_graph
    results = engine.gradients(sources, chosen, upstream, retain, create_graph)
    if materialize_grads:
        zeros = [np.zeros_like(value.array) for value in chosen]
        results = [(engine.wrap(z) if create_graph else z) if r is None else r for r, z in zip(results, zeros)]
    for value, result in zip(chosen, results):
        if result is None and not allow_unused:
            raise RuntimeError(
                f"grad: no output depends on the input of shape {value.array.shape}; pass allow_unused=True for None"
            )
    if create_graph:
        return tuple(results)
    return tuple([None if result is None else engine.wrap(result) for result in results])


def batched_gradients(
    outputs: Any, inputs: Any, upstream: Any, retain_graph: bool | None, *options: Any
) -> tuple[Tensor | None, ...]:
    """As ``grad``, for each of a batch of upstream gradients, one after the other."""
    sizes = {dy.array.shape[0] if isinstance(dy, Value) and dy.array.ndim else None for dy in upstream}
    if len(sizes) != 1 or not (count := sizes.pop()):
        raise ValueError("grad: with is_grads_batched, grad_outputs must be tensors of one first dimension, not empty")
    keep = [True] * (count - 1) + [retain_graph]
    rows = [grad(outputs, inputs, [dy[i] for dy in upstream], k, *options) for i, k in enumerate(keep)]
    stack = importlib.import_module("cygrad.functions").stack
    return tuple([None if column[0] is None else stack(column) for column in zip(*rows)])


def __getattr__(name: str) -> object:
    """Find Jacobians and their products, as in ``torch.autograd.functional``."""
    if name in ("hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"):
        return getattr(importlib.import_module("cygrad.jacobians"), name)
    raise AttributeError(f"module 'cygrad.autograd.functional' has no attribute {name!r}")
