"""When a training has gone on for long enough."""

from __future__ import annotations

import math

__all__ = ["Patience"]


class Patience:
    """scikit-learn's criterion to stop: more than `epochs` epochs in a row in which the score was not higher than the
    best before by `tol` or more. NaN is never higher."""

    def __init__(self, tol: float, epochs: float) -> None:
        self.tol = tol
        self.epochs = epochs
        self.best = -math.inf
        self.waited = 0

    def step(self, score: float) -> bool:
        """Takes the score of one more epoch; whether it is the best so far."""
        self.waited = 0 if score >= self.best + self.tol else self.waited + 1
        improved = score > self.best
        if improved:
            self.best = score
        return improved

    @property
    def exhausted(self) -> bool:
        """Whether to stop."""
        return self.waited > self.epochs
