"""History: what was measured in each epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["History", "Record"]

Record = dict[str, float]
UNPLOTTED = {"epoch", "grad_norm", "lr", "samples_per_second"}  # by default


@dataclass
class History:
    """The records of the completed epochs.

    A record is a dict of numbers: ``epoch`` from 1; ``loss`` and the metrics, over the training samples in training
    mode; the same over the validation set, as ``val_loss`` and so on; ``grad_norm``, the mean norm of the gradient
    before clipping; ``lr``, the learning rate of the first parameter group in the last step; ``samples_per_second``.
    ``history["loss"]`` lists one of them over the epochs.

    Args:
        records: one per epoch.
        interrupted: whether Ctrl-C ended the training.
        stopped: whether early stopping or a callback did.

    Example:
        >>> history = cg.train.History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
        >>> len(history), history["loss"]
        (2, [0.5, 0.25])
    """

    records: list[Record] = field(default_factory=list)
    interrupted: bool = False
    stopped: bool = False

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, name: str) -> list[float]:
        """Return the values of a name, one per epoch; NaN for a record without it.

        Raises:
            KeyError: if no record has it.
        """
        if not any(name in record for record in self.records):
            known = f"the names are {', '.join(self.names())}" if self.records else "there are no records yet"
            raise KeyError(f"History: no record has {name!r}; {known}")
        return [record.get(name, math.nan) for record in self.records]

    def names(self) -> list[str]:
        """Return the names of the numbers in the records."""
        return list(dict.fromkeys(name for record in self.records for name in record))

    def plot(self, names: Iterable[str] | None = None) -> Any:
        """Plot numbers over the epochs, one panel per name, training and validation together.

        Args:
            names: what to plot; by default the loss and all metrics.

        Returns:
            A matplotlib figure, which a notebook shows; ``figure.savefig(path)`` saves it.

        Raises:
            ImportError: without matplotlib.
            KeyError: if no record has one of the names.
        """
        try:
            from cygrad.train.figure import NotebookFigure
        except ImportError:
            raise ImportError("History.plot: plotting needs matplotlib: pip install 'cygrad[plot]'") from None
        if names is None:
            names = [name for name in self.names() if name not in UNPLOTTED and not name.startswith("val_")]
        shown = list(names)
        figure = NotebookFigure(figsize=(5 * max(len(shown), 1), 3.5), layout="constrained")
        epochs = [record["epoch"] for record in self.records]
        for axes, name in zip(figure.subplots(1, max(len(shown), 1), squeeze=False)[0], shown):
            axes.plot(epochs, self[name], label="training")
            if f"val_{name}" in self.names():
                axes.plot(epochs, self[f"val_{name}"], label="validation")
            axes.set(xlabel="epoch", ylabel=name)
            axes.legend()
        return figure

    def _repr_html_(self) -> str:
        """The learning curves, as a notebook shows them; no package is needed."""
        from cygrad.charts import STYLE
        from cygrad.report.learning import curves

        return f"<style>{STYLE}</style>{''.join(curves(self.records))}"
