"""Runs on rows that share one scale, such as pixels."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data import read_matrix
from cygrad.nn.functional import softmax
from cygrad.nn.module import Module
from cygrad.nn.modules.container import Sequential
from cygrad.tensor import Tensor
from cygrad.train.evaluation import predict
from cygrad.train.models import convnet, mlp

__all__ = ["NETWORKS", "ImageConfig", "ImageRun", "image_network", "standardize"]

NETWORKS = ("mlp", "convnet")


@dataclass
class ImageConfig:
    """What rebuilds a model on images, and where the run comes from.

    Args:
        sizes: inputs, hidden units (of a convnet: channels of its blocks) and outputs of the network.
        dropout: probability, see ``cygrad.train.mlp``.
        mean, std: of the pixels of the training set; inputs become (x − mean)/std.
        classes: label of each output.
        version: of cygrad.
        seed: of the split and the training.
        task: name of the data.
        options: of the training.
        results: on the validation and the test set.
        network_type: ``"mlp"``, or ``"convnet"`` for ``cygrad.train.convnet``.
        shape: channels, height and width of an image; a perceptron needs none.
        format: number of the file format.
        weights_sha256: checksum of the file of weights that belongs to this configuration; ``save`` sets it.

    Example:
        >>> config = cg.runs.ImageConfig([4, 8, 2], 0.0, mean=0.0, std=1.0, classes=[0, 1], version=cg.__version__)
        >>> config == cg.runs.ImageConfig.from_dict(config.to_dict())
        True
    """

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
    network_type: str = "mlp"
    shape: list[int] = field(default_factory=list)
    format: int = 1
    weights_sha256: str = field(default="", compare=False)

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> ImageConfig:
        """Check the content of a file and build the configuration; raise ValueError or TypeError if it is not one."""
        config = ImageConfig(**content)
        check_config(config)
        return config

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, as JSON can hold them."""
        return asdict(self)

    def network(self) -> Sequential:
        """Build the network, with new weights."""
        return image_network(self.network_type, self.shape, self.sizes, self.dropout)


