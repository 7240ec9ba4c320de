"""Series to forecast: a table's rows in the order of time, in parts, with a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from cygrad import nn
from cygrad._attributes import cached_property
from cygrad._typing import Array
from cygrad._version import __version__
from cygrad.data import DataLoader, time_split
from cygrad.data.preprocessing import Preprocessor, Quantity, fit_target
from cygrad.data.preprocessing.target import finite_numbers, target_to_dict
from cygrad.data.tables import Table
from cygrad.data.timeline import Timeline, counted, fit_timeline, time_texts
from cygrad.data.windows import Windows, seasonal_naive
from cygrad.nn import functional as F
from cygrad.nn.module import Module
from cygrad.runs.held_forecasts import HeldForecasts
from cygrad.runs.image_task import PARTS
from cygrad.runs.measuring import EVALUATION_ROWS, measured
from cygrad.runs.options import Options
from cygrad.runs.series_run import SeriesConfig, SeriesRun, sorted_times
from cygrad.runs.table_run import read_file
from cygrad.runs.table_task import check_roles, power_of_two, separate_target, unseen_notes
from cygrad.tensor import Tensor
from cygrad.train.conformal import half_widths
from cygrad.train.evaluation import Loss, predict
from cygrad.train.forecasters import Forecaster, forecaster, tcn_depth
from cygrad.train.linear_forecaster import fit_linear_forecaster

__all__ = ["SeriesTask", "prepare_series"]


@dataclass(frozen=True)
class SeriesTask:
    """A series in parts, each of which has its own windows.

    Args:
        name: of the data.
        train, validation, test: windows of features and the standardized values that follow them.
        preprocessor: encodes columns as features, the target first; fitted on the training set.
        target: encodes the target; fitted on the training set.
        time: name of the time column.
        timeline: its steps.
        actual: the values to forecast of each window of the test set, (windows, horizon), in the target's unit.
        naive: by the season in rows, the forecasts of these that the last season is repeated.
        network_type: "tcn" or "gru".
        reading: options of ``cygrad.data.tables.read_csv``.
        notes: what the user should know about the data, one message each.
    """

    name: str
    train: Windows
    validation: Windows
    test: Windows
    preprocessor: Preprocessor
    target: Quantity
    time: str
    timeline: Timeline
    actual: Array
    naive: dict[int, Array]
    network_type: str
    reading: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    @property
    def columns(self) -> int:
        """Features per row."""
        return len(self.preprocessor.features)

    @property
    def outputs(self) -> int:
        """Rows to forecast."""
        return self.train.horizon

    @property
    def baselines(self) -> dict[int, tuple[float, float]]:
        """By the season in rows, the mean absolute and the root mean squared error of the naive forecasts."""
        return {season: errors_of(forecasts - self.actual) for season, forecasts in self.naive.items()}

    @property
    def loss(self) -> Loss:
        """The function to minimize: the mean squared error."""
        return F.mse_loss

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics to report beside the loss."""
        return ["mae"]

    @property
    def defaults(self) -> Mapping[str, Any]:
        """A TCN that looks back over the window, or a GRU of one layer, and batches that fit the number of windows."""
        tcn = self.network_type == "tcn"
        return {
            "network": self.network_type,
            "hidden": (32,) * tcn_depth(self.train.window) if tcn else (64,),
            "batch_size": power_of_two(len(self.train) / 64, 16, 64),
            "patience": 8,
            "dropout": 0.1,
        }

    def network(self, options: Options) -> Module:
        """Build the network that the options describe; it starts from the linear model."""
        window, horizon = self.train.window, self.train.horizon
        network = forecaster(self.network_type, self.columns, window, horizon, options.hidden, options.dropout)
        network.start_from(self.linear)
        return network

    @cached_property
    def linear(self) -> nn.Linear:
        """The linear model, from all values of a window to the values that follow."""
        return fit_linear_forecaster(self.train, self.validation)

    def run(self, model: Module, options: Mapping[str, Any], results: Mapping[str, Any]) -> SeriesRun:
        """Make a run of a model that was trained on this data."""
        window, horizon = self.train.window, self.train.horizon
        config = SeriesConfig(
            network_type=self.network_type,
            hidden=list(options["hidden"]),
            dropout=options["dropout"],
            window=window,
            horizon=horizon,
            preprocessing=self.preprocessor.to_dict(),
            target=target_to_dict(self.target),
            time=self.time,
            timeline=asdict(self.timeline),
            version=__version__,
            seed=options["seed"],
            task=self.name,
            reading=self.reading,
            options={**options, "window": window, "horizon": horizon},
            results={name: value for name, value in results.items() if name != "half_widths"},
            half_widths=list(results.get("half_widths", ())),
        )
        return SeriesRun(model, config)

    def held(self, run: SeriesRun) -> HeldForecasts:
        """The forecasts of the test set, by the network, a linear model and the naive baselines."""

        assert isinstance(run.model, Forecaster)
        linear = LinearPart(run.model, self.linear)
        models: dict[str, Module] = {self.network_type.upper(): run.model, "linear model": linear}
        forecasts = {
            name: self.decoded(predict(model, DataLoader(self.test, EVALUATION_ROWS))) for name, model in models.items()
        }
        for season, naive in self.naive.items():
            forecasts[f"season of {self.timeline.span(season)}" if season > 1 else "last value"] = naive
        return HeldForecasts(self.actual, forecasts, run.config.half_widths, run.config.seed)

    def decoded(self, outputs: Array) -> Array:
        """Outputs (windows, horizon) in the target's unit."""
        return np.array(self.target.decode(outputs)).reshape(outputs.shape)

    def interval_widths(self, model: Module) -> list[float]:
        """Half the width of a prediction interval for each step ahead, from the errors on the validation set."""
        outputs = predict(model, DataLoader(self.validation, EVALUATION_ROWS))
        targets = np.concatenate([batch[1].array for batch in DataLoader(self.validation, EVALUATION_ROWS)])
        return half_widths(self.decoded(outputs) - self.decoded(targets))

    def results(self, run: SeriesRun, held: HeldForecasts) -> tuple[dict[str, Any], str]:
        """Return the results of a run on the test set to save, and the lines to print: the network beside the
        baselines."""
        values, scores = measured(run, self.test, self), held.scored[0]
        network, linear, *naive = scores.values()
        best = min(naive, key=lambda found: found["mae"][0] or 0.0)
        results: dict[str, Any] = {"test_loss": values["loss"]}
        for part, found in ("", network), ("linear_", linear), ("naive_", best):
            results.update({f"test_{part}{name}": found[name][0] for name in ("mae", "rmse")})
        if held.coverage[0] is not None:
            results["test_coverage"] = held.coverage[0]
        results["intervals"] = {f"test_{name}": list(network[name][1:]) for name in ("mae", "rmse")}
        return results, held.shown()


