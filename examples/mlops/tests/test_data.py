"""Tests of the prepared data: what a model can rely on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from project import NAMES, SPLITS, load_splits  # noqa: E402

pytestmark = pytest.mark.skipif(not (ROOT / SPLITS).exists(), reason="dvc repro prepare has not run")


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_images_of_pixels(name):
    rows, labels = load_splits()[name]
    assert rows.shape == (len(labels), 64) and len(labels) > 100
    assert rows.min() >= 0 and rows.max() <= 16
    assert (rows.std(1) > 0).all(), "an image has a single color"


@pytest.mark.parametrize("name", NAMES)
def test_classes_are_balanced(name):
    _, labels = load_splits()[name]
    counts = np.bincount(labels, minlength=10)
    assert len(counts) == 10 and counts.min() > 0.8 * counts.mean()


def test_no_row_is_in_two_splits():
    """A training row in another split would defeat early stopping and flatter the test accuracy."""
    rows = np.concatenate([rows for rows, _ in load_splits().values()])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_splits_have_equal_distributions():
    splits = load_splits()
    means = {name: rows.mean(0) for name, (rows, _) in splits.items()}
    for name in NAMES[1:]:
        assert np.abs(means[name] - means["train"]).max() < 1.5, f"the {name} set has another distribution"
