"""What is measured on held-out rows beside the scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from cygrad._typing import Array
from cygrad.report.findings import Bin, Importance
from cygrad.report.intervals import mean_interval, wilson

__all__ = ["calibration_bins", "confusion_matrix", "importance_rows", "importances", "sampled_points"]

BINS = 10
POINTS = 400  # of a picture
CELLS, FEWEST, REPEATS = 200_000, 50, 5  # rows to predict, rows of a column at least, shuffles of a column


def confusion_matrix(targets: Array, predicted: Array, classes: int) -> list[list[int]]:
    """Count rows by class (first index) and predicted class.

    Example:
        >>> from cygrad.report.measures import confusion_matrix
        >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
        [[1, 1], [0, 1]]
    """
    cells = np.bincount(targets * classes + predicted, minlength=classes * classes)
    counts: list[list[int]] = cells.reshape(classes, classes).tolist()
    return counts


def calibration_bins(probabilities: Array, happened: Array) -> list[Bin]:
    """Compare predicted probabilities with frequencies, in bins of equally many rows.

    Args:
        probabilities: predicted (n,).
        happened: whether it was so (n,).

    Returns:
        At most ten bins, in the order of probability. A frequency has Wilson's interval.

    Example:
        >>> from cygrad.report.measures import calibration_bins
        >>> [b["frequency"][0] for b in calibration_bins(np.repeat([0.2, 0.8], 10), np.arange(20) >= 10)]
        [0.0, 1.0]
    """
    order = np.argsort(probabilities, kind="stable")
    edges = np.unique(np.searchsorted(probabilities[order], probabilities[order][:: max(1, -(-len(order) // BINS))]))
    groups = [group for group in np.split(order, edges[1:]) if len(group)]
    return [
        {
            "probability": float(probabilities[group].mean()),
            "frequency": wilson(int(happened[group].sum()), len(group)),
            "count": len(group),
        }
        for group in groups
    ]


def sampled_points(targets: Array, predicted: Array, seed: int = 0) -> list[tuple[float, float]]:
    """Pairs of targets and predictions (n,), at most 400, drawn without replacement."""
    rows = np.arange(len(targets))
    if len(rows) > POINTS:
        rows = np.sort(np.random.default_rng(seed).choice(len(rows), POINTS, replace=False))
    return list(zip(targets[rows].tolist(), predicted[rows].tolist()))


def importances(
    losses: Callable[[Array, Array], Array],
    features: Array,
    targets: Array,
    columns: Mapping[str, Sequence[int]],
    seed: int = 0,
) -> list[Importance]:
    """Permutation importance: the growth of the loss if the values of one column are shuffled among the rows.

    L. Breiman (2001), "Random forests". The interval is that of a mean over rows, each row's growth averaged over five
    shuffles; what the network would have learned from other columns instead is not in it.

    Args:
        losses: of rows, from their features (n, F) and targets (n,).
        features: held-out rows.
        targets: of these rows.
        columns: the features of each column, by its name.
        seed: of the shuffles.

    Returns:
        The columns, the most important first.
    """
    draws = np.random.default_rng(seed)
    known, found = losses(features, targets), []
    for name, indices in columns.items():
        growth = np.zeros(len(features))
        for _ in range(REPEATS):
            shuffled = features.copy()
            shuffled[:, list(indices)] = features[draws.permutation(len(features))][:, list(indices)]
            growth += losses(shuffled, targets) - known
        found.append(Importance(name=name, growth=mean_interval(growth / REPEATS)))
    return sorted(found, key=lambda one: -(one["growth"][0] or 0.0))


def importance_rows(columns: int) -> int:
    """How many held-out rows keep the importance of a number of columns affordable."""
    return max(FEWEST, CELLS // (REPEATS * max(columns, 1)))
