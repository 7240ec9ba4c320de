"""Prediction intervals from the errors of held-out forecasts."""

from __future__ import annotations

import math

import numpy as np

from cygrad._typing import Array

__all__ = ["COVERAGE", "half_widths"]

COVERAGE = 0.9


def half_widths(errors: Array, coverage: float = COVERAGE) -> list[float]:
    """Half the width of a prediction interval for each step ahead, by split conformal prediction.

    It is the ⌈(n + 1)·coverage⌉-th smallest of the n absolute errors of that step. If the errors to come are
    exchangeable with these, ŷ ± that value holds the actual one with at least this probability, whatever their
    distribution is. Those of a series are not quite: they depend on each other, and may change with time.
    J. Lei et al. (2018), "Distribution-free predictive inference for regression".

    Args:
        errors: forecast − actual value on rows that the network has not learned from, (n, horizon).
        coverage: the probability.

    Returns:
        A number for each step; none if there are too few rows, fewer than coverage/(1 − coverage).

    Example:
        >>> from cygrad.train.conformal import half_widths
        >>> half_widths(np.arange(-9.0, 10.0)[:, None], 0.5), half_widths(np.ones((8, 1)))
        ([5.0], [])
    """
    rank = math.ceil((len(errors) + 1) * coverage - 1e-9)
    if rank > len(errors):
        return []
    found: list[float] = np.sort(np.abs(errors), axis=0)[rank - 1].tolist()
    return found
