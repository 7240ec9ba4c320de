"""Splits of a dataset: random, stratified by class, by group, or chronological."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.dataset import Permuter, Subset, permuter

__all__ = ["group_split", "random_split", "stratified_split", "time_split"]


def random_split(dataset: Any, lengths: Sequence[int | float], generator: Permuter | None = None) -> list[Subset]:
    """Split a dataset into disjoint random subsets.

    A fraction f yields ⌊f·n⌋ items; remaining items go one each to the first subsets. Like
    ``torch.utils.data.random_split``.

    Args:
        dataset: a dataset of n items.
        lengths: integers that sum to n, or fractions that sum to 1.
        generator: source of the permutation; by default the default generator.

    Returns:
        A ``Subset`` for each length.

    Raises:
        ValueError: if a length is negative or the sum is wrong.

    >>> subsets = cg.data.random_split(range(10), [0.75, 0.25], np.random.default_rng(0))
    >>> [len(subset) for subset in subsets]
    [8, 2]
    """
    sizes = split_sizes("random_split", len(dataset), list(lengths))
    order = permuter(generator).permutation(len(dataset))
    ends = np.cumsum(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def stratified_split(
    dataset: Any, labels: Any, lengths: Sequence[float], generator: Permuter | None = None
) -> list[Subset]:
    """Split a dataset into disjoint random subsets with the class proportions of the whole.

    Sizes are rounded per class. The first subset gets at least one item of every class, unless its fraction is 0, so a
    class of a single item is in it. Within a subset, items keep the dataset's order. Like
    ``sklearn.model_selection.train_test_split(stratify=labels)``, for any number of subsets.

    Args:
        dataset: a dataset of n items.
        labels: class labels (n,), numbers or text.
        lengths: fractions that sum to 1.
        generator: source of the permutations; by default the default generator.

    Returns:
        A ``Subset`` for each fraction.

    Raises:
        ValueError: if a label is missing, their number is not n, or the fractions are wrong.

    >>> labels = [0, 0, 0, 0, 1, 1, 2]
    >>> subsets = cg.data.stratified_split(range(7), labels, [0.5, 0.5], np.random.default_rng(0))
    >>> [sorted(labels[i] for i in subset) for subset in subsets]
    [[0, 0, 1, 2], [0, 0, 1]]
    """
    fractions = fractions_of("stratified_split", lengths)
    classes = item_values("stratified_split", labels, len(dataset), "labels")
    generator = permuter(generator)
    least = 1 if fractions[0] > 0 else 0  # items of each class in the first subset
    subsets: list[list[Array]] = [[] for _ in fractions]
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        ends = np.maximum(np.rint(np.cumsum(fractions[:-1]) * len(rows)).astype(int), least)
        for subset, share in zip(subsets, np.split(rows[generator.permutation(len(rows))], ends), strict=True):
            subset.append(share)
    return [Subset(dataset, np.sort(np.concatenate(rows)) if rows else np.zeros(0, np.int64)) for rows in subsets]


def group_split(dataset: Any, groups: Any, lengths: Sequence[float], generator: Permuter | None = None) -> list[Subset]:
    """Split a dataset into disjoint random subsets, none of which has a group of another: all visits of a patient, or
    all pictures of a scene, stay together.

    Groups go in random order to the subset that lacks most items, so sizes may differ from those requested by about a
    group, and a subset may stay empty if there are few groups. Within a subset, items keep the dataset's order. Like
    ``sklearn.model_selection.GroupShuffleSplit``, for any number of subsets, whose sizes count items.

    Args:
        dataset: a dataset of n items.
        groups: the group of each item (n,), numbers or text.
        lengths: fractions that sum to 1.
        generator: source of the permutation; by default the default generator.

    Returns:
        A ``Subset`` for each fraction.

    Raises:
        ValueError: if a group is missing, their number is not n, or the fractions are wrong.

    >>> subsets = cg.data.group_split("abcdef", [1, 1, 2, 2, 3, 3], [2 / 3, 1 / 3], np.random.default_rng(0))
    >>> [list(subset) for subset in subsets]
    [['a', 'b', 'e', 'f'], ['c', 'd']]
    """
    wanted = np.array(fractions_of("group_split", lengths)) * len(dataset)
    values, codes = np.unique(item_values("group_split", groups, len(dataset), "groups"), return_inverse=True)
    counts, subset_of = np.bincount(codes, minlength=len(values)), np.zeros(len(values), np.intp)
    for group in permuter(generator).permutation(len(values)):
        subset_of[group] = wanted.argmax()
        wanted[subset_of[group]] -= counts[group]
    return [Subset(dataset, np.flatnonzero(subset_of[codes] == i)) for i in range(len(wanted))]


def time_split(dataset: Any, times: Any, lengths: Sequence[int | float]) -> list[Subset]:
    """Split a dataset in chronological order, earliest items first, so that later subsets test on the future.

    Items with equal times stay together, in the earlier subset, so sizes may differ from those requested.

    Args:
        dataset: a dataset of n items.
        times: times (n,): numbers, dates, or text that sorts chronologically, such as "2026-11-24".
        lengths: integers that sum to n, or fractions that sum to 1.

    Returns:
        A ``Subset`` for each length.

    Raises:
        ValueError: if a time is missing, their number is not n, or the lengths are wrong.

    >>> subsets = cg.data.time_split("abcde", [3, 1, 2, 2, 5], [0.4, 0.6])
    >>> [list(subset) for subset in subsets]
    [['b', 'c', 'd'], ['a', 'e']]
    """
    moments = item_values("time_split", times, len(dataset), "times")
    sizes = split_sizes("time_split", len(moments), list(lengths))
    order = np.argsort(moments, kind="stable")
    ordered = moments[order]
    # Each boundary moves past the last item of equal time.
    ends = [int(np.searchsorted(ordered, ordered[end - 1], "right")) if end else 0 for end in np.cumsum(sizes)]
    return [Subset(dataset, order[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def fractions_of(op: str, lengths: Sequence[float]) -> list[float]:
    """Fractions that sum to 1."""
    fractions = [float(fraction) for fraction in lengths]
    if any(not fraction >= 0 for fraction in fractions) or not math.isclose(sum(fractions), 1):
        raise ValueError(f"{op}: lengths must be fractions that sum to 1, got {list(lengths)}")
    return fractions


def item_values(op: str, values: Any, n: int, name: str) -> Array:
    """One sortable value per item, converted to text if they have several types."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(f"{op}: {name} must have shape ({n},), one per item, got {array.shape}")
    missing = [i for i, value in enumerate(array.tolist()) if value is None or value != value]
    if missing:
        raise ValueError(f"{op}: {name} must not contain missing values, got one at index {missing[0]}")
    return array.astype(str) if array.dtype.kind == "O" else array


def split_sizes(op: str, n: int, lengths: list[int | float]) -> list[int]:
    """Sizes of the subsets of n items."""
    if any(not length >= 0 for length in lengths):
        raise ValueError(f"{op}: lengths must not be negative, got {lengths}")
    if lengths and math.isclose(sum(lengths), 1):
        sizes = [math.floor(n * fraction) for fraction in lengths]
        for i in range(n - sum(sizes)):
            sizes[i % len(sizes)] += 1
        return sizes
    if any(int(length) != length for length in lengths if math.isfinite(length)) or sum(lengths) != n:
        raise ValueError(f"{op}: lengths must sum to the dataset's {n} items, or to 1, got {lengths}")
    return [int(length) for length in lengths]
