"""The options of a training run: one frozen object for the command line, for files and for Python."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from operator import index
from typing import Any

from cygrad.data.dates import ORDERS
from cygrad.data.tables.content import STANDARD_INPUT, plain_name
from cygrad.data.tables.table import READERS, suffix_of

__all__ = ["DATASETS", "OPTIONS", "Options"]

DATASETS = ("digits", "mnist", "fashion")
CRITERIA = ("accuracy", "balanced_accuracy", "f1")  # of cygrad.train.tabular.threshold
IN_FILES = ("mnist", "fashion")  # which need --data
NETWORKS = ("mlp", "ensemble", "convnet", "tcn", "gru")
VALIDATION = 0.15
SPLITS = ("stratified", "random", "time")  # group is an option of its own
READING = (  # options of cygrad.data.tables.read_csv
    "delimiter", "encoding", "decimal", "missing_values", "text", "numbers", "header", "names", "skip_rows", "comment",
)  # fmt: skip
TYPE_NAMES: dict[Any, str] = {int: "an integer", float: "a number", str: "a string"}


# Values of options, from text such as "256,128" or from a file's lists


def layer_sizes(value: Any) -> tuple[int, ...]:
    """Parse "256,128" or [256, 128]; an empty string means no hidden layer."""
    parts = value.split(",") if isinstance(value, str) and value.strip() else value or []
    try:
        sizes = tuple(int(part) if isinstance(part, str) else index(part) for part in parts)
    except (TypeError, ValueError):
        sizes = (0,)
    if any(size < 1 for size in sizes):
        raise ValueError(f"must be integers of at least 1, separated by commas, got {value!r}")
    return sizes


def name_list(value: Any) -> tuple[str, ...]:
    """Parse "a,b" or ["a", "b"]."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"must be names, separated by commas, got {value!r}")
    return tuple(part.strip() for part in parts)


def truth(value: Any) -> bool:
    """Parse "yes", "no" or a truth value."""
    known = {"yes": True, "no": False, True: True, False: False}
    if not isinstance(value, (str, bool)) or value not in known:
        raise ValueError(f"must be yes or no, got {value!r}")
    return known[value]


# The options


def training(default: Any, parse: Callable[[Any], Any], metavar: str, text: str, ensemble: str | None = None) -> Any:
    """Declare an option of the training: its default, parser, metavar and help text, and the default of an ensemble
    where it differs."""
    shown = {"parse": parse, "metavar": metavar, "help": text, "ensemble": ensemble}
    return field(default=default, metadata={"group": "training", **shown})


def table(default: Any, parse: Callable[[Any], Any], metavar: str, text: str) -> Any:
    """Declare an option that applies to tables only."""
    return field(default=default, metadata={"group": "table", "parse": parse, "metavar": metavar, "help": text})


def series(default: Any, parse: Callable[[Any], Any], metavar: str, text: str) -> Any:
    """Declare an option that applies to forecasts only."""
    return field(default=default, metadata={"group": "series", "parse": parse, "metavar": metavar, "help": text})


