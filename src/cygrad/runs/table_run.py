"""Runs on the columns of a table: preprocessing, network and target."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from cygrad._attributes import cached_property
from cygrad._typing import Array
from cygrad.data.preprocessing import Category, Classes, Date, Number, Preprocessor, RobustNumber, target_of
from cygrad.data.preprocessing.base import clipped
from cygrad.data.preprocessing.encoders import Encoder
from cygrad.data.preprocessing.target import Target
from cygrad.data.tables import Table
from cygrad.data.tables.delimited import MISSING, read_csv_blocks
from cygrad.data.tables.numerals import parse_amount, parse_numeral
from cygrad.data.tables.table import TEXT_SUFFIXES, require_names, suffix_of
from cygrad.nn.description import build
from cygrad.nn.functional import softmax
from cygrad.nn.module import Module
from cygrad.ops.arithmetic import where
from cygrad.ops.compare import isnan
from cygrad.ops.shape import cat
from cygrad.parallel import in_order
from cygrad.tensor import Tensor
from cygrad.train.evaluation import predict

__all__ = [
    "OutlierWarning",
    "TableConfig",
    "TableRun",
    "UnseenWarning",
    "encode_rows",
    "example_rows",
    "read_file",
    "table_of",
    "text_columns",
]


class UnseenWarning(UserWarning):
    """Rows to predict have values that the training data did not have."""


class OutlierWarning(UserWarning):
    """Rows to predict have numbers far from those of the training data."""


@dataclass
class TableConfig:
    """What rebuilds a model on a table, and where the run comes from.

    Args:
        layers: the network, as ``cygrad.nn.description.describe`` returns it.
        preprocessing: as ``cygrad.data.preprocessing.Preprocessor.to_dict`` returns it.
        target: description of the target.
        version: of cygrad.
        seed: of the split and the training.
        task: name of the data.
        reading: options of ``cygrad.data.tables.read_csv``.
        options: of the training.
        results: on the validation and the test set; also the ``threshold`` of two classes, if one was chosen.
        kind: "table".
        format: number of the file format.
        weights_sha256: checksum of the file of weights that belongs to this configuration; ``save`` sets it.
    """

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
    weights_sha256: str = field(default="", compare=False)

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> TableConfig:
        """Check the content of a file and build the configuration; raise ValueError or TypeError if it is not one."""
        config = TableConfig(**content)
        preprocessor, target = Preprocessor.from_dict(config.preprocessing), target_of(config.target)
        x = Tensor(np.zeros((1, len(preprocessor.features)), np.float32))
        outputs = len(target.values) if isinstance(target, Classes) else 1
        try:
            shape = config.network().eval()(x).array.shape
        except RuntimeError as error:
            raise ValueError(f"the network does not accept the features: {error}") from None
        if shape != (1, outputs):
            raise ValueError(f"the network returns shape {shape}, but the target needs {(1, outputs)}")
        for name in ("reading", "options", "results"):
            if not isinstance(getattr(config, name), dict):
                raise ValueError(f"{name} must be an object")
        t = config.threshold
        if t is not None and not (type(t) in (int, float) and 0 < t < 1 and outputs == 2):
            raise ValueError(f"the threshold must lie between 0 and 1 and needs two classes, got {t!r}")
        return config

    @property
    def threshold(self) -> float | None:
        """The probability from which on the second of two classes is predicted; None for the more probable class."""
        return self.results.get("threshold")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, as JSON can hold them."""
        return asdict(self)

    def network(self) -> Module:
        """Build the network, with new weights."""
        return build(self.layers)


Kept = tuple[Table, dict[str, list[Any]]]  # a block, and its columns as in the file


class Block(NamedTuple):
    """What became of a block of a file: the result of its features, the columns to keep, the number of rows, and the
    numbers of unseen values and outliers by column."""

    result: Any
    kept: dict[str, list[Any]]
    rows: int
    unknown: dict[str, int]
    outliers: dict[str, int]


def identity(features: Array) -> Array:
    """The features as they are."""
    return features


