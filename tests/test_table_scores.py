"""Scores of a table's test set: thresholds, weights of classes, baselines, and all of them beside scikit-learn's."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("sklearn")

from cygrad import cli, runs
from cygrad.runs.table_scores import class_scores, most_frequent, number_scores, shown
from cygrad.tensor import Tensor
from cygrad.train.tabular.linear import fit_linear
from cygrad.train.tabular.threshold import CRITERIA, choose_threshold
from tests.test_cli import failure

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def rare(tmp_path_factory):
    """A table in which one row of ten belongs to the class "sick"."""
    rng = np.random.default_rng(1)
    sick = rng.random(600) < 0.1
    x = rng.standard_normal((600, 2)) + 1.2 * sick[:, None]
    path = tmp_path_factory.mktemp("data") / "rare.csv"
    lines = [f"{a:.4f},{b:.4f},{'sick' if s else 'healthy'}" for (a, b), s in zip(x, sick)]
    path.write_text("a,b,state\n" + "\n".join(lines) + "\n")
    return path


def trained(path, out, *options):
    """The run of a training, and what it predicts for its own table."""
    arguments = ["train", path, "--target", "state", "--epochs", "12", "--out", out, *options]
    assert cli.main([str(a) for a in arguments]) == 0
    run = runs.load(out)
    return run, np.array(run.predictions(run.read(path))) == "sick"


@pytest.mark.parametrize("criterion", CRITERIA)
def test_no_other_threshold_is_better(criterion):
    from sklearn import metrics

    score = {
        "accuracy": metrics.accuracy_score,
        "balanced_accuracy": metrics.balanced_accuracy_score,
        "f1": lambda y, p: metrics.f1_score(y, p, average="macro", zero_division=0),
    }[criterion]
    for size, levels in ((3, 3), (40, 7), (40, 1000), (200, 1)):
        p = np.ceil(RNG.random(size) * levels) / (levels + 1)
        y = (RNG.random(size) < p).astype(int)
        y[:2] = 0, 1
        t = choose_threshold(p, y, criterion)
        assert 0 < t < 1
        others = [score(y, (p >= other).astype(int)) for other in np.linspace(0.0005, 0.9995, 400)]
        assert score(y, (p >= t).astype(int)) >= max(others) - 1e-12


def test_scores_are_those_of_scikit_learn():
    from sklearn import metrics

    for classes in (2, 3):
        scores, y = RNG.normal(0, 2, (50, classes)).astype(np.float32), RNG.integers(classes, size=50)
        got, predicted = class_scores(scores, y), scores.argmax(1)
        p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        auc = metrics.roc_auc_score(y, p[:, 1] if classes == 2 else p, multi_class="ovr")
        expected = {
            "accuracy": metrics.accuracy_score(y, predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(y, predicted),
            "f1": metrics.f1_score(y, predicted, average="macro"),
            "roc_auc": auc,
            "loss": metrics.log_loss(y, p),
        }
        assert got == pytest.approx(expected, rel=1e-5)
    at = class_scores(scores[:, :2], y % 2, 0.8)
    p = 1 / (1 + np.exp(scores[:, 0] - scores[:, 1]))
    assert at["accuracy"] == metrics.accuracy_score(y % 2, p >= 0.8)
    assert at["roc_auc"] == pytest.approx(metrics.roc_auc_score(y % 2, p))
    numbers, targets = RNG.standard_normal(20), RNG.standard_normal(20)
    expected = {
        "rmse": metrics.root_mean_squared_error(targets, numbers),
        "mae": metrics.mean_absolute_error(targets, numbers),
        "r2": metrics.r2_score(targets, numbers),
    }
    assert number_scores(numbers, targets) == pytest.approx(expected)
    one = class_scores(np.zeros((2, 2)), np.zeros(2, int))
    assert one["roc_auc"] is None and " -" in shown({"x": one}, "test set")
    assert number_scores(np.ones(1), np.ones(1))["r2"] is None
    frequent = class_scores(np.tile(most_frequent(np.array([0, 1, 1]), 3), (4, 1)), np.array([1, 1, 1, 2]))
    assert frequent["accuracy"] == 0.75 and frequent["loss"] > 20


def test_the_linear_model_is_scikit_learns():
    from sklearn.linear_model import LogisticRegression, Ridge

    x = RNG.standard_normal((80, 5)).astype(np.float32)
    for classes in (2, 3):
        y = (x[:, :classes] + RNG.normal(0, 0.7, (80, classes))).argmax(1)
        scores = fit_linear(x, y, classes)(Tensor(x)).array
        p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        # scikit-learn penalizes ½‖w‖² of one vector of two classes, the difference of both of ours: ½‖w‖² = 2·½·2‖w/2‖²
        expected = LogisticRegression(C=1.0 if classes > 2 else 2.0, tol=1e-8).fit(x, y).predict_proba(x)
        np.testing.assert_allclose(p, expected, atol=2e-3)
    y = (x @ RNG.standard_normal((5, 1)) + 1).astype(np.float32)
    np.testing.assert_allclose(fit_linear(x, y, 1)(Tensor(x)).array, Ridge().fit(x, y).predict(x).reshape(-1, 1), atol=1e-3)


def test_weights_and_thresholds_find_a_rare_class(rare, tmp_path, capsys):
    plain, sick = trained(rare, tmp_path / "plain")
    assert "baselines" in plain.config.results and plain.config.threshold is None
    _, weighted = trained(rare, tmp_path / "balanced", "--class-weight", "balanced")
    _, also = trained(rare, tmp_path / "factors", "--class-weight", "sick=8, healthy=1")
    assert min(weighted.sum(), also.sum()) > 1.5 * sick.sum()
    assert "val_balanced_accuracy" in (tmp_path / "balanced" / "metrics.csv").read_text()
    moved, found = trained(rare, tmp_path / "moved", "--threshold", "balanced_accuracy")
    t = moved.config.threshold
    assert t < 0.3 and found.sum() > 1.5 * sick.sum()
    inputs = moved.read(rare)
    p = np.array(moved.predictions(inputs, proba=True))
    np.testing.assert_array_equal(found, p[:, 1] >= t)
    np.testing.assert_array_equal(p, np.array(plain.predictions(inputs, proba=True)))  # the networks are the same
    results = moved.config.results
    assert results["test_balanced_accuracy"] > plain.config.results["test_balanced_accuracy"]
    assert results["test_roc_auc"] == plain.config.results["test_roc_auc"]
    trained(rare, tmp_path / "mlp", "--network", "mlp", "--threshold", "f1", "--class-weight", "balanced")
    capsys.readouterr()
    assert cli.main(["runs", str(tmp_path)]) == 0
    assert "threshold" in (printed := capsys.readouterr().out) and "baselines" not in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--threshold", "best"], "train: threshold must be one of accuracy, balanced_accuracy, f1, got 'best'"),
        (["--threshold", "f1", "--target", "a"], "train: threshold applies to classes, but the target 'a' is a number"),
        (["--class-weight", "balanced", "--target", "a"], "train: class_weight applies to classes, but the target 'a'"),
        (["--class-weight", "ill=3"], "and the classes healthy, sick, got 'ill=3'"),
        (["--class-weight", "sick=0"], "got 'sick=0'"),
        (["--class-weight", "sick"], "got 'sick'"),
    ],
)
def test_wrong_weights_and_thresholds_are_named(rare, tmp_path, capsys, options, message):
    target = [] if "--target" in options else ["--target", "state"]
    assert message in failure(capsys, "train", rare, *target, *options, "--out", tmp_path / "run")


def test_a_threshold_needs_two_classes(tmp_path, capsys):
    path = tmp_path / "three.csv"
    path.write_text("x,y\n" + "".join(f"{i},{'abc'[i % 3]}\n" for i in range(60)))
    got = failure(capsys, "train", path, "--target", "y", "--threshold", "f1", "--out", tmp_path / "run")
    assert got == "train: a threshold needs two classes, but 'y' has 3"
    config = tmp_path / "run" / "config.json"
    assert cli.main(["train", str(path), "--target", "y", "--epochs", "1", "--out", str(tmp_path / "run")]) == 0
    content = json.loads(config.read_text())
    for threshold in (0.5, "0.5", 2):
        content["results"]["threshold"] = threshold
        config.write_text(json.dumps(content))
        with pytest.raises(ValueError, match="the threshold must lie between 0 and 1 and needs two classes"):
            runs.load(tmp_path / "run")