@dataclass(frozen=True)
class Options:
    """What to train on, and how. The constructor checks the options.

    The names, defaults and meanings of the options are those that ``cygrad train --help`` prints: the command line
    and configuration files are generated from this class.

    Args:
        source: ``"digits"``, ``"mnist"``, ``"fashion"``, or the path of a table.
        data: folder or file of MNIST or Fashion-MNIST, see ``cygrad.data.load_mnist``.
        out: folder of the run; ``runs/NAME`` by default.
        network, members, embeddings, linear, shared, epochs, batch_size, lr, weight_decay, dropout, hidden, clip,
            patience, min_delta, seed, checkpoint_seconds, threads,
            deterministic_shards: options of the training.
        target, task, class_weight, threshold, categories, drop, missing, split, time, group, validation, test,
            delimiter, encoding, decimal, missing_values, text, numbers, header, names, skip_rows, comment: options of
            tables.
        window, horizon, season: options of forecasts of a table's column.
        unset: names of the options that the data may still choose, see ``with_defaults``.

    Raises:
        ValueError: if an option is out of range or two of them contradict each other.

    Example:
        >>> options = cg.runs.Options("people.csv", target="income", epochs=5)
        >>> options.name, options.is_table, options.lr
        ('people', True, 0.002)
    """

    source: str
    data: str | None = None
    out: str | None = None
    network: str | None = training(
        None,
        str,
        "NAME",
        "ensemble for a table, mlp, convnet for images, tcn or gru for a forecast (default: ensemble for a table, mlp "
        "for images, tcn for a forecast)",
    )
    members: int | None = training(None, int, "N", "networks of an ensemble (default: 12 below 1,000 rows, else 4)")
    embeddings: bool | None = training(
        None,
        truth,
        "yes|no",
        "periodic embeddings of numbers in an ensemble (default: if they help in a short trial, from 1,000 rows on)",
    )
    linear: bool | None = training(
        None, truth, "yes|no", "blend an ensemble with linear models (default: below 1,000 rows)"
    )
    shared: bool | None = training(
        None,
        truth,
        "yes|no",
        "share the hidden layers' weights among the members of an ensemble, as TabM (default: no)",
    )
    epochs: int = training(40, int, "N", "maximum number of epochs", "64")
    batch_size: int = training(64, int, "N", "samples per step", "32 below 1,000 rows, else 256")
    lr: float = training(
        2e-3,
        float,
        "RATE",
        "initial learning rate, annealed along a cosine; of an ensemble, the largest one",
        "0.04 for classes and 0.14 for numbers",
    )
    weight_decay: float = training(0.01, float, "RATE", "weight decay; biases and norms are exempt", "0.02")
    dropout: float = training(0.3, float, "P", "dropout probability", "0.15")
    hidden: Sequence[int] = training(
        (256, 128),
        layer_sizes,
        "SIZES",
        "sizes of the hidden layers; of a convnet or tcn, channels of its blocks",
        "64,64,64 below 1,000 rows, else 128,128,128",
    )
    clip: float | None = training(1.0, float, "NORM", "maximum gradient norm", "none")
    patience: int | None = training(15, int, "N", "epochs without improvement before training stops", "all epochs")
    min_delta: float = training(
        0.0, float, "LOSS", "smallest gain that counts, of the validation loss or accuracy that tells the best epoch"
    )
    seed: int = training(0, int, "N", "seed of the split, the initialization, shuffling and dropout")
    checkpoint_seconds: float = training(1.0, float, "S", "least time between two checkpoints, in seconds")
    threads: int | None = training(None, int, "N", "threads that a kernel may use (default: all cores)")
    deterministic_shards: int | None = training(
        None,
        int,
        "S",
        "under mpiexec, cut each batch into S shards, so that the bits are the same at any number of ranks",
    )
    target: str | None = table(None, str, "COLUMN", "column to predict (required)")
    task: str | None = table(None, str, "TASK", "classification or regression (default: inferred from the target)")
    class_weight: str | None = table(
        None, str, "HOW", "balanced: classes count in the loss as if they were equally frequent; or CLASS=FACTOR,..."
    )
    threshold: str | None = table(
        None,
        str,
        "CRITERION",
        "of two classes, choose the probability from which on the second is predicted by this criterion on the "
        "validation rows: accuracy, balanced_accuracy or f1 (default: the more probable class)",
    )
    categories: Sequence[str] = table((), name_list, "COLUMNS", "numeric columns to treat as categories")
    dates: Sequence[str] = table(
        (), name_list, "COLUMNS", "numeric columns of dates: seconds or milliseconds since 1970, or such as 20241231"
    )
    date_order: str | None = table(
        None, str, "ORDER", "dmy, mdy or ymd, what dates such as 01/02/03 mean if the column does not tell"
    )
    drop: Sequence[str] = table((), name_list, "COLUMNS", "columns to ignore")
    missing: str = table(
        "fill", str, "HOW", "missing values: fill, by the mean or as a category of their own, or raise"
    )
    split: str | None = table(
        None,
        str,
        "SPLIT",
        "stratified, random or time (default: time with --time, stratified for classes, else random)",
    )
    time: str | None = table(
        None, str, "COLUMN", "column to order rows by: the last are the test set, those before it the validation set"
    )
    group: str | None = table(
        None, str, "COLUMN", "column of groups, such as patients: the rows of a group stay in one part; no input"
    )
    validation: float | None = table(
        None,
        float,
        "FRACTION",
        "fraction of the rows for validation and early stopping (default: 0.15; an ensemble validates each member on a "
        "fold of its own, except with --time)",
    )
    test: float = table(0.15, float, "FRACTION", "fraction of the rows for the final test; may be 0")
    delimiter: str | None = table(None, str, "CHAR", "field delimiter (default: inferred from the first line)")
    encoding: str | None = table(None, str, "NAME", "encoding of the file (default: utf-8)")
    decimal: str | None = table(None, str, "CHAR", "decimal separator (default: .)")
    missing_values: Sequence[str] | None = table(
        None, name_list, "TEXTS", "texts that mean a missing value, besides none, NA, NaN, null, ..."
    )
    text: Sequence[str] | None = table(None, name_list, "COLUMNS", "columns to read as text, even if all are numbers")
    numbers: Sequence[str] | None = table(
        None, name_list, "COLUMNS", "columns to read as numbers, without currency and percent signs"
    )
    header: str | None = table(None, str, "HOW", "first if the first line has the column names (default), or none")
    names: Sequence[str] | None = table(None, name_list, "NAMES", "column names, instead of those in the file")
    skip_rows: int | None = table(None, int, "N", "lines in front of the table")
    comment: str | None = table(None, str, "CHAR", "ignore lines that start with this character")
    window: int | None = series(None, int, "N", "rows to forecast from; makes the training that of a forecast")
    horizon: int | None = series(None, int, "H", "rows to forecast (required)")
    season: int | None = series(
        None,
        int,
        "N",
        "rows per season, for the baseline (default: by the time step, such as a day and a week of hours)",
    )
    unset: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_source(self)
        check_training(self)
        check_table(self)
        check_series(self)

    @staticmethod
    def from_values(values: Mapping[str, Any]) -> Options:
        """Build options from parsed values, such as those of a file.

        Args:
            values: by option name. Options of the training that are not given become ``unset``.

        Raises:
            ValueError: if a value has the wrong type or is out of range.

        Example:
            >>> options = cg.runs.Options.from_values({"source": "digits", "hidden": [32], "lr": 1})
            >>> options.hidden, options.lr, "epochs" in options.unset
            ((32,), 1.0, True)
        """
        unset = {name for name, option in OPTIONS.items() if option.metadata["group"] == "training"} - values.keys()
        return Options(**{name: converted(name, value) for name, value in values.items()}, unset=frozenset(unset))

    def with_defaults(self, defaults: Mapping[str, Any]) -> Options:
        """Return these options, those that are ``unset`` or None replaced by the defaults that fit the data."""
        chosen = {name: v for name, v in defaults.items() if name in self.unset or getattr(self, name) is None}
        return replace(self, **chosen, unset=frozenset())

    @property
    def is_table(self) -> bool:
        """Whether the data is a table in a file."""
        return self.source not in DATASETS

    @property
    def is_ensemble(self) -> bool:
        """Whether the network is an ensemble: if the options say so, or if nobody has chosen another for a table."""
        unchosen = self.network is None and "network" in self.unset and self.is_table and not self.is_series
        return self.network == "ensemble" or unchosen

    @property
    def has_folds(self) -> bool:
        """Whether each member of an ensemble is validated on a fold of its own, not all on one validation set."""
        return self.is_ensemble and self.validation is None and self.time is None and not self.shared

    @property
    def fractions(self) -> tuple[float, float, float]:
        """The fractions of the rows for training, validation and test."""
        chosen = VALIDATION if self.validation is None else self.validation
        validation = 0.0 if self.has_folds else chosen
        return 1 - validation - self.test, validation, self.test

    @property
    def is_series(self) -> bool:
        """Whether the table is a series to forecast."""
        return any(getattr(self, name) is not None for name in ("window", "horizon", "season"))

    @property
    def name(self) -> str:
        """Name of the data and, by default, of the run."""
        if self.source == STANDARD_INPUT:
            return "table"
        return os.path.splitext(os.path.basename(plain_name(self.source)))[0]

    @property
    def folder(self) -> str:
        """Folder of the run."""
        return self.out or os.path.join("runs", self.name)

    @property
    def reading(self) -> dict[str, Any]:
        """The options of ``cygrad.data.tables.read_csv`` that were given."""
        return {name: value for name, value in self.values("table").items() if name in READING and value is not None}

    def values(self, group: str) -> dict[str, Any]:
        """Return the options of a group, "training", "table" or "series", as JSON can hold them."""
        chosen = {name: getattr(self, name) for name, field in OPTIONS.items() if field.metadata["group"] == group}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()}


