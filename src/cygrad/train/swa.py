"""The options of stochastic weight averaging."""

from __future__ import annotations

from dataclasses import dataclass

from cygrad.optim.optimizer import Optimizer
from cygrad.optim.swa_utils import SWALR

__all__ = ["SWA"]


@dataclass(frozen=True)
class SWA:
    """Stochastic weight averaging: the trained model is the mean of the weights at the ends of the last epochs.

    Args:
        start: first epoch whose weights are averaged, from 1. Until then the trainer's scheduler sets the rate.
        lr: learning rate from `start` on; by default the scheduler continues.
        anneal_epochs: epochs in which the rate reaches `lr`, see ``cygrad.optim.swa_utils.SWALR``.

    Raises:
        ValueError: if `start` is below 1.

    P. Izmailov et al. (2018), "Averaging weights leads to wider optima and better generalization".
    """

    start: int
    lr: float | None = None
    anneal_epochs: int = 10

    def __post_init__(self) -> None:
        if not self.start >= 1:
            raise ValueError(f"SWA: start must be at least 1, got {self.start}")

    def scheduler(self, optimizer: Optimizer) -> SWALR | None:
        """Return the scheduler that anneals the rate to `lr`, if given; it changes no rate before its first step."""
        if self.lr is None:
            return None
        rates = [group["lr"] for group in optimizer.param_groups]
        scheduler = SWALR(optimizer, self.lr, self.anneal_epochs)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate  # with anneal_epochs=0 the constructor changes it
        return scheduler
