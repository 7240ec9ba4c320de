"""History: what was measured in each epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["History", "Record"]

Record = dict[str, float]


@dataclass
class History:
    """The records of the epochs completed, and whether Ctrl-C ended the training, or early stopping or a
    callback did.

    A record is a dict of numbers: ``epoch`` from 1; ``loss`` and the metrics, means over the training samples, in
    training mode; the same of the validation, with ``val_`` before the name; ``grad_norm``, the mean norm of the
    gradient before clipping; ``lr``, the rate of the first group in the last step; ``samples_per_second``.
    ``history["loss"]`` is the list of one of them.

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
        """The numbers of one name, one an epoch; NaN where a record has none. KeyError where no record has it."""
        if not any(name in record for record in self.records):
            known = ", ".join(self.names()) or "none, there is no record"
            raise KeyError(f"History: there is no {name!r}, but {known}")
        return [record.get(name, math.nan) for record in self.records]

    def names(self) -> list[str]:
        """The names of the numbers in the records."""
        return list(dict.fromkeys(name for record in self.records for name in record))

    def plot(self, names: Iterable[str] | None = None) -> Any:
        """A matplotlib figure of the numbers over the epochs, one panel for each of `names`, the loss and all
        metrics unless given; training and validation share a panel. ``figure.savefig(path)`` writes it.

        Raises ImportError where matplotlib is missing, KeyError for a name that no record has.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise ImportError("History.plot: it needs matplotlib: pip install 'cygrad[plot]'") from None
        aside = {"epoch", "grad_norm", "lr", "samples_per_second"}
        if names is None:
            names = [name for name in self.names() if name not in aside and not name.startswith("val_")]
        chosen = list(names)
        figure = Figure(figsize=(5 * max(len(chosen), 1), 3.5), layout="constrained")
        epochs = [record["epoch"] for record in self.records]
        for axes, name in zip(figure.subplots(1, max(len(chosen), 1), squeeze=False)[0], chosen):
            axes.plot(epochs, self[name], label="training")
            if f"val_{name}" in self.names():
                axes.plot(epochs, self[f"val_{name}"], label="validation")
            axes.set(xlabel="epoch", ylabel=name)
            axes.legend()
        return figure
