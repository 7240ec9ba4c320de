"""Losses. ``reduction`` is "mean", "sum" or "none"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.nn.functional.checks import check_tensor
from cygrad.ops import loss as ops

if TYPE_CHECKING:
    from cygrad.tensor import Tensor


def reduced(losses: Tensor, reduction: str, name: str) -> Tensor:
    """Losses that are no fused kernel's, averaged or added up."""
    number = ops.reduction_number(name, reduction)
    return losses if number == 0 else losses.mean() if number == 1 else losses.sum()


def check_same_shape(name: str, input: Tensor, target: Tensor) -> None:
    check_tensor(name, "input", input)
    check_tensor(name, "target", target)
    if input.shape != target.shape:
        raise ValueError(f"{name}: input has shape {input.shape}, but target has {target.shape}")


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """(x − t)², for input and target of one shape.

    >>> cg.nn.functional.mse_loss(cg.tensor([1.0, 2.0]), cg.tensor([1.0, 4.0]))
    tensor(2.)
    """
    check_same_shape("mse_loss", input, target)
    if weight is None:
        return ops.mse_loss(input, target, reduction=reduction)
    weighted = ops.mse_loss(input, target, reduction="none") * weight
    return weighted.sum() / weight.sum() if reduction == "mean" else reduced(weighted, reduction, "mse_loss")


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """|x − t|"""
    check_same_shape("l1_loss", input, target)
    return ops.l1_loss(input, target, reduction=reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """½(x − t)²/beta where |x − t| < beta, else |x − t| − ½beta. R. Girshick (2015), "Fast R-CNN"."""
    check_same_shape("smooth_l1_loss", input, target)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    if beta == 0:
        return ops.l1_loss(input, target, reduction=reduction)
    return ops.smooth_l1_loss(input, target, reduction=reduction, parameter=beta)


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """½(x − t)² where |x − t| ≤ delta, else delta·(|x − t| − ½delta). P. J. Huber (1964)."""
    check_same_shape("huber_loss", input, target)
    if delta <= 0:
        raise ValueError(f"huber_loss: delta must be positive, got {delta}")
    return ops.huber_loss(input, target, reduction=reduction, parameter=delta)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """−weight·(t·log x + (1 − t)·log(1 − x)) for probabilities x; logarithms are at least −100.

    Raises RuntimeError for an x outside [0, 1].
    """
    name = "binary_cross_entropy"
    check_same_shape(name, input, target)
    ops.reduction_number(name, reduction)
    recording.call_again(check_probabilities, name, input.array)
    if weight is None:
        return ops.bce_loss(input, target, reduction=reduction)
    return reduced(ops.bce_loss(input, target, reduction="none") * weight, reduction, name)


def check_probabilities(name: str, x: Array) -> None:
    if x.size and not ((x >= 0) & (x <= 1) | (x != x)).all():
        raise RuntimeError(f"{name}: input must lie in [0, 1], got {x.min()} to {x.max()}")


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """binary_cross_entropy of σ(x), computed without overflow: max(x, 0) − x·t + log(1 + e^−|x|). `pos_weight`
    multiplies the part of t = 1."""
    name = "binary_cross_entropy_with_logits"
    check_same_shape(name, input, target)
    ops.reduction_number(name, reduction)
    if pos_weight is None:
        if weight is None:
            return ops.bce_logits_loss(input, target, reduction=reduction)
        losses = ops.bce_logits_loss(input, target, reduction="none")
    else:
        # (1 − t)·x + (1 + (pos_weight − 1)·t)·log(1 + e⁻ˣ)
        from cygrad.nn.functional.activation import logsigmoid

        losses = (1 - target) * input - (1 + (pos_weight - 1) * target) * logsigmoid(input)
    return reduced(losses if weight is None else losses * weight, reduction, name)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """−weight[t]·x[t] for log-probabilities x of shape (N, C), (C) or (N, C, …) and class numbers t; the mean is
    divided by Σ weight[t].

    Raises IndexError for a t that is no class and not ignore_index.
    """
    return ops.nll_loss(input, target, weight, ignore_index=ignore_index, reduction=reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy of scores x of shape (N, C), (C) or (N, C, …).

    With class numbers t: −weight[t]·log softmax(x)[t], its mean divided by Σ weight[t], without those of ignore_index.
    With probabilities t in x's shape: −Σ weight·t·log softmax(x), its mean divided by N. Label smoothing s takes
    (1 − s)·t + s/C for t: C. Szegedy et al. (2016), "Rethinking the inception architecture for computer vision".

    Raises IndexError for a t that is no class, ValueError for shapes that do not fit.

    >>> cg.nn.functional.cross_entropy(cg.zeros(2, 4), cg.tensor([0, 3]))
    tensor(1.3863)
    """
    check_tensor("cross_entropy", "target", target)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must lie in [0, 1], got {label_smoothing}")
    if target.array.dtype.kind == "f":
        return ops.cross_entropy_soft(input, target, weight, reduction=reduction, label_smoothing=label_smoothing)
    return ops.cross_entropy_classes(input, target, weight, ignore_index, reduction, label_smoothing)


def kl_div(input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """t·(log t − x) for log-probabilities x, with ``log_target=True`` eᵗ·(t − x). ``reduction="batchmean"`` divides the
    sum by the first size, which is the divergence's own definition."""
    if reduction not in ("none", "mean", "sum", "batchmean"):
        raise ValueError(f"kl_div: reduction must be none, mean, sum or batchmean, got {reduction!r}")
    check_same_shape("kl_div", input, target)
    op = ops.kl_div_log if log_target else ops.kl_div
    if reduction == "batchmean":
        return op(input, target, reduction="sum") / (input.shape[0] if input.ndim else 1)
    return op(input, target, reduction=reduction)
