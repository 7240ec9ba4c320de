"""The loss and the metrics of a run on a part of its data."""

from __future__ import annotations

from cygrad.data import DataLoader
from cygrad.runs.held import EVALUATION_ROWS
from cygrad.runs.protocols import Part, Run, Task
from cygrad.train.evaluation import evaluate

__all__ = ["EVALUATION_ROWS", "measured"]


def measured(run: Run, part: Part, task: Task) -> dict[str, float]:
    """The loss and the metrics of a task by name, as ``cygrad.train.evaluate`` returns them."""
    return evaluate(run.model, DataLoader(part, EVALUATION_ROWS), task.loss, task.metrics)
