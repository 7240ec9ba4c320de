"""Metrics, accumulated batch by batch over the samples of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from cygrad._typing import Array

__all__ = [
    "F1",
    "HIGHER_IS_BETTER",
    "MAE",
    "R2",
    "Accuracy",
    "BalancedAccuracy",
    "Function",
    "FunctionMetric",
    "Metric",
    "RocAuc",
    "metric",
    "named_metrics",
]

Function = Callable[[Array, Array], float]


class Metric:
    """Base class of metrics. A subclass defines ``reset``, ``update`` and ``compute``.

    ``name`` is the name in the history; ``state`` names the attributes that a checkpoint saves: numbers, arrays, or
    lists of them. ``direction`` is "max" if higher values are better, "min" if lower ones are, None if that is unknown;
    early stopping follows it.

    Example:
        >>> class Largest(cg.train.Metric):
        ...     name, state, direction = "largest", ("value",), "max"
        ...     def reset(self):
        ...         self.value = -np.inf
        ...     def update(self, output, target):
        ...         self.value = max(self.value, float(output.max()))
        ...     def compute(self):
        ...         return self.value
        >>> metric = Largest()
        >>> metric.update(np.array([1.0, 3.0]), np.zeros(2))
        >>> metric.compute()
        3.0
    """

    name: str = "metric"
    state: ClassVar[tuple[str, ...]] = ()
    direction: str | None = None

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__}: a metric must define reset")

    def update(self, output: Array, target: Array) -> None:
        """Add a batch: the model's outputs, (N, …), and the targets."""
        raise NotImplementedError(f"{type(self).__name__}: a metric must define update")

    def compute(self) -> float:
        """Return the value over all batches since the reset; NaN if there is none."""
        raise NotImplementedError(f"{type(self).__name__}: a metric must define compute")

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {name: getattr(self, name) for name in self.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        values = {name: state[name] for name in self.state}
        for name, value in values.items():
            setattr(self, name, value)


class Accuracy(Metric):
    """The fraction of samples whose class is predicted correctly.

    Outputs are scores (N, C, …), or logits of class 1 of two, (N,) or (N, 1). Targets are class indices, or
    probabilities of which the largest counts. ``update`` raises ValueError for other shapes.

    Example:
        >>> accuracy = cg.train.Accuracy()
        >>> accuracy.update(np.array([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]]), np.array([0, 1, 1]))
        >>> round(accuracy.compute(), 4)
        0.6667
    """

    name = "accuracy"
    direction = "max"
    state = ("hits", "count")

    def reset(self) -> None:
        self.hits = self.count = 0

    def update(self, output: Array, target: Array) -> None:
        predicted, actual, _ = classes(self.name, output, target)
        self.hits += int(np.count_nonzero(predicted == actual))
        self.count += actual.size

    def compute(self) -> float:
        return self.hits / self.count if self.count else np.nan


class BalancedAccuracy(Metric):
    """The mean over classes of the fraction of their samples that are predicted correctly; classes without a sample do
    not count. It is 1/C for the best guess that knows nothing, however rare a class is.

    Outputs and targets are those of ``Accuracy``. K. H. Brodersen et al. (2010), "The balanced accuracy and its
    posterior distribution".

    Example:
        >>> balanced = cg.train.BalancedAccuracy()
        >>> balanced.update(np.array([[2.0, 1.0], [0.5, 0.0], [1.0, 0.0]]), np.array([0, 0, 1]))
        >>> balanced.compute()
        0.5
    """

    name = "balanced_accuracy"
    direction = "max"
    state = ("counts",)

    def reset(self) -> None:
        self.counts: Array = np.zeros((2, 0), np.int64)  # per class: hits, samples

    def update(self, output: Array, target: Array) -> None:
        predicted, actual, n = classes(self.name, output, target)
        if self.counts.shape[1] == 0:
            self.counts = np.zeros((2, n), np.int64)
        for row, values in zip(self.counts, (actual[predicted == actual], actual), strict=True):
            row += np.bincount(values.reshape(-1), minlength=n)

    def compute(self) -> float:
        hits, samples = self.counts[:, self.counts[1] > 0]
        return float((hits / samples).mean()) if len(samples) else np.nan


class F1(Metric):
    """F1 = 2·TP/(2·TP + FP + FN). A class without true positives has F1 = 0.

    Outputs and targets are those of ``Accuracy``.

    Args:
        average: ``"binary"`` for the F1 of class 1, ``"macro"`` for the mean over all classes that occur in the targets
            or the predictions.

    Raises:
        ValueError: if the average is unknown, or "binary" meets more than two classes.

    Example:
        >>> f1 = cg.train.F1("binary")
        >>> f1.update(np.array([1.0, -1.0, 2.0]), np.array([1, 1, 0]))
        >>> f1.compute()
        0.5
    """

    name = "f1"
    direction = "max"
    state = ("counts",)

    def __init__(self, average: str = "macro") -> None:
        if average not in ("macro", "binary"):
            raise ValueError(f"F1: average must be macro or binary, got {average!r}")
        self.average = average
        super().__init__()

    def reset(self) -> None:
        self.counts: Array = np.zeros((3, 0), np.int64)  # per class: true positives, predicted, actual

    def update(self, output: Array, target: Array) -> None:
        predicted, actual, n = classes(self.name, output, target)
        if self.average == "binary" and n != 2:
            raise ValueError(f"f1: the binary average needs two classes, got {n}")
        if self.counts.shape[1] == 0:
            self.counts = np.zeros((3, n), np.int64)
        for row, values in zip(self.counts, (actual[predicted == actual], predicted, actual), strict=True):
            row += np.bincount(values.reshape(-1), minlength=n)

    def compute(self) -> float:
        correct, predicted, actual = self.counts
        scores = 2 * correct / np.maximum(predicted + actual, 1)
        if self.average == "binary":
            return float(scores[1]) if len(scores) else np.nan
        occurring = predicted + actual > 0
        return float(scores[occurring].mean()) if occurring.any() else np.nan


class Collected(Metric):
    """A metric of all outputs and targets at once."""

    state = ("outputs", "targets")

    def reset(self) -> None:
        self.outputs: list[Array] = []
        self.targets: list[Array] = []

    def update(self, output: Array, target: Array) -> None:
        self.outputs.append(np.array(output))
        self.targets.append(np.array(target))

    def compute(self) -> float:
        if not self.outputs:
            return np.nan
        return float(self.score(np.concatenate(self.outputs), np.concatenate(self.targets)))

    def score(self, output: Array, target: Array) -> float:
        """Return the value over all samples."""
        raise NotImplementedError(f"{type(self).__name__}: score is not defined")


class RocAuc(Collected):
    """The area under the ROC curve: the probability that a positive sample has a higher score than a negative one, ties
    counting one half.

    With more than two classes it is the mean over the classes, each against the rest, of softmax's probabilities. It is
    NaN if a class has no sample, or all of them. Outputs are (N, C), or (N,) or (N, 1) for two classes; targets are
    class indices.

    J. A. Hanley, B. J. McNeil (1982), "The meaning and use of the area under a ROC curve".

    Example:
        >>> auc = cg.train.RocAuc()
        >>> auc.update(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
        >>> auc.compute()
        0.75
    """

    name = "roc_auc"
    direction = "max"

    def score(self, output: Array, target: Array) -> float:
        _, actual, n = classes(self.name, output, target)
        scores = output.reshape(len(output), -1).astype(np.float64)
        if n == 2:
            positive = scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]
            return area(positive, actual == 1)
        powers = np.exp(scores - scores.max(1, keepdims=True))
        probabilities = powers / powers.sum(1, keepdims=True)
        return float(np.mean([area(probabilities[:, i], actual == i) for i in range(n)]))


