"""SWA: what a trainer is told of stochastic weight averaging."""

from __future__ import annotations

from dataclasses import dataclass

from cygrad.optim.optimizer import Optimizer
from cygrad.optim.swa_utils import SWALR

__all__ = ["SWA"]


@dataclass(frozen=True)
class SWA:
    """Stochastic weight averaging: the mean of the weights at the ends of the epochs from `start` on is the
    trained model. Where `lr` is given the rate goes there in `anneal_epochs` epochs, see ``SWALR``; the trainer's
    own scheduler has its say until `start`.

    Raises ValueError for a start below 1.
    """

    start: int
    lr: float | None = None
    anneal_epochs: int = 10

    def __post_init__(self) -> None:
        if not self.start >= 1:
            raise ValueError(f"SWA: start must be at least 1, got {self.start}")

    def scheduler(self, optimizer: Optimizer) -> SWALR | None:
        """What takes the rate to `lr`, if that is given; until it steps the rates stay as they are."""
        if self.lr is None:
            return None
        rates = [group["lr"] for group in optimizer.param_groups]
        made = SWALR(optimizer, self.lr, self.anneal_epochs)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate  # with anneal_epochs=0 they have changed at once
        return made