@dataclass
class ImageRun:
    """A trained model on images.

    Args:
        model: takes standardized rows (N, columns) and returns scores (N, classes).
        config: its configuration.
    """

    model: Module
    config: ImageConfig

    @property
    def columns(self) -> int:
        """Pixels per row."""
        return self.config.sizes[0]

    def inputs(self, rows: Sequence[Sequence[Any]], columns: Sequence[str] | None = None) -> Array:
        """Convert rows of values, as JSON or CSV holds them, to (N, columns) of float32.

        Args:
            rows: numbers, or texts that are numbers.
            columns: names for error messages; this model finds columns by position.

        Raises:
            ValueError: if a value is not a number; the message names its row and column.
        """
        try:
            table = np.array(rows, np.float64)
        except (ValueError, TypeError, OverflowError):
            table = np.array(np.nan)
        if np.isnan(table).any():  # None becomes NaN too
            raise ValueError(f"predict: {first_problem(rows, columns)}")
        with np.errstate(over="ignore"):
            return table.astype(np.float32)

    def read(self, path: str | os.PathLike[str]) -> Array:
        """Read the rows in a file with ``cygrad.data.read_matrix``."""
        return read_matrix(path)

    def scores(self, rows: Array) -> Array:
        """Return a score per class, (N, classes), for unscaled rows (N, columns).

        Raises:
            ValueError: if the number of columns is wrong or a value is not finite.
        """
        if rows.ndim != 2 or rows.shape[1] != self.columns:
            got = f"{rows.shape[1]} columns" if rows.ndim == 2 else f"shape {rows.shape}"
            raise ValueError(f"predict: the rows have {got}, but the model expects {self.columns} columns")
        bad = ~np.isfinite(rows).all(1)
        if bad.any():
            raise ValueError(f"predict: row {int(bad.argmax()) + 1} contains a value that is not finite")
        return predict(self.model, standardize(rows, self.config.mean, self.config.std))

    def classes(self, rows: Array) -> Array:
        """Return the class with the highest score for each row."""
        return np.asarray(self.config.classes)[self.scores(rows).argmax(1)]

    def probabilities(self, rows: Array) -> Array:
        """Return softmax(scores), (N, classes)."""
        scores = self.scores(rows)
        powers = np.exp(scores - scores.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    def predictions(self, inputs: Array, proba: bool = False) -> list[Any]:
        """Predict the class of each row, or with `proba` the probabilities of all classes."""
        predicted: list[Any] = (self.probabilities(inputs) if proba else self.classes(inputs)).tolist()
        return predicted

    def network(self) -> Module:
        """Return the model with its preprocessing: unscaled rows to scores and probabilities."""
        return ImageNetwork(self)

    def example(self) -> Array:
        """Return an input of ``network``."""
        return np.zeros((1, self.columns), np.float32)

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs of ``network``."""
        return ["scores", "probabilities"]

    def metadata(self) -> dict[str, Any]:
        """Describe the model, its inputs and its results, as JSON can hold it."""
        config = self.config
        return {
            "task": config.task,
            "cygrad_version": config.version,
            "columns": self.columns,
            "classes": config.classes,
            "results": config.results,
        }


class ImageNetwork(Module):
    """rows (N, columns) to (scores, softmax(scores)), each (N, classes)."""

    def __init__(self, run: ImageRun) -> None:
        super().__init__()
        self.model = run.model
        self.mean, self.std = run.config.mean, run.config.std

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.model((rows - self.mean) / self.std)
        return scores, softmax(scores, dim=-1)


def image_network(kind: str, shape: Sequence[int], sizes: Sequence[int], dropout: float) -> Sequential:
    """A network of one of NETWORKS, from rows (N, sizes[0]) to scores (N, sizes[-1])."""
    return mlp(sizes, dropout) if kind == "mlp" else convnet(shape, sizes[1:-1], sizes[-1], dropout)


def first_problem(rows: Sequence[Sequence[Any]], columns: Sequence[str] | None) -> str:
    """Describe the first row of another length, or the first value that is not a number."""
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            return f"row {number} has {len(row)} columns, but row 1 has {len(rows[0])}"
        for index, value in enumerate(row):
            if not is_number(value):
                column = repr(columns[index]) if columns else str(index + 1)
                return f"row {number}, column {column}: {str(value)[:40]!r} is not a number"
    return "the rows are not a table of numbers"


def is_number(value: Any) -> bool:
    """Whether a value is a number, or a text that is one, and not NaN."""
    try:
        return not math.isnan(float(value))
    except (ValueError, TypeError, OverflowError):
        return False


def standardize(x: Array, mean: float, std: float) -> Array:
    """(x − mean)/std as float32."""
    return ((x.astype(np.float32) - np.float32(mean)) / np.float32(std)).astype(np.float32)


def check_config(config: ImageConfig) -> None:
    """Raise ValueError if ``save`` can't have written a field."""
    sizes, classes, shape = config.sizes, config.classes, config.shape
    for name, values in ("sizes", sizes), ("classes", classes), ("shape", shape):
        if not isinstance(values, list) or any(type(value) is not int for value in values):
            raise ValueError(f"{name} must be a list of integers, got {values!r}")
    for name, value in ("mean", config.mean), ("std", config.std), ("dropout", config.dropout):
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, got {value!r}")
    if not config.std > 0 or not 0 <= config.dropout <= 1:
        raise ValueError(f"std must be above 0 and dropout in [0, 1], got {config.std} and {config.dropout}")
    if len(sizes) < 2 or min(sizes) < 1 or len(classes) != sizes[-1]:
        raise ValueError(f"sizes {sizes} do not match {len(classes)} classes")
    if config.network_type not in NETWORKS:
        raise ValueError(f"network_type must be one of {', '.join(NETWORKS)}, got {config.network_type!r}")
    if config.network_type == "convnet" and math.prod(shape) != sizes[0]:
        raise ValueError(f"images of shape {shape} do not have {sizes[0]} pixels")