OPTIONS: dict[str, Field[Any]] = {option.name: option for option in fields(Options) if option.metadata}


def converted(name: str, value: Any) -> Any:
    """Convert a value to the type of an option; raise ValueError if it has another type."""
    parse = OPTIONS[name].metadata["parse"] if name in OPTIONS else str
    if parse in TYPE_NAMES:
        accepted = (int, float) if parse is float else (parse,)
        if not isinstance(value, accepted) or isinstance(value, bool):
            raise ValueError(f"train: {name} must be {TYPE_NAMES[parse]}, got {value!r}")
    try:
        return parse(value)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"train: {name} {error}") from None


# Checks


def check_source(options: Options) -> None:
    """Raise ValueError if the source is unknown, or an option does not apply to it."""
    source = options.source
    if options.is_table and suffix_of(source) not in READERS:
        known = f"digits, mnist, fashion, a .toml file or a table ({', '.join(sorted(READERS))})"
        raise ValueError(f"train: the source must be {known}, got {source!r}")
    if source in IN_FILES and options.data is None:
        raise ValueError(f"train: {source} needs --data, the folder with its IDX files")
    if source not in IN_FILES and options.data is not None:
        raise ValueError(f"train: --data applies to {' and '.join(IN_FILES)} only, not to {source}")
    if options.network not in (None, *NETWORKS):
        raise ValueError(f"train: network must be one of {', '.join(NETWORKS)}, got {options.network!r}")
    if options.is_table and options.network == "convnet":
        raise ValueError(f"train: a {options.network} needs images, not a table such as {source}")
    if options.network == "ensemble" and not options.is_table:
        raise ValueError(f"train: an ensemble needs a table, not {source}")
    for name in ("members", "embeddings", "linear", "shared"):
        if getattr(options, name) is not None and not options.is_ensemble:
            raise ValueError(f"train: {name} applies to the network ensemble only")
    if options.is_table:
        return
    for name, option in OPTIONS.items():
        if option.metadata["group"] != "training" and getattr(options, name) != option.default:
            raise ValueError(f"train: {name} applies to tables only, not to {source}")


