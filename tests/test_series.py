"""Forecasts: timelines, windows, baselines and networks, and the command line on series."""

from __future__ import annotations

import csv
import datetime
import json
import random
import re
import shutil

import numpy as np
import pytest

import cygrad as cg
from cygrad import cli, runs, train
from cygrad.data.timeline import Timeline, fit_timeline, parse_times, time_texts
from cygrad.report.intervals import bootstrap
from cygrad.runs.held_forecasts import HeldForecasts
from cygrad.train.conformal import half_widths
from cygrad.train.linear_forecaster import fit_linear_forecaster
from tests.test_cli import failure
from tests.test_tabular import answer, files_of, interrupt_in

WINDOW, HORIZON = 24, 6


@pytest.fixture(autouse=True)
def restored_settings():
    """Restore the thread count and the random state."""
    threads, state = cg.get_num_threads(), cg.get_rng_state()
    yield
    cg.set_num_threads(threads)
    cg.set_rng_state(state)


def rows_of_load(weeks=8):
    """An hourly load with daily and weekly seasons, that also depends on the temperature."""
    draw = random.Random(0)
    start, weather = datetime.datetime(2026, 1, 1), 0.0
    for hour in range(24 * 7 * weeks):
        weather = 0.98 * weather + draw.gauss(0, 1)
        weekend = (hour // 24) % 7 > 4
        load = 100 + 30 * np.sin(2 * np.pi * (hour - 8) / 24) * (0.5 if weekend else 1) - 20 * weekend - 3 * weather
        yield [str(start + datetime.timedelta(hours=hour)), round(load + draw.gauss(0, 1), 3), round(weather, 2)]


def write(path, rows, names=("time", "load", "temperature")):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return path


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "load.csv", rows_of_load())


def arguments(path, *more):
    options = ["train", path, "--target", "load", "--time", "time", "--window", WINDOW, "--horizon", HORIZON, *more]
    return [str(option) for option in options]


def task_of(path, **more):
    values = {"source": str(path), "target": "load", "time": "time", "window": WINDOW, "horizon": HORIZON, **more}
    return runs.prepare_series(runs.Options.from_values(values))


@pytest.fixture(scope="module", params=["tcn", "gru"])
def forecast(load, request, tmp_path_factory):
    """A run of each network."""
    folder = tmp_path_factory.mktemp("runs") / request.param
    more = ["--network", request.param, "--epochs", "8", "--threads", "1", "--out", folder]
    assert cli.main(arguments(load, *more)) == 0
    return folder


# Timelines


def stamps(*texts):
    return parse_times("time", np.array(texts, object))


MONTHS = [f"{2024 + m // 12}-{m % 12 + 1:02}" for m in range(15)]
TIMELINES = {
    "hours": (stamps(*(f"2026-01-01 {h:02}:00" for h in range(5))), "seconds", "1 hour", (24, 168)),
    "quarters of an hour": (stamps(*(f"2026-01-01 00:{m:02}" for m in range(0, 60, 15))), "seconds", "15 minutes", (96, 672)),
    "seven hours": (stamps(*(f"2026-01-01 {h:02}:00" for h in range(0, 24, 7))), "seconds", "7 hours", ()),
    "half seconds": (stamps(*(f"2026-01-01T00:00:0{s}.{m}00000" for s in range(3) for m in (0, 5))), "seconds", "0.5 seconds", (172800, 1209600)),
    "days": (stamps(*(f"2026-01-{d:02}" for d in range(1, 9))), "seconds", "1 day", (7,)),
    "weeks": (stamps(*(f"2026-01-{d:02}" for d in range(1, 30, 7))), "seconds", "7 days", (52,)),
    "months": (stamps(*(f"{month}-01" for month in MONTHS)), "months", "1 month", (12,)),
    "quarters": (stamps(*(f"{month}-15 06:00" for month in MONTHS[::3])), "months", "3 months", (4,)),
    "years": (stamps(*(f"{year}-01-01" for year in range(1999, 2009))), "months", "12 months", ()),
    "ends of months": (stamps(*(str(np.datetime64(month, "M") + 1 - np.timedelta64(1, "D")) for month in MONTHS)), "month ends", "1 month", (12,)),
    "gaps": (stamps("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-09"), "seconds", "1 day", (7,)),
    "irregular": (stamps("2026-01-01", "2026-01-02", "2026-01-03 01:00"), "rows", "1 row", ()),
    "another zone": (stamps("2026-01-01T00:00+01:00", "2026-01-01T00:00Z"), "seconds", "1 hour", (24, 168)),
    "numbers": (np.arange(5.0), "numbers", "1 row", ()),
    "tenths": (np.arange(50) / 10, "numbers", "1 row", ()),
    "seconds since 1970": (1.7e9 + 3600 * np.arange(5), "seconds", "1 hour", (24, 168)),
    "milliseconds since 1970": (1.7e12 + 3.6e6 * np.arange(5), "numbers", "1 row", ()),
}  # fmt: skip


@pytest.mark.parametrize(("times", "unit", "step", "seasons"), TIMELINES.values(), ids=TIMELINES)
def test_a_timeline_follows_from_times(times, unit, step, seasons):
    dates = bool(unit != "numbers" and times[0] != 1.7e9)
    timeline = fit_timeline(times, dates)
    assert (timeline.unit, timeline.span(1), timeline.seasons) == (unit, step, seasons)
    positions = timeline.positions(times)
    assert positions[0] == 0 and (positions == np.rint(positions)).all() and (np.diff(positions) >= 1).all()
    if unit != "rows" and (np.diff(positions) == 1).all():
        assert timeline.after(times[1], len(times) - 2) == pytest.approx(times[2:], abs=1e-6)


