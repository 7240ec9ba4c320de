"""A run on rows of numbers that have one scale, such as pixels."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data import read_table
from cygrad.nn.functional import softmax
from cygrad.nn.module import Module
from cygrad.nn.modules.container import Sequential
from cygrad.tensor import Tensor
from cygrad.train.evaluation import predict
from cygrad.train.models import mlp

__all__ = ["ImageConfig", "ImageRun", "scaled"]


@dataclass
class ImageConfig:
    """What rebuilds a model and says where it comes from. Inputs become (x − mean)/std."""

    sizes: list[int]
    dropout: float
    mean: float
    std: float
    classes: list[int]
    version: str
    seed: int = 0
    task: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    format: int = 1

    @staticmethod
    def of(content: Mapping[str, Any]) -> ImageConfig:
        """The configuration in a file's values. Raises ValueError or TypeError where they are none."""
        config = ImageConfig(**content)
        check(config)
        return config

    def network(self) -> Sequential:
        """The network that it describes, with new weights."""
        return mlp(self.sizes, self.dropout)


@dataclass
class ImageRun:
    """A trained model and its configuration."""

    model: Module
    config: ImageConfig

    @property
    def columns(self) -> int:
        """The numbers in a row."""
        return self.config.sizes[0]

    def numbers(self, rows: Sequence[Sequence[Any]], columns: Sequence[str] | None = None) -> Array:
        """Rows of a table, as JSON or CSV holds them, as what ``scores`` takes: (N, columns) of float32. The columns'
        names are passed over, for this model knows none.

        Raises ValueError, naming the row and the column, where a value is not a number.
        """
        try:
            table = np.array(rows, np.float64)
        except (ValueError, TypeError, OverflowError):
            table = np.array(np.nan)
        if np.isnan(table).any():  # None, for one, becomes NaN
            raise ValueError(f"predict: {first_wrong(rows, columns)}")
        with np.errstate(over="ignore"):
            return table.astype(np.float32)

    def read(self, path: str | os.PathLike[str]) -> Array:
        """The rows in a file, as ``cygrad.data.read_table`` reads it."""
        return read_table(path)

    def scores(self, rows: Array) -> Array:
        """One score a class, (N, classes), for rows (N, columns) of unscaled numbers.

        Raises ValueError for another number of columns, and where a number is not finite.
        """
        wanted = self.columns
        if rows.ndim != 2 or rows.shape[1] != wanted:
            got = f"{rows.shape[1]} columns" if rows.ndim == 2 else f"shape {rows.shape}"
            raise ValueError(f"predict: the rows have {got}, but the model wants {wanted}")
        bad = ~np.isfinite(rows).all(1)
        if bad.any():
            raise ValueError(f"predict: row {int(bad.argmax()) + 1} holds a number that is not finite")
        return predict(self.model, scaled(rows, self.config.mean, self.config.std))

    def classes(self, rows: Array) -> Array:
        """The class of the highest score for each row."""
        return np.asarray(self.config.classes)[self.scores(rows).argmax(1)]

    def probabilities(self, rows: Array) -> Array:
        """softmax(scores), (N, classes)"""
        scores = self.scores(rows)
        powers = np.exp(scores - scores.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    def predictions(self, rows: Array, proba: bool = False) -> list[Any]:
        """The class of each row, or the probabilities of all classes."""
        predicted: list[Any] = (self.probabilities(rows) if proba else self.classes(rows)).tolist()
        return predicted

    def network(self) -> Module:
        """The model with what stands before and behind it: rows of unscaled numbers give scores and probabilities."""
        return Network(self)

    def example(self) -> Array:
        """Some rows that ``network`` takes."""
        return np.zeros((1, self.columns), np.float32)

    @property
    def outputs(self) -> list[str]:
        """The names of what ``network`` gives."""
        return ["scores", "probabilities"]

    def metadata(self) -> dict[str, Any]:
        """What the model is and takes, for JSON."""
        config = self.config
        return {
            "task": config.task,
            "cygrad_version": config.version,
            "columns": self.columns,
            "classes": config.classes,
            "results": config.results,
        }


class Network(Module):
    """rows (N, columns) to (scores, softmax(scores)), each (N, classes)."""

    def __init__(self, run: ImageRun) -> None:
        super().__init__()
        self.model = run.model
        self.mean, self.std = run.config.mean, run.config.std

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.model((rows - self.mean) / self.std)
        return scores, softmax(scores, dim=-1)


def first_wrong(rows: Sequence[Sequence[Any]], columns: Sequence[str] | None) -> str:
    """The first value that is no number, or the row of another length."""
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            return f"row {number} has {len(row)} columns, the first one {len(rows[0])}"
        for place, value in enumerate(row):
            if not is_number(value):
                name = repr(columns[place]) if columns else str(place + 1)
                return f"row {number}, column {name} holds {str(value)[:40]!r}, which is no number"
    return "the rows are no table of numbers"


def is_number(value: Any) -> bool:
    """Whether a value is a number, or the text of one, and not NaN."""
    try:
        return not math.isnan(float(value))
    except (ValueError, TypeError, OverflowError):
        return False


def scaled(x: Array, mean: float, std: float) -> Array:
    """(x − mean)/std as float32."""
    return ((x.astype(np.float32) - np.float32(mean)) / np.float32(std)).astype(np.float32)


def check(config: ImageConfig) -> None:
    """Raises ValueError where a field can't be what ``save`` wrote."""
    sizes, classes = config.sizes, config.classes
    for name, values in ("sizes", sizes), ("classes", classes):
        if not isinstance(values, list) or any(type(value) is not int for value in values):
            raise ValueError(f"{name} must be a list of integers, got {values!r}")
    for name, value in ("mean", config.mean), ("std", config.std), ("dropout", config.dropout):
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, got {value!r}")
    if not config.std > 0 or not 0 <= config.dropout <= 1:
        raise ValueError(f"std {config.std} or dropout {config.dropout} is out of range")
    if len(sizes) < 2 or min(sizes) < 1 or len(classes) != sizes[-1]:
        raise ValueError(f"sizes {sizes} and {len(classes)} classes do not fit together")