def check_training(options: Options) -> None:
    """Raise ValueError if an option of the training is out of range; the optimizer checks its own."""
    for name in ("epochs", "batch_size", "patience", "members"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise ValueError(f"train: {name} must be at least 1, got {getattr(options, name)}")
    if options.batch_size == 1:
        raise ValueError("train: batch norm needs a batch_size of at least 2, got 1")
    if not 0 <= options.min_delta < math.inf:
        raise ValueError(f"train: min_delta must be finite and not negative, got {options.min_delta}")
    if not options.checkpoint_seconds >= 0:
        raise ValueError(f"train: checkpoint_seconds must not be negative, got {options.checkpoint_seconds}")
    if options.clip is not None and not options.clip > 0:
        raise ValueError(f"train: clip must be above 0, got {options.clip}")
    if not 0 <= options.dropout < 1:
        raise ValueError(f"train: dropout must lie in [0, 1), got {options.dropout}")
    if not -(2**63) <= options.seed < 2**64:
        raise ValueError(f"train: seed must fit in 64 bits, got {options.seed}")


def check_table(options: Options) -> None:
    """Raise ValueError if an option of tables is out of range."""
    for name in ("validation", "test"):
        if getattr(options, name) is not None and not 0 <= getattr(options, name) < 1:
            raise ValueError(f"train: {name} must lie in [0, 1), got {getattr(options, name)}")
    if options.validation == 0:
        raise ValueError("train: validation must be above 0, since early stopping needs a validation set")
    training, validation, test = options.fractions
    if training <= 0:
        total = f"{validation} + {test}"
        raise ValueError(f"train: validation and test must leave rows for training, got {total}")
    if options.threshold not in (None, *CRITERIA):
        raise ValueError(f"train: threshold must be one of {', '.join(CRITERIA)}, got {options.threshold!r}")
    if options.date_order not in (None, *ORDERS):
        raise ValueError(f"train: date_order must be {' or '.join(ORDERS)}, got {options.date_order!r}")
    if options.split is not None and options.split not in SPLITS:
        raise ValueError(f"train: split must be one of {', '.join(SPLITS)}, got {options.split!r}")
    if options.split == "time" and options.time is None:
        raise ValueError("train: a time split needs the option time, the column to order rows by")
    if options.time is not None and options.split not in (None, "time"):
        raise ValueError(f"train: the option time needs a time split, got {options.split}")
    if options.group is not None and not options.is_series and (options.split or options.time) is not None:
        other = "split" if options.split is not None else "time"
        raise ValueError(f"train: the option group is a split of its own, so {other} can't be given too")


def check_series(options: Options) -> None:
    """Raise ValueError if an option of forecasts is missing, out of range, or does not go with another."""
    if not options.is_series:
        if options.network in ("tcn", "gru"):
            raise ValueError(f"train: a {options.network} needs the options window and horizon of a forecast")
        return
    if options.group is not None:
        raise ValueError("train: group applies to tables whose rows do not follow each other, not to a forecast")
    for name in ("window", "horizon", "time"):
        if getattr(options, name) is None:
            raise ValueError(f"train: a forecast needs the option {name}")
    for name in ("window", "horizon", "season"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise ValueError(f"train: {name} must be at least 1, got {getattr(options, name)}")
    if options.network in ("mlp", "ensemble"):
        raise ValueError(f"train: the network of a forecast must be tcn or gru, got {options.network}")
    for name in ("class_weight", "threshold"):
        if getattr(options, name) is not None:
            raise ValueError(f"train: {name} applies to classes, not to a forecast")
    if options.task not in (None, "regression"):
        raise ValueError(f"train: a forecast is a regression, got the task {options.task!r}")
    if options.test == 0:
        raise ValueError("train: test must be above 0, since a forecast is compared with its baseline on the test set")
