"""A run on the columns of a table: preprocessing, network, and what is predicted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.preprocessing import Category, Classes, Number, Preprocessor, target_of
from cygrad.data.preprocessing.target import Target
from cygrad.data.tables import Table
from cygrad.data.tables.delimited import MISSING
from cygrad.nn.description import build
from cygrad.nn.functional import softmax
from cygrad.nn.module import Module
from cygrad.ops.arithmetic import where
from cygrad.ops.compare import isnan
from cygrad.tensor import Tensor
from cygrad.train.evaluation import predict

__all__ = ["TableConfig", "TableRun"]


@dataclass
class TableConfig:
    """What rebuilds a run on a table: ``network`` as ``cygrad.nn.description`` tells it, ``preprocessing`` and
    ``target`` as they tell themselves, ``reading``, the options of ``read_csv``, and where it comes from."""

    layers: dict[str, Any]
    preprocessing: dict[str, Any]
    target: dict[str, Any]
    version: str
    seed: int = 0
    task: str = ""
    reading: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    kind: str = "table"
    format: int = 1

    @staticmethod
    def of(content: Mapping[str, Any]) -> TableConfig:
        """The configuration in a file's values. Raises ValueError or TypeError where they are none."""
        config = TableConfig(**content)
        preprocessor, target = Preprocessor.from_dict(config.preprocessing), target_of(config.target)
        x = Tensor(np.zeros((1, len(preprocessor.features)), np.float32))
        outputs = len(target.values) if isinstance(target, Classes) else 1
        try:
            shape = config.network().eval()(x).array.shape
        except RuntimeError as error:
            raise ValueError(f"the network does not take the columns: {error}") from None
        if shape != (1, outputs):
            raise ValueError(f"the network gives the shape {shape}, but the target wants {(1, outputs)}")
        for name in ("reading", "options", "results"):
            if not isinstance(getattr(config, name), dict):
                raise ValueError(f"{name} must be an object")
        return config

    def network(self) -> Module:
        """The network that it describes, with new weights."""
        return build(self.layers)


@dataclass
class TableRun:
    """A trained model and its configuration. Inputs are columns of a table, found by name; outputs are classes or
    numbers in the target's own unit."""

    model: Module
    config: TableConfig

    @cached_property
    def preprocessor(self) -> Preprocessor:
        """What makes numbers of the columns."""
        return Preprocessor.from_dict(self.config.preprocessing)

    @cached_property
    def target(self) -> Target:
        """What is predicted."""
        return target_of(self.config.target)

    @property
    def columns(self) -> int:
        """The columns that are wanted."""
        return len(self.preprocessor.columns)

    def numbers(self, rows: Sequence[Sequence[Any]], columns: Sequence[str] | None = None) -> Array:
        """Rows as JSON or CSV holds them, with the names of their columns, as what ``scores`` takes: (N, features) of
        float32. Without names they are the wanted columns in the order of ``metadata``.

        Raises ValueError, naming column and row, where a column is missing, a category unseen, or a value none.
        """
        wanted = self.preprocessor.columns
        if columns is None and rows and len(rows[0]) != len(wanted):
            raise ValueError(f"predict: the rows have {len(rows[0])} values, but the model wants {', '.join(wanted)}")
        absent = set(self.config.reading.get("missing_values", MISSING))
        cells = [[None if isinstance(v, str) and v.strip() in absent else v for v in row] for row in rows]
        try:
            table = Table(dict(zip(wanted if columns is None else columns, zip(*cells, strict=True), strict=True)))
        except (ValueError, TypeError) as error:
            raise ValueError(f"predict: {error}") from None
        return self.features(table)

    def read(self, path: str | os.PathLike[str]) -> Array:
        """The rows in a file, read as the training's was, as what ``scores`` takes."""
        return self.features(read(path, self.config.reading, self.texts))

    @property
    def texts(self) -> list[str]:
        """The columns that are text, even where all that a file has looks like numbers."""
        return [e.name for e in self.preprocessor.encoders if isinstance(e, Category) and e.of_text]

    def features(self, table: Table) -> Array:
        """A table as (N, features) of float32."""
        try:
            return self.preprocessor.transform(table)
        except ValueError as error:
            raise ValueError(f"predict: {error}") from None

    def scores(self, features: Array) -> Array:
        """What the network gives, (N, classes) or (N, 1)."""
        return predict(self.model, features)

    def predictions(self, features: Array, proba: bool = False) -> list[Any]:
        """The class or the number of each row, or the probabilities of all classes. Raises ValueError where these are
        asked of a regression."""
        scores = self.scores(features)
        if isinstance(self.target, Classes):
            if proba:
                return softmax(Tensor(scores), dim=-1).array.tolist()
            return self.target.decode(scores.argmax(1))
        if proba:
            raise ValueError(f"predict: {self.target.name!r} is a number, and has no probabilities")
        return self.target.decode(scores)

    def network(self) -> Module:
        """The model with what stands before and behind it: rows (N, columns) of float64 in the order of ``metadata``,
        a category as its place among the values, a missing number as NaN, give scores and probabilities, or numbers."""
        return TableNetwork(self)

    def example(self) -> Array:
        """Some rows that ``network`` takes."""
        encoders = self.preprocessor.encoders
        columns = [[e.mean, e.mean + e.std] if isinstance(e, Number) else [0, len(e.values) - 1] for e in encoders]
        return np.array(columns, np.float64).T

    @property
    def outputs(self) -> list[str]:
        """The names of what ``network`` gives."""
        return ["scores", "probabilities"] if isinstance(self.target, Classes) else ["predictions"]

    def metadata(self) -> dict[str, Any]:
        """What the model is and takes, for JSON."""
        classes = {"classes": self.target.labels} if isinstance(self.target, Classes) else {}
        return {
            "task": self.config.task,
            "cygrad_version": self.config.version,
            "target": self.target.name,
            "kind": self.target.task,
            **classes,
            "columns": self.config.preprocessing["columns"],
            "results": self.config.results,
        }


