"""The report of a run: what is measured, and the page."""

from __future__ import annotations

import json
import random
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import cygrad as cg
from cygrad import cli, runs
from cygrad.charts import Series, chart
from cygrad.charts.scale import scale_of
from cygrad.report import page_of
from cygrad.report.alone import share_alone
from cygrad.report.intervals import bootstrap
from cygrad.report.measures import calibration_bins, importances, sampled_points
from cygrad.runs import reporting
from cygrad.runs.held import held_in_folds, held_rows
from cygrad.train.tabular.folds import Folds

VOID = {"meta", "br", "link", "input"}


class Checker(HTMLParser):
    """Fails where tags are not closed, or where something would be loaded from elsewhere."""

    def __init__(self, page):
        super().__init__()
        self.open, self.words, self.tags = [], [], []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert tag not in ("script", "link", "iframe", "img", "base"), tag
        for name, value in attributes:
            assert name not in ("src", "href", "srcset", "onload"), (tag, name)
            assert "url(" not in (value or ""), value
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] == "style":
            assert "url(" not in data and "@import" not in data


def read(page):
    """The texts of a page, checked."""
    return " ".join("".join(Checker(page).words).split())


def write_table(path, rows=120, target="number", wide=0, classes=2):
    """A table with a leak, an id, a constant, a missing value, an outlier, and names that HTML must not read."""
    draw = random.Random(1)
    names = ["a", "<b>&\"'", "leak", "id", "constant", *[f"column {i} of a long name" * 3 for i in range(wide)]]
    lines = [",".join([*[f'"{n.replace(chr(34), chr(34) * 2)}"' for n in names], "y"])]
    for i in range(rows):
        a, b = draw.gauss(0, 1), draw.gauss(0, 1)
        y = 3 * a + 0.3 * draw.gauss(0, 1)
        shown = f"{y:.4f}" if target == "number" else f"<class {min(classes - 1, max(0, int((y + 5) / 10 * classes)))}>"
        cells = [f"{a:.4f}", "" if i == 5 else f"{b if i != 7 else 1e6:.4f}", f"{2 * y:.4f}", f"row {i}", "1"]
        lines.append(",".join([*cells, *[f"{draw.gauss(0, 1):.3f}" for _ in range(wide)], shown]))
    path.write_text("\n".join(lines) + "\n")


def trained(tmp_path, *options, **table):
    """A run on such a table."""
    write_table(tmp_path / "t.csv", **table)
    out = tmp_path / "run"
    given = ["--target", "y", "--out", str(out), "--epochs", "8", *options]
    assert cli.main(["train", str(tmp_path / "t.csv"), *given]) == 0
    return out


# Charts


@pytest.mark.parametrize("values", [[], [3.0], [0.0, 0.0], [1e-300, 2e-300], [-1e308, 1e308], [np.nan, 1.0, np.inf], [1e9, 1e9 + 1], [0.0, 5e-324]])
def test_every_range_has_an_axis(values):
    scale = scale_of(values, 5)
    assert scale.least < scale.most and 0 <= len(scale.ticks) <= 8
    labels = [scale.label(tick) for tick in scale.ticks]
    assert len(set(labels)) == len(labels), labels
    Checker(chart([Series("<a>", range(len(values)), values)], "t & u", "x"))


def test_a_gap_interrupts_a_line():
    drawn = chart([Series("", [1, 2, 3, 4, 5], [1.0, 2.0, np.nan, 1.0, 2.0])], "t", "x")
    path = drawn.split('class="cg-line cg-0" d="')[1].split('"')[0]
    assert path.count("M") == 2 and path.count("L") == 2


# Measures


def test_intervals_cover_as_often_as_they_say():
    """Of 200 samples of a coin's throws, about 95 % of the intervals hold its probability."""
    draws, hits = np.random.default_rng(0), 0
    for trial in range(200):
        throws = draws.random(80) < 0.3
        estimates, _ = bootstrap({"coin": lambda rows, throws=throws: {"mean": float(throws[rows].mean())}}, 80, trial)
        _, low, high = estimates["coin"]["mean"]
        hits += low <= 0.3 <= high
    assert 180 <= hits <= 198


def test_an_undefined_score_has_no_interval():
    estimates, _ = bootstrap({"m": lambda rows: {"auc": None}}, 5)
    assert estimates == {"m": {"auc": (None, None, None)}}


