"""Schedules with a formula in the epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from cygrad.optim.lr_scheduler.base import HasGroups, LRScheduler, groups_of

__all__ = ["CosineAnnealingLR", "ExponentialLR", "LambdaLR", "LinearLR", "MultiStepLR", "StepLR"]


class LambdaLR(LRScheduler):
    """Set η(t) = η₀·λ(t). As ``torch.optim.lr_scheduler.LambdaLR``. The functions are not part of the state dict.

    Args:
        optimizer: optimizer whose learning rates are set.
        lr_lambda: λ, a function of the epoch, or a list of one for each parameter group.
        last_epoch: last epoch that is done, default −1 for a new training.

    Raises:
        ValueError: the list does not have one function for each parameter group.

    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = cg.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    _unsaved = ("optimizer", "lr_lambdas")

    def __init__(
        self,
        optimizer: HasGroups,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        groups = len(groups_of("LambdaLR", optimizer))
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, Sequence) else [lr_lambda] * groups
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"LambdaLR: got {len(self.lr_lambdas)} functions for {groups} parameter groups")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return η₀·λ(t)."""
        return [base * function(self.last_epoch) for base, function in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class StepLR(LRScheduler):
    """Set η(t) = η₀·γ^⌊t/s⌋: multiply the rate by γ every s epochs. As ``torch.optim.lr_scheduler.StepLR``.

    Args:
        optimizer: optimizer whose learning rates are set.
        step_size: s, in epochs, at least 1.
        gamma: γ, default 0.1.
        last_epoch: last epoch that is done, default −1 for a new training.

    Raises:
        ValueError: step_size is below 1.

    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = cg.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4): scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: HasGroups, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if step_size < 1:
            raise ValueError(f"StepLR: step_size must be at least 1, got {step_size}")
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return η(t−1)·γ if s divides t, else η(t−1)."""
        due = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return self._scaled(self.gamma) if due else self._rates()


class MultiStepLR(LRScheduler):
    """Set η(t) = η₀·γᵏ, k the number of milestones up to t. As ``torch.optim.lr_scheduler.MultiStepLR``.

    Args:
        optimizer: optimizer whose learning rates are set.
        milestones: epochs at which the rate is multiplied by γ. One that is listed twice counts twice.
        gamma: γ, default 0.1.
        last_epoch: last epoch that is done, default −1 for a new training.

    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = cg.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> for _ in range(3): scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self, optimizer: HasGroups, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return η(t−1)·γᵏ, k the number of milestones at t."""
        return self._scaled(self.gamma ** self.milestones.count(self.last_epoch))


class ExponentialLR(LRScheduler):
    """Set η(t) = η₀·γᵗ: multiply the rate by γ every epoch. As ``torch.optim.lr_scheduler.ExponentialLR``.

    Args:
        optimizer: optimizer whose learning rates are set.
        gamma: γ.
        last_epoch: last epoch that is done, default −1 for a new training.

    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = cg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> for _ in range(3): scheduler.step()
    >>> scheduler.get_last_lr()
    [0.125]
    """

    def __init__(self, optimizer: HasGroups, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return η(t−1)·γ."""
        return self._scaled(self.gamma)

    def _first_lr(self) -> list[float]:
        return self._rates()


class LinearLR(LRScheduler):
    """Set η(t) = η₀·(a + (b − a)·min(t, T)/T): a line from a to b, then constant. As
    ``torch.optim.lr_scheduler.LinearLR``.

    Args:
        optimizer: optimizer whose learning rates are set.
        start_factor: a, in (0, 1], default 1/3.
        end_factor: b, in [0, 1], default 1.
        total_iters: T, the number of epochs from a to b, default 5.
        last_epoch: last epoch that is done, default −1 for a new training.

    Raises:
        ValueError: a factor is out of its range.

    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = cg.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.75]
    """

    def __init__(
        self,
        optimizer: HasGroups,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(f"LinearLR: start_factor must be above 0 and at most 1, got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: end_factor must lie in [0, 1], got {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return η(t−1)·f(t)/f(t−1), f(t) = a + (b − a)·min(t, T)/T."""
        t = self.last_epoch
        if t > self.total_iters:
            return self._rates()
        return self._scaled(self._factor(t) / self._factor(t - 1))

    def _factor(self, t: int) -> float:
        return self.start_factor + (self.end_factor - self.start_factor) * t / self.total_iters

    def _first_lr(self) -> list[float]:
        return self._scaled(self.start_factor if self.last_epoch == 0 else 1.0)


class CosineAnnealingLR(LRScheduler):
    """Set η(t) = η_min + (η₀ − η_min)·(1 + cos(πt/T))/2: half a wave down to η_min at epoch T, then up again. As
    ``torch.optim.lr_scheduler.CosineAnnealingLR``.

    I. Loshchilov, F. Hutter (2017), "SGDR: stochastic gradient descent with warm restarts", without the restarts.

    Args:
        optimizer: optimizer whose learning rates are set.
        T_max: T, in epochs, above 0.
        eta_min: η_min, default 0.
        last_epoch: last epoch that is done, default −1 for a new training.

    Raises:
        ValueError: T_max is not above 0.

    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = cg.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    >>> for _ in range(5): scheduler.step()
    >>> round(scheduler.get_last_lr()[0], 6)
    0.5
    """

    def __init__(self, optimizer: HasGroups, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if not T_max > 0:
            raise ValueError(f"CosineAnnealingLR: T_max must be above 0, got {T_max}")
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return η_min + (η(t−1) − η_min)·c(t)/c(t−1), c(t) = 1 + cos(πt/T), or a step up from the minimum."""
        t, period = self.last_epoch, self.T_max
        if (t - 1 - period) % (2 * period) == 0:  # c(t−1) is 0
            rise = (1 - math.cos(math.pi / period)) / 2
            return [
                rate + (base - self.eta_min) * rise for rate, base in zip(self._rates(), self.base_lrs, strict=True)
            ]
        ratio = (1 + math.cos(math.pi * t / period)) / (1 + math.cos(math.pi * (t - 1) / period))
        return [self.eta_min + (rate - self.eta_min) * ratio for rate in self._rates()]

    def _first_lr(self) -> list[float]:
        return self._rates()
