"""Norms of groups of channels, of instances, by the root mean square, and over neighboring channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cygrad import _kernels as kernels
from cygrad import functions as f
from cygrad.nn.functional.checks import check_tensor
from cygrad.nn.functional.norm import batch_norm
from cygrad.ops.batch_norm import batch_norm_evaluation
from cygrad.ops.layer_norm import layer_norm_rows

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

REALS = {np.dtype(np.float32), np.dtype(np.float64)}

__all__ = ["group_norm", "instance_norm", "local_response_norm", "rms_norm"]


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Normalize each group of channels of each sample: y = (x − mean)/√(var + eps)·weight + bias. As
    ``torch.nn.functional.group_norm``. Y. Wu, K. He (2018), "Group normalization".

    Args:
        input: x, shape (N, C, …).
        num_groups: number of groups of C/num_groups channels.
        weight: shape (C,), default None for 1.
        bias: shape (C,), default None for 0.
        eps: added to the variance, default 10⁻⁵.

    Raises:
        RuntimeError: C is not a multiple of num_groups, or a shape does not match.
    """
    check_tensor("group_norm", "input", input)
    if input.ndim < 2 or num_groups < 1 or input.shape[1] % num_groups:
        raise RuntimeError(
            f"group_norm: shape {tuple(input.shape)} can't be split into {num_groups} groups of channels"
        )
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and parameter.shape != input.shape[1:2]:
            raise RuntimeError(f"group_norm: {name} has shape {tuple(parameter.shape)}, wanted ({input.shape[1]},)")
    if input.numel() == 0:
        return input * 1
    rows = input.reshape(input.shape[0], num_groups, -1)
    y = layer_norm_rows(rows, None, None, normalized_shape=tuple(rows.shape[2:]), eps=eps).reshape(input.shape)
    return affine(y, weight, bias)


def affine(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """y·weight + bias, for each channel: batch norm with mean 0 and variance 1, which has a kernel."""
    kinds = {x.array.dtype for x in (y, weight, bias) if x is not None}
    if len(kinds) == 1 and kinds <= REALS and y.ndim > 2 and (weight is not None or bias is not None):
        zeros = kernels.zeros((y.shape[1],), y.array.dtype)
        return batch_norm_evaluation(y, weight, bias, zeros, zeros, 1.0)  # of variance 0 + 1
    shape = (1, -1, *[1] * (y.ndim - 2))
    y = y if weight is None else y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each channel of each sample: y = (x − mean)/√(var + eps)·weight + bias. As
    ``torch.nn.functional.instance_norm``. D. Ulyanov, A. Vedaldi, V. Lempitsky (2016), "Instance normalization".

    Args:
        input: x, shape (N, C, …).
        running_mean: running mean, shape (C,), or None.
        running_var: running variance, shape (C,), or None.
        weight: shape (C,), default None for 1.
        bias: shape (C,), default None for 0.
        use_input_stats: whether to use the input's mean and variance, and update the running ones, default True.
        momentum: weight of an input in the running statistics, default 0.1.
        eps: added to the variance, default 10⁻⁵.

    Raises:
        ValueError: there is only one value for each channel.
    """
    check_tensor("instance_norm", "input", input)
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    n, c = input.shape[:2]
    if input.ndim < 3 or int(np.prod(input.shape[2:])) == 1:
        raise ValueError(f"instance_norm: expected more than 1 spatial element, got shape {tuple(input.shape)}")
    mean, var = [None if r is None else r.detach().repeat(n) for r in (running_mean, running_var)]
    y = batch_norm(input.reshape(1, n * c, *input.shape[2:]), mean, var, None, None, True, momentum, eps)
    for running, of_samples in ((running_mean, mean), (running_var, var)):
        if running is not None and of_samples is not None:
            running.detach().copy_(of_samples.reshape(n, c).mean(0))
    return affine(y.reshape(input.shape), weight, bias)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Return x/√(mean(x²) + eps)·weight over the last dimensions. As ``torch.nn.functional.rms_norm``. B. Zhang,
    R. Sennrich (2019), "Root mean square layer normalization".

    Args:
        input: x, whose shape ends in normalized_shape.
        normalized_shape: sizes of the last dimensions.
        weight: of shape normalized_shape, default None for 1.
        eps: added to the mean, default None for the smallest difference from 1 of the dtype.

    Raises:
        RuntimeError: a shape does not match.
    """
    check_tensor("rms_norm", "input", input)
    shape = tuple(normalized_shape)
    if not shape or input.ndim < len(shape) or tuple(input.shape[input.ndim - len(shape) :]) != shape:
        raise RuntimeError(f"rms_norm: input has shape {tuple(input.shape)}, which does not end in {shape}")
    if weight is not None and tuple(weight.shape) != shape:
        raise RuntimeError(f"rms_norm: weight has shape {tuple(weight.shape)}, wanted {shape}")
    floor = float(np.finfo(input.array.dtype).eps) if eps is None else eps
    y = input * f.rsqrt(f.square(input).mean(tuple(range(-len(shape), 0)), True) + floor)
    return y if weight is None else y * weight


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Return x/(k + alpha·mean(x²))^beta, the mean over `size` neighboring channels, with zeros beyond the ends. As
    ``torch.nn.functional.local_response_norm``. A. Krizhevsky, I. Sutskever, G. E. Hinton (2012), "ImageNet
    classification with deep convolutional neural networks".

    Raises:
        ValueError: the input has fewer than 3 dimensions.
    """
    check_tensor("local_response_norm", "input", input)
    if input.ndim < 3:
        raise ValueError(f"local_response_norm: input must have at least 3 dimensions, got shape {tuple(input.shape)}")
    if input.numel() == 0:
        return input * 1
    channels = input.shape[1]
    offsets = np.subtract.outer(np.arange(channels), np.arange(channels))  # output − input
    near = (offsets <= size // 2) & (offsets >= -((size - 1) // 2))
    band = type(input.detach())(near.astype(input.array.dtype) / size)
    sums = f.movedim(f.matmul(f.movedim(f.square(input), 1, -1), band.T), -1, 1)
    return input / (sums * alpha + k) ** beta
