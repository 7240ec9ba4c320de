"""The scores of a model on the test set of a table, beside those of baselines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from cygrad._typing import Array
from cygrad.train.metrics import F1, MAE, R2, Accuracy, BalancedAccuracy, Metric, RocAuc

__all__ = ["Scores", "class_scorer", "class_scores", "most_frequent", "number_scorer", "number_scores", "shown"]

Scores = dict[str, float | None]
HEADINGS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "f1": "F1",
    "roc_auc": "AUC",
    "loss": "log loss",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R2",
}


def class_scores(log_probabilities: Array, targets: Array, threshold: float | None = None) -> Scores:
    """Measure predictions of classes.

    Args:
        log_probabilities: or scores whose softmax are the probabilities, (N, C).
        targets: class indices (N,).
        threshold: from which probability on a row is taken for the second of two classes; by default the most probable
            class is predicted.

    Returns:
        Accuracy, balanced accuracy (the mean of the classes' recall), the mean of the classes' F1, the area under the
        ROC curve (None if a class does not occur), and the mean of −log p of the target's class.
    """
    scores = log_probabilities.astype(np.float64)
    scores -= scores.max(1, keepdims=True)
    logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    if threshold is not None:
        scores = logs + np.array([0.0, math.log(1 - threshold) - math.log(threshold)])
    values = {metric.name: measured(metric, scores, targets) for metric in (Accuracy(), BalancedAccuracy(), F1())}
    values["roc_auc"] = measured(RocAuc(), logs, targets)
    return {**values, "loss": float(-logs[np.arange(len(targets)), targets].mean())}


def number_scores(predicted: Array, targets: Array) -> Scores:
    """Measure predictions of numbers (N,), in the target's unit: root mean squared and mean absolute error, and R²."""
    rmse = float(np.sqrt(np.mean((predicted - targets) ** 2)))
    return {"rmse": rmse, "mae": measured(MAE(), predicted, targets), "r2": measured(R2(), predicted, targets)}


def measured(metric: Metric, outputs: Array, targets: Array) -> float | None:
    """The value of a metric, None if it is not defined."""
    metric.update(outputs, targets)
    value = metric.compute()
    return float(value) if math.isfinite(value) else None


def class_scorer(outputs: Array, targets: Array, threshold: float | None = None) -> Callable[[Array], Scores]:
    """``class_scores`` of the rows with given indices."""
    return lambda rows: class_scores(outputs[rows], targets[rows], threshold)


def number_scorer(predicted: Array, targets: Array) -> Callable[[Array], Scores]:
    """``number_scores`` of the rows with given indices."""
    return lambda rows: number_scores(predicted[rows], targets[rows])


def most_frequent(train: Array, classes: int) -> Array:
    """The logarithms of the classes' frequencies in the training set, (classes,): the prediction that knows no
    columns."""
    counts = np.bincount(train, minlength=classes)
    with np.errstate(divide="ignore"):
        logs = np.log(counts / len(train))
    return np.maximum(logs, -100.0)


def shown(scores: Mapping[str, Scores], held: str) -> str:
    """A table of the scores of several models on held-out rows, at most 80 characters wide."""
    columns = [name for name in HEADINGS if name in next(iter(scores.values()))]
    lines = [held.ljust(20) + "".join(f"{HEADINGS[name]:>11}" for name in columns)]
    for model, values in scores.items():
        lines.append(model.ljust(20) + "".join(f"{text_of(values[name]):>11}" for name in columns))
    return "\n".join(lines)


def text_of(value: float | None) -> str:
    """A score as text."""
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 1e4 and (value == 0 or abs(value) >= 1e-3) else f"{value:.4g}"
