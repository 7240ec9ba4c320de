"""scikit-learn's criterion to stop training."""

from __future__ import annotations

import math

__all__ = ["Patience"]


class Patience:
    """scikit-learn's criterion to stop: more than `epochs` consecutive epochs in which the score did not exceed the
    best previous score by at least `tol`. NaN never counts as an improvement."""

    def __init__(self, tol: float, epochs: float) -> None:
        self.tol = tol
        self.epochs = epochs
        self.best = -math.inf
        self.waited = 0

    def step(self, score: float) -> bool:
        """Records the score of an epoch. Returns whether it is the best so far."""
        self.waited = 0 if score >= self.best + self.tol else self.waited + 1
        improved = score > self.best
        if improved:
            self.best = score
        return improved

    @property
    def exhausted(self) -> bool:
        """Whether to stop."""
        return self.waited > self.epochs
