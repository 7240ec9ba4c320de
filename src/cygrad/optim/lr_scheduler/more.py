"""Schedules that few programs use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cygrad.autograd import recording
from cygrad.optim.lr_scheduler.base import HasGroups, LRScheduler, groups_of, one_per_group
from cygrad.optim.lr_scheduler.one_cycle import set_momentum
from cygrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from cygrad.optim.lr_scheduler.schedules import LambdaLR

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "MultiplicativeLR",
    "PolynomialLR",
]


class MultiplicativeLR(LambdaLR):
    """Set η(t) = η(t−1)·λ(t). As ``torch.optim.lr_scheduler.MultiplicativeLR``. The functions are not part of the state
    dict.

    Args:
        optimizer: optimizer whose learning rates are set.
        lr_lambda: λ, a function of the epoch, or a list of one for each parameter group.
        last_epoch: last epoch that is done, default −1 for a new training.
    """

    def get_lr(self) -> list[float]:
        """Return η(t−1)·λ(t)."""
        return [rate * function(self.last_epoch) for rate, function in zip(self._rates(), self.lr_lambdas)]

    def _first_lr(self) -> list[float]:
        return self._rates() if self.last_epoch == 0 else self.get_lr()


class ConstantLR(LRScheduler):
    """Set η(t) = η₀·factor up to epoch total_iters, then η₀. As ``torch.optim.lr_scheduler.ConstantLR``.

    Args:
        optimizer: optimizer whose learning rates are set.
        factor: factor in [0, 1], default 1/3.
        total_iters: number of epochs with the factor, default 5.
        last_epoch: last epoch that is done, default −1 for a new training.

    Raises:
        ValueError: the factor does not lie in [0, 1].
    """

    def __init__(self, optimizer: HasGroups, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: factor must lie in [0, 1], got {factor}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return η(t−1), times the factor at 0 and divided by it at total_iters."""
        if self.last_epoch == 0:
            return self._scaled(self.factor)
        if self.last_epoch != self.total_iters:
            return self._rates()
        return self._scaled(1 / self.factor) if self.factor else list(self.base_lrs)


class PolynomialLR(LRScheduler):
    """Set η(t) = η₀·(1 − t/T)^power, 0 from epoch T on. As ``torch.optim.lr_scheduler.PolynomialLR``.

    Args:
        optimizer: optimizer whose learning rates are set.
        total_iters: T, default 5.
        power: the power, default 1.
        last_epoch: last epoch that is done, default −1 for a new training.

    Raises:
        ValueError: power is negative.
    """

    def __init__(self, optimizer: HasGroups, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        if not power >= 0:
            raise ValueError(f"PolynomialLR: power must not be negative, got {power}")
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return η(t−1)·((T − t)/(T − t + 1))^power."""
        t, total = self.last_epoch, self.total_iters
        if t == 0 or t > total:
            return self._rates()
        return self._scaled(((1 - t / total) / (1 - (t - 1) / total)) ** self.power)


class CosineAnnealingWarmRestarts(LRScheduler):
    """Set η(t) = η_min + (η₀ − η_min)·(1 + cos(π·t_i/T_i))/2, t_i the epochs since the last restart: the first comes
    after T_0 epochs, each later one after T_mult times as many. As
    ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``. I. Loshchilov, F. Hutter (2017),
    "SGDR: stochastic gradient descent with warm restarts".

    Args:
        optimizer: optimizer whose learning rates are set.
        T_0: epochs until the first restart, at least 1.
        T_mult: factor of the epochs between restarts, at least 1, default 1.
        eta_min: η_min, default 0.
        last_epoch: last epoch that is done, default −1 for a new training.

    Raises:
        ValueError: T_0 or T_mult is not a positive integer, or eta_min is not a number.
    """

    def __init__(
        self, optimizer: HasGroups, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"CosineAnnealingWarmRestarts: {name} must be an integer of at least 1, got {value!r}")
        if not isinstance(eta_min, (int, float)):
            raise ValueError(f"CosineAnnealingWarmRestarts: eta_min must be a number, got {type(eta_min).__name__}")
        self.T_0 = self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the rates at T_cur epochs after the last restart."""
        wave = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * wave for base in self.base_lrs]

    @recording.replayed
    def step(self, epoch: float | None = None) -> None:
        """Move on to the next epoch, or to any, which may be a fraction, and set its rates."""
        if epoch is not None and epoch < 0:
            raise ValueError(f"CosineAnnealingWarmRestarts: epoch must not be negative, got {epoch}")
        if epoch is None:
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
            epoch = self.last_epoch + 1
        else:
            self.T_cur, self.T_i = self._position(epoch)
        self.last_epoch = math.floor(epoch) - 1
        self._advance(self.get_lr)

    def _start(self) -> None:
        self.step()

    def _position(self, epoch: float) -> tuple[float, int]:
        """T_cur and T_i of an epoch."""
        if self.T_mult == 1:
            return epoch % self.T_0, self.T_0
        restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
        start = self.T_0 * (self.T_mult**restarts - 1) / (self.T_mult - 1)
        return epoch - start, self.T_0 * self.T_mult**restarts

    def _undo(self) -> None:
        super()._undo()
        self.T_cur, self.T_i = -1, self.T_0

    def _restart(self) -> None:
        self._undo()
        super()._restart()