def test_importance_is_of_columns_that_the_network_uses():
    draws = np.random.default_rng(0)
    x = draws.normal(size=(200, 3))
    y = x[:, 0] + x[:, 2]

    def losses(features, targets):
        return np.abs(features[:, 0] + features[:, 2] - targets)

    used, unused = importances(losses, x, y, {"unused": [1], "used": [0, 2]})
    assert used["name"] == "used" and used["growth"][1] > 1 and unused["growth"][0] == 0
    assert losses(x, y).max() == 0  # the features are as they were


@pytest.mark.parametrize("kind", ["number", "category", "marked", "noise", "copy of heavy tails"])
@pytest.mark.parametrize("classes", [0, 2])
def test_what_a_column_tells_alone(kind, classes):
    draws = np.random.default_rng(0)
    z = draws.normal(size=400) if kind != "copy of heavy tails" else draws.lognormal(0, 1, size=400)
    bits = z > np.median(z)
    y = bits.astype(np.int64) if classes else (z if kind != "category" and kind != "marked" else bits.astype(float))
    columns = {
        "number": z[:, None],
        "category": np.stack([bits, ~bits], 1).astype(np.float32),
        "marked": np.stack([np.zeros(400), bits], 1),
        "noise": draws.normal(size=(400, 1)),
        "copy of heavy tails": 2 * z[:, None] + 1,
    }
    x = columns[kind]
    share = share_alone(x[:300], y[:300], x[300:], y[300:], classes, kind == "category")
    assert share < 0.3 if kind == "noise" else share >= 0.95


def test_calibration_bins_hold_all_rows():
    p = np.array([0.5] * 30 + [0.9] * 3)
    bins = calibration_bins(p, np.arange(33) % 2 == 0)
    assert sum(one["count"] for one in bins) == 33 and bins[0]["probability"] == 0.5
    assert len(calibration_bins(np.linspace(0, 1, 1000), np.ones(1000, bool))) == 10
    assert len(sampled_points(np.arange(1000.0), np.arange(1000.0))) == 400


# Held-out rows


def test_rows_of_folds_are_predicted_by_the_member_that_has_not_seen_them():
    generator = cg.Generator().manual_seed(0)
    folds = Folds.drawn(None, 10, 3, 0.2, generator)
    x, y = np.arange(10.0, dtype=np.float32)[:, None], np.arange(10)

    class Members(cg.nn.Module):
        def forward(self, rows):
            return rows.reshape(3, -1, 1) * cg.tensor([[[1.0]], [[10.0]], [[100.0]]])

    held = held_in_folds(cg.nn.Sequential(Members(), cg.nn.Flatten(0, 1)), folds, x, y)
    assert len(held) == 9 and held.name == "validation folds"
    expected = np.concatenate([x[rows] * 10**k for k, rows in enumerate(folds.validation)])
    assert np.array_equal(held.outputs(), expected)
    assert all(not set(rows) & set(known) for rows, known in zip(folds.validation, folds.train))
    assert [sorted(targets) for _, targets in held.train] == [sorted(rows) for rows in folds.train]
    few = held.reduced(4, seed=0)
    assert few.x.shape == (3, 1, 1) and set(few.features[:, 0]) <= set(held.features[:, 0])


def test_more_rows_than_fit_at_once():
    x = np.random.default_rng(0).normal(size=(2500, 2)).astype(np.float32)
    held = held_rows("test set", cg.nn.Linear(2, 3), (x, np.zeros(2500, np.int64)), (x, np.zeros(2500, np.int64)))
    assert np.allclose(held.outputs(), held.network(held.x)[0], atol=1e-6)


# Runs


@pytest.mark.parametrize("target", ["number", "class"])
def test_the_report_of_a_table(tmp_path, target, capsys):
    out = trained(tmp_path, target=target)
    assert f"report: {out / 'report.html'}" in capsys.readouterr().out
    page = (out / "report.html").read_text()
    text = read(page)
    for expected in ("linear model", "<b>&\"'", "all its values are 1", "loss", "cygrad serve"):
        assert expected in text, expected
    assert "leak alone predicts" in text or "a, leak alone predict" in text or "leak, a alone predict" in text
    assert ("Predicted over actual" in page) == (target == "number") and ("Calibration" in page) == (target == "class")
    found = json.loads((out / "report.json").read_text())
    assert [c["reason"] != "" for c in found["columns"]] == [False, False, False, True, True]
    assert found["columns"][1]["missing"] <= 1 and {one["name"] for one in found["importance"][:2]} == {"a", "leak"}
    assert found["held"] == found["parts"]["test"] and found["alone"][0]["name"] == "leak"
    if target == "class":
        assert sum(map(sum, found["confusion"])) == found["held"]
    capsys.readouterr()
    (out / "report.html").unlink()
    assert cli.main(["report", str(out)]) == 0
    assert capsys.readouterr().out == f"{out / 'report.html'}\n"
    assert (out / "report.html").read_text() == page


