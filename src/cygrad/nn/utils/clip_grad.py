"""Clipping of gradients in place: one call for all parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad.autograd import engine, leaves, recording
from cygrad.tensor import Tensor


def with_gradient(parameters: Any) -> list[Tensor]:
    """The parameters that have a gradient."""
    return leaves.with_gradient([parameters] if isinstance(parameters, Tensor) else list(parameters))


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scales all gradients by min(1, max_norm/(‖g‖ + 1e-6)), g all of them as one vector, and returns the ‖g‖ before.
    As ``torch.nn.utils.clip_grad_norm_``. R. Pascanu, T. Mikolov, Y. Bengio (2013), "On the difficulty of training
    recurrent neural networks".

    With error_if_nonfinite, a norm of NaN or infinity raises RuntimeError and nothing is changed.

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
        return engine.wrap(np.zeros((), np.float32))
    if error_if_nonfinite:
        recording.reading("clip_grad_norm_ with error_if_nonfinite")
    return engine.wrap(kernels.clip_grad_norm(leaves.gradients_of(params, True), max_norm, order, error_if_nonfinite))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Brings every number of every gradient into [−clip_value, clip_value]. As ``torch.nn.utils.clip_grad_value_``."""
    params = with_gradient(parameters)
    if params:
        kernels.clip_grad_value(leaves.gradients_of(params, True), float(clip_value))


def clip_grad_adaptive_(
    parameters: Tensor | Iterable[Tensor], clipping: float = 0.01, eps: float = 1e-3, unitwise: bool = True
) -> Tensor:
    """Adaptive clipping: where ‖g‖ > clipping·max(‖w‖, eps), g is scaled to that norm. The norms are those of each
    output unit (a row of the weight; a single number of a bias), or with ``unitwise=False`` of each parameter.
    Returns the 2-norm of all gradients before. A. Brock et al. (2021), "High-performance large-scale image
    recognition without normalization".

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
        return engine.wrap(np.zeros((), np.float32))
    weights = [p.array for p in params]
    return engine.wrap(kernels.clip_grad_adaptive(leaves.gradients_of(params, True), weights, clipping, eps, unitwise))


def get_total_norm(tensors: Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    """The norm of all tensors as one vector. As ``torch.nn.utils.get_total_norm``."""
    arrays = [t.array for t in tensors]
    if not arrays:
        return engine.wrap(np.zeros((), np.float32))
    norm = kernels.grad_norm(arrays, float(norm_type))
    if error_if_nonfinite:
        recording.reading("get_total_norm with error_if_nonfinite")
    if error_if_nonfinite and not np.isfinite(norm):
        raise RuntimeError(f"get_total_norm: the norm of order {norm_type} is {norm}")
    return engine.wrap(norm)