class CyclicLR(LRScheduler):
    """Let the rate go up from base_lr to max_lr and down again, in cycles of step_size_up + step_size_down steps. Call
    ``step()`` after every batch. As ``torch.optim.lr_scheduler.CyclicLR``. L. N. Smith (2017), "Cyclical learning rates
    for training neural networks".

    Args:
        optimizer: optimizer whose learning rates are set.
        base_lr: lowest rate, a number or a list of one for each parameter group.
        max_lr: highest rate, likewise.
        step_size_up: steps up, default 2000.
        step_size_down: steps down, default None for step_size_up.
        mode: "triangular" (default), "triangular2" (the height is halved each cycle), "exp_range" (gamma^step).
        gamma: of mode "exp_range", default 1.
        scale_fn: function of the cycle or the step that replaces mode's, default None.
        scale_mode: "cycle" (default) or "iterations": the argument of scale_fn.
        cycle_momentum: whether the momentum (or β₁) moves against the rate, default True.
        base_momentum: lowest momentum, default 0.8.
        max_momentum: highest momentum, default 0.9.
        last_epoch: last step that is done, default −1 for a new training.

    Raises:
        ValueError: mode is unknown and there is no scale_fn, or the optimizer has no momentum to cycle.
    """

    _unsaved = ("optimizer", "_custom")

    def __init__(
        self,
        optimizer: HasGroups,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        groups = groups_of("CyclicLR", optimizer)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(f"CyclicLR: mode must be triangular, triangular2 or exp_range, got {mode!r}")
        if cycle_momentum and not all("betas" in group or "momentum" in group for group in groups):
            raise ValueError("CyclicLR: the groups have neither momentum nor betas to cycle; use cycle_momentum=False")
        bases = one_per_group("CyclicLR: base_lr", base_lr, groups)
        self.max_lrs = one_per_group("CyclicLR: max_lr", max_lr, groups)
        self.base_momentums = one_per_group("CyclicLR: base_momentum", base_momentum, groups)
        self.max_momentums = one_per_group("CyclicLR: max_momentum", max_momentum, groups)
        down = step_size_up if step_size_down is None else step_size_down
        if not (step_size_up > 0 and down >= 0):
            raise ValueError(f"CyclicLR: step_size_up must be positive, got {step_size_up}, and step_size_down, {down}")
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self.cycle_momentum = cycle_momentum
        self._custom = scale_fn
        self._of_cycle = scale_mode == "cycle" if scale_fn else mode != "exp_range"
        if last_epoch == -1:
            for group, rate, low, high in zip(groups, bases, self.base_momentums, self.max_momentums):
                group["lr"] = group["initial_lr"] = rate
                if cycle_momentum:
                    group.update(base_momentum=low, max_momentum=high)
                    set_momentum(group, high)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = bases

    def scale_fn(self, x: float) -> float:
        """Return the height of a cycle, as a fraction of max_lr − base_lr."""
        if self._custom is not None:
            return self._custom(x)
        return {"triangular": 1.0, "triangular2": 0.5 ** (x - 1), "exp_range": self.gamma**x}[self.mode]

    def get_lr(self) -> list[float]:
        """Return the rates of step ``last_epoch`` and set its momenta."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height *= self.scale_fn(cycle if self._of_cycle else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums):
                set_momentum(group, high - (high - low) * height)
        return [base + (peak - base) * height for base, peak in zip(self.base_lrs, self.max_lrs)]


class ChainedScheduler(LRScheduler):
    """Step several schedulers of one optimizer together, so that their factors multiply. As
    ``torch.optim.lr_scheduler.ChainedScheduler``.

    Args:
        schedulers: the schedulers.
        optimizer: their optimizer, default that of the first.

    Raises:
        ValueError: there is no scheduler, one belongs to a different optimizer, or is a ``ReduceLROnPlateau``.
    """

    _unsaved = ("optimizer", "_schedulers")

    def __init__(self, schedulers: Iterable[LRScheduler], optimizer: HasGroups | None = None) -> None:
        schedulers = list(schedulers)
        if not schedulers:
            raise ValueError("ChainedScheduler: the list of schedulers is empty")
        if not all(isinstance(scheduler, LRScheduler) for scheduler in schedulers):
            raise TypeError(f"ChainedScheduler: expected schedulers, got {[type(s).__name__ for s in schedulers]}")
        self.optimizer = optimizer or schedulers[0].optimizer
        for i, scheduler in enumerate(schedulers):
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"ChainedScheduler: scheduler {i} is a ReduceLROnPlateau, which needs a metric")
            if scheduler.optimizer is not self.optimizer:
                raise ValueError(f"ChainedScheduler: scheduler {i} belongs to a different optimizer")
        self._schedulers = schedulers
        self._last_lr = self._rates()

    @recording.replayed
    def step(self, epoch: None = None) -> None:  # type: ignore[override]  # as in PyTorch
        """Step every scheduler."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._rates()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the schedulers under ``"_schedulers"``."""
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        states = state_dict.get("_schedulers", [])
        if len(states) != len(self._schedulers):
            raise ValueError(f"ChainedScheduler: the state has {len(states)} schedulers, not {len(self._schedulers)}")
        for scheduler, state in zip(self._schedulers, states):
            scheduler._check_state(state)
        for scheduler, state in zip(self._schedulers, states):
            scheduler._restore(state)
        self._last_lr = list(state_dict.get("_last_lr", self._rates()))
