"""The base class of trackers: which rows they receive, and what happens if they cannot save them."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from cygrad.nn.module import Module
from cygrad.tensor import Tensor
from cygrad.train.callbacks import Callback
from cygrad.train.clipping import describe_clip
from cygrad.train.protocols import ConfiguredTrainer, TrainerLike

__all__ = ["FirstInputs", "Row", "Tracker", "TrackerWarning", "check_every", "layers_of", "outcome", "settings_of"]

Setting = bool | int | float | str | None


class TrackerWarning(UserWarning):
    """A tracker cannot save its rows; the message says where they are instead."""


class Row(NamedTuple):
    """The values of one step (``kind`` "batch") or of one epoch ("epoch"). ``step`` counts the updates of the weights
    over all epochs; ``time`` is in seconds since 1970."""

    kind: str
    step: int
    epoch: int
    time: float
    values: dict[str, float]


class Tracker(Callback):
    """Base class of trackers. Subclasses implement ``begin``, ``take`` and ``end``.

    If one of them raises an exception listed in ``failures``, a ``TrackerWarning`` is issued once, and training
    continues without the tracker.

    Args:
        every: ``take`` receives the loss, gradient norm and learning rate of each `every`-th step, in addition to the
            record of each epoch; None passes no steps.

    Raises:
        ValueError: `every` is below 1.

    Example:
        >>> from cygrad.integrations.tracker import Tracker
        >>> class Printer(Tracker):
        ...     def take(self, row, trainer):
        ...         print(row.kind, row.step, sorted(row.values))
        >>> model = cg.nn.Linear(2, 1)
        >>> sgd = cg.optim.SGD(model.parameters(), lr=0.1)
        >>> trainer = cg.train.Trainer(
        ...     model, cg.nn.functional.mse_loss, sgd, callbacks=[Printer(every=1)], progress=False
        ... )
        >>> _ = trainer.fit([(cg.ones(4, 2), cg.ones(4, 1))], epochs=1)
        batch 1 ['grad_norm', 'loss', 'lr']
        epoch 1 ['epoch', 'grad_norm', 'loss', 'lr', 'samples_per_second']
    """

    failures: tuple[type[Exception], ...] = (OSError,)

    main_rank_only = True

    def __init__(self, every: int | None = 50) -> None:
        self.every = check_every(type(self).__name__, every)
        self._disabled = True  # until a training begins

    def begin(self, trainer: TrainerLike) -> None:
        """Opens the output. In a resumed training ``trainer.history`` and ``trainer.step`` tell where it continues."""

    def take(self, row: Row, trainer: TrainerLike) -> None:
        """Saves a row."""

    def end(self, trainer: TrainerLike) -> None:
        """Closes the output. The model has its final weights."""

    def release(self) -> None:
        """Closes what is open, after an error; nothing is written any more."""

    def destination(self) -> str:
        """Where the rows go, for the warning."""
        return type(self).__name__

    # The trainer's calls

    def on_fit_begin(self, trainer: TrainerLike) -> None:
        self._disabled = False
        try:
            self._try(self.begin, trainer)
        except Exception:
            self._disabled = True  # there is nothing to end
            raise

    def on_batch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        if self.every is not None and trainer.step % self.every == 0 and not self._disabled:
            self._try(self.take, Row("batch", trainer.step, trainer.epoch, time.time(), metrics), trainer)

    def on_epoch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        self._try(self.take, Row("epoch", trainer.step, trainer.epoch, time.time(), metrics), trainer)

    def on_fit_end(self, trainer: TrainerLike) -> None:
        self._try(self.end, trainer)

    def _try(self, method: Callable[..., None], *arguments: Any) -> None:
        if self._disabled:
            return
        try:
            method(*arguments)
        except self.failures as error:
            self._disabled = True
            problem = self._problem(error)
            with contextlib.suppress(*self.failures):
                self.release()
            warnings.warn(
                f"{problem}; training continues without this tracker, and the trainer's history has the "
                "record of every epoch",
                TrackerWarning,
                stacklevel=4,
            )

    def _problem(self, error: Exception) -> str:
        """The message of the error, unless it has to be introduced."""
        name, message = type(self).__name__, getattr(error, "strerror", None) or ""
        if message.startswith(f"{name}: "):
            return message
        return f"{name}: cannot write to {self.destination()} ({short_message(error)})"


def check_every(name: str, every: int | None) -> int | None:
    """Returns `every`. Raises ValueError if it is below 1."""
    if every is not None and not every >= 1:
        raise ValueError(f"{name}: every must be at least 1, or None, got {every}")
    return every


def short_message(error: BaseException) -> str:
    """The message of an error on one line of at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "…"


def outcome(trainer: TrainerLike) -> str:
    """How a training ended: "interrupted" (by Ctrl-C), "failed" (with an error) or "finished"."""
    history = trainer.history
    if history.interrupted:
        return "interrupted"
    return "finished" if history.stopped or len(history) >= trainer.epochs else "failed"


# Settings


def settings_of(trainer: TrainerLike) -> dict[str, Setting]:
    """Returns the settings of a training as plain values: the options of the trainer and of the optimizer's first
    parameter group, and the size of the model; for an estimator its parameters.

    Args:
        trainer: the trainer that a callback receives.

    Returns:
        A dict from names to numbers and strings. Settings that are None are left out.

    Example:
        >>> from cygrad.integrations.tracker import settings_of
        >>> model = cg.nn.Linear(2, 1)
        >>> sgd = cg.optim.SGD(model.parameters(), lr=0.1)
        >>> trainer = cg.train.Trainer(model, cg.nn.functional.mse_loss, sgd, clip=1.0)
        >>> settings = settings_of(trainer)
        >>> [settings[name] for name in ("model", "parameters", "optimizer", "lr", "clip", "loss")]
        ['Linear', 3, 'SGD', 0.1, 'norm 1.0', 'mse_loss']
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
    """The settings of a ``Trainer`` whose model has `size` parameters."""
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


def layers_of(model: Module) -> dict[str, Setting]:
    """Returns the options of each layer of a model that contains no others, as text.

    Example:
        >>> from cygrad.integrations.tracker import layers_of
        >>> layers_of(cg.nn.Sequential(cg.nn.Linear(2, 8), cg.nn.Dropout(0.3)))["model.1"]
        'Dropout(p=0.3, inplace=False)'
    """
    inner = [(name, module) for name, module in model.named_modules() if not list(module.children())]
    return {f"model.{name}".rstrip("."): " ".join(repr(module).split()) for name, module in inner}


def plain(values: Mapping[str, Any]) -> dict[str, Setting]:
    """Values as numbers, strings or None; anything else becomes a string."""
    return {
        name: value if isinstance(value, (bool, int, float, str, type(None))) else str(getattr(value, "array", value))
        for name, value in values.items()
    }


class FirstInputs:
    """Copies of the inputs of a model's first call.

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
        """Removes the hook."""
        self._handle.remove()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))