@pytest.mark.parametrize("fields", [("days", 1.0, True), ("rows", 0.0, True), ("rows", "1", True), ("rows", 1.0, 1)])
def test_a_timeline_refuses_other_values(fields):
    with pytest.raises(ValueError, match="not a timeline"):
        Timeline(*fields)


def test_times_are_printed_as_tables_have_them():
    assert time_texts(stamps("2026-01-01", "2026-01-02"), True) == ["2026-01-01", "2026-01-02"]
    assert time_texts(stamps("2026-01-01", "2026-01-01T06:30"), True) == ["2026-01-01 00:00", "2026-01-01 06:30"]
    assert time_texts(stamps("1969-12-31 23:59:59"), True) == ["1969-12-31 23:59:59"]
    assert time_texts(np.array([0.25]), True) == ["1970-01-01 00:00:00.250000"]
    assert time_texts(np.array([3.0, 4.5]), False) == [3.0, 4.5]


# Windows and baselines


@pytest.mark.parametrize(("window", "horizon"), [(1, 1), (3, 2), (2, 5), (7, 4)])
def test_windows_are_rows_that_follow_each_other(window, horizon):
    positions = np.sort(np.random.default_rng(0).permutation(60)[:50])
    x, y = np.column_stack([positions, -positions]).astype(np.float64), positions.astype(np.float64)
    windows = cg.data.Windows(x, y, window, horizon, positions)
    runs_of = [p for p in positions if {p + i for i in range(window + horizon)} <= set(positions.tolist())]
    assert len(windows) == len(runs_of)
    for (inputs, values), first in zip((windows[i] for i in range(len(windows))), runs_of):
        assert inputs[:, 0].tolist() == list(range(first, first + window)) and inputs[0, 1].item() == -first
        assert values.tolist() == list(range(first + window, first + window + horizon))


def test_windows_without_positions_have_no_gaps():
    assert len(cg.data.Windows(np.zeros((10, 2)), np.zeros(10), 3, 2)) == 6
    assert len(cg.data.Windows(np.zeros((4, 2)), np.zeros(4), 3, 2)) == 0
    assert len(cg.data.Windows(np.zeros((0, 2)), np.zeros(0), 1, 1)) == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((np.zeros(5), np.zeros(5), 1, 1), "features must have shape"),
        ((np.zeros((5, 1)), np.zeros(4), 1, 1), r"got \(5, 1\) and \(4,\)"),
        ((np.zeros((5, 1)), np.zeros(5), 0, 1), "window must be an integer of at least 1, got 0"),
        ((np.zeros((5, 1)), np.zeros(5), 1, 1.0), "horizon must be an integer of at least 1, got 1.0"),
        ((np.zeros((5, 1)), np.zeros(5), True, 1), "window must be an integer of at least 1, got True"),
        ((np.zeros((5, 1)), np.zeros(5), 1, 1, [0, 1]), r"positions must have shape \(5,\), got \(2,\)"),
    ],
)
def test_windows_refuse_other_shapes(values, message):
    with pytest.raises(ValueError, match=message):
        cg.data.Windows(*values)


@pytest.mark.parametrize("season", [1, 3, 5, 12])
@pytest.mark.parametrize("gaps", [False, True])
def test_the_baseline_repeats_the_last_season(season, gaps):
    draw = np.random.default_rng(season)
    positions = np.arange(60.0) if not gaps else np.sort(draw.permutation(80)[:60]).astype(np.float64)
    values, last = draw.standard_normal(60), np.array([20, 33, 59])
    got = cg.data.seasonal_naive(values, last, 7, season, positions)
    for row, forecasts in zip(last, got, strict=True):
        for ahead, forecast in enumerate(forecasts, 1):
            wanted = positions[row] + ahead
            while wanted > positions[row]:
                wanted -= season
            assert forecast == values[max(i for i in range(60) if positions[i] <= wanted)]


def test_a_season_before_the_series_is_refused():
    with pytest.raises(ValueError, match="a season of 9 steps begins before the series"):
        cg.data.seasonal_naive(np.arange(5.0), np.array([4]), 1, 9)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"values": np.ones((5, 1))}, "values must have one dimension, got shape \\(5, 1\\)"),
        ({"values": "text"}, "floats, got <U4"), ({"last": np.array([1.5])}, "last must be integers, got float64"),
        ({"last": np.array([5])}, "rows of 0 to 4, got 5 to 5"), ({"last": np.array([-1, 2])}, "got -1 to 2"),
        ({"last": 4}, "last must have one dimension"), ({"horizon": 0}, "horizon must be .* at least 1, got 0"),
        ({"horizon": 1.0}, "horizon must be an integer"), ({"season": -1}, "season must be .*, got -1"),
        ({"positions": np.arange(4.0)}, "positions must have shape \\(5,\\), got \\(4,\\)"),
        ({"positions": np.dtype("f4")}, "seasonal_naive"),
    ],
)  # fmt: skip
def test_a_naive_forecast_checks_its_arguments(changed, error):
    given = {"values": np.arange(5.0), "last": np.array([4]), "horizon": 1, "season": 2}
    with pytest.raises((TypeError, ValueError), match=error):
        cg.data.seasonal_naive(**{**given, **changed})