class MAE(Metric):
    """The mean of |y − t| over all elements of the outputs y and the targets t, which have the same shape.

    Example:
        >>> mae = cg.train.MAE()
        >>> mae.update(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
        >>> mae.compute()
        1.5
    """

    name = "mae"
    direction = "min"
    state = ("total", "count")

    def reset(self) -> None:
        self.total, self.count = 0.0, 0

    def update(self, output: Array, target: Array) -> None:
        y, t = columns(self.name, output, target)
        self.total += float(np.abs(y - t).sum())
        self.count += y.size

    def compute(self) -> float:
        return self.total / self.count if self.count else np.nan


class R2(Metric):
    """R² = 1 − Σ(t − y)²/Σ(t − t̄)², the mean over the columns of the targets.

    A constant column has R² = 1 if it is predicted exactly, else 0. R² is NaN for fewer than two samples. Batches are
    combined by n, t̄ and Σ(t − t̄)², as in T. F. Chan, G. H. Golub, R. J. LeVeque (1983), "Algorithms for computing the
    sample variance".

    Example:
        >>> r2 = cg.train.R2()
        >>> r2.update(np.array([2.5, 0.0]), np.array([3.0, -0.5]))
        >>> r2.update(np.array([2.0, 8.0]), np.array([2.0, 7.0]))
        >>> round(r2.compute(), 4)
        0.9486
    """

    name = "r2"
    direction = "max"
    state = ("count", "mean", "spread", "residual")

    def reset(self) -> None:
        self.count = 0
        self.mean: Array = np.zeros(1)
        self.spread: Array = np.zeros(1)
        self.residual: Array = np.zeros(1)

    def update(self, output: Array, target: Array) -> None:
        y, t = columns(self.name, output, target)
        n = len(t)
        if n == 0:
            return
        mean = t.mean(0)
        total, shift = self.count + n, mean - self.mean
        self.residual = self.residual + ((t - y) ** 2).sum(0)
        self.spread = self.spread + ((t - mean) ** 2).sum(0) + shift**2 * self.count * n / total
        self.mean = self.mean + shift * n / total
        self.count = total

    def compute(self) -> float:
        if self.count < 2:
            return np.nan
        varied = self.spread > 0
        ratio = self.residual / np.where(varied, self.spread, 1)
        return float(np.where(varied, 1 - ratio, self.residual == 0).mean())


