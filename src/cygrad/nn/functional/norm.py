"""Batch norm and layer norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cygrad.nn.functional.checks import check_tensor
from cygrad.ops.batch_norm import batch_norm_evaluation, batch_norm_training
from cygrad.ops.layer_norm import layer_norm_rows

if TYPE_CHECKING:
    from cygrad.tensor import Tensor


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
    """y = (x − mean)/√(var + eps)·weight + bias for x of shape (N, C, …), one mean and variance a channel.

    In training they are the batch's own, and the running ones, where given, are moved in place:
    running ← (1 − momentum)·running + momentum·batch, the variance with n − 1. Otherwise they are the running ones.
    With batches, an int64 tensor that counts the batches so far, the momentum is 1/(batches + 1): the mean of all.
    S. Ioffe, C. Szegedy (2015), "Batch normalization".

    Raises ValueError in training where there is but one value a channel.

    >>> x = cg.tensor([[1.0], [3.0]])
    >>> cg.nn.functional.batch_norm(x, None, None, training=True, eps=0)
    tensor([[-1.],
            [ 1.]])
    """
    check_tensor("batch_norm", "input", input)
    mean = None if running_mean is None else running_mean.array
    var = None if running_var is None else running_var.array
    if not training:
        return batch_norm_evaluation(input, weight, bias, mean, var, eps)
    counted = None if batches is None else batches.array
    y = batch_norm_training(input, weight, bias, mean, var, momentum, eps, counted)
    if running_mean is not None:
        running_mean.version.value += 1
    if running_var is not None:
        running_var.version.value += 1
    return y


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """y = (x − mean)/√(var + eps)·weight + bias, mean and variance (divided by n) over the last axes of each sample,
    which have shape normalized_shape. J. L. Ba, J. R. Kiros, G. E. Hinton (2016), "Layer normalization".

    >>> cg.nn.functional.layer_norm(cg.tensor([[1.0, 3.0]]), (2,), eps=0)
    tensor([[-1.,  1.]])
    """
    check_tensor("layer_norm", "input", input)
    shape = tuple(normalized_shape)
    if not shape or input.shape[input.ndim - len(shape) :] != shape or input.ndim < len(shape):
        raise RuntimeError(f"layer_norm: input has shape {input.shape}, which does not end in {shape}")
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and parameter.shape != shape:
            raise RuntimeError(f"layer_norm: {name} has shape {parameter.shape}, wanted {shape}")
    return layer_norm_rows(input, weight, bias, normalized_shape=shape, eps=eps)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x/max(‖x‖, eps), the norm of order p along dim."""
    check_tensor("normalize", "input", input)
    return input / input.norm(p, dim, True).clamp(min=eps)