# Networks


def twin(torch, kind, features, hidden, horizon, weights):
    """The same network in PyTorch."""
    F = torch.nn.functional
    w = {name: torch.from_numpy(value.array.copy()) for name, value in weights.items()}

    def forward(x):
        if kind == "gru":
            gru = torch.nn.GRU(features, hidden[0], len(hidden), batch_first=True)
            gru.load_state_dict({n.removeprefix("body.gru."): v for n, v in w.items() if n.startswith("body.gru.")})
            state = gru(x)[1][-1]
        else:
            y = x.transpose(1, 2)
            for i in range(len(hidden)):
                name = f"body.blocks.{i}"
                z = F.conv1d(F.pad(y, (2 * 2**i, 0)), w[f"{name}.conv.weight"], w[f"{name}.conv.bias"], dilation=2**i)
                skip = w.get(f"{name}.skip.weight")
                y = F.relu(z) + (y if skip is None else F.conv1d(y, skip, w[f"{name}.skip.bias"]))
            state = y[..., -1]
        seen = x.flatten(1) if x[0].numel() <= 1024 else x[:, -1024:, 0]
        line = F.linear(seen, w["linear.weight"], w["linear.bias"])
        return F.linear(state, w["head.weight"], w["head.bias"]) + line

    return forward


@pytest.mark.parametrize(
    ("kind", "hidden", "window"),
    [("tcn", (5, 5, 7), 13), ("tcn", (3,), 1), ("tcn", (4, 4), 5), ("gru", (6,), 9), ("gru", (5, 5), 1), ("gru", (3,), 400), ("gru", (2,), 1100)],
)
def test_the_networks_are_those_of_pytorch(kind, hidden, window):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    cg.manual_seed(0)
    model = train.forecaster(kind, 3, window, 4, hidden, dropout=0.5).eval()
    x = np.random.default_rng(0).standard_normal((6, window, 3)).astype(np.float32)
    expected = twin(torch, kind, 3, hidden, 4, model.state_dict())(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(model(cg.tensor(x)).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("window", [1, 2, 3, 4, 7, 8, 15, 16, 31, 100])
def test_a_tcn_sees_the_whole_window(window):
    cg.manual_seed(0)
    depth = train.forecasters.tcn_depth(window)
    model = train.forecaster("tcn", 2, window, 1, (6,) * depth).eval()
    x = cg.ones(1, window, 2).requires_grad_()
    model(x).sum().backward()
    assert x.grad[0, :, 1].abs().min().item() > 0
    assert depth == 1 or 1 + 2 * (2 ** (depth - 1) - 1) < window


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("lstm", 1, 4, 1, (8,)), "the network must be one of tcn, gru, got 'lstm'"),
        (("tcn", 1, 4, 1, ()), "a tcn needs at least one hidden size"),
        (("gru", 1, 4, 1, (8, 4)), "the layers of a gru must have one size, got 8,4"),
        (("tcn", 1, 4, 1, (8, 8, 8)), "a window of 4 takes at most 2 blocks of a tcn, got 3"),
    ],
)
def test_forecasters_refuse_other_sizes(values, message):
    with pytest.raises(ValueError, match=message):
        train.forecaster(*values)


# The linear model and intervals


@pytest.mark.parametrize(("window", "features"), [(5, 3), (1, 1), (1030, 1), (520, 2)])
def test_the_linear_model_is_a_ridge_regression(window, features):
    """The weights are those of the normal equations, for the penalty that validation chooses."""
    draw = np.random.default_rng(window)
    rows = window + 60
    x = draw.standard_normal((3 * rows, features)).astype(np.float32)
    x[:, 0] = np.cumsum(x[:, 0]) / 9
    parts = [cg.data.Windows(x[i * rows : (i + 1) * rows], x[i * rows : (i + 1) * rows, 0], window, 2) for i in (0, 1)]
    layer = fit_linear_forecaster(*parts)
    network = train.forecaster("gru", features, window, 2, (2,))
    (a, y), (b, z) = (
        [np.stack([part[i][k].array for i in range(len(part))]).astype(np.float64) for k in (0, 1)] for part in parts
    )
    a, b = (network.linear_inputs(cg.tensor(windows)).array for windows in (a, b))
    centered, mean = a - a.mean(0), y.mean(0)
    best = np.inf
    for penalty in np.logspace(-6, 1, 15) * (centered**2).mean(0).sum() / a.shape[1]:
        gram = centered.T @ centered / len(a) + penalty * np.eye(a.shape[1])
        weight = np.linalg.solve(gram, centered.T @ (y - mean) / len(a))
        error = np.square((b - a.mean(0)) @ weight + mean - z).sum()
        if error < best:
            best, expected = error, weight
    forecasts = layer(cg.tensor(b).float()).detach().numpy()
    np.testing.assert_allclose(forecasts, (b - a.mean(0)) @ expected + mean, atol=2e-3)
    if a.shape[1] < len(a):
        np.testing.assert_allclose(layer.weight.array, expected.T, rtol=2e-3, atol=2e-5)


