"""Losses that few networks use: of margins, of rankings, of triplets, and likelihoods.

``size_average`` and ``reduce`` are PyTorch's old form of ``reduction``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from cygrad import functions as f
from cygrad._attributes import ShapeError
from cygrad.nn.functional.activation import logsigmoid, softplus
from cygrad.nn.functional.checks import check_tensor
from cygrad.nn.functional.distances import pairwise_distance
from cygrad.nn.functional.loss import legacy, reduced
from cygrad.ops.loss import reduction_number

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = [
    "cosine_embedding_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "poisson_nll_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]

Flag = bool | None


def checked(name: str, **tensors: Tensor) -> None:
    for argument, value in tensors.items():
        check_tensor(name, argument, value)


def above(x: Tensor) -> Tensor:
    """max(x, 0), with a gradient of 1 at 0, as PyTorch's clamp_min has."""
    return f.clamp(x, 0.0)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Return ½(log v + (x − t)²/v), v = max(var, eps), plus ½·log 2π if `full`. As
    ``torch.nn.functional.gaussian_nll_loss``. D. A. Nix, A. S. Weigend (1994), "Estimating the mean and variance of the
    target probability distribution".

    Args:
        input: x, means.
        target: t, of x's shape or one that broadcasts to it.
        var: variances, not negative: a number, of x's shape, or without its last dimension.
        full: whether to add the constant term, default False.
        eps: floor under the variance, default 10⁻⁶.
        reduction: "mean" (default), "sum" or "none".

    Raises:
        ValueError: a variance is negative, or its shape does not fit.
    """
    checked("gaussian_nll_loss", input=input, target=target)
    variance = input.detach() * 0 + var if isinstance(var, (int, float)) else var
    if variance.shape != input.shape:
        if variance.shape == input.shape[:-1]:
            variance = variance.unsqueeze(-1)
        elif variance.ndim != input.ndim or sum(v for n, v in zip(input.shape, variance.shape) if n != v) != 1:
            raise ValueError(
                f"gaussian_nll_loss: var has shape {tuple(variance.shape)}, but input has {tuple(input.shape)}"
            )
    if (variance.detach() < 0).any():
        raise ValueError("gaussian_nll_loss: var must not be negative")
    variance = variance + (f.clamp(variance, eps) - variance).detach()
    losses = 0.5 * (f.log(variance) + f.square(input - target) / variance)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction, "gaussian_nll_loss")


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Flag = None,
    eps: float = 1e-8,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """Return eˣ − t·x, or x − t·log(x + eps) if not `log_input`; `full` adds Stirling's t·log t − t + ½·log(2πt) where
    t > 1. As ``torch.nn.functional.poisson_nll_loss``."""
    checked("poisson_nll_loss", input=input, target=target)
    losses = f.exp(input) - target * input if log_input else input - target * f.log(input + eps)
    if full:
        t = f.clamp(target, 1.0)
        losses = losses + f.where(target > 1, t * f.log(t) - t + 0.5 * f.log(2 * math.pi * t), 0.0)
    return reduced(losses, legacy("poisson_nll_loss", size_average, reduce, reduction), "poisson_nll_loss")


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean"
) -> Tensor:
    """Return log(1 + e^(−t·x)), t = ±1. As ``torch.nn.functional.soft_margin_loss``."""
    checked("soft_margin_loss", input=input, target=target)
    losses = softplus(-target * input, threshold=1e30)
    return reduced(losses, legacy("soft_margin_loss", size_average, reduce, reduction), "soft_margin_loss")


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """Return x where t = 1, max(0, margin − x) where t = −1. As ``torch.nn.functional.hinge_embedding_loss``."""
    checked("hinge_embedding_loss", input=input, target=target)
    losses = f.where(target != 1, above(margin - input), 0.0) + f.where(target != -1, input, 0.0)
    return reduced(losses, legacy("hinge_embedding_loss", size_average, reduce, reduction), "hinge_embedding_loss")


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """Return max(0, −t·(x₁ − x₂) + margin). As ``torch.nn.functional.margin_ranking_loss``.

    Raises:
        RuntimeError: the tensors differ in their number of dimensions.
    """
    checked("margin_ranking_loss", input1=input1, input2=input2, target=target)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss: the tensors must have the same number of dimensions, got shapes "
            f"{tuple(input1.shape)}, {tuple(input2.shape)} and {tuple(target.shape)}"
        )
    losses = above(-target * (input1 - input2) + margin)
    return reduced(losses, legacy("margin_ranking_loss", size_average, reduce, reduction), "margin_ranking_loss")


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """Return 1 − cos where t = 1, max(0, cos − margin) where t = −1, cos the cosine of x₁ and x₂ of shape (N, D) or
    (D). As ``torch.nn.functional.cosine_embedding_loss``.

    Raises:
        RuntimeError: the shapes do not match.
    """
    checked("cosine_embedding_loss", input1=input1, input2=input2, target=target)
    if input1.ndim != target.ndim + 1 or input1.ndim > 2 or input1.ndim != input2.ndim:
        raise RuntimeError(
            f"cosine_embedding_loss: inputs of shapes {tuple(input1.shape)} and {tuple(input2.shape)} do not fit a "
            f"target of shape {tuple(target.shape)}"
        )
    squares = [f.square(x).sum(-1) + 1e-12 for x in (input1, input2)]
    cosine = (input1 * input2).sum(-1) / f.sqrt(squares[0] * squares[1])
    losses = f.where(target == 1, 1 - cosine, 0.0) + f.where(target == -1, above(cosine - margin), 0.0)
    return reduced(losses, legacy("cosine_embedding_loss", size_average, reduce, reduction), "cosine_embedding_loss")


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """Return Σ max(0, weight[t]·(margin − x[t] + x[i])ᵖ)/C over the classes i ≠ t. As
    ``torch.nn.functional.multi_margin_loss``.

    Raises:
        ValueError: p is neither 1 nor 2, or the weight has another shape.
        RuntimeError: the shapes do not match.
    """
    checked("multi_margin_loss", input=input, target=target)
    reduction = legacy("multi_margin_loss", size_average, reduce, reduction)
    reduction_number("multi_margin_loss", reduction)
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p must be 1 or 2, got {p}")
    classes = input.shape[-1] if input.ndim else 1
    if input.ndim > 2 or target.numel() != input.numel() // max(classes, 1):
        raise RuntimeError(
            f"multi_margin_loss: target of shape {tuple(target.shape)} does not fit {tuple(input.shape)}"
        )
    if weight is not None and tuple(weight.shape) != (classes,):
        raise ShapeError(f"multi_margin_loss: weight has shape {tuple(weight.shape)}, wanted ({classes},)")
    if target.is_floating_point() or 0 in (input.shape or (1,))[-1:]:
        raise RuntimeError(f"multi_margin_loss: expected integers and classes, got {target.dtype} and {input.shape}")
    x, t = input.reshape(-1, classes), target.reshape(-1, 1)
    others = t.detach() != type(t.detach())(np.arange(classes))
    terms = above(margin - f.gather(x, 1, t) + x) ** p
    if weight is not None:
        terms = terms * weight[t.reshape(-1)].reshape(-1, 1)
    losses = f.where(others, terms, 0.0).sum(1) / classes
    losses = losses if target.ndim and input.ndim > 1 else losses.reshape(target.shape)
    return reduced(losses, reduction, "multi_margin_loss")


def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean"
) -> Tensor:
    """Return Σ max(0, 1 − x[t] + x[i])/C over the classes t of the target, which a −1 ends, and the other classes i. As
    ``torch.nn.functional.multilabel_margin_loss``.

    Raises:
        RuntimeError: the shapes differ.
    """
    checked("multilabel_margin_loss", input=input, target=target)
    reduction = legacy("multilabel_margin_loss", size_average, reduce, reduction)
    reduction_number("multilabel_margin_loss", reduction)
    if input.shape != target.shape or input.ndim > 2:
        raise RuntimeError(
            f"multilabel_margin_loss: target of shape {tuple(target.shape)} does not fit {tuple(input.shape)}"
        )
    classes = input.shape[-1] if input.ndim else 1
    x, labels = input.reshape(-1, classes), target.array.reshape(-1, classes)
    listed = np.cumprod(labels >= 0, axis=1).astype(bool)
    rows, columns = np.nonzero(listed)
    member = np.zeros(labels.shape, bool)
    member[rows, labels[rows, columns]] = True
    wrap = type(target.detach())
    chosen = f.gather(x, 1, wrap(np.where(listed, labels, 0)))
    terms = above(1 - chosen.unsqueeze(2) + x.unsqueeze(1))  # (N, labels, classes)
    counted = wrap(listed[:, :, None] & ~member[:, None, :])
    losses = f.where(counted, terms, 0.0).sum((1, 2)) / classes
    losses = losses if input.ndim > 1 else losses.reshape(())
    return reduced(losses, reduction, "multilabel_margin_loss")


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean over the classes of −weight·(t·log σ(x) + (1 − t)·log σ(−x)). As
    ``torch.nn.functional.multilabel_soft_margin_loss``."""
    checked("multilabel_soft_margin_loss", input=input, target=target)
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    losses = (losses if weight is None else losses * weight).mean(-1)
    name = "multilabel_soft_margin_loss"
    return reduced(losses, legacy(name, size_average, reduce, reduction), name)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """Return max(0, d(anchor, positive) − d(anchor, negative) + margin), d the distance of order p. As
    ``torch.nn.functional.triplet_margin_loss``. V. Balntas et al. (2016), "Learning local feature descriptors with
    triplets", also for `swap`, which takes d(positive, negative) where it is less than d(anchor, negative)."""

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return pairwise_distance(a, b, p, eps)

    reduction = legacy("triplet_margin_loss", size_average, reduce, reduction)
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=distance, margin=margin, swap=swap, reduction=reduction
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """``triplet_margin_loss`` with a distance function, default ``pairwise_distance``. As
    ``torch.nn.functional.triplet_margin_with_distance_loss``.

    Raises:
        RuntimeError: the tensors differ in their number of dimensions.
        ValueError: margin is not above 0.
    """
    name = "triplet_margin_loss"
    checked(name, anchor=anchor, positive=positive, negative=negative)
    if margin <= 0:
        raise ValueError(f"{name}: margin must be above 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            f"{name}: the tensors must have the same number of dimensions, got shapes {tuple(anchor.shape)}, "
            f"{tuple(positive.shape)} and {tuple(negative.shape)}"
        )
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = f.minimum(far, distance(positive, negative))
    return reduced(above(margin + near - far), reduction, name)
