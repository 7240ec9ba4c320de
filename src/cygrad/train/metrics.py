"""Metrics: what is measured over the samples of an epoch, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from cygrad._typing import Array

__all__ = ["F1", "MAE", "R2", "Accuracy", "FunctionMetric", "Metric", "RocAuc", "metric", "named_metrics"]

Function = Callable[[Array, Array], float]


class Metric:
    """A number that outputs and targets of many batches have together. One of one's own gives ``reset``,
    ``update`` and ``compute``, and names in ``state`` the attributes that a checkpoint must hold: numbers,
    arrays, or lists of them.

    ``name`` is its name in the history.

    >>> class Largest(cg.train.Metric):
    ...     name, state = "largest", ("value",)
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

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets all batches."""
        raise NotImplementedError(f"{type(self).__name__}: a metric must define reset")

    def update(self, output: Array, target: Array) -> None:
        """Takes in one batch: the model's output, (N, ...), and the targets."""
        raise NotImplementedError(f"{type(self).__name__}: a metric must define update")

    def compute(self) -> float:
        """The number for all batches since the reset; NaN where there is none."""
        raise NotImplementedError(f"{type(self).__name__}: a metric must define compute")

    def state_dict(self) -> dict[str, Any]:
        """What has been taken in."""
        return {name: getattr(self, name) for name in self.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state."""
        for name in self.state:
            setattr(self, name, state[name])


class Accuracy(Metric):
    """The share of samples whose class is right.

    The output is (N, C, ...), a score a class, or (N,) or (N, 1), the logit of class 1 of two. The targets are
    class numbers, or a probability a class, of which the largest counts. Raises ValueError for other shapes.

    >>> accuracy = cg.train.Accuracy()
    >>> accuracy.update(np.array([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]]), np.array([0, 1, 1]))
    >>> round(accuracy.compute(), 4)
    0.6667
    """

    name = "accuracy"
    state = ("hits", "count")

    def reset(self) -> None:
        self.hits = self.count = 0

    def update(self, output: Array, target: Array) -> None:
        predicted, wanted, _ = classes(self.name, output, target)
        self.hits += int(np.count_nonzero(predicted == wanted))
        self.count += wanted.size

    def compute(self) -> float:
        return self.hits / self.count if self.count else np.nan


class F1(Metric):
    """F1 = 2·TP/(2·TP + FP + FN): of class 1 (``average="binary"``), or the mean over all classes that occur in
    the targets or the predictions (``"macro"``). 0 where a class has no true positive. Output and targets as for
    ``Accuracy``.

    Raises ValueError for another average, and with "binary" where there are more than two classes.

    >>> f1 = cg.train.F1("binary")
    >>> f1.update(np.array([1.0, -1.0, 2.0]), np.array([1, 1, 0]))
    >>> f1.compute()
    0.5
    """

    name = "f1"
    state = ("counts",)

    def __init__(self, average: str = "macro") -> None:
        if average not in ("macro", "binary"):
            raise ValueError(f"F1: average must be macro or binary, got {average!r}")
        self.average = average
        super().__init__()

    def reset(self) -> None:
        self.counts: Array = np.zeros((3, 0), np.int64)  # a column a class: right, predicted, wanted

    def update(self, output: Array, target: Array) -> None:
        predicted, wanted, n = classes(self.name, output, target)
        if self.average == "binary" and n != 2:
            raise ValueError(f"f1: the binary average needs two classes, got {n}")
        if self.counts.shape[1] == 0:
            self.counts = np.zeros((3, n), np.int64)
        for row, values in zip(self.counts, (wanted[predicted == wanted], predicted, wanted), strict=True):
            row += np.bincount(values.reshape(-1), minlength=n)

    def compute(self) -> float:
        right, predicted, wanted = self.counts
        scores = 2 * right / np.maximum(predicted + wanted, 1)
        if self.average == "binary":
            return float(scores[1]) if len(scores) else np.nan
        present = predicted + wanted > 0
        return float(scores[present].mean()) if present.any() else np.nan


class Collected(Metric):
    """A metric that needs all outputs and targets at once."""

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
        """The number for all samples."""
        raise NotImplementedError(f"{type(self).__name__}: score is not defined")


class RocAuc(Collected):
    """The area under the ROC curve: how likely a sample of the class has a higher score than one of another,
    ties counting half. With more than two classes the mean over them, each against the rest, of softmax's
    probabilities. NaN where a class has no sample, or all of them.

    The output is (N, C), or (N,) or (N, 1) for two classes; the targets are class numbers.

    J. A. Hanley, B. J. McNeil (1982), "The meaning and use of the area under a ROC curve".

    >>> auc = cg.train.RocAuc()
    >>> auc.update(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    >>> auc.compute()
    0.75
    """

    name = "roc_auc"

    def score(self, output: Array, target: Array) -> float:
        _, wanted, n = classes(self.name, output, target)
        scores = output.reshape(len(output), -1).astype(np.float64)
        if n == 2:
            positive = scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]
            return area(positive, wanted == 1)
        powers = np.exp(scores - scores.max(1, keepdims=True))
        shares = powers / powers.sum(1, keepdims=True)
        return float(np.mean([area(shares[:, i], wanted == i) for i in range(n)]))


class MAE(Metric):
    """The mean of |y − t| over all numbers of the output y and the targets t, which have one shape.

    >>> mae = cg.train.MAE()
    >>> mae.update(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    >>> mae.compute()
    1.5
    """

    name = "mae"
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
    """R² = 1 − Σ(t − y)²/Σ(t − t̄)², the mean over the columns of the targets; a column without variance counts 1
    where it is met exactly, else 0. NaN for fewer than two samples.

    The sums are kept as n, t̄ and Σ(t − t̄)², and those of two parts joined as by T. F. Chan, G. H. Golub,
    R. J. LeVeque (1983), "Algorithms for computing the sample variance".

    >>> r2 = cg.train.R2()
    >>> r2.update(np.array([2.5, 0.0]), np.array([3.0, -0.5]))
    >>> r2.update(np.array([2.0, 8.0]), np.array([2.0, 7.0]))
    >>> round(r2.compute(), 4)
    0.9486
    """

    name = "r2"
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
    """Any function of all outputs and targets of an epoch as a metric, under the function's name.

    >>> def worst(output, target):
    ...     return np.abs(output - target).max()
    >>> metric = cg.train.FunctionMetric(worst)
    >>> metric.update(np.array([1.0]), np.array([3.0]))
    >>> metric.update(np.array([1.0]), np.array([2.0]))
    >>> metric.name, metric.compute()
    ('worst', 2.0)
    """

    def __init__(self, function: Function, name: str | None = None) -> None:
        self.function = function
        self.name = str(name or getattr(function, "__name__", type(function).__name__))
        super().__init__()

    def score(self, output: Array, target: Array) -> float:
        return self.function(output, target)


BY_NAME: dict[str, Callable[[], Metric]] = {kind.name: kind for kind in (Accuracy, F1, RocAuc, MAE, R2)}


def metric(which: str | Metric | Function) -> Metric:
    """The metric of a name (accuracy, f1, roc_auc, mae, r2), a metric itself, or one that calls a function.

    Raises ValueError for another name, TypeError for anything else.
    """
    if isinstance(which, Metric):
        return which
    if isinstance(which, str):
        if which not in BY_NAME:
            raise ValueError(f"metric: there is no {which!r}, known are {', '.join(BY_NAME)}")
        return BY_NAME[which]()
    if callable(which):
        return FunctionMetric(which)
    raise TypeError(f"metric: wanted a name, a Metric or a function, got {type(which).__name__}")


def named_metrics(which: Iterable[str | Metric | Function]) -> list[Metric]:
    """The metrics of names, functions or metrics; ValueError where two have one name."""
    if isinstance(which, str):
        raise TypeError(f"metrics: wanted a list of metrics, got the string {which!r}")
    found = [metric(each) for each in which]
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1 or name == "loss":
            raise ValueError(f"metrics: the name {name!r} is taken twice")
    return found


# Arrays


def classes(op: str, output: Array, target: Array) -> tuple[Array, Array, int]:
    """Predicted class numbers, wanted ones in the same shape, and the number of classes."""
    if output.ndim == 1 or (output.ndim == 2 and output.shape[1] == 1):
        predicted, n = (output.reshape(-1) > 0).astype(np.int64), 2
        wanted = target.reshape(-1) if target.size == predicted.size else target
    else:
        predicted, n = output.argmax(1), output.shape[1] if output.ndim > 1 else 0
        wanted = target.argmax(1) if target.shape == output.shape else target
    if wanted.shape != predicted.shape:
        raise ValueError(f"{op}: an output of shape {output.shape} does not fit targets of shape {target.shape}")
    whole = wanted.astype(np.int64, copy=False)
    fraction = wanted.dtype.kind not in "iub" and (whole != wanted).any()
    # As unsigned numbers, negative ones are the largest.
    if wanted.size and (fraction or whole.view(np.uint64).max() >= n):
        raise ValueError(f"{op}: targets must be class numbers from 0 to {n - 1}, got {wanted.min()} to {wanted.max()}")
    return predicted, whole, n


def columns(op: str, output: Array, target: Array) -> tuple[Array, Array]:
    """Output and targets as float64 of one shape, (N, columns)."""
    single = {output.shape, target.shape} == {(len(output),), (len(output), 1)} if output.ndim else False
    if output.shape != target.shape and not single:
        raise ValueError(f"{op}: an output of shape {output.shape} does not fit targets of shape {target.shape}")
    shape = (len(output), -1) if output.size else (0, 1)
    return output.reshape(shape).astype(np.float64), target.reshape(shape).astype(np.float64)


def area(scores: Array, positive: Array) -> float:
    """The area under the curve from ranks, those of equal scores shared: the statistic of Mann and Whitney."""
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return np.nan
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[place][positive].sum() - n * (n + 1) / 2) / (n * m))
