"""Tests of the data, after the stage that prepares them: what a model may rely on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from project import NAMES, PARTS, load_parts  # noqa: E402

pytestmark = pytest.mark.skipif(not (ROOT / PARTS).exists(), reason="dvc repro prepare has not run")


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_images_of_pixels(name):
    rows, labels = load_parts()[name]
    assert rows.shape == (len(labels), 64) and len(labels) > 100
    assert rows.min() >= 0 and rows.max() <= 16
    assert (rows.std(1) > 0).all(), "an image is of one colour"


@pytest.mark.parametrize("name", NAMES)
def test_every_class_is_there_about_equally_often(name):
    _, labels = load_parts()[name]
    counts = np.bincount(labels, minlength=10)
    assert len(counts) == 10 and counts.min() > 0.8 * counts.mean()


def test_no_row_stands_in_two_parts():
    """A row to train with that is tested too defeats early stopping and flatters the test."""
    rows = np.concatenate([rows for rows, _ in load_parts().values()])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_the_parts_are_alike():
    parts = load_parts()
    means = {name: rows.mean(0) for name, (rows, _) in parts.items()}
    for name in NAMES[1:]:
        assert np.abs(means[name] - means["train"]).max() < 1.5, f"the pixels of {name} are distributed otherwise"
