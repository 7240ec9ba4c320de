"""Evaluation: the loss and the metrics of a model, and its predictions."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import no_grad
from cygrad.data.dataset import Dataset
from cygrad.nn import functional as F
from cygrad.nn.module import Module
from cygrad.tensor import Tensor
from cygrad.train.metrics import Function, Metric, named_metrics

__all__ = ["NonFiniteError", "evaluate", "predict"]

Loss = Callable[[Any, Any], Any]
METRICS: tuple[str, ...] = ("accuracy",)


class Batches(Protocol):
    """What can be walked through once an epoch: pairs of inputs and targets. A ``DataLoader`` is one."""

    def __iter__(self) -> Any:
        """The batches of one epoch."""


class NonFiniteError(ValueError):
    """NaN or an infinity in data, a loss or a gradient."""


class Meter:
    """The mean loss of samples that come in batches, and their metrics."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = copy.deepcopy(list(metrics))
        for metric in self.metrics:
            metric.reset()
        self.samples = 0
        self.loss = 0.0

    def add(self, loss: float, output: Any, target: Any, samples: int) -> None:
        """Counts one batch, whose mean loss is given."""
        self.samples += samples
        self.loss += samples * loss
        for metric in self.metrics:
            metric.update(array_of(output), array_of(target))

    def result(self) -> dict[str, float]:
        """The numbers under their names; NaN where there was no sample."""
        mean = self.loss / self.samples if self.samples else math.nan
        return {"loss": mean, **{metric.name: float(metric.compute()) for metric in self.metrics}}

    def state_dict(self) -> dict[str, Any]:
        """What has been counted."""
        return {
            "samples": self.samples,
            "loss": self.loss,
            "metrics": {metric.name: metric.state_dict() for metric in self.metrics},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on counting from a state."""
        known, own = sorted(state["metrics"]), sorted(metric.name for metric in self.metrics)
        if known != own:
            raise ValueError(f"it measures {', '.join(known) or 'nothing'}, this one {', '.join(own) or 'nothing'}")
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
    """The mean loss and the metrics over all batches of (inputs, targets), in evaluation mode and without
    a graph. The modes of all modules are afterwards as they were.

    Raises TypeError for data that do not come in batches, and ValueError, naming the batch, for inputs or a loss that
    are not finite; `where` stands before its number.

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
            place = f"evaluate: {where}batch {number}"
            demand_finite(inputs, place)
            output = model(inputs)
            value = loss(output, target).item()
            if not math.isfinite(value):
                raise NonFiniteError(f"{place}: the loss is {value}")
            meter.add(value, output, target, samples_of(inputs))
    if not meter.samples:
        raise ValueError(f"evaluate: {where}the loader gives no batches")
    return meter.result()


def predict(model: Module, data: Tensor | Array | Batches, batch_size: int = 1024) -> Array:
    """What the model gives for every row of `data`, in evaluation mode and without a graph. `data` is a tensor or
    an array, taken `batch_size` rows at a time, or a loader, whose batches are inputs, or pairs of which the first
    part is.

    >>> cg.train.predict(cg.nn.ReLU(), np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """
    if not batch_size >= 1:
        raise ValueError(f"predict: batch_size must be at least 1, got {batch_size}")
    with Evaluating(model):
        outputs = [model(inputs).array for inputs in inputs_of(data, batch_size)]
    if not outputs:
        raise ValueError("predict: the loader gives no batches")
    return np.concatenate(outputs)


def inputs_of(data: Any, batch_size: int) -> Iterable[Any]:
    """The inputs of each batch."""
    if not isinstance(data, (Tensor, np.ndarray)):
        return (batch[0] if isinstance(batch, (list, tuple)) else batch for batch in data)
    rows = array_of(data)
    return (Tensor(rows[i : i + batch_size]) for i in range(0, max(len(rows), 1), batch_size))


class Evaluating:
    """A block in which the model is in evaluation mode and no graph is made."""

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
    """A tensor's array, or anything that NumPy can read as one."""
    return value.array if isinstance(value, Tensor) else np.asarray(value)


def demand_batches(data: Any, op: str) -> None:
    """Raises TypeError where data come as rows, not in batches."""
    if isinstance(data, (Dataset, Tensor, np.ndarray)):
        kind = type(data).__name__
        made = "dataset" if isinstance(data, Dataset) else "TensorDataset(x, y)"
        raise TypeError(f"{op}: wanted batches, got a {kind}; DataLoader({made}, batch_size) makes them")


def pair_of(batch: Any, op: str) -> tuple[Any, Any]:
    """Inputs and targets. Raises TypeError where a batch is no pair."""
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        got = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else f"a {type(batch).__name__}"
        raise TypeError(f"{op}: a batch must be a pair of inputs and targets, got {got}")
    return batch[0], batch[1]


def samples_of(inputs: Any) -> int:
    """How many samples a batch of inputs has."""
    shape = array_of(inputs).shape
    return int(shape[0]) if shape else 1


def demand_finite(inputs: Any, place: str) -> None:
    """Raises NonFiniteError where the inputs are floats and one is NaN or infinite."""
    array = array_of(inputs)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise NonFiniteError(f"{place}: the data hold {array[~np.isfinite(array)].flat[0]}")
