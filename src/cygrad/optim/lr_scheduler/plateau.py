"""A lower rate when a metric stops improving."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import SupportsFloat

import numpy as np

from cygrad.autograd import recording
from cygrad.optim.lr_scheduler.base import HasGroups, LRScheduler, groups_of, one_per_group

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """Multiply the rate by a factor when a metric has not improved for more than ``patience`` epochs. As
    ``torch.optim.lr_scheduler.ReduceLROnPlateau``.

    A metric m improves if m < best·(1 − threshold), or m < best − threshold in mode "abs"; with ``mode="max"`` if
    m > best·(1 + threshold), or m > best + threshold. If best is negative, ±threshold changes its sign, so that an
    improvement is one; in PyTorch a slightly worse value counts as one then.

    Args:
        optimizer: optimizer whose learning rates are set.
        mode: "min" (default) for a metric that should fall, "max" for one that should rise.
        factor: what the rate is multiplied by, below 1, default 0.1.
        patience: number of epochs without improvement that are tolerated, default 10.
        threshold: smallest change that counts as an improvement, default 10⁻⁴.
        threshold_mode: "rel" (default) for a threshold relative to the best value, "abs" for an absolute one.
        cooldown: number of epochs after a reduction in which nothing is counted, default 0.
        min_lr: lowest rate, a number or a list of one for each parameter group, default 0.
        eps: a rate that would change by this or less is kept, default 10⁻⁸.

    Raises:
        ValueError: a mode is unknown or the factor is 1 or more.

    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = cg.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0): scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: HasGroups,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: mode must be min or max, got {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"ReduceLROnPlateau: threshold_mode must be rel or abs, got {threshold_mode!r}")
        if not factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, got {factor}")
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lrs = one_per_group("ReduceLROnPlateau: min_lr", min_lr, groups_of("ReduceLROnPlateau", optimizer))
        self.eps = eps
        self.last_epoch = 0
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0
        self._last_lr = self._rates()

    @recording.replayed
    def step(self, metrics: SupportsFloat) -> None:  # type: ignore[override]  # as in PyTorch
        """Move on to the next epoch.

        Args:
            metrics: the metric of the epoch, a number or a tensor with one element.
        """
        value = float(np.asarray(getattr(metrics, "array", metrics)).item())
        self.last_epoch += 1
        if self._improves(value):
            self.best = value
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._rates()

    def _improves(self, value: float) -> bool:
        margin = -self.threshold if self.mode == "min" else self.threshold
        if self.threshold_mode == "abs":
            bound = self.best + margin
        else:
            bound = self.best * (1 + margin if self.best > 0 or math.isinf(self.best) else 1 - margin)
        return value < bound if self.mode == "min" else value > bound

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            rate = max(group["lr"] * self.factor, least)
            if group["lr"] - rate > self.eps:
                group["lr"] = rate