@pytest.mark.parametrize("options", [["--test", "0"], ["--test", "0", "--validation", "0.3"], ["--test", "0", "--members", "1"]])
def test_baselines_without_a_test_set(tmp_path, options, capsys):
    """Each row of the validation is predicted by what has not learned from it; the linear model too."""
    out = trained(tmp_path, *options)
    printed = capsys.readouterr().out
    name = "validation set" if "--validation" in options else "validation folds"
    assert name in printed and "linear model" in printed
    found = json.loads((out / "report.json").read_text())
    results = json.loads((out / "config.json").read_text())["results"]
    assert found["held_name"] == name and found["held"] > 20
    assert results["validation_rmse"] == found["scores"]["ensemble"]["rmse"][0]
    assert 0 < results["baselines"]["linear model"]["rmse"] < results["baselines"]["mean"]["rmse"]


def test_a_hundred_columns_and_classes(tmp_path):
    out = trained(tmp_path, rows=1500, target="class", wide=100, classes=100)
    text = read((out / "report.html").read_text())
    assert "Confused most" in text and "more columns" in text and "column 99 of a long name" in text


def test_the_report_of_images(tmp_path):
    assert cli.main(["train", "digits", "--epochs", "2", "--out", str(tmp_path / "run")]) == 0
    text = read((tmp_path / "run" / "report.html").read_text())
    assert "linear model" in text and "images" in text and "Calibration" in text


def test_the_report_of_a_forecast(tmp_path):
    lines = [f"2026-01-{1 + i // 24:02} {i % 24:02}:00,{(i % 24 - 12) ** 2 + i % 5}" for i in range(480)]
    (tmp_path / "load.csv").write_text("time,load\n" + "\n".join(lines))
    given = ["--target", "load", "--time", "time", "--window", "24", "--horizon", "4", "--epochs", "2"]
    assert cli.main(["train", str(tmp_path / "load.csv"), *given, "--out", str(tmp_path / "run")]) == 0
    text = read((tmp_path / "run" / "report.html").read_text())
    assert "rows ahead" in text and "season of 1 day" in text and "linear model" in text
    assert "from blocks of 8 windows in a row" in text and re.search(r"90 % prediction interval, .* holds \d+\.\d %", text)
    found = json.loads((tmp_path / "run" / "report.json").read_text())
    first, *_, last = found["forecasts"]
    assert first["start"] == 0 and last["start"] == 4 * (len(found["forecasts"]) - 1) and len(last["half_widths"]) == 4
    assert last["actual"] == [(hour - 12) ** 2 + i % 5 for hour, i in zip(range(20, 24), range(476, 480))]
    assert {"network", "difference"} <= found.keys() and all(len(step["errors"]) == 4 for step in found["steps"])


def test_an_older_run_has_a_report(tmp_path, capsys):
    out = trained(tmp_path)
    (out / "report.json").unlink()
    assert cli.main(["report", str(out)]) == 0
    assert "Learning curves" in read((out / "report.html").read_text())


def test_findings_of_an_earlier_training_are_not_shown(tmp_path):
    out = trained(tmp_path)
    run = runs.load(out)
    next(iter(run.model.parameters())).array[...] += 1
    runs.save(out, run)
    assert cli.main(["report", str(out)]) == 0
    assert "linear model" not in (out / "report.html").read_text()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"scores": 1, "weights_sha256": SHA}', '{"columns": [{}], "weights_sha256": SHA}', '{"importance": [{"name": 1, "growth": "x"}], "weights_sha256": SHA}'])
def test_a_corrupt_report_is_one_message(tmp_path, content, capsys):
    out = trained(tmp_path)
    sha = json.loads((out / "config.json").read_text())["weights_sha256"]
    (out / "report.json").write_text(content.replace("SHA", json.dumps(sha)))
    capsys.readouterr()
    assert cli.main(["report", str(out)]) == 1
    assert "report.json is corrupt" in capsys.readouterr().err


def test_a_report_that_fails_takes_no_run_with_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reporting, "table_findings", lambda *_: 1 / 0)
    out = trained(tmp_path)
    assert "the report could not be written" in capsys.readouterr().out
    assert runs.load(out) and not (out / "report.html").exists()
    assert not (out / "training.json").exists()


def test_the_page_of_nothing():
    assert "cygrad predict" in read(page_of({}, [], "a folder"))
    assert "'a folder'" in read(page_of({}, [], "a folder"))
