"""The current epoch: what accumulates in it, and the record it ends with."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from cygrad.train.evaluation import Meter
from cygrad.train.history import Record
from cygrad.train.metrics import Metric

__all__ = ["MEASURED", "Epoch"]

MEASURED = ("loss", "grad_norm", "lr", "samples_per_second")  # in every record


class Epoch:
    """What accumulates in an epoch."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.meter = Meter(metrics)
        self.steps = 0
        self.batches = 0
        self.norms = 0.0
        self.lr = math.nan
        self.seconds = 0.0
        self.started = time.perf_counter()
        self.random: dict[str, Any] | None = None  # random state before the order of the data was drawn

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "meter": self.meter.state_dict(),
            "steps": self.steps,
            "batches": self.batches,
            "norms": self.norms,
            "lr": self.lr,
            "seconds": self.elapsed(),
            "random": self.random,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.meter.load_state_dict(state["meter"])
        for name in ("steps", "batches", "norms", "lr", "seconds", "random"):
            setattr(self, name, state[name])
        self.started = time.perf_counter()

    def elapsed(self) -> float:
        """Seconds spent in the epoch, over all processes that trained it."""
        return self.seconds + time.perf_counter() - self.started

    def record(self, number: int, validation: Record) -> Record:
        """Return the record of the epoch, with the results on the validation set."""
        return {
            "epoch": number,
            **self.meter.result(),
            **{f"val_{name}": value for name, value in validation.items()},
            "grad_norm": self.norms / self.steps,
            "lr": self.lr,
            "samples_per_second": self.meter.samples / max(self.seconds, 1e-9),
        }
