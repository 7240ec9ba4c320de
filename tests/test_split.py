"""Splits, and rows that stand in two parts."""

from __future__ import annotations

import datetime
import math
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cygrad as cg
from cygrad import data


def indices(parts):
    return [[int(i) for i in part.indices] for part in parts]


# Stratified


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), max_size=60), st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.5), (1.0,), (0.8, 0.2, 0.0)]))
def test_every_class_has_its_share_in_every_part(labels, fractions):
    parts = indices(data.stratified_split(range(len(labels)), labels, fractions, np.random.default_rng(0)))
    assert sorted(i for part in parts for i in part) == list(range(len(labels)))
    for label in set(labels):
        count = labels.count(label)
        shares = [sum(labels[i] == label for i in part) for part in parts]
        assert shares[0] >= 1
        for share, fraction in zip(shares, fractions, strict=True):
            assert abs(share - fraction * count) <= 1
    assert parts == indices(data.stratified_split(range(len(labels)), labels, fractions, np.random.default_rng(0)))


def test_labels_may_be_text_and_items_anything():
    parts = data.stratified_split(list("abcdef"), ["x", "y"] * 3, [2 / 3, 1 / 3], np.random.default_rng(1))
    assert [len(part) for part in parts] == [4, 2] and {part[0] for part in parts} < set("abcdef")


@pytest.mark.parametrize(
    ("labels", "fractions", "message"),
    [
        ([0, 1], [0.5, 0.4], r"lengths must be fractions that add up to 1, got \[0.5, 0.4\]"),
        ([0, 1], [1.5, -0.5], "lengths must be fractions"),
        ([0, 1], [math.nan, 1], "lengths must be fractions"),
        ([0, 1], [], "lengths must be fractions"),
        ([0], [1.0], r"the labels must have the shape \(2,\), one for each item, got \(1,\)"),
        ([0, None], [1.0], "the labels lack a value for item 1"),
    ],
)
def test_stratified_split_errors(labels, fractions, message):
    with pytest.raises(ValueError, match=f"stratified_split: .*{message}"):
        data.stratified_split(range(2), labels, fractions)


# In the order of time


@settings(deadline=None)
@given(st.lists(st.integers(0, 8), max_size=40), st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.5), (0.0, 1.0)]))
def test_nothing_is_judged_by_what_was_earlier(times, fractions):
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
def test_times_of_all_kinds(times):
    assert indices(data.time_split(range(4), times, [2, 2])) == [[1, 2], [0, 3]]


@pytest.mark.parametrize(
    ("times", "lengths", "message"),
    [
        ([1, 2], [1, 2], "lengths must add up to the 2 items"),
        ([1], [1, 1], r"the times must have the shape \(2,\)"),
        ([1, math.nan], [1, 1], "the times lack a value for item 1"),
        (np.array(["2026-01-01", "NaT"], "datetime64[D]"), [1, 1], "the times lack a value for item 1"),
    ],
)
def test_time_split_errors(times, lengths, message):
    with pytest.raises(ValueError, match=f"time_split: .*{message}"):
        data.time_split(range(2), times, lengths)


# Leakage

TABLES = {
    "arrays": (np.array([[1.0, -0.0], [2, 3], [np.nan, 1]]), np.array([[2.0, 4], [-np.nan, 1], [1, 0.0]]), [0, 2]),
    "tensors": (cg.tensor([[1, 2], [3, 4]]), cg.tensor([[3, 4], [5, 6]]), [1]),
    "datasets": (
        data.TensorDataset(np.array([[1.0], [2], [3]]), np.array([0, 1, 0])),
        data.TensorDataset(np.array([[1.0], [2], [3]]), np.array([0, 0, 0])),
        [0, 2],  # the second has another target
    ),
    "subsets": (
        data.Subset(data.TensorDataset(np.arange(6)), [1, 2]),
        data.Subset(data.Subset(data.TensorDataset(np.arange(6)), [2, 5]), [0, 1]),
        [1],
    ),
    "tables": (
        data.Table({"a": [1, 2, None], "b": ["x", None, "z"]}),
        data.Table({"a": [1, 2, None], "b": ["y", None, "z"]}),
        [1, 2],
    ),
    "nothing in common": (np.array([[1]]), np.array([[2]]), []),
    "no rows": (np.zeros((0, 2)), np.zeros((3, 2)), []),
}


@pytest.mark.parametrize(("part", "train", "wanted"), TABLES.values(), ids=TABLES)
def test_rows_that_stand_in_both_parts(part, train, wanted):
    assert data.repeated_rows(part, train).tolist() == wanted
    if not wanted:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert data.warn_of_leakage(train, part) == 0
        return
    with pytest.warns(data.LeakageWarning) as caught:
        assert data.warn_of_leakage(train, part) == len(wanted)
    (warning,) = caught
    said = f"{len(wanted)} of the {len(data.leakage.parts_of(part)[0])} rows of the validation part (row {wanted[0] + 1} is the first)"
    assert str(warning.message).startswith(said) and warning.filename == __file__


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3))), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3))))
def test_they_are_those_that_python_finds(part, train):
    found = data.repeated_rows(np.array(part).reshape(-1, 2), np.array(train).reshape(-1, 2))
    assert found.tolist() == [i for i, row in enumerate(part) if row in train]


def test_parts_that_can_not_be_compared():
    with pytest.raises(ValueError, match="repeated_rows: the parts have other columns or shapes"):
        data.repeated_rows(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(TypeError, match="repeated_rows: wanted tables, TensorDatasets or arrays of rows, got list"):
        data.repeated_rows([[1]], [[1]])