def test_a_linear_series_is_forecast_from_the_start(tmp_path):
    """x(t) = 2·cos(ω)·x(t − 1) − x(t − 2): the linear model knows all, and the network begins with it."""
    rows = [[hour, round(1000 * np.sin(hour / 7), 6), 0] for hour in range(600)]
    task = task_of(write(tmp_path / "sine.csv", rows), drop=["temperature"])
    model = task.network(runs.Options.from_values({"source": "s.csv", "hidden": [4]})).eval()
    x, y = task.test[3]
    assert (model(x.unsqueeze(0)) - y).abs().max().item() < 0.01
    assert not model.head.weight.array.any() and model.linear.weight.requires_grad


def test_intervals_hold_as_many_values_as_they_say():
    draw = np.random.default_rng(0)
    scales = np.array([1.0, 5.0, 0.2])
    widths = half_widths(draw.standard_normal((2000, 3)) * scales)
    np.testing.assert_allclose(widths, 1.645 * scales, rtol=0.1)  # the 95 % quantile of the normal distribution
    assert half_widths(np.arange(1.0, 10.0)[:, None]) == [9.0] and half_widths(np.ones((8, 2))) == []
    assert half_widths(np.zeros((0, 2))) == []


def test_scores_of_windows_that_overlap_have_wider_intervals():
    noise = np.random.default_rng(1).standard_normal(1000)
    errors = np.lib.stride_tricks.sliding_window_view(noise, 50)
    held = HeldForecasts(np.zeros(errors.shape), {"network": errors, "half": errors / 2}, [1.0] * 50)
    assert held.block == 100 and len(held) == 951
    value, low, high = held.scored[0]["network"]["mae"]
    assert value == pytest.approx(np.abs(errors).mean())
    rows, _ = bootstrap({"": lambda rows: {"": np.abs(errors).mean(1)[rows].mean()}}, len(errors))
    assert high - low > 3 * (rows[""][""][2] - rows[""][""][1])
    deviation = np.abs(noise).std() / len(noise) ** 0.5  # of the mean of independent values
    assert 2 * deviation < high - low < 6 * deviation
    assert held.scored[0]["half"]["rmse"][0] == pytest.approx(np.square(errors / 2).mean() ** 0.5)
    share, low, high = held.coverage
    assert share == pytest.approx((np.abs(errors) <= 1).mean()) and low < share < high
    assert HeldForecasts(np.zeros((3, 2)), {"network": np.ones((3, 2))}).coverage == (None, None, None)


def test_few_validation_rows_give_no_intervals(tmp_path, capsys):
    rows = [[f"2026-01-{1 + i // 24:02} {i % 24:02}:00", i % 24 + i % 5, 0] for i in range(200)]
    path, out = write(tmp_path / "load.csv", rows), tmp_path / "run"
    assert cli.main(arguments(path, "--epochs", "1", "--hidden", "4", "--validation", "0.17", "--test", "0.2", "--out", out)) == 0
    assert "prediction intervals" not in capsys.readouterr().out
    run = runs.load(out)
    assert run.config.half_widths == [] and run.metadata()["interval"] is None
    assert list(run.predictions(run.read(path))[0]) == ["time", "load"]
    assert "Too few validation windows" in (out / "report.html").read_text()


# Leakage


def test_parts_follow_each_other_and_no_window_crosses_a_border(tmp_path):
    rows = [[hour, hour, -hour] for hour in range(400)]
    random.Random(1).shuffle(rows)
    task = task_of(write(tmp_path / "rows.csv", rows), validation=0.2, test=0.3)
    borders = 200, 280, 400
    for part, first, end in zip((task.train, task.validation, task.test), (0, *borders), borders):
        assert len(part) == end - first - WINDOW - HORIZON + 1
        for i in range(len(part)):
            inputs, values = (t.array.astype(np.float64) * task.target.std + task.target.mean for t in part[i])
            hours = np.rint([*inputs[:, 0], *values])
            assert hours[0] == first + i and hours[-1] < end and (np.diff(hours) == 1).all()


def test_what_is_learned_does_not_depend_on_later_parts(load, tmp_path):
    rows = list(rows_of_load())
    border = int(0.7 * len(rows)) + 1
    changed = rows[:border] + [[time, 7 * value + 1000, 99.0] for time, value, _ in rows[border:]]
    before, after = task_of(load), task_of(write(tmp_path / "load.csv", changed))
    assert before.preprocessor.to_dict() == after.preprocessor.to_dict() and before.target == after.target
    for x, y in zip(before.train.tensors, after.train.tensors):
        np.testing.assert_array_equal(x.array, y.array)
    assert before.target.mean == pytest.approx(np.mean([row[1] for row in rows[:border]]), rel=1e-2)
    assert not np.array_equal(before.test.tensors[0].array, after.test.tensors[0].array)


def test_a_forecast_depends_on_the_last_window_alone(forecast, load):
    run, table = runs.load(forecast), cg.data.Table.read(load)
    expected = run.predictions(run.history(table))
    n = len(table)
    assert expected == run.predictions(run.history(table.take(np.arange(n - WINDOW, n))))
    assert expected == run.predictions(run.history(table.take(np.random.default_rng(0).permutation(n))))
    other = run.predictions(run.history(table.take(np.arange(n - 1))))
    assert other[0]["time"] == table["time"][-1][:16] and other != expected


# train


