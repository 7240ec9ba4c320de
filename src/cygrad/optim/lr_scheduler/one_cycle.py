"""One cycle over all steps of a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cygrad.optim.lr_scheduler.base import HasGroups, LRScheduler, check_strategy, groups_of, one_per_group

__all__ = ["OneCycleLR"]


class OneCycleLR(LRScheduler):
    """Raise the rate from η_max/div_factor to η_max, then lower it to η_max/(div_factor·final_div_factor), in one cycle
    over the whole training. Call ``step()`` after every batch. As ``torch.optim.lr_scheduler.OneCycleLR``.

    A phase from a to b follows half a cosine, b + (a − b)·(1 + cos πp)/2, or a line, a + (b − a)·p, for p from 0 to 1.
    The number of steps is ``total_steps``, or ``epochs`` times ``steps_per_epoch``. L. Smith, N. Topin (2019),
    "Super-convergence: very fast training of neural networks using large learning rates".

    Args:
        optimizer: optimizer whose learning rates are set.
        max_lr: η_max, a number or a list of one for each parameter group.
        total_steps: number of steps of the training, default None.
        epochs: number of epochs, default None.
        steps_per_epoch: number of batches of an epoch, default None.
        pct_start: fraction of the steps in which the rate rises, default 0.3.
        anneal_strategy: "cos" (default) or "linear".
        cycle_momentum: whether the momentum (or β₁) moves against the rate, default True.
        base_momentum: lowest momentum, a number or a list of one for each parameter group, default 0.85.
        max_momentum: highest momentum, a number or a list of one for each parameter group, default 0.95.
        div_factor: η_max over the initial rate, default 25.
        final_div_factor: initial rate over the last one, default 10⁴.
        three_phase: whether the rate first falls back to the initial rate, in as many steps as it rose, default False.
        last_epoch: last step that is done, default −1 for a new training.

    Raises:
        ValueError: the number of steps is missing, an argument is out of its range, the optimizer has no momentum to
            cycle, or ``step()`` is called more than ``total_steps`` times.

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
        for name, factor in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
            if not factor > 0:
                raise ValueError(f"OneCycleLR: {name} must be positive, got {factor}")
        check_strategy("OneCycleLR", anneal_strategy)
        groups = groups_of("OneCycleLR", optimizer)
        if cycle_momentum and not all("betas" in group or "momentum" in group for group in groups):
            raise ValueError(
                "OneCycleLR: the parameter groups have neither momentum nor betas to cycle; use cycle_momentum=False"
            )
        self.total_steps = count_steps(total_steps, epochs, steps_per_epoch)
        self.pct_start = pct_start
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        self.three_phase = three_phase
        peaks = one_per_group("OneCycleLR: max_lr", max_lr, groups)
        highs = one_per_group("OneCycleLR: max_momentum", max_momentum, groups)
        lows = one_per_group("OneCycleLR: base_momentum", base_momentum, groups)
        if last_epoch == -1:
            for group, peak, high, low in zip(groups, peaks, highs, lows, strict=True):
                start = peak / div_factor
                group.update(initial_lr=start, max_lr=peak, min_lr=start / final_div_factor)
                if cycle_momentum:
                    group.update(max_momentum=high, base_momentum=low)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the rates of step ``last_epoch`` and set its momenta."""
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"OneCycleLR: step {self.last_epoch} is after the last one, there are {self.total_steps} steps"
            )
        p, (start, end), (momentum_start, momentum_end) = self._phase()
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[start], group[end], p))
            if self.cycle_momentum:
                set_momentum(group, self._between(group[momentum_start], group[momentum_end], p))
        return rates

    def _phase(self) -> tuple[float, tuple[str, str], tuple[str, str]]:
        """Return p of the step, and the start and end of its phase: keys of the rates and of the momenta."""
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

    def _between(self, start: float, end: float, p: float) -> float:
        if self.anneal_strategy == "linear":
            return start + (end - start) * p
        return end + (start - end) / 2 * (1 + math.cos(math.pi * p))


def count_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    """Return the number of steps of the training."""
    if total_steps is None:
        if epochs is None or steps_per_epoch is None:
            raise ValueError("OneCycleLR: either total_steps, or both epochs and steps_per_epoch, must be given")
        counts = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    else:
        counts = {"total_steps": total_steps}
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"OneCycleLR: {name} must be an integer of at least 1, got {count!r}")
    return math.prod(counts.values())


def set_momentum(group: dict[str, Any], value: float) -> None:
    """Set a group's momentum, or its β₁."""
    if "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value
