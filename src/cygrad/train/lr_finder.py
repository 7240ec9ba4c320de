"""The learning-rate range test."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cygrad.nn.module import Module
from cygrad.optim.optimizer import Optimizer
from cygrad.train.evaluation import Batches, Loss, NonFiniteError
from cygrad.train.random_state import RandomState
from cygrad.train.trainer import Trainer

__all__ = ["RateTest", "find_lr"]


@dataclass(frozen=True)
class RateTest:
    """The result of ``find_lr``.

    Args:
        rates: the learning rates tried, ascending.
        losses: the smoothed loss at each rate.
    """

    rates: list[float]
    losses: list[float]

    @property
    def suggestion(self) -> float:
        """The rate at which the loss falls fastest over the logarithm of the rate.

        The first tenth of the rates, whose smoothed loss averages few batches, is left out.
        """
        first = len(self.rates) // 10
        return self.rates[first + int(np.gradient(self.losses, np.log(self.rates))[first:].argmin())]


def find_lr(
    model: Module,
    loss: Loss,
    optimizer: Optimizer,
    data: Batches,
    *,
    start: float = 1e-6,
    end: float = 1.0,
    steps: int = 100,
    smoothing: float = 0.9,
    divergence: float = 4.0,
) -> RateTest:
    """Train for a few steps at increasing learning rates, and record the loss.

    The rate grows by a constant factor per step and is the same for all parameter groups. The losses lₜ are smoothed:
    s ← smoothing·s + (1 − smoothing)·lₜ, divided by 1 − smoothingᵗ. The test ends early if the smoothed loss exceeds
    `divergence` times its minimum, or is not finite. Model, optimizer and random state are restored.

    Args:
        model: to train.
        loss: function of outputs and targets.
        optimizer: of the model's parameters.
        data: batches of inputs and targets, repeated if there are too few.
        start, end: first and last learning rate.
        steps: updates.
        smoothing: in [0, 1).
        divergence: above 1.

    Returns:
        Rates and losses, with a ``suggestion``.

    Raises:
        ValueError: if an argument is out of range, or the loss diverges before the second update.

    L. N. Smith (2017), "Cyclical learning rates for training neural networks".

    Example:
        >>> _ = cg.manual_seed(0)
        >>> x = cg.randn(64, 2)
        >>> data = cg.data.TensorDataset(x, (x.array[:, 0] > 0).astype(int))
        >>> model = cg.train.mlp((2, 8, 2))
        >>> optimizer = cg.optim.SGD(model.parameters(), lr=0.1)
        >>> test = cg.train.find_lr(
        ...     model, cg.nn.functional.cross_entropy, optimizer, cg.data.DataLoader(data, 16), end=100.0
        ... )
        >>> 0.01 < test.suggestion < 100, optimizer.param_groups[0]["lr"]
        (True, 0.1)
    """
    if not 0 < start < end < math.inf:
        raise ValueError(f"find_lr: start must be above 0 and end above start, got {start} and {end}")
    if not steps >= 2 or not 0 <= smoothing < 1 or not divergence > 1:
        raise ValueError(
            "find_lr: steps must be at least 2, smoothing in [0, 1) and divergence above 1, "
            f"got {steps}, {smoothing} and {divergence}"
        )
    random = RandomState([data])
    before = random.get()
    parts: list[Module | Optimizer] = [model, optimizer]
    states = copy.deepcopy([part.state_dict() for part in parts])
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.train()
        test = run(Trainer(model, loss, optimizer, progress=False), data, start, end, steps, smoothing, divergence)
    finally:
        for part, state in zip(parts, states, strict=True):
            part.load_state_dict(state)
        for module, mode in modes:
            module.training = mode
        optimizer.zero_grad()
        random.set(before)
    if len(test.losses) < 2:
        raise ValueError(f"find_lr: the loss diverged after {len(test.losses)} updates; try a lower start")
    return test


def run(
    trainer: Trainer, data: Batches, start: float, end: float, steps: int, smoothing: float, divergence: float
) -> RateTest:
    """Run the test on a trainer."""
    test = RateTest([], [])
    mean, least = 0.0, math.inf
    for number, batch in zip(range(steps), repeated(data)):
        rate = start * (end / start) ** (number / (steps - 1))
        for group in trainer.optimizer.param_groups:
            group["lr"] = rate
        try:
            loss, _ = trainer._step([batch])
        except NonFiniteError:
            break
        mean = smoothing * mean + (1 - smoothing) * loss
        smoothed = mean / (1 - smoothing ** (number + 1))
        least = min(least, smoothed)
        if smoothed > divergence * least:
            break
        test.rates.append(rate)
        test.losses.append(smoothed)
    return test


def repeated(data: Batches) -> Iterator[Any]:
    """The batches, epoch after epoch."""
    while True:
        empty = True
        for batch in data:
            empty = False
            yield batch
        if empty:
            raise ValueError("find_lr: the loader has no batches")
