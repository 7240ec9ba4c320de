"""Splits of a dataset into parts: at random, with the same share of every class, or in the order of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.dataset import Shuffler, Subset, shuffler

__all__ = ["random_split", "stratified_split", "time_split"]


def random_split(dataset: Any, lengths: Sequence[int | float], generator: Shuffler | None = None) -> list[Subset]:
    """Parts of the dataset, drawn at random, none overlapping another.

    `lengths` are either whole numbers that add up to the dataset's length n, or fractions that add up to 1.
    A fraction f gives ⌊f·n⌋ items; what is left goes one each to the first parts. As
    ``torch.utils.data.random_split``. Raises ValueError for other lengths.

    >>> parts = cg.data.random_split(range(10), [0.75, 0.25], np.random.default_rng(0))
    >>> [len(part) for part in parts]
    [8, 2]
    """
    sizes = split_sizes("random_split", len(dataset), list(lengths))
    order = shuffler(generator).permutation(len(dataset))
    ends = np.cumsum(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def stratified_split(
    dataset: Any, labels: Any, lengths: Sequence[float], generator: Shuffler | None = None
) -> list[Subset]:
    """Parts of the dataset with the same share of every class: of the items of each label, `labels` (n,), the
    fractions `lengths`, which add up to 1, drawn at random. Within a part the items stand in the dataset's order.

    The sizes are rounded class by class, so that a class of one item is in the first part, unless its fraction is 0.
    As ``sklearn.model_selection.train_test_split(stratify=labels)``, for any number of parts. Raises ValueError where
    there are not as many labels as items, or for other fractions.

    >>> labels = [0, 0, 0, 0, 1, 1, 2]
    >>> parts = cg.data.stratified_split(range(7), labels, [0.5, 0.5], np.random.default_rng(0))
    >>> [sorted(labels[i] for i in part) for part in parts]
    [[0, 0, 1, 2], [0, 0, 1]]
    """
    fractions = [float(fraction) for fraction in lengths]
    if any(not fraction >= 0 for fraction in fractions) or not math.isclose(sum(fractions), 1):
        raise ValueError(f"stratified_split: lengths must be fractions that add up to 1, got {list(lengths)}")
    classes = values_of("stratified_split", labels, len(dataset), "labels")
    generator = shuffler(generator)
    first = 1 if fractions[0] > 0 else 0
    parts: list[list[Array]] = [[] for _ in fractions]
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        ends = np.maximum(np.rint(np.cumsum(fractions[:-1]) * len(rows)).astype(int), first)
        for part, piece in zip(parts, np.split(rows[generator.permutation(len(rows))], ends), strict=True):
            part.append(piece)
    return [Subset(dataset, np.sort(np.concatenate(part)) if part else np.zeros(0, np.int64)) for part in parts]


def time_split(dataset: Any, times: Any, lengths: Sequence[int | float]) -> list[Subset]:
    """Parts of the dataset in the order of time: the earliest items first, so that what comes later is judged by what
    was learnt from earlier. `times` (n,) are numbers, dates or texts that sort as they follow each other, such as
    "2026-11-24"; `lengths` as for ``random_split``.

    Items of the same time stay together, in the earlier part; so parts may be larger or smaller than said. Raises
    ValueError where there are not as many times as items, one is missing, or for other lengths.

    >>> parts = cg.data.time_split("abcde", [3, 1, 2, 2, 5], [0.4, 0.6])
    >>> [list(part) for part in parts]
    [['b', 'c', 'd'], ['a', 'e']]
    """
    moments = values_of("time_split", times, len(dataset), "times")
    sizes = split_sizes("time_split", len(moments), list(lengths))
    order = np.argsort(moments, kind="stable")
    ordered = moments[order]
    # An end moves behind the last item of its time.
    ends = [int(np.searchsorted(ordered, ordered[end - 1], "right")) if end else 0 for end in np.cumsum(sizes)]
    return [Subset(dataset, order[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def values_of(op: str, values: Any, n: int, name: str) -> Array:
    """One value an item, that can be sorted; text where they are of several types."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(f"{op}: the {name} must have the shape ({n},), one for each item, got {array.shape}")
    missing = [i for i, value in enumerate(array.tolist()) if value is None or value != value]
    if missing:
        raise ValueError(f"{op}: the {name} lack a value for item {missing[0]}")
    return array.astype(str) if array.dtype.kind == "O" else array


def split_sizes(op: str, n: int, lengths: list[int | float]) -> list[int]:
    """The sizes of the parts of n items."""
    if any(not length >= 0 for length in lengths):
        raise ValueError(f"{op}: no length may be negative, got {lengths}")
    if lengths and math.isclose(sum(lengths), 1):
        sizes = [math.floor(n * fraction) for fraction in lengths]
        for i in range(n - sum(sizes)):
            sizes[i % len(sizes)] += 1
        return sizes
    if any(int(length) != length for length in lengths if math.isfinite(length)) or sum(lengths) != n:
        raise ValueError(f"{op}: lengths must add up to the {n} items of the dataset, or to 1, got {lengths}")
    return [int(length) for length in lengths]
