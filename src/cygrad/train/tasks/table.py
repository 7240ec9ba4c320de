"""Tables from files: what is to be predicted, the parts, and the preprocessing that the training part asks for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad._version import __version__
from cygrad.data import TensorDataset, random_split, stratified_split, time_split
from cygrad.data.leakage import sentences
from cygrad.data.preprocessing import Classes, Preprocessor, fit_target
from cygrad.data.preprocessing.preprocessor import demand_columns
from cygrad.data.preprocessing.target import Target, described_target
from cygrad.data.tables import Table
from cygrad.generator import Generator
from cygrad.nn import functional as F
from cygrad.nn.description import describe
from cygrad.nn.module import Module
from cygrad.train.evaluation import Loss
from cygrad.train.run import TableConfig, TableRun
from cygrad.train.run.table import read
from cygrad.train.tasks.pixels import PARTS, test_accuracy

__all__ = ["TableOptions", "TableTask", "table_task"]

SPLITS = ("stratified", "random", "time")


@dataclass
class TableOptions:
    """The choices about a table; the command line's defaults."""

    target: str | None = None
    task: str | None = None
    categories: Sequence[str] = ()
    drop: Sequence[str] = ()
    missing: str = "fill"
    split: str | None = None
    time: str | None = None
    validation: float = 0.15
    test: float = 0.15
    delimiter: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    missing_values: Sequence[str] | None = None

    @property
    def reading(self) -> dict[str, Any]:
        """The options of ``read_csv`` that were given."""
        names = ("delimiter", "encoding", "decimal", "missing_values")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return {name: value if isinstance(value, str) else list(value) for name, value in given.items()}

    def check(self) -> None:
        """Raises ValueError where a choice is out of range."""
        for name in "validation", "test":
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"train: {name} must lie in [0, 1), got {getattr(self, name)}")
        if self.validation == 0:
            raise ValueError("train: the validation part is empty, but early stopping needs one")
        if self.validation + self.test >= 1:
            raise ValueError(f"train: validation and test leave no row to train on, {self.validation} + {self.test}")
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(f"train: split must be one of {', '.join(SPLITS)}, got {self.split!r}")
        if (self.split == "time") > (self.time is not None):
            raise ValueError("train: a split in the order of time needs time, the column that tells it")
        if self.time is not None and self.split not in (None, "time"):
            raise ValueError(f"train: time orders the rows, which a {self.split} split does not keep")


