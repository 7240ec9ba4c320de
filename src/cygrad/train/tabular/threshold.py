"""The probability from which on a row is taken for the second of two classes."""

from __future__ import annotations

import numpy as np

from cygrad._typing import Array

__all__ = ["CRITERIA", "choose_threshold"]

CRITERIA = ("accuracy", "balanced_accuracy", "f1")


def choose_threshold(probabilities: Array, targets: Array, criterion: str) -> float:
    """Choose the threshold with the best value of a criterion, the middle one of equally good ones.

    Args:
        probabilities: of class 1, (N,).
        targets: class indices (N,), 0 or 1.
        criterion: accuracy; balanced_accuracy, the mean of both classes' recall; or f1, the mean of both classes'
            2·TP/(2·TP + FP + FN).

    Returns:
        The threshold t: class 1 is predicted where its probability is at least t.

    Example:
        >>> from cygrad.train.tabular.threshold import choose_threshold
        >>> choose_threshold(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 0, 1, 1]), "accuracy")
        0.25
    """
    order = np.argsort(-probabilities, kind="stable")
    p, positive = probabilities[order].astype(np.float64), targets[order] == 1
    # Taking the first i rows for class 1: tp of them are, fp are not.
    tp = np.concatenate([[0], np.cumsum(positive)])
    fp = np.arange(len(p) + 1) - tp
    fn, tn = tp[-1] - tp, fp[-1] - fp
    values = {
        "accuracy": (tp + tn) / len(p),
        "balanced_accuracy": tp / np.maximum(tp + fn, 1) + tn / np.maximum(tn + fp, 1),
        "f1": 2 * tp / np.maximum(2 * tp + fp + fn, 1) + 2 * tn / np.maximum(2 * tn + fp + fn, 1),
    }[criterion]
    edges = np.concatenate([[1.0], p, [0.0]])
    possible = edges[:-1] > edges[1:]  # equal probabilities can't be told apart
    possible[0] = possible[-1] = True
    best = np.flatnonzero(possible & np.isclose(values, values[possible].max(), rtol=0, atol=1e-12))
    i = best[len(best) // 2]
    return float((edges[i] + edges[i + 1]) / 2)
