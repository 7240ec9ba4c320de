"""Metrics agree with scikit-learn, for any batch size."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cygrad as cg
from cygrad import train

RNG = np.random.default_rng(0)
SCORES = np.round(RNG.standard_normal((200, 4)), 1)  # rounded, so that there are ties
LABELS = (SCORES + RNG.standard_normal((200, 4))).argmax(1)
LOGITS = np.round(RNG.standard_normal(200), 1)
BINARY = (LOGITS + RNG.standard_normal(200) > 0).astype(np.int64)
VALUES, GOALS = 1e3 + RNG.standard_normal((200, 3)), 1e3 + RNG.standard_normal((200, 3))
GOALS[:, 2] = 7.0


def softmax(scores):
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def cases():
    """Name, metric, outputs, targets, and scikit-learn's value."""
    two = np.stack([-LOGITS, LOGITS], 1)
    yield "accuracy", train.Accuracy(), SCORES, LABELS, lambda m: m.accuracy_score(LABELS, SCORES.argmax(1))
    yield "accuracy of logits", train.Accuracy(), LOGITS, BINARY, lambda m: m.accuracy_score(BINARY, LOGITS > 0)
    yield (
        "accuracy of shares",
        train.Accuracy(),
        SCORES,
        np.eye(4)[LABELS],
        lambda m: m.accuracy_score(LABELS, SCORES.argmax(1)),
    )
    yield "balanced", train.BalancedAccuracy(), SCORES, LABELS, lambda m: m.balanced_accuracy_score(LABELS, SCORES.argmax(1))
    yield "f1", train.F1(), SCORES, LABELS, lambda m: m.f1_score(LABELS, SCORES.argmax(1), average="macro")
    few = LABELS.clip(0, 1)
    yield "f1 of some", train.F1(), SCORES * [1, 1, 1, 0] - [0, 0, 0, 99], few, lambda m: m.f1_score(
        few, (SCORES * [1, 1, 1, 0] - [0, 0, 0, 99]).argmax(1), average="macro")  # fmt: skip
    yield "binary f1", train.F1("binary"), LOGITS[:, None], BINARY, lambda m: m.f1_score(BINARY, LOGITS > 0)
    yield "area", train.RocAuc(), LOGITS, BINARY.astype(float), lambda m: m.roc_auc_score(BINARY, LOGITS)
    yield "area of two", train.RocAuc(), two, BINARY, lambda m: m.roc_auc_score(BINARY, LOGITS)
    yield (
        "area of many",
        train.RocAuc(),
        SCORES,
        LABELS,
        lambda m: m.roc_auc_score(LABELS, softmax(SCORES), multi_class="ovr"),
    )
    yield "mae", train.MAE(), VALUES, GOALS, lambda m: m.mean_absolute_error(GOALS, VALUES)
    yield "mae of columns", train.MAE(), LOGITS[:, None], LOGITS + 1, lambda m: 1.0
    yield "r2", train.R2(), VALUES, GOALS, lambda m: m.r2_score(GOALS, VALUES)
    yield "r2 of one", train.R2(), VALUES[:, :1], GOALS[:, 0], lambda m: m.r2_score(GOALS[:, 0], VALUES[:, 0])
    yield "r2 of a constant", train.R2(), np.ones(9), np.ones(9), lambda m: m.r2_score(np.ones(9), np.ones(9))
    yield "function", train.FunctionMetric(lambda y, t: np.abs(y - t).max(), "worst"), VALUES, GOALS, lambda m: m.max_error(
        GOALS.ravel(), VALUES.ravel())  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 200])
@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case[0])
def test_metrics_agree_with_scikit_learn(case, size):
    wanted = case[4](pytest.importorskip("sklearn.metrics"))
    _, metric, output, target, _ = case
    metric.reset()
    for start in range(0, len(output), size):
        metric.update(output[start : start + size], target[start : start + size])
        other = type(metric).__new__(type(metric))
        vars(other).update({k: v for k, v in vars(metric).items() if k not in metric.state})
        other.load_state_dict(metric.state_dict())
    assert metric.compute() == pytest.approx(wanted, rel=1e-9) == other.compute()


@pytest.mark.parametrize("name", ["accuracy", "f1", "roc_auc", "mae", "r2"])
def test_without_samples_a_metric_is_nan(name):
    metric = train.metrics.metric(name)
    assert metric.name == name and math.isnan(metric.compute())


def test_undefined_metrics_are_nan():
    area, r2 = train.RocAuc(), train.R2()
    area.update(np.array([1.0, 2.0]), np.array([1, 1]))
    r2.update(np.array([1.0]), np.array([1.0]))
    assert math.isnan(area.compute()) and math.isnan(r2.compute())


@pytest.mark.parametrize(
    ("metric", "output", "target", "message"),
    [
        (train.Accuracy(), np.ones((3, 2)), np.ones((3, 1), int), "accuracy: outputs of shape (3, 2) do not match targets of shape (3, 1)"),
        (train.Accuracy(), np.ones((3, 2)), np.array([0, 1, 2]), "accuracy: targets must be class indices in [0, 1], got 0 to 2"),
        (train.Accuracy(), np.ones((2, 2)), np.array([0, -1]), "accuracy: targets must be class indices in [0, 1], got -1 to 0"),
        (train.Accuracy(), np.ones((2, 2)), np.array([0.5, 1]), "accuracy: targets must be class indices in [0, 1], got 0.5 to 1.0"),
        (train.F1("binary"), np.ones((2, 3)), np.array([0, 1]), "f1: the binary average needs two classes, got 3"),
        (train.MAE(), np.ones((3, 2)), np.ones(3), "mae: outputs of shape (3, 2) do not match targets of shape (3,)"),
        (train.R2(), np.ones((3, 3)), np.ones((3, 1)), "r2: outputs of shape (3, 3) do not match targets of shape (3, 1)"),
    ],
)  # fmt: skip
def test_mismatched_shapes_and_targets_are_rejected(metric, output, target, message):
    with pytest.raises(ValueError) as caught:
        metric.update(output, target)
    assert str(caught.value) == message
    with pytest.raises(ValueError, match="F1: average must be macro or binary, got 'micro'"):
        train.F1("micro")


def test_functions_see_the_whole_epoch():
    seen = []

    def spread(output, target):
        seen.append((output.shape, target.shape))
        return output.max()

    data = cg.data.DataLoader(cg.data.TensorDataset(np.arange(10.0), np.zeros(10)), 4)
    result = train.evaluate(cg.nn.Identity(), data, cg.nn.functional.mse_loss, [spread, "mae"])
    assert result == {"loss": 28.5, "spread": 9.0, "mae": 4.5} and seen == [((10,), (10,))]


def test_balanced_accuracy_is_scikit_learns():
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for classes in (2, 4):
        scores, targets = rng.standard_normal((60, classes)), rng.integers(classes - (classes == 4), size=60)
        metric = train.BalancedAccuracy()
        metric.update(scores[:25], targets[:25])
        state = metric.state_dict()
        other = train.BalancedAccuracy()
        other.load_state_dict(state)
        other.update(scores[25:], targets[25:])
        predicted = scores.argmax(1)
        recalls = [np.mean(predicted[targets == c] == c) for c in np.unique(targets)]
        assert other.compute() == pytest.approx(np.mean(recalls))
        if classes == 2:
            assert other.compute() == pytest.approx(sklearn.balanced_accuracy_score(targets, predicted))
    assert np.isnan(train.BalancedAccuracy().compute())