@dataclass
class TableRun:
    """A trained model on a table. It finds columns by name; it predicts classes, or numbers in the target's unit.

    Args:
        model: takes features (N, features) and returns scores (N, classes), or standardized numbers (N, 1).
        config: its configuration.
    """

    model: Module
    config: TableConfig

    @cached_property
    def preprocessor(self) -> Preprocessor:
        """Encodes columns as features."""
        return Preprocessor.from_dict(self.config.preprocessing)

    @cached_property
    def target(self) -> Target:
        """Encodes the target, and decodes predictions."""
        return target_of(self.config.target)

    @property
    def columns(self) -> int:
        """Number of input columns."""
        return len(self.preprocessor.columns)

    def inputs(self, rows: Sequence[Sequence[Any]], columns: Sequence[str] | None = None) -> Array:
        """Convert rows of values, as JSON or CSV holds them, to features (N, features) of float32.

        Args:
            rows: values per column; None, or a text for a missing value, is missing.
            columns: their names; by default the input columns in the order of ``metadata``.

        Raises:
            ValueError: if a column is missing, or a value invalid; the message names column and row.
        """
        return self.noted_inputs(rows, columns)[0]

    def noted_inputs(
        self, rows: Sequence[Sequence[Any]], columns: Sequence[str] | None = None
    ) -> tuple[Array, list[str]]:
        """As ``inputs``, with notes that count the values that the training data did not have, and outliers."""
        expected, reading = self.preprocessor.columns, self.config.reading
        table = table_of(rows, columns, expected, reading, self.text_columns)
        features, unknown, outliers = self.noted_features(table)
        return features, [str(warning) for warning in counted(unknown, outliers)]

    def read(self, path: str | os.PathLike[str], unseen: str = "ignore") -> Array:
        """Read the rows in a file, as the training did, and encode them as features. See ``read_blocks``."""
        return np.concatenate([features for features, _ in self.read_blocks(path, unseen)])

    def read_blocks(
        self,
        path: str | os.PathLike[str],
        unseen: str = "ignore",
        keep: bool = False,
        then: Callable[[Array], Any] = identity,
    ) -> Iterator[tuple[Any, dict[str, list[Any]]]]:
        """Read the rows in a file once, as the training did, in blocks that fit into memory, and encode them, some
        blocks at a time, on one core each.

        What the training data did not have is treated as its missing value: unseen categories, text in a column of
        numbers or dates, infinity, missing numbers in a column that had none. After the last block, an
        ``UnseenWarning`` counts them by column. Where the training scaled numbers robustly, an ``OutlierWarning``
        counts those that are clipped because they are far from the training data.

        Args:
            path: the file; one of text is read in blocks.
            unseen: "raise" to refuse values that the training data did not have.
            keep: whether to return the columns of the file, too.
            then: what to compute of the features (n, features) of float32 of a block, on the same core.

        Returns:
            For each block the result of `then`, by default the features, and with `keep` all columns of the file, those
            of a text file in its spelling.

        Raises:
            ValueError: if a column is missing, or a value refused; the message names column and row.
        """

        def encoded(parse: Callable[[], Kept]) -> Block | ValueError:
            table, kept = parse()
            try:
                if unseen == "raise":
                    self.features(table, unseen)
                features, *counts = self.noted_features(table)
            except ValueError as error:
                return error
            return Block(then(features), kept, len(table), *counts)

        unknown, outliers, rows = Counter[str](), Counter[str](), 0
        for block in in_order(encoded, self.tables(path, keep)):
            if isinstance(block, ValueError):
                where = f" (its row {rows + 1} is counted as row 1)" if rows else ""
                raise ValueError(f"{block}{where}") from None
            unknown.update(block.unknown)
            outliers.update(block.outliers)
            rows += block.rows
            yield block.result, block.kept
        for warning in counted(unknown, outliers):
            warnings.warn(warning, stacklevel=3)

    def tables(self, path: str | os.PathLike[str], keep: bool) -> Iterator[Callable[[], Kept]]:
        """The blocks of a file, as functions that parse them: to tables, and with `keep` their columns as in the
        file."""
        reading, needed, text = self.config.reading, self.preprocessor.columns, self.text_columns
        is_text = suffix_of(path) in TEXT_SUFFIXES
        options = {**csv_options(reading, text), "numbers": ()}  # texts among numbers are parsed one by one below
        options |= {"text": Every()} if keep else {"columns": needed}

        def parsed(parse: Callable[[], Table]) -> Kept:
            table = parse()
            kept = {name: column.tolist() for name, column in table.items()} if keep else {}
            if not is_text:
                return table, kept
            columns = {name: table[name] for name in needed if name in table}
            read = {n: as_read(n, c.tolist(), reading, text) if c.dtype == object else c for n, c in columns.items()}
            return Table(read), kept

        for block in read_csv_blocks(path, **options) if is_text else [partial(Table.read, path)]:
            yield partial(parsed, block)

    @property
    def text_columns(self) -> list[str]:
        """Columns that are text, even if all values in a file look like numbers."""
        return text_columns(self.preprocessor.encoders)

    def features(self, table: Table, unseen: str = "ignore") -> Array:
        """Encode a table as features, (N, features) of float32."""
        try:
            return self.preprocessor.transform(table, unseen)
        except ValueError as error:
            raise ValueError(f"predict: {error}") from None

    def noted_features(self, table: Table) -> tuple[Array, dict[str, int], dict[str, int]]:
        """As ``features``, unseen values ignored, with counts by column of these and of outliers."""
        try:
            return self.preprocessor.transform_noted(table)
        except ValueError as error:
            raise ValueError(f"predict: {error}") from None

    def scores(self, features: Array) -> Array:
        """Return the network's outputs, (N, classes) or (N, 1)."""
        return predict(self.model, features)

    def predictions(self, inputs: Array, proba: bool = False) -> list[Any]:
        """Predict the class or the number of each row, or with `proba` the probabilities of all classes.

        Raises:
            ValueError: if probabilities of a regression are asked for.
        """
        scores = self.scores(inputs)
        if isinstance(self.target, Classes):
            probabilities = softmax(Tensor(scores), dim=-1).array
            if proba:
                return probabilities.tolist()
            threshold = self.config.threshold
            chosen = scores.argmax(1) if threshold is None else (probabilities[:, 1] >= threshold).astype(np.int64)
            return self.target.decode(chosen)
        if proba:
            raise ValueError(f"predict: the target {self.target.name!r} is a number and has no probabilities")
        return self.target.decode(scores)

    def network(self) -> Module:
        """Return the model with its preprocessing: rows to scores and probabilities, or to predictions.

        Rows are (N, columns) of float64 in the order of ``metadata``, a category as its index among the values, the
        index after the last being that of other values, a date in seconds since 1970, a missing number as NaN.
        """
        return TableNetwork(self)

    def example(self) -> Array:
        """Return an input of ``network``."""
        return example_rows(self.preprocessor.encoders)

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs of ``network``."""
        return ["scores", "probabilities"] if isinstance(self.target, Classes) else ["predictions"]

    def metadata(self) -> dict[str, Any]:
        """Describe the model, its inputs and its results, as JSON can hold it."""
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


def text_columns(encoders: Sequence[Encoder]) -> list[str]:
    """The columns of categories and of dates that are text."""
    dates = {e.name for e in encoders if isinstance(e, Date) and e.spelling == "text"}
    return [e.name for e in encoders if e.name in dates or (isinstance(e, Category) and e.of_text)]


def counted(unknown: Mapping[str, int], outliers: Mapping[str, int]) -> list[Warning]:
    """Warnings that count by column the values that are treated as missing ones, and those that are clipped."""
    found: list[Warning] = []
    if unknown:
        what = "values that the training data did not have are treated as missing ones"
        found.append(UnseenWarning(f"predict: {what}: {listed(unknown)}"))
    if outliers:
        what = "outliers, numbers far from those of the training data, are clipped"
        found.append(OutlierWarning(f"predict: {what}: {listed(outliers)}"))
    return found


def listed(counts: Mapping[str, int]) -> str:
    """Counts by column, as text."""
    return ", ".join(f"{count} in column {name!r}" for name, count in counts.items())


def table_of(
    rows: Sequence[Sequence[Any]],
    columns: Sequence[str] | None,
    expected: Sequence[str],
    reading: Mapping[str, Any],
    text: Sequence[str] = (),
) -> Table:
    """A table of rows of values, as JSON or CSV holds them; without names of columns, those that are expected. Texts
    that are numbers with the decimal point of the training become numbers, except in the columns `text`."""
    if columns is None and rows and len(rows[0]) != len(expected):
        listed = ", ".join(expected)
        raise ValueError(f"predict: the rows have {len(rows[0])} values, but the model expects {listed}")
    names, fields = expected if columns is None else columns, zip(*rows, strict=True)
    needed = set(expected)
    try:
        columns_of_values = {n: as_read(n, c, reading, text) for n, c in zip(names, fields, strict=True) if n in needed}
        return Table(columns_of_values)
    except (ValueError, TypeError) as error:
        raise ValueError(f"predict: {error}") from None


def as_read(name: str, values: Sequence[Any], reading: Mapping[str, Any], text: Sequence[str]) -> list[Any]:
    """The values of a column of a request, as ``read_csv`` reads them."""
    absent = {*missing_texts(reading)}
    known = [None if isinstance(value, str) and value.strip() in absent else value for value in values]
    if name in text:
        return known
    parse = parse_amount if name in reading.get("numbers", ()) else parse_numeral
    decimal = reading.get("decimal", ".")
    numbers = [parse(value.strip(), decimal) if isinstance(value, str) else None for value in known]
    return [value if number is None else number for value, number in zip(known, numbers, strict=True)]


def missing_texts(reading: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts that stand for a missing value: the usual ones, and those of the run."""
    return (*MISSING, *reading.get("missing_values", ()))


