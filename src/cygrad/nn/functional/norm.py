"""Batch norm and layer norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad._arguments import checked
from cygrad.autograd import leaves, recording
from cygrad.nn.functional.checks import check_tensor
from cygrad.ops.batch_norm import batch_norm_evaluation, batch_norm_training
from cygrad.ops.layer_norm import layer_norm_rows

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["batch_norm", "layer_norm", "normalize"]


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    batches: Tensor | None = None,
) -> Tensor:
    """Normalize each channel: y = (x − mean)/√(var + eps)·weight + bias. As ``torch.nn.functional.batch_norm``.
    S. Ioffe, C. Szegedy (2015), "Batch normalization".

    Args:
        input: x, shape (N, C, …).
        running_mean: running mean, shape (C,), or None.
        running_var: running variance, shape (C,), or None.
        weight: shape (C,), default None for 1.
        bias: shape (C,), default None for 0.
        training: whether to use the batch's mean and variance (divided by n) and update the running ones in place:
            running ← (1 − momentum)·running + momentum·batch, with the variance divided by n − 1. By default the
            running ones are used.
        momentum: weight of the batch in the running statistics, default 0.1.
        eps: added to the variance, default 10⁻⁵.
        batches: number of batches so far, an int64 tensor with one element, default None. If given, the momentum is
            1/(batches + 1), so that the running statistics are the mean of all batches.

    Raises:
        ValueError: a shape does not match, or training has only one value per channel.

    >>> x = cg.tensor([[1.0], [3.0]])
    >>> cg.nn.functional.batch_norm(x, None, None, training=True, eps=0)
    tensor([[-1.],
            [ 1.]])
    """
    check_tensor("batch_norm", "input", input)
    try:
        mean = None if running_mean is None else running_mean.array
        var = None if running_var is None else running_var.array
        counter = None if batches is None else batches.array
    except AttributeError as error:
        given = [type(value).__name__ for value in (running_mean, running_var, batches)]
        raise TypeError(f"batch_norm: running_mean, running_var and batches must be tensors, got {given}") from error
    if not training:
        try:
            return batch_norm_evaluation(input, weight, bias, mean, var, eps)
        except ValueError:
            if input.array.shape != (0,):
                raise
    if input.array.size == 0:
        if math.prod((*input.shape[:1], *input.shape[2:])) == 1:
            got = f"got an input of shape {tuple(input.shape)}"
            raise ValueError(f"batch_norm: training needs more than one value for each channel, {got}")
        for name, value in (("weight", weight), ("bias", bias)):
            if value is not None:
                check_tensor("batch_norm", name, value)
        return normalized_nothing(input, weight, bias)
    try:
        y = batch_norm_training(input, weight, bias, mean, var, momentum, eps, counter)
    except ValueError:
        strided = [a for a in (mean, var) if a is not None and a.flags.writeable and not a.flags.c_contiguous]
        if not strided:
            raise
        dense: list[Any] = [None if a is None else np.array(a, order="C") for a in (mean, var)]
        y = batch_norm_training(input, weight, bias, dense[0], dense[1], momentum, eps, counter)
        for target, values in zip((mean, var), dense):
            if target is not None:
                recording.overwrite(target, values)
    leaves.note_writes([running_mean, running_var])
    return y


def normalized_nothing(input: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """The result for an empty batch, from which nothing is learned: gradients are 0."""
    per_channel = (-1,) + (1,) * max(input.ndim - 2, 0)
    y = input * (1 if weight is None else weight.to(input.dtype).reshape(per_channel))
    return y if bias is None else y + bias.to(input.dtype).reshape(per_channel)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize the last dimensions of each sample: y = (x − mean)/√(var + eps)·weight + bias, the variance divided by
    n. As ``torch.nn.functional.layer_norm``. J. L. Ba, J. R. Kiros, G. E. Hinton (2016), "Layer normalization".

    Args:
        input: x, whose shape ends in normalized_shape.
        normalized_shape: sizes of the last dimensions, over which mean and variance are taken.
        weight: of shape normalized_shape, default None for 1.
        bias: of shape normalized_shape, default None for 0.
        eps: added to the variance, default 10⁻⁵.

    Raises:
        RuntimeError: a shape does not match.

    >>> cg.nn.functional.layer_norm(cg.tensor([[1.0, 3.0]]), (2,), eps=0)
    tensor([[-1.,  1.]])
    """
    check_tensor("layer_norm", "input", input)
    shape = tuple(normalized_shape)
    if not shape or input.shape[input.ndim - len(shape) :] != shape or input.ndim < len(shape):
        raise RuntimeError(f"layer_norm: input has shape {input.shape}, which does not end in {shape}")
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and getattr(parameter, "shape", None) != shape:
            check_tensor("layer_norm", name, parameter)
            raise RuntimeError(f"layer_norm: {name} has shape {parameter.shape}, wanted {shape}")
    return layer_norm_rows(input, weight, bias, normalized_shape=shape, eps=eps)


@checked
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """Return x/max(‖x‖, eps), the norm taken along dim. As ``torch.nn.functional.normalize``.

    Args:
        input: x, a floating-point tensor.
        p: order of the norm, default 2.
        dim: dimension of the norm, default 1.
        eps: floor under the norm, default 10⁻¹².
        out: tensor that the result is written to, default None.
    """
    check_tensor("normalize", "input", input)
    result = input / input.norm(p, dim, True).clamp(min=eps)
    return result if out is None else out.copy_(result)
