"""Runs that forecast a column of a table: preprocessing, network, target and timeline."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cygrad._attributes import cached_property
from cygrad._typing import Array
from cygrad.data.preprocessing import Number, Preprocessor, Quantity, target_of
from cygrad.data.tables import Table
from cygrad.data.timeline import Timeline, parse_times, time_texts
from cygrad.nn.module import Module
from cygrad.runs.table_run import encode_rows, example_rows, read_file, table_of, text_columns
from cygrad.tensor import Tensor
from cygrad.train.conformal import COVERAGE
from cygrad.train.evaluation import predict
from cygrad.train.forecasters import Forecaster, forecaster

__all__ = ["SeriesConfig", "SeriesRun", "sorted_times"]


@dataclass
class SeriesConfig:
    """What rebuilds a model that forecasts a series, and where the run comes from.

    Args:
        network_type: "tcn" or "gru", see ``cygrad.train.forecaster``.
        hidden: channels of the blocks or sizes of the layers.
        dropout: probability.
        window: rows to forecast from.
        horizon: rows to forecast.
        preprocessing: as ``cygrad.data.preprocessing.Preprocessor.to_dict`` returns it; its first column is the target.
        target: description of the target.
        time: name of the time column.
        timeline: fields of a ``cygrad.data.timeline.Timeline``.
        version: of cygrad.
        seed: of the training.
        task: name of the data.
        reading: options of ``cygrad.data.tables.read_csv``.
        options: of the training and the forecast.
        results: on the validation and the test set.
        half_widths: half the width of the 90 % prediction interval of each row to forecast, in the target's unit; empty
            if there were too few validation rows.
        kind: "series".
        format: number of the file format.
        weights_sha256: checksum of the file of weights that belongs to this configuration; ``save`` sets it.
    """

    network_type: str
    hidden: list[int]
    dropout: float
    window: int
    horizon: int
    preprocessing: dict[str, Any]
    target: dict[str, Any]
    time: str
    timeline: dict[str, Any]
    version: str
    seed: int = 0
    task: str = ""
    reading: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    half_widths: list[float] = field(default_factory=list)
    kind: str = "series"
    format: int = 1
    weights_sha256: str = field(default="", compare=False)

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> SeriesConfig:
        """Check the content of a file and build the configuration; raise ValueError or TypeError if it is not one."""
        config = SeriesConfig(**content)
        hidden = config.hidden if isinstance(config.hidden, list) else [0]
        if any(type(size) is not int or size < 1 for size in (*hidden, config.window, config.horizon)):
            raise ValueError("hidden, window and horizon must be integers of at least 1")
        if type(config.dropout) not in (int, float) or not 0 <= config.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {config.dropout!r}")
        first, target = Preprocessor.from_dict(config.preprocessing).encoders[0], target_of(config.target)
        if not isinstance(target, Quantity) or not isinstance(first, Number) or first.name != target.name:
            raise ValueError("the target must be a number and the first column of the preprocessing")
        Timeline(**config.timeline)
        if not isinstance(config.time, str):
            raise ValueError(f"time must be the name of a column, got {config.time!r}")
        for name in ("reading", "options", "results"):
            if not isinstance(getattr(config, name), dict):
                raise ValueError(f"{name} must be an object")
        widths = config.half_widths
        if not isinstance(widths, list) or not all(type(w) in (int, float) and 0 <= w < math.inf for w in widths):
            raise ValueError("half_widths must be a list of numbers of at least 0")
        if len(widths) not in (0, config.horizon):
            raise ValueError(f"half_widths must have {config.horizon} numbers or none, got {len(widths)}")
        config.network()
        return config

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, as JSON can hold them."""
        return asdict(self)

    def network(self) -> Forecaster:
        """Build the network, with new weights."""
        features = len(Preprocessor.from_dict(self.preprocessing).features)
        return forecaster(self.network_type, features, self.window, self.horizon, self.hidden, self.dropout)