def test_a_forecast_is_learned_described_and_better_than_the_baseline(load, tmp_path, capsys):
    out = tmp_path / "run"
    assert cli.main(arguments(load, "--epochs", "12", "--threads", "1", "--out", out)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("naive baseline, the value 24 rows (1 day) before: test MAE ")
    assert lines[1].startswith("naive baseline, the value 168 rows (7 days) before: test MAE ")
    assert lines[2].startswith("load: 912 training, 173 validation and 172 test windows; TCN 2-32-32-32-32-6, ")
    head, *rows, intervals = lines[-9:-3]
    assert head.split() == ["test", "set", "MAE", "RMSE", "95", "%", "interval", "of", "MAE"]
    errors = {row[:20].strip(): [float(number) for number in row[20:44].split()] for row in rows}
    assert list(errors) == ["TCN", "linear model", "season of 1 day", "season of 7 days"]
    for row, (mae, _) in zip(rows, errors.values()):
        low, high = map(float, row[44:].split(" to "))
        assert low < mae < high < low * 3
    assert re.fullmatch(r"90 % prediction intervals hold (8|9)\d\.\d % of the test values", intervals), intervals
    assert max(map(len, lines[-9:-3])) <= 80
    assert errors["TCN"][0] < 0.7 * min(errors["season of 1 day"][0], errors["season of 7 days"][0])
    saved = runs.load(out)
    results = saved.config.results
    assert [results["test_mae"], results["test_rmse"]] == pytest.approx(errors["TCN"], rel=1e-3)
    assert [results["test_linear_mae"], results["test_linear_rmse"]] == pytest.approx(errors["linear model"], rel=1e-3)
    low, high = results["intervals"]["test_mae"]
    assert low < results["test_mae"] < high
    assert results["test_naive_mae"] == pytest.approx(
        min(errors["season of 1 day"][0], errors["season of 7 days"][0]), rel=1e-3
    )
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "metrics.csv", "report.html", "report.json", "weights.npz"]


