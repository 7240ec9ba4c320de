"""Gradient clipping in place, with one call for all parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._arguments import checked
from cygrad.autograd import engine, leaves, recording
from cygrad.config import default_float
from cygrad.ops.shape import checked_tensors
from cygrad.tensor import Tensor


def with_gradient(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """Return the parameters that have a gradient."""
    return leaves.with_gradient([parameters] if isinstance(parameters, Tensor) else list(parameters))


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients by min(1, max_norm/(‖g‖ + 10⁻⁶)), g all of them as one vector. As
    ``torch.nn.utils.clip_grad_norm_``. R. Pascanu, T. Mikolov, Y. Bengio (2013), "On the difficulty of training
    recurrent neural networks".

    Args:
        parameters: a tensor or an iterable of tensors. Those without a gradient are skipped.
        max_norm: largest norm that is left as it is.
        norm_type: order of the norm, not 0, default 2; ``math.inf`` for the largest magnitude.
        error_if_nonfinite: whether a norm of NaN or infinity raises, default False.
        foreach: accepted as in PyTorch, without effect.

    Returns:
        ‖g‖ before clipping.

    Raises:
        RuntimeError: error_if_nonfinite is True and the norm is not finite. Nothing is changed then.
        ValueError: norm_type is 0.

    >>> p = cg.zeros(2, requires_grad=True)
    >>> p.grad = cg.tensor([3.0, 4.0])
    >>> cg.nn.utils.clip_grad_norm_(p, 1.0)
    tensor(5.)
    >>> p.grad
    tensor([0.6000, 0.8000])
    """
    order = float(norm_type)
    if order == 0:
        raise ValueError("clip_grad_norm_: norm_type must not be 0")
    params = with_gradient(parameters)
    if not params:
        return engine.wrap(np.zeros((), default_float()))
    if error_if_nonfinite:
        recording.reading("clip_grad_norm_ with error_if_nonfinite")
    return engine.wrap(kernels.clip_grad_norm(leaves.gradients_of(params, True), max_norm, order, error_if_nonfinite))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Clamp every element of every gradient to [−clip_value, clip_value]. As ``torch.nn.utils.clip_grad_value_``.

    Args:
        parameters: a tensor or an iterable of tensors. Those without a gradient are skipped.
        clip_value: largest magnitude of an element.
        foreach: accepted as in PyTorch, without effect.
    """
    params = with_gradient(parameters)
    if params:
        kernels.clip_grad_value(leaves.gradients_of(params, True), float(clip_value))


def clip_grad_adaptive_(
    parameters: Tensor | Iterable[Tensor], clipping: float = 0.01, eps: float = 1e-3, unitwise: bool = True
) -> Tensor:
    """Clip adaptively: if ‖g‖ > clipping·max(‖w‖, eps), scale g to that norm. A. Brock et al. (2021), "High-performance
    large-scale image recognition without normalization".

    Args:
        parameters: a tensor or an iterable of tensors. Those without a gradient are skipped.
        clipping: largest ratio of ‖g‖ to ‖w‖, above 0, default 0.01.
        eps: floor under ‖w‖, at least 0, default 0.001.
        unitwise: whether the norms are those of each output unit (a row of a weight, an element of a bias; default) or
            of each parameter.

    Returns:
        The 2-norm of all gradients before clipping.

    Raises:
        ValueError: clipping or eps is out of its range.

    >>> w = cg.tensor([[3.0, 4.0]], requires_grad=True)
    >>> w.grad = cg.tensor([[0.0, 10.0]])
    >>> cg.nn.utils.clip_grad_adaptive_(w, clipping=0.1)
    tensor(10.)
    >>> w.grad
    tensor([[0.0000, 0.5000]])
    """
    if not clipping > 0 or not eps >= 0:
        raise ValueError(
            f"clip_grad_adaptive_: clipping must be positive and eps not negative, got {clipping} and {eps}"
        )
    params = with_gradient(parameters)
    if not params:
        return engine.wrap(np.zeros((), default_float()))
    weights = [p.array for p in params]
    return engine.wrap(kernels.clip_grad_adaptive(leaves.gradients_of(params, True), weights, clipping, eps, unitwise))


@checked
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale all gradients by min(1, max_norm/(total_norm + 10⁻⁶)). As ``torch.nn.utils.clip_grads_with_norm_``.

    Args:
        parameters: a tensor or an iterable of tensors. Those without a gradient are skipped.
        max_norm: largest norm that is left as it is.
        total_norm: the norm, often of ``get_total_norm``.
        foreach: accepted as in PyTorch, without effect.
    """
    factor = (max_norm / (total_norm.detach() + 1e-6)).clamp(max=1.0)
    for parameter in with_gradient(parameters):
        gradient: Any = parameter.grad
        gradient.detach().mul_(factor.to(gradient.dtype))


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Return the norm of all tensors as one vector. As ``torch.nn.utils.get_total_norm``.

    Args:
        tensors: the tensors, often gradients, or one tensor.
        norm_type: order of the norm, default 2; ``math.inf`` for the largest magnitude.
        error_if_nonfinite: whether a norm of NaN or infinity raises, default False.
        foreach: accepted as in PyTorch, without effect.

    Raises:
        RuntimeError: error_if_nonfinite is True and the norm is not finite.
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else tensors
    arrays = [t.array for t in checked_tensors("get_total_norm", tensors)]
    if not arrays:
        return engine.wrap(np.zeros((), default_float()))
    norm = kernels.grad_norm(arrays, float(norm_type))
    if error_if_nonfinite:
        recording.reading("get_total_norm with error_if_nonfinite")
    if error_if_nonfinite and not np.isfinite(norm):
        raise RuntimeError(f"get_total_norm: the norm of order {norm_type} is {norm}")
    return engine.wrap(norm)
