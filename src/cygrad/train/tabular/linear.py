"""The linear model beside which the score of a network is shown."""

from __future__ import annotations

import numpy as np

from cygrad import nn, optim
from cygrad._typing import Array
from cygrad.nn import functional as F
from cygrad.nn import init
from cygrad.tensor import Tensor

__all__ = ["fit_linear"]

MOST_STEPS = 100


def fit_linear(x: Array, y: Array, outputs: int, weight: Tensor | None = None) -> nn.Linear:
    """Fit a logistic regression to classes, or a ridge regression to numbers, by L-BFGS.

    It minimizes Σ loss + ½‖W‖² over the rows, where the loss is the cross entropy, or half of the squared error.

    Args:
        x: features (N, F) of float32, scaled.
        y: class indices (N,), or standardized numbers (N, 1) of float32.
        outputs: number of classes, or 1.
        weight: of each class in the loss, of shape (classes,).

    Returns:
        A layer from features to scores or to numbers.

    Example:
        >>> from cygrad.train.tabular.linear import fit_linear
        >>> x = np.array([[-1.0], [0.0], [1.0]], np.float32)
        >>> fit_linear(x, 2 * x, 1).weight.array.round(3)  # 2·Σx²/(1 + Σx²)
        array([[1.333]], dtype=float32)
    """
    layer = nn.Linear(x.shape[1], outputs)
    for parameter in layer.parameters():
        init.zeros_(parameter)
    optimizer = optim.LBFGS(layer.parameters(), max_iter=MOST_STEPS, line_search_fn="strong_wolfe")
    rows, targets, penalty = Tensor(x), Tensor(y), 0.5 / len(x)

    def loss() -> Tensor:
        optimizer.zero_grad()
        scores = layer(rows)
        whole = np.issubdtype(y.dtype, np.integer)
        error = F.cross_entropy(scores, targets, weight) if whole else 0.5 * F.mse_loss(scores, targets)
        total = error + penalty * (layer.weight**2).sum()
        total.backward()
        return total

    optimizer.step(loss)
    return layer
