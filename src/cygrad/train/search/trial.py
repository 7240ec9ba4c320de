"""A trial of a study, as an objective function sees it."""

from __future__ import annotations

from typing import Any

from cygrad.train.callbacks import Callback
from cygrad.train.history import Record
from cygrad.train.protocols import TrainerLike

__all__ = ["Pruning", "Trial"]


class Trial:
    """One trial: its parameters, and the values that it reports.

    Args:
        trial: Optuna's trial.
        number: index of the trial in the study, the same when it is taken up again.
        attempt: how often it has been taken up again.
        params: its parameters, by name.
        metric: name of the value that ``pruning`` reports.
    """

    def __init__(self, trial: Any, number: int, attempt: int, params: dict[str, Any], metric: str) -> None:
        self.trial = trial
        self.number = number
        self.attempt = attempt
        self.params = params
        self.metric = metric
        self.epochs = 0
        self.pruned = self.interrupted = False

    def report(self, value: float, epoch: int) -> bool:
        """Report a value, and return whether the trial should end early.

        Args:
            value: of the epoch; NaN counts as worst.
            epoch: from 1.
        """
        self.epochs = epoch
        self.trial.report(value, epoch)
        self.pruned = bool(self.trial.should_prune())
        return self.pruned

    def note(self, name: str, value: Any) -> None:
        """Keep a value with the trial, as JSON can hold it."""
        self.trial.set_user_attr(name, value)

    def pruning(self, metric: str | None = None) -> Pruning:
        """Return a callback that reports a metric of each epoch, by default that of the search, and stops the training
        of a trial that should end early."""
        return Pruning(self, metric or self.metric)


class Pruning(Callback):
    """Reports a metric after each epoch, and stops the training if the trial is pruned; see ``Trial.pruning``."""

    def __init__(self, trial: Trial, metric: str) -> None:
        self.trial = trial
        self.metric = metric

    def on_fit_begin(self, trainer: TrainerLike) -> None:
        for record in trainer.history.records:  # of a training that is resumed
            self.trial.report(self.value(record), int(record["epoch"]))

    def on_epoch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        if self.trial.report(self.value(metrics), trainer.epoch):
            trainer.stop()

    def on_fit_end(self, trainer: TrainerLike) -> None:
        self.trial.interrupted = trainer.history.interrupted

    def value(self, record: Record) -> float:
        """The metric of an epoch."""
        if self.metric not in record:
            raise ValueError(f"sweep: metric must be one of {', '.join(record)}, got {self.metric!r}")
        return record[self.metric]
