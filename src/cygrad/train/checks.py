"""Checks of a trainer's parts and options, before it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cygrad.nn.module import Module
from cygrad.optim.lr_scheduler import ReduceLROnPlateau
from cygrad.optim.optimizer import Optimizer
from cygrad.train.callbacks import Callback
from cygrad.train.early_stopping import EarlyStopping
from cygrad.train.protocols import ConfiguredTrainer

__all__ = ["check_options", "check_parts", "set_direction"]


def check_parts(model: Any, loss: Any, optimizer: Any, early_stopping: Any, callbacks: Any) -> None:
    """Raise TypeError if a part has the wrong type, ValueError if the optimizer would not train the model."""
    for name, part, kind, expected in (
        ("model", model, Module, "a Module"),
        ("optimizer", optimizer, Optimizer, "an Optimizer"),
        ("loss", loss, Callable, "a function of outputs and targets"),
        ("early_stopping", early_stopping, EarlyStopping | None, "an EarlyStopping"),
        ("callbacks", callbacks, Iterable, "a list"),
    ):
        if not isinstance(part, kind):  # type: ignore[arg-type]
            raise TypeError(f"Trainer: {name} must be {expected}, got {type(part).__name__}")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise TypeError(f"Trainer: a callback must be a Callback, got {type(callback).__name__}")
    optimized = {id(p) for group in optimizer.param_groups for p in group["params"]}
    learnable = [*model.parameters(), *(loss.parameters() if isinstance(loss, Module) else ())]
    if not any(id(p) in optimized for p in learnable):
        raise ValueError("Trainer: the optimizer has none of the model's parameters")


def check_options(trainer: ConfiguredTrainer) -> None:
    """Raise ValueError or TypeError if an option is out of range or two contradict each other."""
    t = trainer
    if t.scheduler_interval not in ("epoch", "step"):
        raise ValueError(f"Trainer: scheduler_interval must be epoch or step, got {t.scheduler_interval!r}")
    if isinstance(t.scheduler, ReduceLROnPlateau) and t.scheduler_interval == "step":
        raise ValueError("Trainer: ReduceLROnPlateau needs a value per epoch, so it can't step after every update")
    if t.scheduler is not None and t.scheduler.optimizer is not t.optimizer:
        raise ValueError("Trainer: the scheduler belongs to a different optimizer")
    if not isinstance(t.accumulate, int) or t.accumulate < 1:
        raise ValueError(f"Trainer: accumulate must be an integer of at least 1, got {t.accumulate!r}")
    shards = t.deterministic_shards
    if shards is not None and (not isinstance(shards, int) or shards < 1):
        raise ValueError(f"Trainer: deterministic_shards must be None or an integer of at least 1, got {shards!r}")
    if t.compile not in (None, True, False):
        raise TypeError(f"Trainer: compile must be True, False or None, got {t.compile!r}")
    if t.ema is not None and not 0 <= t.ema < 1:
        raise ValueError(f"Trainer: ema must lie in [0, 1), got {t.ema}")
    if t.swa is not None and (t.ema is not None or t.early_stopping is not None):
        raise ValueError("Trainer: swa excludes ema and early_stopping, which would overwrite the averaged weights")
    if t.early_stopping is not None and t.early_stopping.module is not t.model:
        raise ValueError("Trainer: early_stopping belongs to a different model")
    if t.early_stopping is not None and t.early_stopping.mode == "max" and t.monitor is None:
        raise ValueError("Trainer: early_stopping in mode max needs a monitor, such as val_accuracy")


def set_direction(trainer: ConfiguredTrainer, monitored: str) -> None:
    """Give early stopping the direction of the value it watches.

    Args:
        trainer: with its parts.
        monitored: name of the value in the history.

    Raises:
        ValueError: if early stopping has no mode and the direction is unknown, or a mode is the opposite of it.
    """
    direction, stopping, scheduler = direction_of(trainer, monitored), trainer.early_stopping, trainer.scheduler
    if stopping is not None and stopping.follows_metric:
        if direction is None:
            raise ValueError(
                f"fit: early stopping can't tell whether a higher {monitored} is better; pass it mode='max' or "
                "mode='min', or give the metric a direction"
            )
        stopping.mode = direction
    for name, part in ("early stopping", stopping), ("ReduceLROnPlateau", scheduler):
        if not isinstance(part, (EarlyStopping, ReduceLROnPlateau)) or direction in (None, part.mode):
            continue
        better = "higher" if direction == "max" else "lower"
        raise ValueError(
            f"fit: {name} has mode {part.mode!r}, but a {better} {monitored} is better; pass it mode={direction!r}"
        )


def direction_of(trainer: ConfiguredTrainer, monitored: str) -> str | None:
    """ "max" if higher values are better, "min" if lower ones are, None if that is unknown."""
    name = monitored.removeprefix("val_")
    if name == "loss":
        return "min"
    return next((metric.direction for metric in trainer.metrics if metric.name == name), None)
