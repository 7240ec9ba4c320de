"""Early stopping: keep the weights of the best epoch, and stop when there is no improvement."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cygrad.nn.module import Module

__all__ = ["EarlyStopping", "copied"]


class EarlyStopping:
    """Watch one value per epoch, keep the best state of a module, and stop after `patience` epochs without improvement.

    A value improves on the best so far if it is lower by more than `min_delta` (``mode="min"``), or higher
    (``mode="max"``). With ``ties="last"`` so does an equal one. The first value always does, NaN never. ``best`` is the
    best value and ``best_epoch`` its epoch, from 1; both are None before the first. Before that, the saved state is the
    initial one.

    Args:
        module: whose parameters and buffers are saved.
        patience: epochs in a row without improvement.
        min_delta: smallest difference that is an improvement.
        mode: ``"min"`` or ``"max"``; by default that of the metric which a ``Trainer`` monitors, otherwise "min".
        ties: which of equally good epochs is the best, the ``"first"`` or the ``"last"``.

    Raises:
        ValueError: if the patience is below 1, min_delta negative, or the mode or ties unknown.

    L. Prechelt (1998), "Early stopping - but when?".

    Example:
        >>> layer = cg.nn.Linear(2, 1)
        >>> stopping = cg.train.EarlyStopping(layer, patience=2)
        >>> [stopping.step(loss) for loss in (0.9, 0.5, 0.7, 0.6)]
        [False, False, False, True]
        >>> stopping.best, stopping.best_epoch
        (0.5, 2)
        >>> stopping.restore()
    """

    def __init__(
        self,
        module: Module,
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str | None = None,
        ties: str = "first",
    ) -> None:
        if not patience >= 1:
            raise ValueError(f"EarlyStopping: patience must be at least 1, got {patience}")
        if not 0 <= min_delta < math.inf:
            raise ValueError(f"EarlyStopping: min_delta must be finite and not negative, got {min_delta}")
        if mode not in (None, "min", "max"):
            raise ValueError(f"EarlyStopping: mode must be min or max, got {mode!r}")
        if ties not in ("first", "last"):
            raise ValueError(f"EarlyStopping: ties must be first or last, got {ties!r}")
        self.module = module
        self.ties = ties
        self.patience = patience
        self.min_delta = min_delta
        self.follows_metric = mode is None
        self.mode = mode or "min"
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.epoch = 0
        self._state = copied(module)

    def step(self, value: Any) -> bool:
        """Take the value of the next epoch.

        Args:
            value: a number, or a tensor of one element.

        Returns:
            True if the training should stop.
        """
        number = float(getattr(value, "array", value))
        self.epoch += 1
        if self._improves(number):
            # The copy comes first: if it is interrupted, the best state so far remains.
            state = copied(self.module)
            self._state, self.best, self.best_epoch = state, number, self.epoch
        return self.epoch - (self.best_epoch or 0) >= self.patience

    def _improves(self, value: float) -> bool:
        if math.isnan(value) or self.best is None:
            return not math.isnan(value)
        gain = self.best - value if self.mode == "min" else value - self.best
        return gain > self.min_delta or (self.ties == "last" and gain == 0)

    def restore(self) -> None:
        """Copy the best state back into the module."""
        self.module.load_state_dict(self._state)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value, its epoch and state, and the number of epochs so far."""
        return {"best": self.best, "best_epoch": self.best_epoch, "epoch": self.epoch, "state": self._state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned.

        Raises:
            ValueError: if the state does not fit the module. Nothing is changed then.
        """
        numbers = [state_dict[name] for name in ("best", "best_epoch", "epoch")]
        state = {name: np.array(getattr(value, "array", value)) for name, value in state_dict["state"].items()}
        shapes, wanted = (
            {name: np.shape(array) for name, array in arrays.items()} for arrays in (state, copied(self.module))
        )
        if (state and shapes != wanted) or not all(
            number is None or isinstance(number, (int, float)) for number in numbers
        ):
            raise ValueError(f"EarlyStopping: the state does not fit {type(self.module).__name__}")
        self.best, self.best_epoch, self.epoch = numbers
        self._state = state


def copied(module: Module) -> dict[str, Any]:
    """A copy of the module's state."""
    return {name: tensor.array.copy() for name, tensor in module.state_dict().items()}
