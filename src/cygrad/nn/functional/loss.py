"""Losses. ``reduction`` is "mean" (default), "sum", or "none" for the losses one by one."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad._attributes import ShapeError
from cygrad._typing import Array
from cygrad.autograd import Value, recording
from cygrad.config import follows_torch
from cygrad.nn.functional.activation import softplus
from cygrad.nn.functional.checks import check_tensor
from cygrad.ops import loss as ops

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]


def legacy(name: str, size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction that PyTorch's old flags ask for, with its warning; `reduction` where neither is given."""
    if size_average is None and reduce is None:
        return "mean" if reduction == "elementwise_mean" and ops.reduction_number(name, reduction) else reduction
    for flag in (size_average, reduce):
        if flag is not None and not isinstance(flag, (bool, np.bool_)):
            raise TypeError(f"{name}: size_average and reduce must be flags, got {flag!r}; pass reduction= by name")
    result = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{result}' instead.", stacklevel=4
    )
    return result


def reduced(losses: Tensor, reduction: str, name: str) -> Tensor:
    """Reduce losses that no fused kernel has reduced."""
    number = ops.reduction_number(name, reduction)
    return losses if number == 0 else losses.mean() if number == 1 else losses.sum()


def check_same_shape(name: str, input: Tensor, target: Tensor) -> None:
    """Raise unless input and target are tensors of the same shape."""
    check_tensor(name, "input", input)
    check_tensor(name, "target", target)
    if input.shape != target.shape:
        raise ShapeError(f"{name}: input has shape {input.shape}, but target has {target.shape}")


def weighted(losses: Tensor, weight: Tensor, reduction: str, name: str) -> Tensor:
    """Reduce losses times their weights; the mean is that by weight."""
    check_tensor(name, "weight", weight)
    if weight.shape != losses.shape:
        raise ShapeError(f"{name}: weight has shape {weight.shape}, but input has {losses.shape}")
    losses = losses * weight
    return losses.sum() / weight.sum() if reduction == "mean" else reduced(losses, reduction, name)


