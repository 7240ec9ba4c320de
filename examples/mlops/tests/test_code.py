"""Tests of the code of each stage, on synthetic data."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import evaluate  # noqa: E402
import prepare  # noqa: E402
import project  # noqa: E402
import train  # noqa: E402

import cygrad as cg  # noqa: E402

LABELS = np.repeat(np.arange(10), 50)


def test_splits_are_stratified():
    splits = prepare.split(LABELS, [0.7, 0.1], seed=0)
    assert [np.bincount(LABELS[indices]).tolist() for indices in splits] == [[35] * 10, [5] * 10, [10] * 10]
    assert sorted(np.concatenate(splits).tolist()) == list(range(500))


def test_splits_depend_on_the_seed():
    one, same, other = (prepare.split(LABELS, [0.5], seed)[0].tolist() for seed in (0, 0, 1))
    assert one == same != other


def test_standardized_rows_have_mean_0_and_deviation_1():
    rows = np.random.default_rng(0).uniform(0, 16, (100, 64))
    result = train.standardize(rows, rows.mean(), rows.std())
    assert result.dtype == np.float32
    np.testing.assert_allclose([result.mean(), result.std()], [0, 1], atol=1e-5)


def test_the_model_can_overfit_a_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "LIVE", str(tmp_path))
    cg.manual_seed(0)
    rows, labels = cg.randn(32, 64), np.arange(32) % 10
    model = cg.train.mlp((64, 32, 10), 0.0)
    settings = {"weight_decay": 0.0, "lr": 0.01, "epochs": 60, "patience": 60}
    history = train.trainer_of(model, settings).fit([(rows, cg.tensor(labels))], epochs=60)
    assert history["loss"][-1] < 0.05 * history["loss"][0]


@pytest.mark.parametrize(
    ("probabilities", "accuracy", "loss"),
    [
        ([[1, 0], [0, 1]], 1, 0),
        ([[0.5, 0.5], [0.25, 0.75]], 1, (np.log(2) - np.log(0.75)) / 2),
        ([[0, 1], [1, 0]], 0, 27.63),
    ],
)
def test_metrics(probabilities, accuracy, loss):
    metrics = evaluate.metrics_of(np.array(probabilities, float), np.array([0, 1]))
    assert metrics["accuracy"] == accuracy and metrics["loss"] == pytest.approx(loss, abs=0.01)


def test_every_stage_has_its_parameters(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert sum(project.params("prepare")["fractions"]) < 1
    assert 0 < project.params("evaluate")["min_accuracy"] < 1
    assert set(project.params("train")) >= {"hidden", "dropout", "lr", "weight_decay", "epochs", "patience"}
