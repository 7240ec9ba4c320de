"""Blending an ensemble with linear models, one for each member."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cygrad import nn
from cygrad._typing import Array
from cygrad.autograd import no_grad
from cygrad.tensor import Tensor
from cygrad.train.tabular.folds import Folds
from cygrad.train.tabular.linear import fit_linear

__all__ = ["best_share", "blend", "blended"]

STEPS = 20  # of the share from 0 to 1


def blended(networks: nn.Module, members: int, features: int, outputs: int, classes: bool) -> nn.EnsembleBlend:
    """An ensemble and linear models that have no share in it yet, and whose parameters are not trained."""
    linear = nn.EnsembleLinear(members, features, outputs)
    for parameter in linear.parameters():
        nn.init.zeros_(parameter).requires_grad_(False)
    return nn.EnsembleBlend(networks, linear, 0.0, "probabilities" if classes else "outputs")


def blend(model: nn.EnsembleBlend, x: Array, y: Array, folds: Folds, weight: Tensor | None = None) -> float:
    """Fit a linear model to the training rows of each member, and choose the share that they have in the blend: the one
    that fits the members' validation rows best.

    D. H. Wolpert (1992), "Stacked generalization", of two models.

    Args:
        model: in evaluation mode, with trained networks and a share of 0; the linear models and the share are set.
        x: features (N, F).
        y: class indices (N,), or standardized numbers (N, C).
        folds: the rows of each member.
        weight: of each class in the losses.

    Returns:
        The share.
    """
    linear = model.second
    assert isinstance(linear, nn.EnsembleLinear) and linear.bias is not None
    for k, rows in enumerate(folds.train):
        fitted = fit_linear(x[rows], y[rows], linear.out_features, weight)
        assert fitted.bias is not None
        linear.weight.array[k], linear.bias.array[k] = fitted.weight.array, fitted.bias.array
    held = np.stack(folds.validation)
    targets = y[held].reshape(held.size, *y.shape[1:])
    with no_grad():
        first, second = (part(Tensor(x[held])).array.reshape(held.size, -1) for part in (model.first, linear))
    model.share = best_share(first, second, targets, None if weight is None else weight.array)
    return model.share


def best_share(first: Array, second: Array, targets: Array, weight: Array | None = None) -> float:
    """The share s, in steps of 1/20, for which (1 − s)·first + s·second fits the targets best; the least of equally
    good ones.

    Args:
        first, second: scores (N, C) of classes, whose probabilities are blended, or numbers (N, C).
        targets: class indices (N,), for the least log loss; or numbers (N, C), for the least squared error.
        weight: of each class.

    Example:
        >>> from cygrad.train.tabular.blend import best_share
        >>> best_share(np.array([[1.0], [3.0]]), np.array([[3.0], [5.0]]), np.array([[1.5], [3.5]]))
        0.25
    """
    shares: Sequence[float] = [i / STEPS for i in range(STEPS + 1)]
    if not np.issubdtype(targets.dtype, np.integer):
        losses = [float(np.mean(((1 - s) * first + s * second - targets) ** 2)) for s in shares]
    else:
        a, b = (probability(scores, targets) for scores in (first, second))
        weights = np.ones(len(targets)) if weight is None else weight[targets]
        with np.errstate(divide="ignore"):
            losses = [float(-(weights * np.log((1 - s) * a + s * b)).mean()) for s in shares]
    return shares[int(np.argmin(losses))]


def probability(scores: Array, targets: Array) -> Array:
    """The probability (N,) of each row's class, the softmax of scores (N, C)."""
    powers = np.exp(scores.astype(np.float64) - scores.max(1, keepdims=True))
    chosen: Array = powers[np.arange(len(targets)), targets] / powers.sum(1)
    return chosen
