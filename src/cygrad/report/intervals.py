"""Intervals: within which a score would lie on other rows of the same kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from cygrad._typing import Array
from cygrad.report.findings import Estimate

__all__ = ["Scores", "bootstrap", "ends", "mean_interval", "wilson"]

Scores = Mapping[str, float | None]
NORMAL = 1.96  # quantile of the normal distribution for 95 %
WORK, LEAST, MOST = 1_000_000, 100, 400  # outputs to score, and resamples


def bootstrap(
    scores: Mapping[str, Callable[[Array], Scores]], rows: int, seed: int = 0, outputs: int = 1, block: int = 1
) -> tuple[dict[str, dict[str, Estimate]], dict[str, list[Scores]]]:
    """Score models on held-out rows, with 95 % intervals: the quantiles of the scores of rows drawn with replacement.

    All models are scored on the same draws. B. Efron, R. Tibshirani (1993), "An introduction to the bootstrap".
    Rows of a series are drawn in blocks that follow each other, the first after the last: D. N. Politis, J. P. Romano
    (1992), "A circular block-resampling procedure for stationary data".

    Args:
        scores: by model, the scores of the rows with given indices, by metric.
        rows: number of rows.
        seed: of the draws.
        outputs: numbers that a model has for each row; the more there are, the fewer draws.
        block: rows of a block, 1 if rows do not depend on each other.

    Returns:
        By model and metric, the score of all rows and its interval; and the scores of each draw by model.

    Example:
        >>> from cygrad.report.intervals import bootstrap
        >>> right = np.array([1.0] * 90 + [0.0] * 10)
        >>> estimates, _ = bootstrap({"network": lambda rows: {"accuracy": right[rows].mean()}}, 100)
        >>> value, low, high = estimates["network"]["accuracy"]
        >>> float(value), 0.80 < low < 0.88, 0.93 < high < 0.98
        (0.9, True, True)
    """
    draws = np.random.default_rng(seed)
    count = min(MOST, max(LEAST, WORK // max(rows * outputs, 1)))
    within = np.arange(block)
    samples = [
        ((draws.integers(0, rows, -(-rows // block))[:, None] + within) % rows).reshape(-1)[:rows] for _ in range(count)
    ]
    drawn = {name: [score(sample) for sample in samples] for name, score in scores.items()}
    every = np.arange(rows)
    estimates = {
        name: {metric: (value, *ends([d[metric] for d in drawn[name]])) for metric, value in score(every).items()}
        for name, score in scores.items()
    }
    return estimates, drawn


def ends(values: list[float | None]) -> tuple[float | None, float | None]:
    """The 2.5 % and 97.5 % quantiles; None if a tenth of the values is undefined."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if 10 * len(known) < 9 * len(values) or not known:
        return None, None
    low, high = np.quantile(known, [0.025, 0.975]).tolist()
    return low, high


def mean_interval(values: Array) -> Estimate:
    """The mean of values (n,), and its 95 % interval by the normal distribution: mean ± 1.96·s/√n."""
    mean = float(values.mean())
    spread = NORMAL * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return (mean, mean - spread, mean + spread) if math.isfinite(spread) else (mean, None, None)


def wilson(successes: int, count: int) -> Estimate:
    """A frequency, and its 95 % interval. E. B. Wilson (1927), "Probable inference, the law of succession, and
    statistical inference".

    Example:
        >>> from cygrad.report.intervals import wilson
        >>> [round(value, 3) for value in wilson(8, 10)]
        [0.8, 0.49, 0.943]
    """
    p, z = successes / count, NORMAL
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return p, max(0.0, middle - half), min(1.0, middle + half)