class LinearPart(Module):
    """A linear model of the inputs that the linear part of a network sees."""

    def __init__(self, network: Forecaster, linear: nn.Linear) -> None:
        super().__init__()
        self.inputs = network.linear_inputs
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.inputs(x))


def prepare_series(options: Options) -> SeriesTask:
    """Read a table, sort it by time, split it, and fit the preprocessing on the training set alone.

    The training set is followed by the validation set, and that by the test set. The windows of a part, with the rows
    to forecast, lie within it, and do not cross a gap between the times of two rows.

    Args:
        options: names the file, the target, the time column, the window and the horizon.

    Raises:
        ValueError: if the table and the options do not match; the message names the column.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "load.csv")
        >>> rows = [f"2026-01-{1 + i // 24:02} {i % 24:02}:00,{(i % 24 - 12) ** 2 + i % 5}" for i in range(480)]
        >>> _ = path.write_text("time,load\\n" + "\\n".join(rows))
        >>> task = cg.runs.prepare_series(cg.runs.Options(str(path), target="load", time="time", window=24, horizon=4))
        >>> len(task.train), len(task.validation), len(task.test), list(task.baselines)
        (309, 45, 45, [24, 168])
    """
    series = read_series(options)
    preprocessor = Preprocessor(
        categories=options.categories, missing=options.missing, dates=options.dates, date_order=options.date_order
    )
    preprocessor.check(series.columns)
    fractions = options.fractions
    subsets = time_split(range(len(series.times)), series.times, fractions)
    parts = [np.asarray(subset.indices, np.int64) for subset in subsets]
    preprocessor.fit(series.columns.take(parts[0]))
    target = fit_target(series.target, series.values[parts[0]], "regression")
    assert isinstance(target, Quantity)
    notes = [*time_notes(series), *series.columns.notes, *preprocessor.notes]
    train, validation, test = (
        windows_of(series, rows, part, preprocessor, target, options, notes)
        for rows, part in zip(parts, PARTS, strict=True)
    )
    last = parts[2][0] + test.starts + test.window - 1
    actual = series.values[last[:, None] + np.arange(1, test.horizon + 1)]
    naive = {
        season: seasonal_naive(series.values, last, test.horizon, season, series.positions)
        for season in seasons_of(options, series, parts[0])
    }
    notes += [baseline_note(season, series.timeline, errors_of(found - actual)) for season, found in naive.items()]
    if list(naive) == [1] and options.season is None:
        notes.append("no season follows from the time step; set season if there is one")
    return SeriesTask(
        options.name,
        train,
        validation,
        test,
        preprocessor,
        target,
        series.time,
        series.timeline,
        actual,
        naive,
        options.network or "tcn",
        options.reading,
        notes,
    )


