"""Evaluation: the loss and the metrics of a model, and its predictions."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import no_grad
from cygrad.autograd.arrays import plain
from cygrad.data.dataset import Dataset
from cygrad.nn import functional as F
from cygrad.nn.module import Module
from cygrad.tensor import Tensor
from cygrad.train.metrics import Function, Metric, named_metrics

__all__ = ["Batches", "Loss", "NonFiniteError", "evaluate", "predict"]

Loss = Callable[[Any, Any], Any]
METRICS: tuple[str, ...] = ("accuracy",)


class Batches(Protocol):
    """An iterable over the batches of an epoch, pairs of inputs and targets, such as a ``DataLoader``."""

    def __iter__(self) -> Any:
        """Iterate over the batches of one epoch."""


class NonFiniteError(ValueError):
    """The data, a loss or a gradient contains NaN or an infinity."""


class Meter:
    """Accumulates the mean loss and the metrics over batches."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = copy.deepcopy(list(metrics))
        for metric in self.metrics:
            metric.reset()
        self.samples = 0
        self.loss = 0.0

    def add(self, loss: float, output: Any, target: Any, samples: int) -> None:
        """Add a batch with this mean loss."""
        self.samples += samples
        self.loss += samples * loss
        for metric in self.metrics:
            metric.update(array_of(output), array_of(target))

    def result(self) -> dict[str, float]:
        """Return the mean loss and the metrics by name; NaN if there was no sample."""
        mean = self.loss / self.samples if self.samples else math.nan
        return {"loss": mean, **{metric.name: float(metric.compute()) for metric in self.metrics}}

    def state_dict(self) -> dict[str, Any]:
        """Return the sums so far."""
        return {
            "samples": self.samples,
            "loss": self.loss,
            "metrics": {metric.name: metric.state_dict() for metric in self.metrics},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        saved, names = sorted(state["metrics"]), sorted(metric.name for metric in self.metrics)
        if saved != names:
            raise ValueError(f"it has the metrics {', '.join(saved) or 'none'}, this one {', '.join(names) or 'none'}")
        self.samples, self.loss = state["samples"], state["loss"]
        for metric in self.metrics:
            metric.load_state_dict(state["metrics"][metric.name])


def evaluate(
    model: Module,
    data: Batches,
    loss: Loss = F.cross_entropy,
    metrics: Iterable[str | Metric | Function] = METRICS,
    *,
    where: str = "",
) -> dict[str, float]:
    """Compute the mean loss and the metrics over all batches, in evaluation mode and without a graph.

    Args:
        model: to evaluate; the modes of its modules are restored.
        data: batches of inputs and targets.
        loss: function of outputs and targets.
        metrics: names (accuracy, balanced_accuracy, f1, roc_auc, mae, r2), ``Metric`` objects, or functions of all
            outputs and targets.
        where: put before the number of a batch in error messages.

    Returns:
        The values by name, the mean loss as "loss".

    Raises:
        TypeError: if the data is not in batches.
        ValueError: if inputs or a loss are not finite; the message names the batch.

    Example:
        >>> data = cg.data.TensorDataset(cg.tensor([[2.0, 0.0], [0.0, 2.0], [3.0, 1.0]]), cg.tensor([0, 1, 1]))
        >>> result = cg.train.evaluate(cg.nn.Identity(), cg.data.DataLoader(data, batch_size=2))
        >>> round(result["accuracy"], 4)
        0.6667
    """
    demand_batches(data, "evaluate")
    meter = Meter(named_metrics(metrics))
    with Evaluating(model):
        for number, batch in enumerate(data, 1):
            inputs, target = pair_of(batch, "evaluate")
            position = f"evaluate: {where}batch {number}"
            demand_finite(inputs, position)
            output = model(inputs)
            value = loss(output, target).item()
            if not math.isfinite(value):
                raise NonFiniteError(f"{position}: the loss is {value}")
            meter.add(value, output, target, samples_of(inputs))
    if not meter.samples:
        raise ValueError(f"evaluate: {where}the loader has no batches")
    return meter.result()


def predict(model: Module, data: Tensor | Array | Batches, batch_size: int = 1024) -> Array:
    """Compute the model's outputs for all rows, in evaluation mode and without a graph.

    Args:
        model: to apply.
        data: a tensor, an array, or a loader of inputs or of pairs of inputs and targets.
        batch_size: rows of a tensor or an array per call.

    Returns:
        The outputs, concatenated.

    Raises:
        ValueError: if `batch_size` is below 1 or a loader has no batches.

    Example:
        >>> cg.train.predict(cg.nn.ReLU(), np.array([[-1.0, 2.0]]))
        array([[0., 2.]])
    """
    if not batch_size >= 1:
        raise ValueError(f"predict: batch_size must be at least 1, got {batch_size}")
    with Evaluating(model):
        outputs = [model(inputs).array for inputs in inputs_of(data, batch_size)]
    if not outputs:
        raise ValueError("predict: the loader has no batches")
    return np.concatenate(outputs)


def inputs_of(data: Any, batch_size: int) -> Iterable[Any]:
    """The inputs of each batch."""
    if not isinstance(data, (Tensor, np.ndarray)):
        return (batch[0] if isinstance(batch, (list, tuple)) else batch for batch in data)
    rows = array_of(data)  # copied, because a model may work in place
    return (Tensor(rows[i : i + batch_size].copy()) for i in range(0, max(len(rows), 1), batch_size))


class Evaluating:
    """A block in which the model is in evaluation mode and no graph is recorded."""

    def __init__(self, model: Module) -> None:
        self.modes = [(module, module.training) for module in model.modules()]
        self.no_grad = no_grad()

    def __enter__(self) -> None:
        for module, _ in self.modes:
            module.training = False
        self.no_grad.__enter__()

    def __exit__(self, *error: Any) -> None:
        self.no_grad.__exit__(*error)
        for module, mode in self.modes:
            module.training = mode


def array_of(value: Any) -> Array:
    """A tensor's array, or anything that can be one."""
    return value.array if isinstance(value, Tensor) else plain("evaluation", value)


def demand_batches(data: Any, op: str) -> None:
    """Raise TypeError if the data is in rows, not in batches."""
    if isinstance(data, (Dataset, Tensor, np.ndarray)):
        kind = type(data).__name__
        dataset = "dataset" if isinstance(data, Dataset) else "TensorDataset(x, y)"
        raise TypeError(f"{op}: data must come in batches, got a {kind}; use DataLoader({dataset}, batch_size)")


def pair_of(batch: Any, op: str) -> tuple[Any, Any]:
    """Inputs and targets; raise TypeError if a batch is not a pair."""
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        got = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else f"a {type(batch).__name__}"
        raise TypeError(f"{op}: a batch must be a pair of inputs and targets, got {got}")
    return batch[0], batch[1]


def samples_of(inputs: Any) -> int:
    """The number of samples in a batch of inputs."""
    shape = array_of(inputs).shape
    return int(shape[0]) if shape else 1


def demand_finite(inputs: Any, position: str) -> None:
    """Raise NonFiniteError if the inputs are floats and one is not finite."""
    array = array_of(inputs)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise NonFiniteError(f"{position}: the data contains {array[~np.isfinite(array)].flat[0]}")
