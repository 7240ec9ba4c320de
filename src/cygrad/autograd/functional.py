"""From outputs to gradients: ``backward`` into the leaves, ``grad`` for chosen inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NoReturn, overload

from cygrad._typing import Array, Tensor
from cygrad.autograd import engine
from cygrad.autograd.engine import Value

__all__ = ["backward", "grad"]


def as_sequence(values: Any) -> tuple[Any, ...]:
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def upstream_gradients(op: str, outputs: tuple[Any, ...], given: Any) -> list[Array]:
    """One gradient for each output: those given, or 1 for outputs of one number."""
    if given is None:
        return [engine.seed(op, output) for output in outputs]
    gradients = as_sequence(given)
    if len(gradients) != len(outputs):
        raise RuntimeError(f"{op}: {len(gradients)} gradients were given for {len(outputs)} outputs")
    return [upstream_gradient(op, output, gradient) for output, gradient in zip(outputs, gradients)]


def upstream_gradient(op: str, output: Any, gradient: Any) -> Array:
    if gradient is None:
        return engine.seed(op, output)
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
    return gradient.array.astype(array.dtype, copy=False)


def check_inputs(op: str, inputs: tuple[Any, ...]) -> None:
    """Raises unless each is a tensor that requires a gradient."""
    for value in inputs:
        if not isinstance(value, Value):
            raise TypeError(f"{op}: an input must be a tensor, got {type(value).__name__}")
        if not value.requires_grad:
            raise RuntimeError(f"{op}: an input of shape {value.array.shape} does not require a gradient")


def refuse_higher_order(op: str) -> NoReturn:
    raise NotImplementedError(f"{op}: create_graph=True is not there; gradients of gradients are not recorded")


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Adds ∂(Σ tensors·grad_tensors)/∂leaf to the ``grad`` of every leaf that requires one, or only of `inputs`.

    A tensor of one number needs no grad_tensors; those given are converted to the tensor's dtype. The graph is freed
    unless retain_graph is true. If anything raises, no ``grad`` has changed. As ``torch.autograd.backward``.

    >>> x = cg.tensor([1.0, 2.0], requires_grad=True)
    >>> cg.autograd.backward((x * x).sum())
    >>> x.grad
    tensor([2., 4.])
    """
    if create_graph:
        refuse_higher_order("backward")
    outputs = as_sequence(tensors)
    upstream = upstream_gradients("backward", outputs, grad_tensors)
    if inputs is None:
        engine.backward(outputs, upstream, bool(retain_graph))
        return
    chosen = tuple(dict.fromkeys(as_sequence(inputs)))  # one that is named twice counts once
    if not chosen:
        raise RuntimeError("backward: inputs is empty; None means every leaf")
    check_inputs("backward", chosen)
    for value, gradient in zip(chosen, engine.gradients(outputs, chosen, upstream, bool(retain_graph))):
        if gradient is not None:
            engine.accumulate(value, gradient, True)


@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: Literal[False] | None = None,
) -> tuple[Tensor, ...]: ...
@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
) -> tuple[Tensor | None, ...]: ...
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
) -> tuple[Tensor | None, ...]:
    """∂(Σ outputs·grad_outputs)/∂input for each input; no ``grad`` changes. As ``torch.autograd.grad``.

    Raises RuntimeError where an output does not depend on an input, unless allow_unused is true: then its gradient
    is None.

    >>> x = cg.tensor([1.0, 2.0], requires_grad=True)
    >>> cg.autograd.grad((x * x).sum(), x)
    (tensor([2., 4.]),)
    """
    if create_graph:
        refuse_higher_order("grad")
    chosen, sources = as_sequence(inputs), as_sequence(outputs)
    check_inputs("grad", chosen)
    upstream = upstream_gradients("grad", sources, grad_outputs)
    results = engine.gradients(sources, chosen, upstream, bool(retain_graph))
    for value, result in zip(chosen, results):
        if result is None and not allow_unused:
            raise RuntimeError(
                f"grad: no output depends on the input of shape {value.array.shape}; allow_unused=True gives None"
            )
    return tuple([None if result is None else engine.wrap(result) for result in results])
