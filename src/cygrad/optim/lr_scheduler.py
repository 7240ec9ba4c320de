"""Learning rates that change over the epochs, after ``torch.optim.lr_scheduler``.

A scheduler reads and writes the ``"lr"`` of the optimiser's ``param_groups``, and keeps the rate it began
with as ``"initial_lr"``. Epoch t = 0 is set when the scheduler is made; ``step()`` goes on to t + 1.

Most rates follow from the one before: η(t) = η(t−1)·f(t)/f(t−1). So several schedulers of one optimiser
multiply, and a change of the rate from outside lasts. ``LambdaLR`` and ``OneCycleLR`` set the rate whatever
it was.

A state dict holds numbers, strings and lists of them; the rates themselves are part of the optimiser's.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from cygrad.autograd import recording

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


class HasGroups(Protocol):
    """What schedulers need of an optimiser."""

    param_groups: list[dict[str, Any]]


class LRScheduler:
    """What all schedulers share. One of one's own gives ``get_lr``, the rates of epoch ``last_epoch``, one
    for each parameter group.

    `last_epoch` is the epoch last done: −1 to begin with, another to go on with an optimiser whose groups
    have their ``"initial_lr"``; KeyError where they don't.

    >>> class Halving(cg.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [base * 0.5**self.last_epoch for base in self.base_lrs]
    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = Halving(optimizer)
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    # Attributes that are no part of the state.
    outside: ClassVar[tuple[str, ...]] = ("optimizer",)

    optimizer: HasGroups
    base_lrs: list[float]
    last_epoch: int
    _last_lr: list[float]

    def __init__(self, optimizer: HasGroups, last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: parameter group {i} has no initial_lr, which going on from "
                    f"epoch {last_epoch} needs"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._start()

    def get_lr(self) -> list[float]:
        """The rates of epoch ``last_epoch``, given those of the epoch before in the groups."""
        raise NotImplementedError(f"{type(self).__name__}: a scheduler must define get_lr")

    def get_last_lr(self) -> list[float]:
        """The rates last set, one for each parameter group."""
        return list(self._last_lr)

    @recording.replayed
    def step(self) -> None:
        """Goes on to the next epoch, and sets its rates."""
        self._advance(self.get_lr)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser, as plain data."""
        return {
            name: list(value) if isinstance(value, list) else value
            for name, value in vars(self).items()
            if name not in self.outside
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what ``state_dict`` gave. Raises ValueError where the names are others."""
        self._check(state_dict)
        self._take(state_dict)

    def _check(self, state: dict[str, Any]) -> None:
        wanted = self.state_dict().keys()
        if state.keys() != wanted:
            raise ValueError(f"{type(self).__name__}: the state has the names {sorted(state)}, wanted {sorted(wanted)}")

    def _take(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, list(value) if isinstance(value, list) else value)

    def _first_lr(self) -> list[float]:
        """The rates of the epoch that the scheduler begins with."""
        return self.get_lr()

    def _start(self) -> None:
        """Sets the rates of the epoch that the scheduler begins with."""
        self._advance(self._first_lr)

    def _undo(self) -> None:
        """Goes back to before the start."""
        self.last_epoch -= 1

    def _restart(self) -> None:
        """Begins again at epoch 0, whatever the rates are now."""
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base
        self.last_epoch = -1
        self._start()

    def _advance(self, rates: Callable[[], list[float]]) -> None:
        self.last_epoch += 1
        try:
            values = rates()
        except BaseException:
            self.last_epoch -= 1
            raise
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            group["lr"] = value
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        """The rates as they are."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _scaled(self, factor: float) -> list[float]:
        """The rates as they are, times a factor."""
        return [rate * factor for rate in self._rates()]


class LambdaLR(LRScheduler):
    """η(t) = η₀·λ(t), the function given, one for all parameter groups or a list of one for each.

    The functions are no part of the state dict.

    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> scheduler = cg.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    outside = ("optimizer", "lr_lambdas")

    def __init__(
        self,
        optimizer: HasGroups,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        groups = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, Sequence) else [lr_lambda] * groups
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"LambdaLR: got {len(self.lr_lambdas)} functions for {groups} parameter groups")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """η₀·λ(t)"""
        return [base * function(self.last_epoch) for base, function in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class StepLR(LRScheduler):
    """η(t) = η₀·γ^⌊t/s⌋: times γ every s = `step_size` epochs.

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
        """η(t−1), or η(t−1)·γ where s divides t"""
        due = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return self._scaled(self.gamma) if due else self._rates()


class MultiStepLR(LRScheduler):
    """η(t) = η₀·γ^k, with k the number of `milestones` up to t, one named twice counting twice.

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
        """η(t−1)·γ^k, with k the number of milestones at t"""
        return self._scaled(self.gamma ** self.milestones.count(self.last_epoch))


class ExponentialLR(LRScheduler):
    """η(t) = η₀·γᵗ

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
        """η(t−1)·γ"""
        return self._scaled(self.gamma)

    def _first_lr(self) -> list[float]:
        return self._rates()


class LinearLR(LRScheduler):
    """η(t) = η₀·f(t), where f goes in a line from a = `start_factor` at 0 to b = `end_factor` at T =
    `total_iters`, and stays there: f(t) = a + (b − a)·min(t, T)/T.

    Raises ValueError unless 0 < a ≤ 1 and 0 ≤ b ≤ 1.

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
        """η(t−1)·f(t)/f(t−1)"""
        t = self.last_epoch
        if t > self.total_iters:
            return self._rates()
        return self._scaled(self._factor(t) / self._factor(t - 1))

    def _factor(self, t: int) -> float:
        return self.start_factor + (self.end_factor - self.start_factor) * t / self.total_iters

    def _first_lr(self) -> list[float]:
        return self._scaled(self.start_factor if self.last_epoch == 0 else 1.0)


class CosineAnnealingLR(LRScheduler):
    """η(t) = η_min + (η₀ − η_min)·(1 + cos(πt/T))/2: half a wave down to η_min at T = `T_max`, and up again
    behind it.

    I. Loshchilov, F. Hutter (2017), "SGDR: stochastic gradient descent with warm restarts", without the
    restarts. Raises ValueError unless T > 0.

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
        """η_min + (η(t−1) − η_min)·c(t)/c(t−1) with c(t) = 1 + cos(πt/T), or a step up from the minimum"""
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


class OneCycleLR(LRScheduler):
    """One cycle over all steps of the training: from η_max/`div_factor` up to η_max = `max_lr` in the first
    `pct_start` of them, then down to η_max/(`div_factor`·`final_div_factor`); with `three_phase` back down
    to the beginning in as many steps as up, and to the end in the rest. ``step()`` is to be called after
    every batch.

    From a to b a phase goes along half a cosine, b + (a − b)·(1 + cos πp)/2, or with
    ``anneal_strategy="linear"`` along a line, a + (b − a)·p, where p goes from 0 to 1. With `cycle_momentum`
    the momentum, or β₁, goes the other way between `max_momentum` and `base_momentum`. `max_lr` and both
    momenta are numbers, or lists of one for each parameter group. The number of steps is `total_steps`, or
    `epochs` times `steps_per_epoch`.

    L. Smith, N. Topin (2019), "Super-convergence: very fast training of neural networks using large learning
    rates". Raises ValueError where the number of steps is missing, an argument is out of its range, the
    groups have no momentum to cycle, and at more steps than there are.

    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0, momentum=0.9)
    >>> scheduler = cg.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> for _ in range(2): scheduler.step()
    >>> scheduler.get_last_lr()
    [1.0]
    """

    def __init__(
        self,
        optimizer: HasGroups,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start must lie in [0, 1], got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy must be cos or linear, got {anneal_strategy!r}")
        groups = optimizer.param_groups
        if cycle_momentum and not all("betas" in group or "momentum" in group for group in groups):
            raise ValueError(
                "OneCycleLR: the parameter groups have neither momentum nor betas to cycle; use cycle_momentum=False"
            )
        self.total_steps = count_steps(total_steps, epochs, steps_per_epoch)
        self.pct_start = pct_start
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        self.three_phase = three_phase
        peaks = one_each("OneCycleLR: max_lr", max_lr, groups)
        highs = one_each("OneCycleLR: max_momentum", max_momentum, groups)
        lows = one_each("OneCycleLR: base_momentum", base_momentum, groups)
        if last_epoch == -1:
            for group, peak, high, low in zip(groups, peaks, highs, lows, strict=True):
                start = peak / div_factor
                group.update(initial_lr=start, max_lr=peak, min_lr=start / final_div_factor)
                if cycle_momentum:
                    group.update(max_momentum=high, base_momentum=low)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates of step ``last_epoch``; the momenta are set to it."""
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"OneCycleLR: step {self.last_epoch} lies behind the end, there are {self.total_steps} steps"
            )
        share, (start, end), (momentum_start, momentum_end) = self._phase()
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[start], group[end], share))
            if self.cycle_momentum:
                set_momentum(group, self._between(group[momentum_start], group[momentum_end], share))
        return rates

    def _phase(self) -> tuple[float, tuple[str, str], tuple[str, str]]:
        """How much of its phase lies behind the step, and what the rate and the momentum go from and to."""
        peak = self.pct_start * self.total_steps - 1
        up = ("initial_lr", "max_lr"), ("max_momentum", "base_momentum")
        phases: tuple[tuple[tuple[str, str], tuple[str, str]], ...]
        ends: tuple[float, ...]
        if self.three_phase:
            down = ("max_lr", "initial_lr"), ("base_momentum", "max_momentum")
            out = ("initial_lr", "min_lr"), ("max_momentum", "max_momentum")
            phases, ends = (up, down, out), (peak, 2 * peak, self.total_steps - 1)
        else:
            down = ("max_lr", "min_lr"), ("base_momentum", "max_momentum")
            phases, ends = (up, down), (peak, self.total_steps - 1)
        step, starts = self.last_epoch, (0, *ends)
        i = next((i for i, end in enumerate(ends) if step <= end), len(ends) - 1)
        length = ends[i] - starts[i]
        return ((step - starts[i]) / length if length else 1.0, *phases[i])

    def _between(self, start: float, end: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return start + (end - start) * share
        return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def count_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    """The number of steps of a training."""
    if total_steps is None:
        if epochs is None or steps_per_epoch is None:
            raise ValueError("OneCycleLR: either total_steps, or both epochs and steps_per_epoch, are needed")
        counts = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    else:
        counts = {"total_steps": total_steps}
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"OneCycleLR: {name} must be an integer of at least 1, got {count!r}")
    return math.prod(counts.values())