class Series(NamedTuple):
    """A table in the order of time: the target and its values (n,), the columns that are inputs, with the target first,
    the times (n,), their positions on a timeline, and whether the rows had this order."""

    target: str
    values: Array
    columns: Table
    time: str
    times: Array
    timeline: Timeline
    positions: Array
    in_order: bool


def read_series(options: Options) -> Series:
    """Read a table and sort it by time."""
    check_roles(options)
    table = read_file(options.source, options.reading, drop=options.drop)
    name, others = separate_target(table, options)
    time = options.time or ""  # check_series has demanded one
    if time == name:
        raise ValueError(f"train: column {name!r} can't be both the target and the time")
    values = finite_numbers(name, table[name])
    try:
        order, times = sorted_times(time, table[time])
    except ValueError as error:
        raise ValueError(f"train: {error}") from None
    if len(times) < 2:
        raise ValueError(f"train: a series needs at least two rows, got {len(times)}")
    timeline = fit_timeline(times, table[time].dtype == object)
    columns = Table.of_columns({name: values, **dict(others.items())}, len(table), table.notes).take(order)
    in_order = bool((np.diff(order) > 0).all())
    return Series(name, values[order], columns, time, times, timeline, timeline.positions(times), in_order)


def windows_of(
    series: Series,
    rows: Array,
    part: str,
    preprocessor: Preprocessor,
    target: Quantity,
    options: Options,
    notes: list[str],
) -> Windows:
    """The windows of a part. Values that the training set lacks belong to no category, and are noted."""
    window, horizon = options.window or 0, options.horizon or 0
    sizes = f"a window of {window} and a horizon of {horizon}"
    if len(rows) < window + horizon:
        raise ValueError(f"train: the {part} set has {len(rows)} rows, but {sizes} need {window + horizon}")
    inputs = series.columns.take(rows)
    if part != "training":
        notes += unseen_notes(preprocessor, inputs, part)
    try:
        features, values = preprocessor.transform(inputs, unseen="ignore"), target.encode(series.values[rows])
    except ValueError as error:
        raise ValueError(f"train: the {part} set can't be encoded: {error}") from None
    windows = Windows(features, values[:, 0], window, horizon, series.positions[rows])
    if not len(windows):
        raise ValueError(
            f"train: the {part} set has no {window + horizon} rows, for {sizes}, without a gap in time; number the "
            "rows in a column of their own to ignore gaps"
        )
    return windows


def seasons_of(options: Options, series: Series, train: Array) -> tuple[int, ...]:
    """The seasons of the baselines: the option, or those that the step suggests and the training set covers."""
    if options.season is None:
        return tuple(season for season in series.timeline.seasons if season <= len(train)) or (1,)
    if options.season > len(train):
        raise ValueError(f"train: season must be at most {len(train)}, the training rows, got {options.season}")
    return (options.season,)


def errors_of(errors: Array) -> tuple[float, float]:
    """The mean absolute and the root mean squared error."""
    return float(np.abs(errors).mean()), float((errors**2).mean() ** 0.5)


def time_notes(series: Series) -> list[str]:
    """What is to be known of the times: that rows were sorted, and gaps."""
    name, timeline = series.time, series.timeline
    notes = [] if series.in_order else [f"the rows are not in the order of {name!r}: sorted"]
    if timeline.unit == "rows":
        return [*notes, f"the steps of time column {name!r} differ: window, horizon and season count rows"]
    gaps = np.rint(np.diff(series.positions)).astype(np.int64) - 1
    if gaps.any():
        first = int((gaps > 0).argmax())
        after, before = time_texts(series.times[first : first + 2], timeline.dates)
        missing = f"{counted((gaps > 0).sum(), 'gap')} in its steps of {timeline.span(1)}"
        where = f"{counted(gaps.sum(), 'missing row')}, the first between {after} and {before}"
        notes.append(f"time column {name!r} has {missing}, {where}: no window crosses a gap")
    return notes


def baseline_note(season: int, timeline: Timeline, errors: tuple[float, float]) -> str:
    """Describe a baseline and its errors on the test set."""
    length = (
        f"{counted(season, 'row')} ({timeline.span(season)})" if timeline.unit != "rows" else counted(season, "row")
    )
    value = f"the value {length} before" if season > 1 else "the last value"
    return f"naive baseline, {value}: test MAE {errors[0]:.5g}, RMSE {errors[1]:.5g}"