@dataclass
class SeriesRun:
    """A trained model that forecasts the rows after a history. It finds columns by name.

    Args:
        model: takes windows (N, window, features) and returns standardized forecasts (N, horizon).
        config: its configuration.
    """

    model: Module
    config: SeriesConfig

    @cached_property
    def preprocessor(self) -> Preprocessor:
        """Encodes columns as features."""
        return Preprocessor.from_dict(self.config.preprocessing)

    @cached_property
    def target(self) -> Quantity:
        """Decodes forecasts."""
        target = target_of(self.config.target)
        assert isinstance(target, Quantity)  # from_dict has checked it
        return target

    @cached_property
    def timeline(self) -> Timeline:
        """The steps of the time column."""
        return Timeline(**self.config.timeline)

    @property
    def columns(self) -> list[str]:
        """Names of the input columns, the time first."""
        return [self.config.time, *self.preprocessor.columns]

    def inputs(self, rows: Sequence[Sequence[Any]], columns: Sequence[str] | None = None) -> Array:
        """Convert a history, rows of values as JSON or CSV holds them, to an input of the model, see ``history``.

        Args:
            rows: values per column; None, or a text for a missing value, is missing.
            columns: their names; by default those of ``columns``.
        """
        return self.history(table_of(rows, columns, self.columns, self.config.reading))

    def read(self, path: str | os.PathLike[str]) -> Array:
        """Read the history in a file, as the training did, and convert it to an input of the model."""
        text = text_columns(self.preprocessor.encoders)
        return self.history(read_file(path, self.config.reading, text))

    def history(self, table: Table) -> Array:
        """Convert the last rows of a table, in the order of time, to an input of the model.

        Returns:
            One window with its times, (1, window, 1 + features) of float64.

        Raises:
            ValueError: if the table has too few rows, a column is missing, a value or time is invalid, or times do not
                follow each other as in the training data.
        """
        name, window = self.config.time, self.config.window
        try:
            if name not in table:
                raise ValueError(f"the time column {name!r} is missing; the table has {', '.join(table.names)}")
            dates = len(table) > 0 and table[name].dtype == object
            order, times = sorted_times(name, table[name])
            if len(table) < window:
                raise ValueError(f"the history has {len(table)} rows, but the model forecasts from {window}")
            if dates != self.timeline.dates:
                kinds = ("dates", "numbers") if dates else ("numbers", "dates")
                raise ValueError(f"time column {name!r} contains {kinds[0]}, but had {kinds[1]} in the training data")
            last = times[-window:]
            off = np.diff(self.timeline.positions(last)) != 1
            if off.any():
                row, step = int(off.argmax()), self.timeline.span(1)
                before, after = time_texts(last[row : row + 2], dates)
                raise ValueError(f"time column {name!r} must have steps of {step}, but {after} follows {before}")
            features = self.preprocessor.transform(table.take(order[-window:]))
        except ValueError as error:
            raise ValueError(f"predict: {error}") from None
        return np.concatenate([last[:, None], features], 1)[None]

    def scores(self, features: Array) -> Array:
        """Return the network's outputs, (N, horizon)."""
        return predict(self.model, features)

    def predictions(self, inputs: Array, proba: bool = False) -> list[Any]:
        """Forecast the rows that follow each window: records of the time, or of the step where the training data had no
        regular one, and of the target; with prediction intervals also of their ends, such as ``load_low`` and
        ``load_high``.

        Raises:
            ValueError: if probabilities are asked for.
        """
        name = self.target.name
        if proba:
            raise ValueError(f"predict: the target {name!r} is a number and has no probabilities")
        records: list[Any] = []
        for window, outputs in zip(inputs, self.scores(inputs[:, :, 1:].astype(np.float32)), strict=True):
            values = self.target.decode(outputs)
            if self.timeline.unit == "rows":
                label, times = "step", list(range(1, len(values) + 1))
            else:
                label = self.config.time
                times = time_texts(self.timeline.after(window[-1, 0], len(values)), self.timeline.dates)
            columns = {label: times, name: values, **self.intervals(values)}
            records += [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return records

    def intervals(self, values: Sequence[float]) -> dict[str, list[float]]:
        """The ends of the prediction intervals of forecasts, by the names of their columns; none if there are none."""
        widths = self.config.half_widths
        if not widths:
            return {}
        pairs = list(zip(values, widths, strict=True))
        name = self.target.name
        return {f"{name}_low": [v - w for v, w in pairs], f"{name}_high": [v + w for v, w in pairs]}

    def network(self) -> Module:
        """Return the model with its preprocessing: windows of rows to forecasts (N, horizon).

        Windows are (N, window, columns) of float64, columns in the order of ``metadata``, a category as its index among
        the values, a missing number as NaN.
        """
        return SeriesNetwork(self)

    def example(self) -> Array:
        """Return an input of ``network``."""
        rows = example_rows(self.preprocessor.encoders)
        return rows[np.arange(self.config.window) % 2][None]

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs of ``network``."""
        return ["predictions"]

    def metadata(self) -> dict[str, Any]:
        """Describe the model, its inputs and its results, as JSON can hold it."""
        config = self.config
        return {
            "task": config.task,
            "cygrad_version": config.version,
            "target": self.target.name,
            "kind": "forecast",
            "window": config.window,
            "horizon": config.horizon,
            "time": {"name": config.time, **config.timeline},
            "columns": config.preprocessing["columns"],
            "interval": {"coverage": COVERAGE, "half_widths": config.half_widths} if config.half_widths else None,
            "results": config.results,
        }


class SeriesNetwork(Module):
    """windows of rows (N, window, columns) to forecasts in the target's unit (N, horizon)."""

    def __init__(self, run: SeriesRun) -> None:
        super().__init__()
        self.model = run.model
        self.encoders = run.preprocessor.encoders
        self.target = run.target

    def forward(self, rows: Tensor) -> Tensor:
        scores: Tensor = self.model(encode_rows(self.encoders, rows))
        return scores * self.target.std + self.target.mean


def sorted_times(name: str, column: Array) -> tuple[Array, Array]:
    """The order that sorts the rows of a time column, and the sorted times.

    Raises:
        ValueError: if a time is missing, not a finite number or date, or there twice; the message names the rows.
    """
    times = parse_times(name, column)
    bad = ~np.isfinite(times)
    if bad.any():
        row = int(bad.argmax())
        what = f"contains {times[row]}" if np.isinf(times[row]) else "has a missing value"
        raise ValueError(f"time column {name!r} {what} in row {row + 1}")
    order = np.argsort(times, kind="stable")
    twice = np.flatnonzero(np.diff(times[order]) == 0)
    if len(twice):
        first, second = order[twice[0]] + 1, order[twice[0] + 1] + 1
        what = f"rows {first} and {second} have the same time {column[first - 1]}"
        raise ValueError(f"time column {name!r}: {what}; a series has one row at a time")
    return order, times[order]
