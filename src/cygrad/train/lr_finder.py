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
    """The rates tried, in rising order, and the smoothed loss at each."""

    rates: list[float]
    losses: list[float]

    @property
    def suggestion(self) -> float:
        """The rate at which the loss falls fastest over the logarithm of the rate; the first tenth of the rates, at
        which it is the mean of a few batches, does not count."""
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
    """Trains for `steps` updates, over and over through `data`, at rates that rise from `start` to `end` by one
    factor, and looks at the loss. It ends early where the loss is `divergence` times its least so far, or not finite.

    The losses l are smoothed: s ← `smoothing`·s + (1 − `smoothing`)·l, over 1 − `smoothing`ᵗ. All parameter groups
    have the same rate. The model, the optimizer, and the random state are afterwards as they were.

    L. N. Smith (2017), "Cyclical learning rates for training neural networks".

    Raises ValueError for rates or numbers out of range, or where fewer than two updates were possible.

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
        raise ValueError(f"find_lr: the rates must rise from above 0, got {start} and {end}")
    if not steps >= 2 or not 0 <= smoothing < 1 or not divergence > 1:
        raise ValueError(
            "find_lr: wanted at least 2 steps, a smoothing in [0, 1) and a divergence above 1, "
            f"got {steps}, {smoothing} and {divergence}"
        )
    random = RandomState([data])
    before = random.get()
    parts: list[Module | Optimizer] = [model, optimizer]
    states = copy.deepcopy([part.state_dict() for part in parts])
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.train()
        tried = run(Trainer(model, loss, optimizer, progress=False), data, start, end, steps, smoothing, divergence)
    finally:
        for part, state in zip(parts, states, strict=True):
            part.load_state_dict(state)
        for module, mode in modes:
            module.training = mode
        optimizer.zero_grad()
        random.set(before)
    if len(tried.losses) < 2:
        raise ValueError(f"find_lr: the loss diverged after {len(tried.losses)} updates, a lower start is wanted")
    return tried


def run(
    trainer: Trainer, data: Batches, start: float, end: float, steps: int, smoothing: float, divergence: float
) -> RateTest:
    """The test itself."""
    tried = RateTest([], [])
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
        tried.rates.append(rate)
        tried.losses.append(smoothed)
    return tried


def repeated(data: Batches) -> Iterator[Any]:
    """The batches, epoch after epoch."""
    while True:
        empty = True
        for batch in data:
            empty = False
            yield batch
        if empty:
            raise ValueError("find_lr: the loader gives no batches")
