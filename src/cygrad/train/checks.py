"""What a trainer is made of, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from cygrad.nn.module import Module
from cygrad.optim.lr_scheduler import ReduceLROnPlateau
from cygrad.optim.optimizer import Optimizer
from cygrad.train.callbacks import Callback
from cygrad.train.early_stopping import EarlyStopping

if TYPE_CHECKING:
    from cygrad.train.trainer import Trainer

__all__ = ["check_options", "check_parts"]


def check_parts(model: Any, loss: Any, optimizer: Any, early_stopping: Any, callbacks: Any) -> None:
    """Raises TypeError where a part of a trainer is of another type, ValueError where the optimizer would leave the
    model as it is."""
    for name, part, kind, said in (
        ("model", model, Module, "a Module"),
        ("optimizer", optimizer, Optimizer, "an Optimizer"),
        ("loss", loss, Callable, "a function of outputs and targets"),
        ("early_stopping", early_stopping, EarlyStopping | None, "an EarlyStopping"),
        ("callbacks", callbacks, Iterable, "a list"),
    ):
        if not isinstance(part, kind):  # type: ignore[arg-type]
            raise TypeError(f"Trainer: {name} must be {said}, got {type(part).__name__}")
    moved = {id(p) for group in optimizer.param_groups for p in group["params"]}
    learned = [*model.parameters(), *(loss.parameters() if isinstance(loss, Module) else ())]
    if not any(id(p) in moved for p in learned):
        raise ValueError("Trainer: the optimizer has none of the model's parameters")


def check_options(trainer: Trainer) -> None:
    """Raises ValueError or TypeError where the options of a trainer make no sense."""
    t = trainer
    if t.scheduler_interval not in ("epoch", "step"):
        raise ValueError(f"Trainer: scheduler_interval must be epoch or step, got {t.scheduler_interval!r}")
    if isinstance(t.scheduler, ReduceLROnPlateau) and t.scheduler_interval == "step":
        raise ValueError("Trainer: ReduceLROnPlateau needs the number of an epoch, it can't step after every update")
    if t.scheduler is not None and t.scheduler.optimizer is not t.optimizer:
        raise ValueError("Trainer: the scheduler is of another optimizer")
    if not isinstance(t.accumulate, int) or t.accumulate < 1:
        raise ValueError(f"Trainer: accumulate must be an integer of at least 1, got {t.accumulate!r}")
    if t.compile not in (None, True, False):
        raise TypeError(f"Trainer: compile must be True, False or None, got {t.compile!r}")
    if t.ema is not None and not 0 <= t.ema < 1:
        raise ValueError(f"Trainer: ema must lie in [0, 1), got {t.ema}")
    if t.swa is not None and (t.ema is not None or t.early_stopping is not None):
        raise ValueError("Trainer: swa goes with neither ema nor early_stopping, whose weights would replace its own")
    if t.early_stopping is not None and t.early_stopping.module is not t.model:
        raise ValueError("Trainer: early_stopping watches another model")
    if t.early_stopping is not None and t.early_stopping.mode == "max" and t.monitor is None:
        raise ValueError("Trainer: early_stopping in mode max needs a monitor, such as val_accuracy")
    for callback in t.callbacks:
        if not isinstance(callback, Callback):
            raise TypeError(f"Trainer: a callback must be a Callback, got {type(callback).__name__}")
