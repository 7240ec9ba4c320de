"""The options of a training: their names, types and meanings, for the command line and for files alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from cygrad.runs.table_task import TableOptions

__all__ = ["CHOICES", "Options", "checked", "sizes"]


@dataclass
class Options:
    """The choices of a training; the command line's defaults."""

    epochs: int = 40
    batch_size: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.01
    dropout: float = 0.3
    hidden: Sequence[int] = (256, 128)
    clip: float = 1.0
    patience: int = 15
    min_delta: float = 0.0
    seed: int = 0
    checkpoint_seconds: float = 1.0
    threads: int | None = None

    def check(self) -> None:
        """Raises ValueError where a choice is out of range."""
        for name in ("epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"train: {name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.min_delta < float("inf"):
            raise ValueError(f"train: min_delta must be finite and not negative, got {self.min_delta}")
        if not self.checkpoint_seconds >= 0:
            raise ValueError(f"train: checkpoint_seconds must not be negative, got {self.checkpoint_seconds}")
        if not self.clip > 0:
            raise ValueError(f"train: clip must be above 0, got {self.clip}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"train: dropout must lie in [0, 1), got {self.dropout}")
        if not -(2**63) <= self.seed < 2**64:
            raise ValueError(f"train: the seed must have at most 64 bits, got {self.seed}")
        if self.batch_size == 1:
            raise ValueError("train: batch norm needs a batch_size of at least 2, got 1")


def sizes(value: Any) -> tuple[int, ...]:
    """The sizes of hidden layers, "256,128" or [256, 128]; none for an empty text. Raises ValueError for others."""
    parts = value.split(",") if isinstance(value, str) and value.strip() else value or []
    try:
        numbers = tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        numbers = (0,)
    if any(number < 1 for number in numbers):
        raise ValueError(f"sizes are integers of at least 1, separated by commas, got {value!r}")
    return numbers


def names(value: Any) -> tuple[str, ...]:
    """Names, "a,b" or ["a", "b"]. Raises ValueError for others."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"names are text, separated by commas, got {value!r}")
    return tuple(part.strip() for part in parts)


class Choice(NamedTuple):
    """An option: what makes its value of a text or of a file's, and what it means."""

    kind: Callable[[Any], Any]
    text: str


# Of the training; the defaults stand in Options.
TRAINING = {
    "epochs": Choice(int, "how often to go through the training part, at most"),
    "batch_size": Choice(int, "rows a step"),
    "lr": Choice(float, "learning rate of the first epoch; it falls along a cosine"),
    "weight_decay": Choice(float, "decay of the weights, not of biases and norms"),
    "dropout": Choice(float, "probability that an activation is dropped"),
    "hidden": Choice(sizes, "sizes of the hidden layers"),
    "clip": Choice(float, "bound of the gradient's norm"),
    "patience": Choice(int, "epochs without a better validation loss before it stops"),
    "min_delta": Choice(float, "by how much a loss must be lower to be better"),
    "seed": Choice(int, "seed of the split, the first weights, the order and dropout"),
    "checkpoint_seconds": Choice(float, "seconds between checkpoints, which end epochs, at least"),
    "threads": Choice(int, "threads that a kernel may use (default: all cores)"),
}
# Of a table; the defaults stand in TableOptions.
TABLE = {
    "target": Choice(str, "column to predict"),
    "task": Choice(str, "classification or regression (default: what the target looks like)"),
    "categories": Choice(names, "columns whose numbers are no quantities"),
    "drop": Choice(names, "columns to leave out"),
    "missing": Choice(str, "fill what is missing, with the mean or a category of its own, or raise (default: fill)"),
    "split": Choice(str, "stratified, random or time (default: stratified for classes, else random)"),
    "time": Choice(str, "column that orders the rows: the latest are for the test, those before for the validation"),
    "validation": Choice(float, "share of the rows for early stopping (default: 0.15)"),
    "test": Choice(float, "share of the rows for the last test, perhaps 0 (default: 0.15)"),
    "delimiter": Choice(str, "what separates values in a line (default: what the first line has)"),
    "encoding": Choice(str, "of the file's bytes (default: utf-8)"),
    "decimal": Choice(str, "decimal point of the numbers (default: .)"),
    "missing_values": Choice(names, "texts that stand for a missing value (default: none, NA, NaN, null, ...)"),
}
CHOICES = {**TRAINING, **TABLE}


def checked(name: str, value: Any) -> Any:
    """A value from a file as the option's. Raises ValueError where it is of another type."""
    kind = CHOICES[name].kind
    if kind in (int, float, str):
        wanted = (int, float) if kind is float else (kind,)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"train: {name} must be a {kind.__name__}, got {value!r}")
    try:
        return kind(value)
    except ValueError as error:
        raise ValueError(f"train: {name}: {error}") from None


def defaults(options: type[Options] | type[TableOptions]) -> dict[str, Any]:
    """The defaults of a kind of options."""
    return {field.name: field.default for field in fields(options)}
