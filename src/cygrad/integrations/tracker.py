"""What all trackers share: which numbers they are given, and what becomes of the training where they can't be kept."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from cygrad.nn.module import Module
from cygrad.tensor import Tensor
from cygrad.train.callbacks import Callback
from cygrad.train.clipping import describe_clip
from cygrad.train.protocols import ConfiguredTrainer, TrainerLike

__all__ = ["FirstInputs", "Row", "Tracker", "TrackerWarning", "check_every", "outcome", "settings_of"]

Setting = bool | int | float | str | None


class TrackerWarning(UserWarning):
    """A tracker can't keep what it is given; the sentence says where it is instead."""


class Row(NamedTuple):
    """Numbers of one moment: of a step, ``kind`` "batch", or of an epoch, "epoch". ``step`` counts the updates of the
    weights over all epochs, ``time`` the seconds since 1970."""

    kind: str
    step: int
    epoch: int
    time: float
    values: dict[str, float]


class Tracker(Callback):
    """Base class of trackers. A subclass gives ``begin``, ``take`` and ``end``; what one of them raises of
    ``failures`` becomes one ``TrackerWarning``, and the training goes on without the tracker.

    ``take`` is given the record of every epoch and, in each `every`-th step, that step's loss, gradient norm and
    learning rate; none of them with ``every=None``. Raises ValueError for an `every` below 1.
    """

    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, every: int | None = 50) -> None:
        self.every = check_every(type(self).__name__, every)
        self._lost = True  # until a training begins

    def begin(self, trainer: TrainerLike) -> None:
        """Opens what is written to; after a resumption ``trainer.history`` and ``trainer.step`` say from where on."""

    def take(self, row: Row, trainer: TrainerLike) -> None:
        """Keeps a row."""

    def end(self, trainer: TrainerLike) -> None:
        """Closes it; the model has its final weights."""

    def place(self) -> str:
        """Where the rows go, for the warning."""
        return type(self).__name__

    # The trainer's calls

    def on_fit_begin(self, trainer: TrainerLike) -> None:
        self._lost = False
        try:
            self._try(self.begin, trainer)
        except Exception:
            self._lost = True  # there is nothing to end
            raise

    def on_batch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        if self.every is not None and trainer.step % self.every == 0 and not self._lost:
            self._try(self.take, Row("batch", trainer.step, trainer.epoch, time.time(), metrics), trainer)

    def on_epoch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        self._try(self.take, Row("epoch", trainer.step, trainer.epoch, time.time(), metrics), trainer)

    def on_fit_end(self, trainer: TrainerLike) -> None:
        self._try(self.end, trainer)

    def _try(self, method: Callable[..., None], *arguments: Any) -> None:
        if self._lost:
            return
        try:
            method(*arguments)
        except self.failures as error:
            self._lost = True
            warnings.warn(
                f"{self._problem(error)}; the training goes on without it, and its history has the numbers of every "
                "epoch",
                TrackerWarning,
                stacklevel=4,
            )

    def _problem(self, error: Exception) -> str:
        """What went wrong, in the words of the error where they are a sentence already."""
        name, said = type(self).__name__, getattr(error, "strerror", None) or ""
        return said if said.startswith(f"{name}: ") else f"{name}: {self.place()} can't be written ({sentence(error)})"


def check_every(name: str, every: int | None) -> int | None:
    """The number of steps between two rows, or None."""
    if every is not None and not every >= 1:
        raise ValueError(f"{name}: every must be at least 1, or None, got {every}")
    return every


def sentence(error: BaseException) -> str:
    """What an error says, on one line of a bearable length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "…"


def outcome(trainer: TrainerLike) -> str:
    """How a training ended: "interrupted" by Ctrl-C, "failed" with an error before its epochs were done, else
    "finished"."""
    history = trainer.history
    if history.interrupted:
        return "interrupted"
    return "finished" if history.stopped or len(history) >= trainer.epochs else "failed"


# What a training is made of


def settings_of(trainer: TrainerLike) -> dict[str, Setting]:
    """The options of a training as plain values: the optimizer's of its first group, the trainer's, the size of the
    model; of an estimator's training the estimator's parameters.

    >>> from cygrad.integrations.tracker import settings_of
    >>> model = cg.nn.Linear(2, 1)
    >>> sgd = cg.optim.SGD(model.parameters(), lr=0.1)
    >>> trainer = cg.train.Trainer(model, cg.nn.functional.mse_loss, sgd, clip=1.0)
    >>> found = settings_of(trainer)
    >>> found["model"], found["parameters"], found["optimizer"], found["lr"], found["clip"], found["loss"]
    ('Linear', 3, 'SGD', 0.1, 'norm 1.0', 'mse_loss')
    """
    size = sum(p.array.size for p in trainer.model.parameters())
    estimator = getattr(trainer, "hyperparameters", None)
    settings = (
        trainer_settings(cast(ConfiguredTrainer, trainer), size)
        if estimator is None
        else {"parameters": size, **estimator}
    )
    return {name: value for name, value in plain(settings).items() if value is not None}


def trainer_settings(t: ConfiguredTrainer, size: int) -> dict[str, Any]:
    """The options of a trainer whose model has so many parameters."""
    group = {name: value for name, value in t.optimizer.param_groups[0].items() if name != "params"}
    return {
        "model": type(t.model).__name__,
        "parameters": size,
        "loss": getattr(t.loss, "__name__", None) or getattr(t.loss, "name", None) or type(t.loss).__name__,
        "optimizer": type(t.optimizer).__name__,
        **group,
        "scheduler": None if t.scheduler is None else type(t.scheduler).__name__,
        "epochs": t.epochs,
        "accumulate": t.accumulate,
        "clip": describe_clip(*t.clip),
        "ema": t.ema,
        "swa": None if t.swa is None else t.swa.start,
        "patience": None if t.early_stopping is None else t.early_stopping.patience,
        "seed": t.seed,
    }


def plain(values: Mapping[str, Any]) -> dict[str, Setting]:
    """Values as trackers take them: what is neither a number, a text nor None becomes its text."""
    return {
        name: value if isinstance(value, (bool, int, float, str, type(None))) else str(getattr(value, "array", value))
        for name, value in values.items()
    }


class FirstInputs:
    """The inputs of the model's first call, or an example that is given instead.

    >>> model = cg.nn.Linear(2, 1)
    >>> first = FirstInputs(model)
    >>> _ = model(cg.zeros(4, 2)), model(cg.zeros(8, 2))
    >>> [x.shape for x in first.tensors]
    [(4, 2)]
    """

    def __init__(self, model: Module) -> None:
        self.tensors: tuple[Tensor, ...] = ()
        self._handle = model.register_forward_pre_hook(self._see)

    def _see(self, module: Module, args: tuple[Any, ...]) -> None:
        self.remove()
        self.tensors = tuple(Tensor(x.array.copy()) for x in tensors_in(args))

    def remove(self) -> None:
        """Takes the hook away."""
        self._handle.remove()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in a nesting of tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))
