"""The training loop, and what is measured with it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import no_grad
from cygrad.nn import functional as F
from cygrad.nn.module import Module
from cygrad.nn.utils import clip_grad_norm_
from cygrad.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from cygrad.optim.optimizer import Optimizer
from cygrad.tensor import Tensor
from cygrad.train.early_stopping import EarlyStopping

__all__ = ["Evaluation", "History", "Record", "evaluate", "fit", "predict"]

Loss = Callable[[Any, Any], Any]


class Batches(Protocol):
    """What can be walked through once an epoch: pairs of inputs and targets. A ``DataLoader`` is one."""

    def __iter__(self) -> Any:
        """The batches of one epoch."""


class Evaluation(NamedTuple):
    """Means over the samples; the accuracy is NaN where the targets are no class numbers."""

    loss: float
    accuracy: float


class Record(NamedTuple):
    """One epoch: means over the training samples, in training mode; the validation; the mean norm of the
    gradient before clipping; the learning rate; training samples a second."""

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    grad_norm: float
    lr: float
    samples_per_second: float


@dataclass
class History:
    """The records of the epochs completed, and whether Ctrl-C ended the training or early stopping did."""

    records: list[Record] = field(default_factory=list)
    interrupted: bool = False
    stopped: bool = False


class Mean:
    """Means of loss and accuracy over samples that come in batches."""

    def __init__(self) -> None:
        self.samples = 0
        self.loss = 0.0
        self.hits = 0.0

    def add(self, loss: float, scores: Array, target: Array) -> None:
        """Counts one batch, whose mean loss is given."""
        n = len(scores)
        self.samples += n
        self.loss += n * loss
        self.hits += hits(scores, target)

    def result(self) -> Evaluation:
        """The means; NaN where there was no sample."""
        n = self.samples or math.nan
        return Evaluation(self.loss / n, self.hits / n)


def hits(scores: Array, target: Array) -> float:
    """How many rows of scores have their maximum at the class; NaN where the targets are no class numbers."""
    if scores.ndim != 2 or target.ndim != 1 or target.dtype.kind not in "iu":
        return math.nan
    return float(np.count_nonzero(scores.argmax(1) == target))


def fit(
    model: Module,
    loader: Batches,
    optimizer: Optimizer,
    *,
    epochs: int,
    validation: Batches | None = None,
    loss: Loss = F.cross_entropy,
    clip: float | None = None,
    scheduler: LRScheduler | None = None,
    stopping: EarlyStopping | None = None,
    callback: Callable[[Record], Any] | None = None,
    progress: Callable[[Any, int], Iterable[Any]] | None = None,
) -> History:
    """Trains the model for `epochs` epochs, fewer with `stopping`.

    A batch is a pair of inputs and targets, and ``loss(model(inputs), targets)`` is made smaller; `clip`
    bounds the norm of all gradients together. The scheduler steps once an epoch. `stopping` is given the
    accuracy in mode max and the loss in mode min, those of the validation where there is one, and at the
    end its best state is restored, whatever ended the training. ``callback(record)`` is called after every
    epoch, and ``progress(loader, epoch)`` may wrap an epoch's batches.

    Ctrl-C ends the training without an exception; ``History.interrupted`` tells. Numbers that are not
    finite, in the data, the loss or the gradient, raise ValueError with the epoch and the batch, both
    counted from 1, before any weight has changed.

    >>> _ = cg.manual_seed(0)
    >>> x = cg.randn(64, 2)
    >>> data = cg.data.TensorDataset(x, (x.array[:, 0] > 0).astype(int))
    >>> model = cg.train.mlp((2, 8, 2))
    >>> history = cg.train.fit(
    ...     model, cg.data.DataLoader(data, batch_size=16, shuffle=True),
    ...     cg.optim.AdamW(model.parameters(), lr=0.05), epochs=10, clip=1.0,
    ... )
    >>> len(history.records), history.records[-1].loss < history.records[0].loss
    (10, True)
    """
    if not epochs >= 0:
        raise ValueError(f"fit: epochs must not be negative, got {epochs}")
    if clip is not None and not clip > 0:
        raise ValueError(f"fit: clip must be above 0, got {clip}")
    history = History()
    try:
        for epoch in range(1, epochs + 1):
            batches = loader if progress is None else progress(loader, epoch)
            record = run_epoch(model, batches, optimizer, epoch, validation, loss, clip)
            history.records.append(record)
            value = watched(record, validation is not None, stopping)
            history.stopped = stopping is not None and stopping.step(value)
            if callback is not None:
                callback(record)
            if history.stopped:
                break
            advance(scheduler, record)
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        # Interrupted before the first best, the weights of the unfinished epoch are all there is.
        if stopping is not None and (stopping.best_epoch is not None or not history.interrupted):
            stopping.restore()
    return history


def run_epoch(
    model: Module,
    batches: Iterable[Any],
    optimizer: Optimizer,
    epoch: int,
    validation: Batches | None,
    loss: Loss,
    clip: float | None,
) -> Record:
    """One epoch of training, and the validation behind it."""
    model.train()
    mean, norms = Mean(), 0.0
    rate = optimizer.param_groups[0]["lr"]
    start, number = time.perf_counter(), 0
    for number, (inputs, target) in enumerate(batches, 1):
        norms += step(model, inputs, target, optimizer, loss, clip, mean, f"epoch {epoch}, batch {number}")
    seconds = time.perf_counter() - start
    if not number:
        raise ValueError("fit: the loader gives no batches")
    train = mean.result()
    held = evaluate(model, validation, loss, where=f"validation in epoch {epoch}, ") if validation is not None else None
    return Record(
        epoch,
        train.loss,
        train.accuracy,
        held.loss if held else math.nan,
        held.accuracy if held else math.nan,
        norms / number,
        rate,
        mean.samples / max(seconds, 1e-9),
    )


def step(
    model: Module,
    inputs: Any,
    target: Any,
    optimizer: Optimizer,
    loss: Loss,
    clip: float | None,
    mean: Mean,
    place: str,
) -> float:
    """One update of the weights; returns the gradient's norm before clipping."""
    demand_finite("fit", inputs, place)
    optimizer.zero_grad()
    scores = model(inputs)
    error = loss(scores, target)
    value = error.item()
    if not math.isfinite(value):
        raise ValueError(f"fit: {place}: the loss is {value}")
    error.backward()
    norm = clip_grad_norm_(model.parameters(), math.inf if clip is None else clip).item()
    if not math.isfinite(norm):
        raise ValueError(f"fit: {place}: the norm of the gradient is {norm}")
    optimizer.step()
    mean.add(value, scores.array, array_of(target))
    return float(norm)