def test_the_errors_are_those_of_the_forecasts(forecast, load):
    """Computed by hand, in the target's unit."""
    run, table, task = runs.load(forecast), cg.data.Table.read(load), task_of(load)
    first = len(table) - len(task.test.tensors[0])
    errors, naive = [], []
    for start in range(first, len(table) - WINDOW - HORIZON + 1):
        end = start + WINDOW
        actual = table["load"][end : end + HORIZON]
        forecasts = run.predictions(run.history(table.take(np.arange(start, end))))
        errors.append(np.array([record["load"] for record in forecasts]) - actual)
        naive.append(table["load"][end - 24 : end - 24 + HORIZON] - actual)
    results = run.config.results
    assert results["test_mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    assert results["test_rmse"] == pytest.approx(np.square(errors).mean() ** 0.5, rel=1e-5)
    assert task.baselines[24] == pytest.approx((np.abs(naive).mean(), np.square(naive).mean() ** 0.5))


def test_what_is_found_in_the_times_is_told(load, tmp_path):
    rows = list(rows_of_load())
    del rows[300:310], rows[100]
    notes = task_of(write(tmp_path / "gaps.csv", [*rows[50:], *rows[:50]])).notes
    assert notes[:2] == [
        "the rows are not in the order of 'time': sorted",
        "time column 'time' has 2 gaps in its steps of 1 hour, 11 missing rows, the first between 2026-01-05 03:00 and "
        "2026-01-05 05:00: no window crosses a gap",
    ]
    rows = list(rows_of_load())
    task = task_of(write(tmp_path / "gap.csv", rows[:100] + rows[101:]))
    without = task_of(write(tmp_path / "shorter.csv", rows[1:]))
    assert len(task.train) == len(without.train) - (WINDOW + HORIZON - 1)
    rows = [[f"{time}.5" if i % 9 == 0 else time, *rest] for i, (time, *rest) in enumerate(rows_of_load())]
    task = task_of(write(tmp_path / "irregular.csv", rows))
    assert task.notes == [
        "the steps of time column 'time' differ: window, horizon and season count rows",
        f"naive baseline, the last value: test MAE {task.baselines[1][0]:.5g}, RMSE {task.baselines[1][1]:.5g}",
        "no season follows from the time step; set season if there is one",
    ]
    assert list(task_of(load, season=48).baselines) == [48]


def test_other_columns_are_inputs(tmp_path):
    rows = [
        [time, load, weather, "ab"[i % 2], "x", "" if i % 50 else i]
        for i, (time, load, weather) in enumerate(rows_of_load())
    ]
    path = write(tmp_path / "more.csv", rows, ["time", "load", "temperature", "tariff", "same", "seldom"])
    task = task_of(path, drop=["temperature"])
    assert task.preprocessor.features == ["load", "tariff is 'a'", "tariff is 'b'", "seldom", "seldom is missing"]
    assert "column 'same' is dropped: all its values are 'x'" in task.notes
    alone = task_of(write(tmp_path / "alone.csv", [row[:2] for row in rows], ["time", "load"]))
    assert alone.preprocessor.features == ["load"]


BAD = {
    "no horizon": (None, ["--window", "3"], "train: a forecast needs the option horizon"),
    "no window": (None, ["--horizon", "3"], "train: a forecast needs the option window"),
    "season alone": (None, ["--season", "3"], "train: a forecast needs the option window"),
    "no time": (None, ["--window", "3", "--horizon", "2", "NO TIME"], "train: a forecast needs the option time"),
    "a window of no rows": (None, ["--window", "0"], "train: window must be at least 1, got 0"),
    "a negative horizon": (None, ["--horizon", "-2"], "train: horizon must be at least 1, got -2"),
    "no season": (None, ["--season", "0"], "train: season must be at most|train: season must be at least 1, got 0"),
    "a long season": (None, ["--season", "999"], "train: season must be at most 941, the training rows, got 999"),
    "a long window": (None, ["--window", "10" * 9], "train: the training set has 941 rows, but a window of 101010101010101010 and a horizon of 6 need 101010101010101016"),
    "a small part": (None, ["--window", "200"], "train: the validation set has 202 rows, but a window of 200 and a horizon of 6 need 206"),
    "a perceptron": (None, ["--network", "mlp"], "train: the network of a forecast must be tcn or gru, got mlp"),
    "a convnet": (None, ["--network", "convnet"], "train: a convnet needs images"),
    "another network": (None, ["--network", "lstm"], "train: network must be one of mlp, ensemble, convnet, tcn, gru, got 'lstm'"),
    "deep": (None, ["--hidden", "8,8,8,8,8"], "forecaster: a window of 24 takes at most 4 blocks of a tcn, got 5"),
    "no hidden layers": (None, ["--hidden", ""], "forecaster: a tcn needs at least one hidden size"),
    "layers of two sizes": (None, ["--network", "gru", "--hidden", "8,4"], "forecaster: the layers of a gru must have one size, got 8,4"),
    "a random split": (None, ["--split", "random"], "train: the option time needs a time split, got random"),
    "groups": (None, ["--group", "temperature"], "train: group applies to tables whose rows do not follow each other, not to a forecast"),
    "classes": (None, ["--task", "classification"], "train: a forecast is a regression, got the task 'classification'"),
    "no test": (None, ["--test", "0"], "train: test must be above 0, since a forecast is compared with its baseline on the test set"),
    "the target as time": (None, ["--time", "load"], "train: column 'load' can't be both the target and the time"),
    "no such time": (None, ["--time", "when"], "train: .* has no column 'when' for the option time"),
    "no such target": (None, ["--target", "x"], "train: .* has no column 'x' for the option target"),
    "the time dropped": (None, ["--drop", "time"], "train: column 'time' is the time, so it can't be in categories or drop"),
    "a time that is none": ({7: ["soon", 1, 1]}, [], "train: time column 'time', row 8: expected a number or a date such as 2026-11-24, got 'soon'"),
    "a missing time": ({7: ["", 1, 1]}, [], "train: time column 'time' has a missing value in row 8"),
    "a time twice": ({7: ["2026-01-01 03:00:00", 1, 1]}, [], "train: time column 'time': rows 4 and 8 have the same time 2026-01-01 03:00:00; a series has one row at a time"),
    "a time twice in two zones": ({7: ["2026-01-01T04:00:00+01:00", 1, 1]}, [], "train: time column 'time': rows 4 and 8 have the same time"),
    "a missing target": ({7: ["2026-01-01 07:00:00", "", 1]}, [], "target 'load' has a missing value in row 8"),
    "an infinite target": ({7: ["2026-01-01 07:00:00", "inf", 1]}, [], "target 'load' contains inf in row 8"),
    "a target of text": ({7: ["2026-01-01 07:00:00", "high", 1]}, [], "the target is not numeric: column 'load' contains 'high' in row 8, expected a number"),
    "an infinite input": ({7: ["2026-01-01 07:00:00", 1, "inf"]}, [], "column 'temperature' contains inf in row 8, expected finite numbers"),
    "gaps everywhere": (None, ["NO WEEKENDS"], "train: the training set has no 30 rows, for a window of 24 and a horizon of 6, without a gap in time"),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "options", "message"), BAD.values(), ids=BAD)
def test_bad_series(capsys, tmp_path, changed, options, message):
    rows = list(rows_of_load())
    for row, values in (changed or {}).items():
        rows[row] = values
    if "NO WEEKENDS" in options:
        days = [datetime.date(2020, 1, 6) + datetime.timedelta(days) for days in range(2000)]
        rows = [[day, i % 7, 1] for i, day in enumerate(day for day in days if day.weekday() < 5)]
    path = write(tmp_path / "load.csv", rows)
    given = ["train", path, "--target", "load", "--out", tmp_path / "run"]
    if "NO TIME" not in options:
        given += ["--time", "time"]
    if not {"no horizon", "no window", "season alone"} & {name for name, case in BAD.items() if case[1] is options}:
        given += ["--window", WINDOW, "--horizon", HORIZON]
    got = failure(capsys, *given, *(option for option in options if not option.startswith("NO ")))
    assert re.match(message, got), got
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("digits", ["--window", "3"], "train: window applies to tables only, not to digits"),
        ("digits", ["--network", "gru"], "train: a gru needs the options window and horizon of a forecast"),
        ("t.csv", ["--network", "tcn"], "train: a tcn needs the options window and horizon of a forecast"),
    ],
)
def test_options_of_forecasts_belong_to_them(capsys, source, options, message):
    assert failure(capsys, "train", source, *options) == message


# resume and runs