def broadcast(name: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Input and target in their common shape, which one of them has: the other one has one element.

    Other shapes, such as (n, 1) and (n), raise: they are mistakes, and n² losses. Where ``cygrad.torch`` promises
    PyTorch's behavior, they are broadcast with its warning.
    """
    check_tensor(name, "input", input)
    check_tensor(name, "target", target)
    if input.shape == target.shape:
        return input, target
    if input.numel() != 1 and target.numel() != 1:
        if not follows_torch():
            raise ShapeError(f"{name}: input has shape {input.shape}, but target has {target.shape}")
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )
    shape = np.broadcast_shapes(input.shape, target.shape)
    return input.expand(shape), target.expand(shape)


def check_tensors(name: str, input: Any, target: Any, weight: Any) -> None:
    """Raise TypeError unless input, target and the weight, if there is one, are tensors."""
    if not (isinstance(input, Value) and isinstance(target, Value) and (weight is None or isinstance(weight, Value))):
        check_tensor(name, "input", input)
        check_tensor(name, "target", target)
        check_tensor(name, "weight", weight)


def check_weight(name: str, option: str, weight: Tensor | None, input: Tensor) -> None:
    """Raise if a weight is larger than the input that it is broadcast to."""
    if weight is None:
        return
    check_tensor(name, option, weight)
    if weight.shape == input.shape:
        return
    sizes = list(zip(weight.shape[::-1], input.shape[::-1]))
    if weight.ndim > input.ndim or any(mine not in (1, wanted) for mine, wanted in sizes):
        raise ShapeError(f"{name}: {option} has shape {weight.shape}, which does not broadcast to {input.shape}")


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the squared error (x − t)². As ``torch.nn.functional.mse_loss``.

    Args:
        input: x, a floating-point tensor.
        target: t, of x's shape.
        size_average, reduce: PyTorch\'s old form of reduction.
        reduction: "mean" (default), "sum" or "none".
        weight: factor of each loss, of x's shape, default None for 1. The mean is divided by Σ weight.

    Raises:
        ValueError: the shapes differ.

    >>> cg.nn.functional.mse_loss(cg.tensor([1.0, 2.0]), cg.tensor([1.0, 4.0]))
    tensor(2.)
    """
    if size_average is not None or reduce is not None:
        reduction = legacy("mse_loss", size_average, reduce, reduction)
    input, target = broadcast("mse_loss", input, target)
    if weight is None:
        return ops.mse_loss(input, target, reduction=reduction)
    return weighted(ops.mse_loss(input, target, reduction="none"), weight, reduction, "mse_loss")


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the absolute error |x − t|. As ``torch.nn.functional.l1_loss``.

    Args:
        input: x, a floating-point tensor.
        target: t, of x's shape.
        size_average, reduce: PyTorch\'s old form of reduction.
        reduction: "mean" (default), "sum" or "none".
        weight: factor of each loss, of x's shape, default None for 1. The mean is divided by Σ weight.

    Raises:
        ValueError: the shapes differ.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy("l1_loss", size_average, reduce, reduction)
    input, target = broadcast("l1_loss", input, target)
    if weight is None:
        return ops.l1_loss(input, target, reduction=reduction)
    return weighted(ops.l1_loss(input, target, reduction="none"), weight, reduction, "l1_loss")


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Return ½(x − t)²/beta where |x − t| < beta, else |x − t| − ½beta. As ``torch.nn.functional.smooth_l1_loss``.
    R. Girshick (2015), "Fast R-CNN".

    Args:
        input: x, a floating-point tensor.
        target: t, of x's shape.
        size_average, reduce: PyTorch\'s old form of reduction.
        reduction: "mean" (default), "sum" or "none".
        beta: error at which the parabola becomes a line, at least 0, default 1.

    Raises:
        ValueError: the shapes differ, or beta is negative.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy("smooth_l1_loss", size_average, reduce, reduction)
    input, target = broadcast("smooth_l1_loss", input, target)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    if beta == 0:
        return ops.l1_loss(input, target, reduction=reduction)
    return ops.smooth_l1_loss(input, target, reduction=reduction, parameter=beta)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Return ½(x − t)² where |x − t| ≤ delta, else delta·(|x − t| − ½delta). As ``torch.nn.functional.huber_loss``.
    P. J. Huber (1964), "Robust estimation of a location parameter".

    Args:
        input: x, a floating-point tensor.
        target: t, of x's shape.
        size_average, reduce: PyTorch\'s old form of reduction.
        reduction: "mean" (default), "sum" or "none".
        delta: error at which the parabola becomes a line, above 0, default 1.
        weight: factor of each loss, of x's shape, default None for 1. The mean is divided by Σ weight.

    Raises:
        RuntimeError: the shapes differ, or delta is not positive.
    """
    input, target = broadcast("huber_loss", input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta must be positive, got {delta}")
    if weight is None:
        return ops.huber_loss(input, target, reduction=reduction, parameter=delta)
    return weighted(ops.huber_loss(input, target, reduction="none", parameter=delta), weight, reduction, "huber_loss")


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the binary cross entropy −weight·(t·log x + (1 − t)·log(1 − x)), with logarithms of at least −100. As
    ``torch.nn.functional.binary_cross_entropy``.

    Args:
        input: x, probabilities.
        target: t, of x's shape.
        weight: factor of each loss, of a shape that broadcasts to x's, default None for 1.
        size_average, reduce: PyTorch\'s old form of reduction.
        reduction: "mean" (default), "sum" or "none".

    Raises:
        RuntimeError: an x does not lie in [0, 1].
        ValueError: the shapes of input and target differ, or the weight's does not broadcast to them.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy("binary_cross_entropy", size_average, reduce, reduction)
    name = "binary_cross_entropy"
    check_same_shape(name, input, target)
    ops.reduction_number(name, reduction)
    check_weight(name, "weight", weight, input)
    recording.call_again(check_probabilities, name, input.array)
    if weight is None:
        return ops.bce_loss(input, target, reduction=reduction)
    return reduced(ops.bce_loss(input, target, reduction="none") * weight, reduction, name)


def check_probabilities(name: str, x: Array) -> None:
    """Raise unless every element lies in [0, 1] or is NaN."""
    if x.size and not ((x >= 0) & (x <= 1) | (x != x)).all():
        raise RuntimeError(f"{name}: input must lie in [0, 1], got {x.min()} to {x.max()}")


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return the binary cross entropy of σ(x), computed without overflow: log(1 + e^−|x|) + |x|·(t where x < 0, else
    1 − t). As ``torch.nn.functional.binary_cross_entropy_with_logits``.

    Args:
        input: x, logits.
        target: t, of x's shape.
        weight: factor of each loss, of a shape that broadcasts to x's, default None for 1.
        size_average, reduce: PyTorch\'s old form of reduction.
        reduction: "mean" (default), "sum" or "none".
        pos_weight: factor of the term of the positive class (t = 1), of a shape that broadcasts to x's, default None
            for 1.

    Raises:
        ValueError: the shapes of input and target differ, or a weight's does not broadcast to them.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy("binary_cross_entropy_with_logits", size_average, reduce, reduction)
    name = "binary_cross_entropy_with_logits"
    check_same_shape(name, input, target)
    ops.reduction_number(name, reduction)
    check_weight(name, "weight", weight, input)
    check_weight(name, "pos_weight", pos_weight, input)
    if pos_weight is None:
        if weight is None:
            return ops.bce_logits_loss(input, target, reduction=reduction)
        losses = ops.bce_logits_loss(input, target, reduction="none")
    else:
        # (1 − t)·log(1 + eˣ) + pos_weight·t·log(1 + e⁻ˣ)
        negative, positive = softplus(input, threshold=1e30), softplus(-input, threshold=1e30)
        losses = ops.weighted(1 - target, negative) + ops.weighted(pos_weight * target, positive)
    return reduced(losses if weight is None else losses * weight, reduction, name)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log-likelihood −weight[t]·x[t]. As ``torch.nn.functional.nll_loss``.

    Args:
        input: x, log-probabilities, shape (N, C), (C) or (N, C, …).
        target: t, class indices, of x's shape without C.
        weight: weight of each class, shape (C,), default None for 1. The mean is divided by Σ weight[t].
        ignore_index: class index whose samples do not count, default −100.
        size_average, reduce: PyTorch\'s old form of reduction.
        reduction: "mean" (default), "sum" or "none".

    Raises:
        IndexError: a class index is out of range.
        ValueError: the shapes do not match.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy("nll_loss", size_average, reduce, reduction)
    check_tensors("nll_loss", input, target, weight)
    return ops.nll_loss(input, target, weight, ignore_index=ignore_index, reduction=reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross entropy of logits: −weight[t]·log softmax(x)[t] for class indices t, −Σ weight·t·log softmax(x)
    for probabilities t. As ``torch.nn.functional.cross_entropy``.

    Args:
        input: x, logits, shape (N, C), (C) or (N, C, …).
        target: t, class indices (of x's shape without C) or probabilities (of x's shape).
        weight: weight of each class, shape (C,), default None for 1. The mean is divided by Σ weight[t] for class
            indices, by N for probabilities.
        ignore_index: class index whose samples do not count, default −100.
        size_average, reduce: PyTorch\'s old form of reduction.
        reduction: "mean" (default), "sum" or "none".
        label_smoothing: s in (1 − s)·t + s/C, which replaces the probabilities t, in [0, 1], default 0. C. Szegedy et
            al. (2016), "Rethinking the inception architecture for computer vision".

    Raises:
        IndexError: a class index is out of range.
        ValueError: the shapes do not match, or label_smoothing is out of its range.

    >>> cg.nn.functional.cross_entropy(cg.zeros(2, 4), cg.tensor([0, 3]))
    tensor(1.3863)
    """
    if size_average is not None or reduce is not None:
        reduction = legacy("cross_entropy", size_average, reduce, reduction)
    check_tensors("cross_entropy", input, target, weight)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must lie in [0, 1], got {label_smoothing}")
    if target.array.dtype.kind == "f":
        return ops.cross_entropy_soft(input, target, weight, reduction=reduction, label_smoothing=label_smoothing)
    if input.ndim and target.shape == input.shape:
        raise RuntimeError(f"cross_entropy: a target of input's shape holds probabilities, got {target.dtype}")
    return ops.cross_entropy_classes(input, target, weight, ignore_index, reduction, label_smoothing)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Return the Kullback-Leibler divergence t·(log t − x). As ``torch.nn.functional.kl_div``.

    Args:
        input: x, log-probabilities.
        target: t, probabilities, of x's shape.
        size_average, reduce: PyTorch\'s old form of reduction.
        reduction: "mean" (default), "sum", "none", or "batchmean", which divides the sum by the batch size and is the
            divergence by its definition.
        log_target: whether t is given as log-probabilities, so that the loss is eᵗ·(t − x), default False.

    Raises:
        ValueError: the shapes differ.
    """
    reduction = legacy("kl_div", size_average, reduce, reduction)
    if reduction not in ("none", "mean", "sum", "batchmean"):
        raise ValueError(f"kl_div: reduction must be none, mean, sum or batchmean, got {reduction!r}")
    input, target = broadcast("kl_div", input, target)
    op = ops.kl_div_log if log_target else ops.kl_div
    if reduction == "batchmean":
        return op(input, target, reduction="sum") / (input.shape[0] if input.ndim else 1)
    return op(input, target, reduction=reduction)
