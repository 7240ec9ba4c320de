"""What a column says about the target by itself. One that gives it away may be the target under another name, or known
only after it."""

from __future__ import annotations

import numpy as np

from cygrad._typing import Array

__all__ = ["SUSPICIOUS", "share_alone"]

SUSPICIOUS = 0.95  # share of the error
BINS = 512
ROWS_PER_BIN = (2, 8)  # few rows show an exact relation, more a noisy one


def share_alone(
    train: Array, targets: Array, held: Array, held_targets: Array, classes: int, category: bool = False
) -> float:
    """The share of the simplest prediction's error that a column alone removes: 1 − error/error₀.

    Classes: the most frequent class of rows with the column's values, against that of all rows; errors are the
    fractions of wrong rows. Numbers: the mean of the rows, between two bins of a number interpolated; errors are mean
    squared ones, so the share is R². A number is cut into bins of equally many rows.

    Args:
        train: features of the column (n, f): a number, perhaps with a mark of missing values, or a category in one-hot
            encoding.
        targets: class indices or numbers (n,).
        held: features of held-out rows (m, f).
        held_targets: their targets (m,).
        classes: number of classes, 0 if the target is a number.
        category: whether the features are a category's.

    Returns:
        At most 1; 0 if the column does not help.

    Example:
        >>> from cygrad.report.alone import share_alone
        >>> x, noise = np.arange(96.0)[:, None], np.arange(96.0)[:, None] * 37 % 96
        >>> y = (np.arange(96) >= 48).astype(int)
        >>> share_alone(x, y, x, y, 2), share_alone(noise, y, x, y, 2) < 0.5
        (1.0, True)
    """
    sizes = (1,) if category else ROWS_PER_BIN
    errors = [error_alone(train, targets, held, held_targets, classes, 0 if category else size) for size in sizes]
    if classes:
        simplest = float((held_targets != np.bincount(targets, minlength=classes).argmax()).mean())
    else:
        simplest = float(((held_targets - targets.mean()) ** 2).mean())
    return max(0.0, 1 - min(errors) / simplest) if simplest > 0 else 0.0


def error_alone(train: Array, targets: Array, held: Array, held_targets: Array, classes: int, size: int) -> float:
    """The error on held-out rows of a prediction from the column alone, with `size` rows in each bin of a number, 0 for
    a category."""
    codes, held_codes, centers = coded(train, held, size)
    cells = int(max(codes.max(initial=0), held_codes.max(initial=0))) + 1
    if classes:
        counts = np.bincount(codes * classes + targets, minlength=cells * classes).reshape(cells, classes)
        usual = int(np.bincount(targets, minlength=classes).argmax())
        chosen = np.where(counts.sum(1) > 0, counts.argmax(1), usual)[held_codes]
        return float((chosen != held_targets).mean())
    counts = np.bincount(codes, minlength=cells)
    sums = np.bincount(codes, targets, minlength=cells)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), targets.mean())
    guess = means[held_codes]
    if len(centers) > 1:
        present = held_codes < len(centers)  # the code behind the bins is that of missing values
        guess = np.where(present, np.interp(held[:, 0], centers, means[: len(centers)]), guess)
    return float(((guess - held_targets) ** 2).mean())


def coded(train: Array, held: Array, size: int) -> tuple[Array, Array, Array]:
    """The code of each row of both sets, and for a number the mean of each bin."""
    if not size:
        none = train.shape[1]
        one, other = (np.where(x.sum(1) > 0, x.argmax(1), none).astype(np.int64) for x in (train, held))
        return one, other, np.empty(0)
    x, bins = train[:, 0], max(1, min(BINS, len(train) // size))
    edges = np.unique(np.quantile(x, np.linspace(0, 1, bins + 1)[1:-1]))
    codes, held_codes = np.searchsorted(edges, x, "right"), np.searchsorted(edges, held[:, 0], "right")
    counts = np.bincount(codes, minlength=len(edges) + 1)
    sums = np.bincount(codes, x, minlength=len(edges) + 1)
    middles = np.concatenate([edges[:1], (edges[1:] + edges[:-1]) / 2, edges[-1:]])
    centers = np.maximum.accumulate(np.where(counts > 0, sums / np.maximum(counts, 1), middles))
    if train.shape[1] == 2:
        codes, held_codes = (
            np.where(marks > 0, len(centers), c) for marks, c in ((train[:, 1], codes), (held[:, 1], held_codes))
        )
    return codes, held_codes, centers
