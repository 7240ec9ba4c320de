"""Random, stratified, grouped and chronological splits, and the folds of ensembles."""

from __future__ import annotations

import datetime
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cygrad import data
from cygrad.generator import Generator
from cygrad.train.tabular.folds import Folds


def indices(parts):
    return [[int(i) for i in part.indices] for part in parts]


# Stratified


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 4), max_size=60), st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.5), (1.0,), (0.8, 0.2, 0.0)])
)
def test_every_subset_has_the_class_proportions_of_the_whole(labels, fractions):
    parts = indices(data.stratified_split(range(len(labels)), labels, fractions, np.random.default_rng(0)))
    assert sorted(i for part in parts for i in part) == list(range(len(labels)))
    for label in set(labels):
        count = labels.count(label)
        shares = [sum(labels[i] == label for i in part) for part in parts]
        assert shares[0] >= 1
        for share, fraction in zip(shares, fractions, strict=True):
            assert abs(share - fraction * count) <= 1
    assert parts == indices(data.stratified_split(range(len(labels)), labels, fractions, np.random.default_rng(0)))


def test_labels_can_be_text_and_items_any_objects():
    parts = data.stratified_split(list("abcdef"), ["x", "y"] * 3, [2 / 3, 1 / 3], np.random.default_rng(1))
    assert [len(part) for part in parts] == [4, 2] and {part[0] for part in parts} < set("abcdef")


@pytest.mark.parametrize(
    ("labels", "fractions", "message"),
    [
        ([0, 1], [0.5, 0.4], r"lengths must be fractions that sum to 1, got \[0.5, 0.4\]"),
        ([0, 1], [1.5, -0.5], "lengths must be fractions"),
        ([0, 1], [math.nan, 1], "lengths must be fractions"),
        ([0, 1], [], "lengths must be fractions"),
        ([0], [1.0], r"labels must have shape \(2,\), one per item, got \(1,\)"),
        ([0, None], [1.0], "labels must not contain missing values, got one at index 1"),
    ],
)
def test_stratified_split_errors(labels, fractions, message):
    with pytest.raises(ValueError, match=f"stratified_split: .*{message}"):
        data.stratified_split(range(2), labels, fractions)


# Grouped


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=80),
    st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.5), (1.0,), (0.8, 0.0, 0.2)]),
    st.integers(0, 9),
)
def test_no_group_is_in_two_subsets(groups, fractions, seed):
    parts = indices(data.group_split(range(len(groups)), groups, fractions, np.random.default_rng(seed)))
    assert sorted(i for part in parts for i in part) == list(range(len(groups)))
    assert sum(len({groups[i] for i in part}) for part in parts) == len(set(groups))
    largest = max(groups.count(group) for group in groups)
    for part, fraction in zip(parts, fractions, strict=True):
        assert part == sorted(part) and abs(len(part) - fraction * len(groups)) <= largest * (len(fractions) - 1)
        assert fraction or not part
    assert parts == indices(data.group_split(range(len(groups)), groups, fractions, np.random.default_rng(seed)))


@pytest.mark.parametrize(
    ("groups", "fractions", "message"),
    [
        ([0, 1], [0.5, 0.4], "lengths must be fractions that sum to 1"),
        (["a"], [1.0], r"groups must have shape \(2,\), one per item, got \(1,\)"),
        (["a", None], [1.0], "groups must not contain missing values, got one at index 1"),
    ],
)
def test_group_split_errors(groups, fractions, message):
    with pytest.raises(ValueError, match=f"group_split: .*{message}"):
        data.group_split(range(2), groups, fractions)


@settings(deadline=None)
@given(st.lists(st.sampled_from("aaabcdefgh"), min_size=2, max_size=60), st.integers(1, 6), st.integers(0, 9))
def test_no_member_learns_from_a_group_that_validates_it(groups, members, seed):
    groups = np.array(groups)
    draw = Generator().manual_seed(seed)
    if len(set(groups)) == 1:
        with pytest.raises(ValueError, match="folds of groups need at least two groups, got 1"):
            Folds.of_groups(groups, members, 0.2, draw)
        return
    folds = Folds.of_groups(groups, members, 0.2, draw)
    assert folds.members == len(folds.validation) == members
    assert len({len(rows) for rows in folds.train}) == len({len(rows) for rows in folds.validation}) == 1
    for train, validation in zip(folds.train, folds.validation, strict=True):
        assert not set(groups[train]) & set(groups[validation]) and len(set(validation)) == len(validation) >= 1
        others = set(groups.tolist()) - set(groups[train])  # of the part that validates, which may be cut
        assert set(np.flatnonzero(~np.isin(groups, list(others)))) == set(train)


# Chronological


@settings(deadline=None)
@given(st.lists(st.integers(0, 8), max_size=40), st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.5), (0.0, 1.0)]))
def test_later_subsets_contain_later_items(times, fractions):
    parts = indices(data.time_split(range(len(times)), times, fractions))
    assert sorted(i for part in parts for i in part) == list(range(len(times)))
    moments = [[times[i] for i in part] for part in parts]
    for earlier, later in pairwise(moments):
        assert not earlier or not later or max(earlier) < min(later)
    for part in parts:
        assert part == sorted(part, key=lambda i: (times[i], i))


@pytest.mark.parametrize(
    "times",
    [
        [3.5, 1.5, 2.5, 4.5],
        ["2026-03-01", "2026-01-01", "2026-02-01", "2026-10-01"],
        np.array(["2026-03-01", "2026-01-01", "2026-02-01", "2026-10-01"], "datetime64[D]"),
        [datetime.date(2026, month, 1) for month in (3, 1, 2, 10)],
    ],
    ids=["numbers", "text", "datetime64", "dates"],
)
def test_times_can_be_numbers_text_or_dates(times):
    assert indices(data.time_split(range(4), times, [2, 2])) == [[1, 2], [0, 3]]


@pytest.mark.parametrize(
    ("times", "lengths", "message"),
    [
        ([1, 2], [1, 2], "lengths must sum to the dataset's 2 items"),
        ([1], [1, 1], r"times must have shape \(2,\), one per item"),
        ([1, math.nan], [1, 1], "times must not contain missing values, got one at index 1"),
        (
            np.array(["2026-01-01", "NaT"], "datetime64[D]"),
            [1, 1],
            "times must not contain missing values, got one at index 1",
        ),
    ],
)
def test_time_split_errors(times, lengths, message):
    with pytest.raises(ValueError, match=f"time_split: .*{message}"):
        data.time_split(range(2), times, lengths)