def watched(record: Record, validated: bool, stopping: EarlyStopping | None) -> float:
    """The number that early stopping is given."""
    if stopping is not None and stopping.mode == "max":
        return record.val_accuracy if validated else record.accuracy
    return record.val_loss if validated else record.loss


def advance(scheduler: LRScheduler | None, record: Record) -> None:
    """The next epoch's rate."""
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(record.loss if math.isnan(record.val_loss) else record.val_loss)
    elif scheduler is not None:
        scheduler.step()


def evaluate(model: Module, loader: Batches, loss: Loss = F.cross_entropy, *, where: str = "") -> Evaluation:
    """The mean loss and the accuracy over all batches of (inputs, targets), in evaluation mode and without
    a graph. The modes of all modules are afterwards as they were.

    Raises ValueError, naming the batch, for inputs or a loss that are not finite; `where` stands before its
    number.

    >>> data = cg.data.TensorDataset(cg.tensor([[2.0, 0.0], [0.0, 2.0], [3.0, 1.0]]), cg.tensor([0, 1, 1]))
    >>> result = cg.train.evaluate(cg.nn.Identity(), cg.data.DataLoader(data, batch_size=2))
    >>> round(result.accuracy, 4)
    0.6667
    """
    mean = Mean()
    with Evaluating(model):
        for number, (inputs, target) in enumerate(loader, 1):
            place = f"{where}batch {number}"
            demand_finite("evaluate", inputs, place)
            scores = model(inputs)
            value = loss(scores, target).item()
            if not math.isfinite(value):
                raise ValueError(f"evaluate: {place}: the loss is {value}")
            mean.add(value, scores.array, array_of(target))
    if not mean.samples:
        raise ValueError("evaluate: the loader gives no batches")
    return mean.result()


def predict(model: Module, inputs: Tensor | Array, batch_size: int = 1024) -> Array:
    """What the model gives for every row of `inputs`, in evaluation mode and without a graph, `batch_size`
    rows at a time.

    >>> cg.train.predict(cg.nn.ReLU(), np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """
    if not batch_size >= 1:
        raise ValueError(f"predict: batch_size must be at least 1, got {batch_size}")
    rows = array_of(inputs)
    with Evaluating(model):
        starts = range(0, max(len(rows), 1), batch_size)
        return np.concatenate([model(Tensor(rows[i : i + batch_size])).array for i in starts])


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


def demand_finite(op: str, inputs: Any, place: str) -> None:
    """Raises ValueError where the inputs are floats and one is NaN or infinite."""
    array = array_of(inputs)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{op}: {place}: the data hold {array[~np.isfinite(array)].flat[0]}")
