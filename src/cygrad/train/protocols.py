"""What callbacks and checks may ask of a training loop."""

from __future__ import annotations

from typing import Protocol

from cygrad.nn.module import Module
from cygrad.optim.lr_scheduler import LRScheduler
from cygrad.optim.optimizer import Optimizer
from cygrad.train.early_stopping import EarlyStopping
from cygrad.train.evaluation import Loss
from cygrad.train.history import History
from cygrad.train.metrics import Metric
from cygrad.train.swa import SWA

__all__ = ["ConfiguredTrainer", "TrainerLike"]


class TrainerLike(Protocol):
    """A training loop as callbacks see it: a ``Trainer``, or the training of an estimator."""

    @property
    def model(self) -> Module:
        """The model in training."""

    @property
    def optimizer(self) -> Optimizer:
        """Its optimizer."""

    @property
    def history(self) -> History:
        """The records of the completed epochs."""

    @property
    def epoch(self) -> int:
        """The current epoch, from 1."""

    @property
    def epochs(self) -> int:
        """The number of epochs to train for."""

    @property
    def step(self) -> int:
        """Updates of the weights so far, over all epochs."""

    @property
    def steps_per_epoch(self) -> int | None:
        """Updates per epoch; None if the loader has no length."""

    def stop(self) -> None:
        """Stop after the current epoch."""


class ConfiguredTrainer(TrainerLike, Protocol):
    """A ``Trainer`` with its options."""

    loss: Loss
    scheduler: LRScheduler | None
    scheduler_interval: str
    metrics: list[Metric]
    monitor: str | None
    clip: tuple[str, float]
    accumulate: int
    ema: float | None
    swa: SWA | None
    early_stopping: EarlyStopping | None
    seed: int | None
    compile: bool | None
    deterministic_shards: int | None