@dataclass
class TableTask:
    """A table in parts, as numbers (n, features) of float32 and what they are to become."""

    name: str
    train: TensorDataset
    validation: TensorDataset
    test: TensorDataset | None
    preprocessor: Preprocessor
    target: Target
    reading: dict[str, Any]
    scale: float  # of a unit of the network's outputs, in the target's
    notes: list[str] = field(default_factory=list)

    @property
    def columns(self) -> int:
        """The numbers in a row."""
        return len(self.preprocessor.features)

    @property
    def outputs(self) -> int:
        """The numbers that a network gives for a row."""
        return len(self.target.values) if isinstance(self.target, Classes) else 1

    @property
    def loss(self) -> Loss:
        """What is made smaller."""
        return F.cross_entropy if isinstance(self.target, Classes) else F.mse_loss

    @property
    def metrics(self) -> list[str]:
        """What is measured beside the loss."""
        return ["accuracy"] if isinstance(self.target, Classes) else ["r2", "mae"]

    def suited(self) -> dict[str, Any]:
        """Options that suit the table's size: layers with room for all its numbers, small batches of few rows, and
        more epochs where an epoch has few steps."""
        rows, width = len(self.train), power_of_two(2 * self.columns, 32, 256)
        few = rows < 2000
        return {
            "hidden": (width, width // 2),
            "batch_size": power_of_two(rows / 32, 16, 256),
            "epochs": 200 if few else 60,
            "patience": 30 if few else 12,
            "dropout": 0.1,
        }

    def run(self, model: Module, options: Mapping[str, Any], results: Mapping[str, Any]) -> TableRun:
        """The run of a model that was trained on it."""
        config = TableConfig(
            layers=describe(model),
            preprocessing=self.preprocessor.to_dict(),
            target=described_target(self.target),
            version=__version__,
            seed=options["seed"],
            task=self.name,
            reading=self.reading,
            options=dict(options),
            results=dict(results),
        )
        return TableRun(model, config)

    def results(self, measured: Mapping[str, float]) -> tuple[dict[str, float], str]:
        """What is kept of the measures on the test part, and a sentence about them."""
        if isinstance(self.target, Classes):
            return test_accuracy(measured)
        kept = {"test_loss": measured["loss"], "test_r2": measured["r2"], "test_mae": measured["mae"] * self.scale}
        return kept, f"test r2 {kept['test_r2']:.4f}, mean absolute error {kept['test_mae']:.6g}"


def table_task(path: str | os.PathLike[str], options: TableOptions, seed: int = 0) -> TableTask:
    """The table in a file, split by the seed, its preprocessing fitted to the training part alone. ``notes`` tell what
    was chosen, filled or left out, and whether rows stand in two parts.

    Raises ValueError, naming the column, where the table and the options do not fit together.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "flowers.csv")
    >>> rows = [f"{i % 7},{i % 5},{'rose' if i % 2 else 'lily'}" for i in range(40)]
    >>> _ = path.write_text("length,width,flower\\n" + "\\n".join(rows))
    >>> task = cg.train.tasks.table_task(path, cg.train.tasks.TableOptions(target="flower"))
    >>> len(task.train), len(task.validation), len(task.test), task.target.labels
    (28, 6, 6, ['lily', 'rose'])
    """
    options.check()
    table = read(path, options.reading)
    name, inputs = separated(table, options, os.fspath(path))
    preprocessor = Preprocessor(categories=options.categories, drop=options.drop, missing=options.missing)
    preprocessor.check(inputs)
    kind = fit_target(name, table[name], options.task).task
    parts = split(table, name, kind, options, seed)
    target = fit_target(name, table[name][parts[0]], kind)
    preprocessor.fit(inputs.take(parts[0]))
    notes = [f"target {told(target, options)}", *preprocessor.notes, *lonely(target, table[name])]
    datasets = [
        dataset(inputs.take(rows), table[name][rows], preprocessor, target, part, notes)
        for rows, part in zip(parts, PARTS, strict=True)
    ]
    notes += sentences([table.take(rows) for rows in parts], PARTS)
    return TableTask(
        os.path.splitext(os.path.basename(path))[0],
        datasets[0],
        datasets[1],
        datasets[2] if len(parts[2]) else None,
        preprocessor,
        target,
        options.reading,
        1.0 if isinstance(target, Classes) else target.std,
        notes,
    )


def separated(table: Table, options: TableOptions, path: str) -> tuple[str, Table]:
    """The name of the target, and the columns to learn from."""
    if options.target is None:
        raise ValueError(f"train: {path} has the columns {', '.join(table.names)}; say which is the target")
    if len(table.names) == 1:
        raise ValueError(f"train: {path} has one column only, {table.names[0][:60]!r}; delimiter may be another one")
    for role, name in ("target", options.target), ("time", options.time):
        if name is not None and name not in table:
            raise ValueError(f"train: the {role} {name!r} is no column of {path}, which has {', '.join(table.names)}")
        if name is not None and name in (*options.categories, *options.drop):
            raise ValueError(f"train: {name!r} is the {role}, and can't be among the categories or those to drop")
    aside = {options.target, options.time} - {None}
    demand_columns(table, (*options.categories, *options.drop))
    return options.target, table.drop([name for name in table if name in aside])


def split(table: Table, name: str, kind: str, options: TableOptions, seed: int) -> list[Array]:
    """The rows to train on, to validate with, and to test with."""
    shares = [1 - options.validation - options.test, options.validation, options.test]
    rows, generator = range(len(table)), Generator().manual_seed(seed)
    way = options.split or ("time" if options.time else "stratified" if kind == "classification" else "random")
    if way == "time" and options.time is not None:
        subsets = time_split(rows, moments(options.time, table[options.time]), shares)
    elif way == "stratified" and kind == "classification":
        subsets = stratified_split(rows, table[name].astype(str), shares, generator)
    elif way == "stratified":
        raise ValueError(f"train: a stratified split needs classes, but {name!r} is a number")
    else:
        subsets = random_split(rows, shares, generator)
    parts = [np.sort(np.asarray(subset.indices, np.int64)) for subset in subsets]
    for part, indices, share in zip(PARTS, parts, shares, strict=True):
        if not len(indices) and share:
            raise ValueError(f"train: the {part} part is empty, for {len(table)} rows are too few for its share")
    if len(parts[0]) == 1:
        raise ValueError("train: there is one row to train on, but batch norm needs two")
    return parts


def moments(name: str, column: Array) -> Array:
    """A column as points in time: numbers as they are, dates as seconds, of UTC unless they say otherwise."""
    if column.dtype != object:
        return column
    seconds = np.full(len(column), np.nan)
    for row, text in enumerate(column):
        try:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00")) if text is not None else None
        except ValueError:
            raise ValueError(
                f"train: the time {name!r} holds {text[:40]!r} in row {row + 1}, where a number or a date such as "
                "2026-11-24 is wanted"
            ) from None
        if moment is not None:
            seconds[row] = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    return seconds


def dataset(
    inputs: Table, column: Array, preprocessor: Preprocessor, target: Target, part: str, notes: list[str]
) -> TensorDataset:
    """A part as numbers. What the training part had not is none of its categories, and noted."""
    if part != "training" and len(inputs):
        for name, count in preprocessor.unknown(inputs).items():
            notes.append(f"column {name!r} of the {part} part has in {count} rows what the training part has not")
    try:
        return TensorDataset(preprocessor.transform(inputs, unseen="ignore"), target.encode(column))
    except ValueError as error:
        raise ValueError(f"train: the {part} part can't be used: {error}") from None


def told(target: Target, options: TableOptions) -> str:
    """What is predicted, and, where that could be doubted, what says otherwise."""
    if isinstance(target, Classes):
        doubtful = options.task is None and not target.category.of_text
        hint = "; task = regression takes it for a quantity" if doubtful else ""
        return f"{target.name!r}: classification, {len(target.values)} classes{hint}"
    return f"{target.name!r}: regression" + ("" if options.task else "; task = classification takes it for classes")


def lonely(target: Target, column: Array) -> list[str]:
    """A sentence about classes of one row."""
    if not isinstance(target, Classes):
        return []
    values, counts = np.unique(column.astype(str), return_counts=True)
    single = values[counts == 1].tolist()
    return [f"class {value!r} has one row, so that what is learnt of it is never checked" for value in single[:10]]


def power_of_two(number: float, least: int, most: int) -> int:
    """The power of two that is no smaller, in bounds that are some too."""
    size = least
    while size < min(number, most):
        size *= 2
    return size