def test_an_interrupted_forecast_is_resumed_with_the_same_bits(load, tmp_path, monkeypatch, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    more = [
        "--network",
        "gru",
        "--epochs",
        "5",
        "--threads",
        "1",
        "--checkpoint-seconds",
        "0",
        "--season",
        "24",
        "--out",
    ]
    assert cli.main(arguments(load, *more, whole)) == 0
    with monkeypatch.context() as patch:
        interrupt_in(patch, 3)
        assert cli.main(arguments(load, *more, broken)) == 130
    assert cli.main(["resume", str(broken)]) == 0
    assert files_of(broken) == files_of(whole)


def test_forecasts_are_compared(forecast, capsys):
    assert cli.main(["runs", str(forecast), "--sort", "test_mae", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["task"], row["network"], row["window"], row["horizon"]) == ("load", forecast.name, WINDOW, HORIZON)
    assert {"test_mae", "test_rmse", "test_naive_mae", "test_naive_rmse"} <= row.keys()


# predict


def test_predict_prints_the_time_and_the_value_of_each_row(forecast, load, capsys):
    assert cli.main(["predict", str(forecast), str(load)]) == 0
    lines = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == [f"2026-02-26 {hour:02}:00" for hour in range(HORIZON)]
    run = runs.load(forecast)
    expected = [[record["load"] + s * w for s in (0, -1, 1)] for record, w in zip(run.predictions(run.read(load)), run.config.half_widths)]
    assert [[float(value) for value in line[1:]] for line in lines] == [pytest.approx(row, rel=1e-6) for row in expected]
    assert list(run.predictions(run.read(load))[0]) == ["time", "load", "load_low", "load_high"]
    assert "has no probabilities" in failure(capsys, "predict", forecast, load, "--proba")


HISTORIES = {
    "short": (slice(-20, None), {}, "the history has 20 rows, but the model forecasts from 24"),
    "a gap": ([*range(-40, -10), *range(-9, 0)], {}, "time column 'time' must have steps of 1 hour, but 2026-02-25 15:00 follows 2026-02-25 13:00"),
    "a time twice": ([*range(-40, 0), -3], {}, "time column 'time': rows 38 and 41 have the same time 2026-02-25 21:00:00; a series has one row at a time"),
    "no time": (slice(-40, None), {"time": "when"}, "the time column 'time' is missing; the table has when, load, temperature"),
    "no input": (slice(-40, None), {"temperature": "warmth"}, "column 'temperature' is missing; the table has 'time', 'load', 'warmth'"),
    "no target": (slice(-40, None), {"load": "other"}, "column 'load' is missing"),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "renamed", "message"), HISTORIES.values(), ids=HISTORIES)
def test_predict_refuses_other_histories(forecast, tmp_path, capsys, rows, renamed, message):
    all_rows = list(rows_of_load())
    chosen = all_rows[rows] if isinstance(rows, slice) else [all_rows[row] for row in rows]
    names = [renamed.get(name, name) for name in ("time", "load", "temperature")]
    path = write(tmp_path / "recent.csv", chosen, names)
    assert failure(capsys, "predict", forecast, path).startswith(f"predict: {message}")


def test_predict_refuses_numbers_for_dates(forecast, tmp_path, capsys):
    path = write(tmp_path / "recent.csv", [[i, *row[1:]] for i, row in enumerate(rows_of_load())])
    message = "predict: time column 'time' contains numbers, but had dates in the training data"
    assert failure(capsys, "predict", forecast, path) == message


TIMES = {
    "months": [f"{2000 + m // 12}-{m % 12 + 1:02}-01" for m in range(240)],
    "numbers": [0.5 * i for i in range(240)],
    "irregular": [str(datetime.date(2026, 1, 1) + datetime.timedelta(days=i, hours=i % 3)) for i in range(240)],
}
TIMES["irregular"] = [f"2026-01-01 00:{i // 60:02}:{i % 60:02}{'.5' * (i % 5 == 0)}" for i in range(240)]
NEXT = {"months": ["2020-01-01", "2020-02-01"], "numbers": [120.0, 120.5], "irregular": [1, 2]}


@pytest.mark.parametrize("kind", TIMES)
def test_forecasts_continue_every_timeline(kind, tmp_path):
    rows = [[time, np.sin(i / 2), i % 5] for i, time in enumerate(TIMES[kind])]
    path = write(tmp_path / "series.csv", rows)
    out = tmp_path / "run"
    more = ["--window", "6", "--horizon", "2", "--hidden", "4", "--epochs", "1", "--out", str(out)]
    assert cli.main(["train", str(path), "--target", "load", "--time", "time", *more]) == 0
    run = runs.load(out)
    assert [next(iter(record.values())) for record in run.predictions(run.read(path))] == NEXT[kind]


# export and serve


@pytest.mark.parametrize("categories", [False, True])
def test_the_onnx_graph_contains_the_preprocessing(categories, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    rows = [
        [time, load, "" if categories and i % 9 == 2 else w, "abc"[i % 3]]
        for i, (time, load, w) in enumerate(rows_of_load(3))
    ]
    path = write(tmp_path / "load.csv", rows, ["time", "load", "temperature", "tariff"])
    for network in "tcn", "gru":
        out, model = tmp_path / network, tmp_path / f"{network}.onnx"
        drop = [] if categories else ["--drop", "tariff"]
        assert cli.main(arguments(path, "--network", network, "--epochs", "1", "--out", out, *drop)) == 0
        assert cli.main(["export", str(out), "--out", str(model)]) == 0
        notes = json.loads({entry.key: entry.value for entry in onnx.load(model).metadata_props}["cygrad"])
        assert (notes["window"], notes["horizon"], notes["time"]["name"]) == (WINDOW, HORIZON, "time")
        run, table = runs.load(out), cg.data.Table.read(path)
        columns = []
        for column in notes["columns"]:  # as the documentation says
            values = table[column["name"]].tolist()
            places = {value: place for place, value in enumerate(column.get("values", []))}
            columns.append(values if column["kind"] == "number" else [places[value] for value in values])
        rows64 = np.array(columns, np.float64).T
        ends = [len(table), len(table) - 7, 100]
        windows = np.stack([rows64[end - WINDOW : end] for end in ends])
        session = runtime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        (got,) = session.run(["predictions"], {"rows": windows})
        for end, forecasts in zip(ends, got, strict=True):
            records = run.predictions(run.history(table.take(np.arange(end - WINDOW, end))))
            np.testing.assert_allclose(forecasts, [record["load"] for record in records], rtol=1e-4)


def test_export_safetensors_has_the_weights(forecast, tmp_path):
    path = tmp_path / "model.safetensors"
    assert cli.main(["export", str(forecast), "--out", str(path)]) == 0
    weights = cg.load(path)
    for name, value in runs.load(forecast).model.state_dict().items():
        np.testing.assert_array_equal(weights[name].array, value.array)


def test_serve_forecasts_after_a_history(forecast, load):
    run = runs.load(forecast)
    rows = list(rows_of_load())[-WINDOW:]
    expected = run.predictions(run.read(load))
    names = ["time", "load", "temperature"]
    records = [dict(zip(names, row)) for row in rows]
    lines = "\n".join(",".join(map(str, row)) for row in [names, *rows]).encode()
    for body, kind in [
        ({"dataframe_records": records}, "application/json"),
        ({"dataframe_records": records[::-1]}, "application/json"),
        ({"dataframe_split": {"columns": names, "data": rows}}, "application/json"),
        ({"instances": rows}, "application/json"),
        ({"inputs": {name: [row[i] for row in rows] for i, name in enumerate(names)}}, "application/json"),
        (lines, "text/csv"),
    ]:
        assert answer(run, body, kind) == (200, {"predictions": expected})


def test_serve_refuses_with_a_message(forecast):
    run, rows = runs.load(forecast), list(rows_of_load())[-WINDOW:]
    for data, message in [
        (rows[1:], "predict: the history has 23 rows, but the model forecasts from 24"),
        ([row[:2] for row in rows], "predict: the rows have 2 values, but the model expects time, load, temperature"),
        ([*rows[:-1], [None, 1, 1]], "predict: time column 'time' has a missing value in row 24"),
        ([*rows[:-1], ["soon", 1, 1]], "predict: time column 'time', row 24: expected a number or a date such as 2026-11-24, got 'soon'"),
        ([*rows[:-1], [rows[-1][0], None, 1]], "predict: column 'load' has a missing value in row 24, but had none in the training data"),
        ([[row[0], 1e300, 1] for row in rows], "predict: column 'load' contains 1e+300 in row 1, too far from the mean"),
        ([["9999-12-31", 1, 1]] * 24, "predict: time column 'time': rows 1 and 2 have the same time 9999-12-31; a series has one row at a time"),
        ([[i, 1, 1] for i in range(24)], "predict: time column 'time' contains numbers, but had dates in the training data"),
    ]:  # fmt: skip
        status, content = answer(run, {"instances": data})
        assert (status, content["message"]) == (400, message)
    status, content = answer(run, {"instances": rows, "params": {"proba": True}})
    assert (status, content["message"]) == (400, "predict: the target 'load' is a number and has no probabilities")
    start = datetime.datetime(9999, 12, 31)
    late = [[str(start + datetime.timedelta(hours=i)), 1, 1] for i in range(24)]
    status, content = answer(run, {"instances": late})
    assert status == 200 and content["predictions"][0]["time"] == "10000-01-01 00:00"


# Files


@pytest.mark.parametrize(
    "changed",
    [
        {"network_type": "lstm"}, {"hidden": []}, {"hidden": [0]}, {"hidden": 3}, {"hidden": [True]}, {"window": 0},
        {"window": 10**12}, {"horizon": "6"}, {"horizon": 10**12}, {"dropout": 1}, {"dropout": None}, {"time": 3},
        {"timeline": {}}, {"timeline": {"unit": "days", "step": 1, "dates": True}}, {"timeline": None},
        {"timeline": {"unit": "seconds", "step": 0, "dates": True}}, {"preprocessing": {"format": 1, "columns": []}},
        {"target": {"task": "classification", "name": "load", "values": [1, 2]}},
        {"target": {"task": "regression", "name": "temperature", "mean": 0, "std": 1}}, {"target": None},
        {"reading": 3}, {"results": []}, {"extra": 1}, {"hidden": [10**6] * 3}, {"half_widths": [1.0]},
        {"half_widths": [-1.0] * HORIZON}, {"half_widths": [float("inf")] * HORIZON}, {"half_widths": None},
    ],
)  # fmt: skip
def test_a_corrupt_run_is_named(forecast, tmp_path, changed):
    folder = shutil.copytree(forecast, tmp_path / "run")
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(ValueError) as caught:
        runs.load(folder)
    assert str(caught.value).startswith(f"runs.load: {path} is corrupt (")