def one_each(name: str, value: float | Sequence[float], groups: list[dict[str, Any]]) -> list[float]:
    """A value for each parameter group."""
    values = list(value) if isinstance(value, Sequence) else [value] * len(groups)
    if len(values) != len(groups):
        raise ValueError(f"{name} has {len(values)} values for {len(groups)} parameter groups")
    return values


def set_momentum(group: dict[str, Any], value: float) -> None:
    """Sets a group's momentum, or its β₁."""
    if "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


class SequentialLR(LRScheduler):
    """One scheduler after the other: the next of `schedulers` begins, at its epoch 0, at the next of
    `milestones`, of which there is one less.

    Raises ValueError where the numbers do not fit, the milestones do not rise, a scheduler is of another
    optimiser, or is a ``ReduceLROnPlateau``, whose step needs a metric.

    >>> optimizer = cg.optim.SGD(cg.nn.Linear(2, 2).parameters(), lr=1.0)
    >>> warm = cg.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> decay = cg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = cg.optim.lr_scheduler.SequentialLR(optimizer, [warm, decay], milestones=[2])
    >>> for _ in range(3): scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    outside = ("optimizer", "_schedulers")

    def __init__(
        self,
        optimizer: HasGroups,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: {len(schedulers)} schedulers do not fit {len(milestones)} milestones, "
                "there must be one more"
            )
        if sorted(milestones) != list(milestones):
            raise ValueError(f"SequentialLR: the milestones must rise, got {list(milestones)}")
        for i, scheduler in enumerate(schedulers):
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"SequentialLR: scheduler {i} is a ReduceLROnPlateau, which needs a metric")
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"SequentialLR: scheduler {i} is of another optimizer")
        self._schedulers = list(schedulers)
        self._milestones = list(milestones)
        # Each scheduler set its own first rate when it was made; only that of the first counts.
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        for scheduler in schedulers:
            scheduler._undo()
        super().__init__(optimizer, last_epoch)

    @recording.replayed
    def step(self) -> None:
        """Goes on to the next epoch, and sets its rates."""
        epoch = self.last_epoch + 1
        scheduler = self._at(epoch)
        if epoch in self._milestones:
            scheduler._restart()
        else:
            scheduler.step()
        self.last_epoch = epoch
        self._last_lr = scheduler.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """The state, with those of the schedulers under ``"_schedulers"``."""
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def _at(self, epoch: int) -> LRScheduler:
        return self._schedulers[bisect_right(self._milestones, epoch)]

    def _check(self, state: dict[str, Any]) -> None:
        super()._check(state)
        if len(state["_schedulers"]) != len(self._schedulers):
            raise ValueError(
                f"SequentialLR: the state is of {len(state['_schedulers'])} schedulers, wanted {len(self._schedulers)}"
            )
        for scheduler, inner in zip(self._schedulers, state["_schedulers"], strict=True):
            scheduler._check(inner)

    def _take(self, state: dict[str, Any]) -> None:
        super()._take({name: value for name, value in state.items() if name not in self.outside})
        for scheduler, inner in zip(self._schedulers, state["_schedulers"], strict=True):
            scheduler._take(inner)

    def _start(self) -> None:
        self.last_epoch += 1
        scheduler = self._at(self.last_epoch)
        scheduler._start()
        self._last_lr = scheduler.get_last_lr()

    def _restart(self) -> None:
        self.last_epoch = 0
        scheduler = self._at(0)
        scheduler._restart()
        self._last_lr = scheduler.get_last_lr()

    def _undo(self) -> None:
        self._at(self.last_epoch)._undo()
        self.last_epoch -= 1


class ReduceLROnPlateau(LRScheduler):
    """Times `factor` whenever the metric has not improved for more than `patience` epochs; after that it
    waits for `cooldown` epochs.

    ``mode="min"`` wants the metric m to fall: better than the best is m < best·(1 − `threshold`), or with
    ``threshold_mode="abs"`` m < best − `threshold`. ``mode="max"`` wants it to rise: m > best·(1 +
    `threshold`) or best + `threshold`. A rate goes no lower than `min_lr`, a number or a list of one for each
    parameter group, and does not change by `eps` or less.

    Raises ValueError for another mode, or a factor of 1 or more.

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
        self.min_lrs = one_each("ReduceLROnPlateau: min_lr", min_lr, optimizer.param_groups)
        self.eps = eps
        self.last_epoch = 0
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0
        self._last_lr = self._rates()

    @recording.replayed
    def step(self, metrics: Any) -> None:
        """Goes on to the next epoch, whose metric is given: a number, or a tensor of one."""
        value = float(np.asarray(getattr(metrics, "array", metrics)).item())
        self.last_epoch += 1
        if self._better(value):
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

    def _better(self, value: float) -> bool:
        margin = -self.threshold if self.mode == "min" else self.threshold
        bound = self.best * (1 + margin) if self.threshold_mode == "rel" else self.best + margin
        return value < bound if self.mode == "min" else value > bound

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            rate = max(group["lr"] * self.factor, least)
            if group["lr"] - rate > self.eps:
                group["lr"] = rate
