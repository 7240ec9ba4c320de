"""Early stopping: the weights of the best epoch, and when to look no further."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cygrad.nn.module import Module

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """Watches one number an epoch, keeps the module's best state, and says when to stop: after `patience`
    epochs in a row without a new best.

    A value is a new best where it lies below the best so far by more than `min_delta` (``mode="min"``), or
    above it (``mode="max"``); the first one is, and NaN never is. The state kept is a copy of
    ``module.state_dict()``, parameters and buffers; before the first best it is the state at the beginning.

    ``best`` is the best value and ``best_epoch`` the number of its epoch, counted from 1; both are None
    before there is one.

    L. Prechelt (1998), "Early stopping - but when?".

    Raises ValueError for a patience below 1, a negative min_delta or another mode.

    >>> layer = cg.nn.Linear(2, 1)
    >>> stopping = cg.train.EarlyStopping(layer, patience=2)
    >>> [stopping.step(loss) for loss in (0.9, 0.5, 0.7, 0.6)]
    [False, False, False, True]
    >>> stopping.best, stopping.best_epoch
    (0.5, 2)
    >>> stopping.restore()
    """

    def __init__(self, module: Module, patience: int = 10, min_delta: float = 0.0, mode: str = "min") -> None:
        if not patience >= 1:
            raise ValueError(f"EarlyStopping: patience must be at least 1, got {patience}")
        if not 0 <= min_delta < math.inf:
            raise ValueError(f"EarlyStopping: min_delta must be finite and not negative, got {min_delta}")
        if mode not in ("min", "max"):
            raise ValueError(f"EarlyStopping: mode must be min or max, got {mode!r}")
        self.module = module
        self.patience = patience
        self.min_delta = min_delta
        self.mode = mode
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.epoch = 0
        self._state = copied(module)

    def step(self, value: Any) -> bool:
        """Takes the value of one more epoch, a number or a tensor of one; True means stop."""
        number = float(getattr(value, "array", value))
        self.epoch += 1
        if self._improves(number):
            # Copied first: an interrupted copy leaves the best so far.
            state = copied(self.module)
            self._state, self.best, self.best_epoch = state, number, self.epoch
        return self.epoch - (self.best_epoch or 0) >= self.patience

    def _improves(self, value: float) -> bool:
        if math.isnan(value) or self.best is None:
            return not math.isnan(value)
        gain = self.best - value if self.mode == "min" else value - self.best
        return gain > self.min_delta

    def restore(self) -> None:
        """Copies the best state back into the module."""
        self.module.load_state_dict(self._state)

    def state_dict(self) -> dict[str, Any]:
        """The best value, its epoch and state, and the number of epochs seen."""
        return {"best": self.best, "best_epoch": self.best_epoch, "epoch": self.epoch, "state": self._state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what ``state_dict`` gave."""
        state = {name: np.array(getattr(value, "array", value)) for name, value in state_dict["state"].items()}
        self.best, self.best_epoch, self.epoch = (state_dict[name] for name in ("best", "best_epoch", "epoch"))
        self._state = state


def copied(module: Module) -> dict[str, Any]:
    """The module's state in memory of its own."""
    return {name: tensor.array.copy() for name, tensor in module.state_dict().items()}
