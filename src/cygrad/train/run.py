"""A run on the disk: a folder with the weights, the configuration and the metrics."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cygrad._files import atomic_write
from cygrad._typing import Array
from cygrad.nn.functional import softmax
from cygrad.nn.module import Module
from cygrad.nn.modules.container import Sequential
from cygrad.serialization import load, save
from cygrad.tensor import Tensor
from cygrad.train.evaluation import predict
from cygrad.train.history import Record
from cygrad.train.models import mlp

__all__ = ["Run", "load_run", "prepare_folder", "save_run"]

WEIGHTS, CONFIG, METRICS = "weights.npz", "config.json", "metrics.csv"


@dataclass
class Config:
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


@dataclass
class Run:
    """A trained model and its configuration."""

    model: Sequential
    config: Config

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

    def network(self) -> Module:
        """The model with what stands before and behind it: rows of unscaled numbers give scores and probabilities."""
        return Network(self)

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

    def __init__(self, run: Run) -> None:
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


def prepare_folder(folder: str | os.PathLike[str]) -> None:
    """Makes the folder where it is missing, and sees that it takes files; OSError says in one sentence why
    not.

    A folder that holds other things than a run is refused with ValueError.
    """
    name = os.fspath(folder)
    try:
        os.makedirs(name, exist_ok=True)
        held = set(os.listdir(name))
    except OSError as error:
        raise OSError(error.errno, f"save_run: {name} can't be made a folder ({error.strerror})") from None
    strange = [entry for entry in held - {WEIGHTS, METRICS} if not entry.startswith(".")]
    if strange and CONFIG not in held:
        raise ValueError(f"save_run: {name} holds other things than a run, and stays as it is")
    probe = os.path.join(name, f".probe-{os.getpid()}")
    with atomic_write("save_run", probe) as file:
        file.write(b"\n")
    os.unlink(probe)


def save_run(folder: str | os.PathLike[str], run: Run, records: Sequence[Record] = ()) -> None:
    """Writes ``weights.npz``, ``metrics.csv``, one line an epoch, and ``config.json``; each file whole or
    not at all.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> config = cg.train.Config([4, 8, 2], 0.0, mean=0.0, std=1.0, classes=[0, 1], version=cg.__version__)
    >>> run = cg.train.Run(cg.train.mlp(config.sizes), config)
    >>> cg.train.save_run(folder, run)
    >>> x = np.ones((3, 4), np.float32)
    >>> bool((cg.train.load_run(folder).scores(x) == run.scores(x)).all())
    True
    """
    import json

    prepare_folder(folder)
    save(run.model.state_dict(), os.path.join(folder, WEIGHTS))
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = [[repr(record.get(name, math.nan)) for name in names] for record in records]
    lines = [",".join(line) + "\n" for line in ([names, *rows] if rows else [])]
    write_text(os.path.join(folder, METRICS), "".join(lines))
    write_text(os.path.join(folder, CONFIG), json.dumps(asdict(run.config), indent=2) + "\n")


def write_text(path: str, text: str) -> None:
    """A file of text, in place of the one that was there."""
    with atomic_write("save_run", path) as file:
        file.write(text.encode())


def load_run(folder: str | os.PathLike[str]) -> Run:
    """The run that ``save_run`` wrote, its model in evaluation mode.

    Raises FileNotFoundError where the folder holds no run, ValueError where a file is corrupt or the
    weights do not fit.
    """
    name = os.fspath(folder)
    if not os.path.isfile(os.path.join(name, CONFIG)):
        raise FileNotFoundError(f"load_run: {name} is no run, it has no {CONFIG}")
    config = read_config(os.path.join(name, CONFIG))
    path = os.path.join(name, WEIGHTS)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"load_run: {name} is no run, it has no {WEIGHTS}")
    model = mlp(config.sizes, config.dropout)
    try:
        model.load_state_dict(load(path))
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"load_run: {path} does not hold the weights of this model ({error})") from None
    model.eval()
    return Run(model, config)


def read_config(path: str) -> Config:
    """The configuration in a file."""
    import json

    with open(path, encoding="utf-8") as file:
        try:
            config = Config(**json.load(file))
            check(config)
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"load_run: {path} is corrupt ({error})") from None
    return config


def check(config: Config) -> None:
    """Raises ValueError where a field can't be what ``save_run`` wrote."""
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