class FunctionMetric(Collected):
    """A function of all outputs and targets of an epoch as a metric.

    Args:
        function: of two arrays, outputs and targets.
        name: in the history; the function's by default.
        direction: "max" if higher values are better, "min" if lower ones are, None if that is unknown.

    Raises:
        ValueError: if the direction is anything else.

    Example:
        >>> def worst(output, target):
        ...     return np.abs(output - target).max()
        >>> metric = cg.train.FunctionMetric(worst)
        >>> metric.update(np.array([1.0]), np.array([3.0]))
        >>> metric.update(np.array([1.0]), np.array([2.0]))
        >>> metric.name, metric.compute()
        ('worst', 2.0)
    """

    def __init__(self, function: Function, name: str | None = None, direction: str | None = None) -> None:
        if direction not in (None, "min", "max"):
            raise ValueError(f"FunctionMetric: direction must be min, max or None, got {direction!r}")
        self.function = function
        self.direction = direction
        self.name = str(name or getattr(function, "__name__", type(function).__name__))
        super().__init__()

    def score(self, output: Array, target: Array) -> float:
        return self.function(output, target)


KINDS: tuple[type[Metric], ...] = (Accuracy, BalancedAccuracy, F1, RocAuc, MAE, R2)
BY_NAME: dict[str, Callable[[], Metric]] = {kind.name: kind for kind in KINDS}
HIGHER_IS_BETTER = tuple(kind.name for kind in KINDS if kind.direction == "max")


def metric(which: str | Metric | Function) -> Metric:
    """Return the metric that a name (accuracy, balanced_accuracy, f1, roc_auc, mae, r2), a metric or a function stands
    for.

    Raises:
        ValueError: if there is no metric of that name.
        TypeError: for anything else.
    """
    if isinstance(which, Metric):
        return which
    if isinstance(which, str):
        if which not in BY_NAME:
            raise ValueError(f"metric: there is no metric {which!r}; the names are {', '.join(BY_NAME)}")
        return BY_NAME[which]()
    if callable(which):
        return FunctionMetric(which)
    raise TypeError(f"metric: expected a name, a Metric or a function, got {type(which).__name__}")


def named_metrics(which: Iterable[str | Metric | Function]) -> list[Metric]:
    """Return the metrics that names, functions or metrics stand for; raise ValueError if two have the same name."""
    if isinstance(which, str):
        raise TypeError(f"metrics: expected a list of metrics, got the string {which!r}")
    metrics = [metric(each) for each in which]
    names = [each.name for each in metrics]
    for name in names:
        if names.count(name) > 1 or name == "loss":
            raise ValueError(f"metrics: the name {name!r} is used twice")
    return metrics


# Arrays


def classes(op: str, output: Array, target: Array) -> tuple[Array, Array, int]:
    """Predicted class indices, actual ones of the same shape, and the number of classes."""
    if output.ndim == 1 or (output.ndim == 2 and output.shape[1] == 1):
        predicted, n = (output.reshape(-1) > 0).astype(np.int64), 2
        actual = target.reshape(-1) if target.size == predicted.size else target
    else:
        predicted, n = output.argmax(1), output.shape[1] if output.ndim > 1 else 0
        actual = target.argmax(1) if target.shape == output.shape else target
    if actual.shape != predicted.shape:
        raise ValueError(f"{op}: outputs of shape {output.shape} do not match targets of shape {target.shape}")
    whole = actual.astype(np.int64, copy=False)
    fractional = actual.dtype.kind not in "iub" and (whole != actual).any()
    # Viewed as unsigned, negative indices are the largest.
    if actual.size and (fractional or whole.view(np.uint64).max() >= n):
        raise ValueError(f"{op}: targets must be class indices in [0, {n - 1}], got {actual.min()} to {actual.max()}")
    return predicted, whole, n


def columns(op: str, output: Array, target: Array) -> tuple[Array, Array]:
    """Outputs and targets as float64 of the same shape, (N, columns)."""
    single = {output.shape, target.shape} == {(len(output),), (len(output), 1)} if output.ndim else False
    if output.shape != target.shape and not single:
        raise ValueError(f"{op}: outputs of shape {output.shape} do not match targets of shape {target.shape}")
    shape = (len(output), -1) if output.size else (0, 1)
    return output.reshape(shape).astype(np.float64), target.reshape(shape).astype(np.float64)


def area(scores: Array, positive: Array) -> float:
    """The area under the ROC curve by ranks, equal scores sharing theirs: the Mann-Whitney statistic."""
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return np.nan
    _, index, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[index][positive].sum() - n * (n + 1) / 2) / (n * m))
