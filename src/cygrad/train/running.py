"""The epoch under way: what adds up in it, and the record that it ends with."""

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
    """What adds up in an epoch."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.meter = Meter(metrics)
        self.steps = 0
        self.batches = 0
        self.norms = 0.0
        self.lr = math.nan
        self.seconds = 0.0
        self.begun = time.perf_counter()
        self.random: dict[str, Any] | None = None  # at its beginning, before the order was drawn

    def state_dict(self) -> dict[str, Any]:
        """The numbers as they are."""
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
        """Goes on from there."""
        self.meter.load_state_dict(state["meter"])
        for name in ("steps", "batches", "norms", "lr", "seconds", "random"):
            setattr(self, name, state[name])
        self.begun = time.perf_counter()

    def elapsed(self) -> float:
        """Seconds spent in it."""
        return self.seconds + time.perf_counter() - self.begun

    def record(self, number: int, held: Record) -> Record:
        """The record of the whole epoch, with the validation's numbers."""
        return {
            "epoch": number,
            **self.meter.result(),
            **{f"val_{name}": value for name, value in held.items()},
            "grad_norm": self.norms / self.steps,
            "lr": self.lr,
            "samples_per_second": self.meter.samples / max(self.seconds, 1e-9),
        }