def read(path: str | os.PathLike[str], reading: Mapping[str, Any], text: Sequence[str] = ()) -> Table:
    """The table in a file; where it is one of text, by the options of ``read_csv`` that were given."""
    if not os.fspath(path).lower().endswith((".csv", ".tsv")):
        return Table.read(path)
    chosen = {"missing" if name == "missing_values" else name: value for name, value in reading.items()}
    return Table.read(path, text=text, **chosen)


class TableNetwork(Module):
    """rows (N, columns) to scores (N, classes) and their softmax, or to numbers (N, 1)."""

    def __init__(self, run: TableRun) -> None:
        super().__init__()
        self.model = run.model
        self.encoders = run.preprocessor.encoders
        self.target = run.target

    def forward(self, rows: Tensor) -> Any:
        scores = self.model(self.encode(rows))
        if isinstance(self.target, Classes):
            return scores, softmax(scores, dim=-1)
        return scores * self.target.std + self.target.mean

    def encode(self, rows: Tensor) -> Tensor:
        """The features (N, features) of float32. Neighbours that are numbers are scaled in one go."""
        from cygrad import cat

        parts, start = [], 0
        for several, group in groupby(self.encoders, lambda e: isinstance(e, Number) and not e.marked):
            for block in [list(group)] if several else [[encoder] for encoder in group]:
                parts += encoded(block, rows[:, start : start + len(block)])
                start += len(block)
        return cat(parts, 1)


def encoded(block: Sequence[Number | Category], x: Tensor) -> list[Tensor]:
    """The features of some columns x (N, k): of numbers that never lack, or of a single one."""
    first = block[0]
    if isinstance(first, Category):
        return [(x == Tensor(np.arange(len(first.values), dtype=np.float64)[None])).float()]
    numbers = [encoder for encoder in block if isinstance(encoder, Number)]
    mean, std = (Tensor(np.array([[getattr(n, name) for n in numbers]])) for name in ("mean", "std"))
    if not first.marked:
        return [((x - mean) / std).float()]
    missing = isnan(x)
    return [((where(missing, mean, x) - mean) / std).float(), missing.float()]
