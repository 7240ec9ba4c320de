"""The schedules of an ensemble's training: learning rates, weight decay and dropout over the epochs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from cygrad import nn
from cygrad.optim.lr_scheduler.base import HasGroups, LRScheduler

__all__ = ["RecipeSchedule", "flat_cosine", "rate_factor"]

DROPOUT_STAGES = 8  # a recorded step has one dropout probability


def rate_factor(t: float) -> float:
    """The learning rate at a time t from 0 to 1, relative to the largest: ½(1 − cos(2π·log₂(1 + 15t))), four rises and
    falls, each longer than the one before."""
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t)))


def flat_cosine(t: float) -> float:
    """1 in the first half, then down to 0 along a cosine."""
    return 1.0 if t < 0.5 else 0.5 * (1 + math.cos(2 * math.pi * (t - 0.5)))


class RecipeSchedule(LRScheduler):
    """Set the learning rates, the weight decay and the dropout of an epoch, to its values in the middle of the epoch.

    The rates follow ``rate_factor``; weight decay and, in eight stages, dropout follow ``flat_cosine``.

    Args:
        optimizer: with the largest rates and decays of its groups.
        model: whose ``Dropout`` layers have the largest probability.
        epochs: of the training.

    Example:
        >>> from cygrad.train.tabular.network import ensemble, parameter_groups
        >>> from cygrad.train.tabular.schedule import RecipeSchedule
        >>> model = ensemble(2, (3, 8, 1), "relu", 0.2)
        >>> optimizer = cg.optim.AdamW(parameter_groups(model, 0.1, 0.02))
        >>> schedule = RecipeSchedule(optimizer, model, epochs=10)
        >>> for _ in range(9): schedule.step()
        >>> round(model[3].p, 3), round(optimizer.param_groups[1]["weight_decay"] / 3**0.5, 5)
        (0.029, 0.00049)
    """

    _unsaved = ("optimizer", "dropouts", "peaks")

    def __init__(self, optimizer: HasGroups, model: nn.Module, epochs: int) -> None:
        self.epochs = epochs
        self.dropouts = [layer for layer in model.modules() if isinstance(layer, nn.Dropout)]
        self.peaks = [layer.p for layer in self.dropouts]
        self.base_decays = [group["weight_decay"] for group in optimizer.param_groups]
        super().__init__(optimizer)

    @property
    def time(self) -> float:
        """The middle of the epoch, from 0 to 1."""
        return min((self.last_epoch + 0.5) / self.epochs, 1.0)

    def get_lr(self) -> list[float]:
        """Return η₀·``rate_factor``(t)."""
        return [base * rate_factor(self.time) for base in self.base_lrs]

    def _advance(self, rates: Callable[[], list[float]]) -> None:
        super()._advance(rates)
        self._set_others()

    def _restore(self, state: dict[str, Any]) -> None:
        super()._restore(state)
        self._set_others()

    def _set_others(self) -> None:
        """Set the weight decay and the dropout of the epoch."""
        for group, decay in zip(self.optimizer.param_groups, self.base_decays, strict=True):
            group["weight_decay"] = decay * flat_cosine(self.time)
        stage = math.floor(self.time * DROPOUT_STAGES) / DROPOUT_STAGES
        for layer, p in zip(self.dropouts, self.peaks, strict=True):
            layer.p = p * flat_cosine(stage)