def read_file(
    path: str | os.PathLike[str],
    reading: Mapping[str, Any],
    text: Sequence[str] = (),
    drop: Sequence[str] = (),
    columns: Sequence[str] | None = None,
) -> Table:
    """Read a table; a text file with these options of ``read_csv``, the columns `text` as text.

    Args:
        path: the file.
        reading: options of ``read_csv``; ``missing_values`` are those besides the usual ones.
        text: names of columns to read as text.
        drop: names of columns to leave out, whatever they contain.
        columns: names of the columns to read; all by default.
    """
    if suffix_of(path) not in TEXT_SUFFIXES:
        table = Table.read(path)
        require_names(table.names, drop)
        return table.drop(drop)
    return Table.read(path, drop=drop, columns=columns, **csv_options(reading, text))


def csv_options(reading: Mapping[str, Any], text: Sequence[str] = ()) -> dict[str, Any]:
    """Options of ``read_csv`` that read as the training did, the columns `text` as text."""
    options = {name: value for name, value in reading.items() if name != "missing_values"}
    return {**options, "missing": missing_texts(reading), "text": (*text, *reading.get("text", ()))}


class Every:
    """A collection that contains every name."""

    def __contains__(self, name: object) -> bool:
        return True


def example_rows(encoders: Sequence[Encoder]) -> Array:
    """Two valid rows of numbers and category indices, (2, columns) of float64."""
    columns = [[0, e.width - 1] if isinstance(e, Category) else e.typical for e in encoders]
    return np.array(columns, np.float64).T


class TableNetwork(Module):
    """rows (N, columns) to scores (N, classes) and their softmax, or to numbers (N, 1)."""

    def __init__(self, run: TableRun) -> None:
        super().__init__()
        self.model = run.model
        self.encoders = run.preprocessor.encoders
        self.target = run.target

    def forward(self, rows: Tensor) -> Any:
        scores = self.model(encode_rows(self.encoders, rows))
        if isinstance(self.target, Classes):
            return scores, softmax(scores, dim=-1)
        return scores * self.target.std + self.target.mean


def encode_rows(encoders: Sequence[Encoder], rows: Tensor) -> Tensor:
    """Encode rows (…, columns) as features (…, features) of float32, adjacent numeric columns in one operation."""
    parts, start = [], 0
    for joint, group in groupby(encoders, lambda e: None if isinstance(e, (Category, Date)) or e.marked else type(e)):
        for block in [list(group)] if joint else [[encoder] for encoder in group]:
            parts += encode_block(block, rows[..., start : start + len(block)])
            start += len(block)
    return cat(parts, -1)


def encode_block(block: Sequence[Encoder], x: Tensor) -> list[Tensor]:
    """Encode columns x (…, k): numbers that are never missing, or a single column of any kind."""
    first = block[0]
    if isinstance(first, Category):
        return [(x == Tensor(np.arange(first.width, dtype=np.float64)[None])).float()]
    if not first.marked:
        return [scaled(block, x).float()]
    missing = isnan(x)
    known = scaled(block, where(missing, row_of(block, CENTERS[type(first)]), x)).float()
    return [known * (1 - missing.float()), missing.float()]


CENTERS: dict[type[Encoder], str] = {Number: "mean", RobustNumber: "median", Date: "center"}


class TensorFunctions:
    """The functions of NumPy that encoders call, on tensors."""

    floor, sin, cos, sqrt, clip = Tensor.floor, Tensor.sin, Tensor.cos, Tensor.sqrt, Tensor.clamp


def scaled(block: Sequence[Encoder], x: Tensor) -> Tensor:
    """Scale columns x (…, k) as their encoders, all of one class, do."""
    first = block[0]
    if isinstance(first, Date):
        return cat(first.of_calendar(x, TensorFunctions), -1)
    if isinstance(first, Number):
        return (x - row_of(block, "mean")) / row_of(block, "std")
    z: Tensor = clipped((x - row_of(block, "median")) * row_of(block, "scale"), TensorFunctions)
    return z


def row_of(block: Sequence[Encoder], name: str) -> Tensor:
    """An attribute of the encoders, (1, k)."""
    return Tensor(np.array([[getattr(encoder, name) for encoder in block]]))
