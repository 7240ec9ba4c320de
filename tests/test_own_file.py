"""A run predicts every row of its own training file, and of one with damaged cells."""

from __future__ import annotations

import csv
import io
import math
import warnings

import numpy as np
import pytest

import cygrad as cg
from cygrad import cli, runs

ROWS = 60


def thousands(rng):
    return [f"{n:,}" for n in rng.integers(900, 2_000_000, ROWS).tolist()]


def rare(rng):
    return [f"town {n}" if n > 3 else "Bern" for n in rng.integers(0, 400, ROWS).tolist()]


def dates(rng, form):
    return [(np.datetime64("2019-11-30T05:00") + int(n)).item().strftime(form) for n in rng.integers(0, 10**6, ROWS)]


COLUMNS = {
    "number": lambda rng: [f"{x:.4g}" for x in rng.normal(size=ROWS).tolist()],
    "huge": lambda rng: [repr(x) for x in (10.0 ** rng.integers(-150, 150, ROWS)).tolist()],
    "outliers": lambda rng: [repr(x) for x in rng.standard_cauchy(ROWS).tolist()],
    "constant": lambda rng: ["7"] * ROWS,
    "almost constant": lambda rng: ["7"] * (ROWS - 1) + ["8"],
    "empty": lambda rng: [""] * ROWS,
    "holes": lambda rng: ["" if n < 3 else str(n) for n in rng.integers(0, 9, ROWS).tolist()],
    "one hole": lambda rng: [*map(str, rng.integers(0, 9, ROWS - 1).tolist()), "NA"],
    "thousands": thousands,
    "large integers": lambda rng: [str(2**60 + n) for n in rng.integers(0, 9, ROWS).tolist()],
    "category": lambda rng: rng.choice(["a", "B", "ç", "a,b", 'q"'], ROWS).tolist(),
    "category once": lambda rng: ["x"] * (ROWS - 1) + ["y"],
    "rare": rare,
    "mixed": lambda rng: [str(n) if n else "none" for n in rng.integers(0, 3, ROWS).tolist()],
    "truth": lambda rng: rng.choice(["TRUE", "false", "True"], ROWS).tolist(),
    "codes": lambda rng: rng.choice(["01", "1", "x"], ROWS).tolist(),
    "id": lambda rng: [str(n) for n in rng.permutation(10 * ROWS)[:ROWS].tolist()],
    "day": lambda rng: dates(rng, "%Y-%m-%d"),
    "moment": lambda rng: [*dates(rng, "%d.%m.%Y %H:%M")[1:], ""],
    "open order": lambda rng: dates(rng, "0%w/0%w/2024"),
    "timestamp": lambda rng: [str(1_700_000_000 + n) for n in rng.integers(0, 10**6, ROWS).tolist()],
    "time": lambda rng: dates(rng, "%H:%M"),
}
DAMAGE = ["", "?", "inf", "-inf", "nan", "1e300", "-1e308", "2024-02-30", "31/12/9999", "0", "x" * 50, "TRUE", "−5", "1,5"]


def write(path, columns):
    """Write columns to a CSV file."""
    text = io.StringIO()
    csv.writer(text).writerows([list(columns), *zip(*columns.values(), strict=True)])
    path.write_text(text.getvalue(), encoding="utf-8")


def table_of(seed):
    """Columns of some kinds and a target, which may lack values."""
    rng = np.random.default_rng(seed)
    names = ["number", *(name for name in COLUMNS if name != "number" and rng.random() < 0.4)]
    columns = {name: COLUMNS[name](rng) for name in names}
    target = rng.choice(["yes", "no"], ROWS).tolist() if seed % 2 else [f"{x:.3f}" for x in rng.normal(size=ROWS)]
    return {**columns, "y": ["" if seed % 3 == 0 and i % 20 == 7 else y for i, y in enumerate(target)]}


def answers(run, path):
    """The predictions for a file; each is a class or a finite number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predictions = run.predictions(run.read(path))
    assert all(p in ("yes", "no") if isinstance(p, str) else math.isfinite(p) for p in predictions)
    return predictions


@pytest.mark.parametrize("network", ["mlp", "ensemble"])
@pytest.mark.parametrize("seed", range(8))
def test_every_row_is_answered(seed, network, tmp_path, capsys):
    columns, path, out = table_of(seed), tmp_path / "table.csv", str(tmp_path / "run")
    write(path, columns)
    arguments = ["train", str(path), "--target", "y", "--network", network, "--epochs", "1", "--hidden", "8"]
    members = ["--members", "2"] if network == "ensemble" else []
    assert cli.main([*arguments, *members, "--out", out]) == 0, capsys.readouterr().err
    run = runs.load(out)
    assert len(answers(run, path)) == ROWS
    rng = np.random.default_rng(100 + seed)
    damaged = {name: [rng.choice(DAMAGE) if rng.random() < 0.3 else v for v in c] for name, c in columns.items()}
    write(path, damaged)
    assert len(answers(run, path)) == ROWS
    with pytest.raises(ValueError, match=r"predict: column '.*' (contains|has) .* in row"):
        run.read(path, unseen="raise")
    rows = [list(row) for row in zip(*(damaged[name] for name in run.preprocessor.columns), strict=True)]
    assert np.isfinite(run.inputs(rows)).all()


def test_the_features_of_a_table_do_not_depend_on_its_format(tmp_path, capsys):
    """CSV and columns of truth values and days."""
    columns = table_of(5) | {"truth": ["TRUE", "false"] * (ROWS // 2), "day": dates(np.random.default_rng(0), "%Y-%m-%d")}
    write(tmp_path / "table.csv", columns)
    out = str(tmp_path / "run")
    arguments = ["train", str(tmp_path / "table.csv"), "--target", "y", "--network", "mlp", "--epochs", "1"]
    assert cli.main([*arguments, "--out", out]) == 0, capsys.readouterr().err
    run = runs.load(out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of categories that only the validation set has
        features = run.read(tmp_path / "table.csv")
    table = cg.data.Table.read(tmp_path / "table.csv")
    values = {
        "truth": [value == "TRUE" for value in columns["truth"]],
        "day": np.array(columns["day"], "datetime64[D]"),
    }
    again = run.features(cg.data.Table({**dict(table.items()), **values}), unseen="ignore")
    np.testing.assert_array_equal(again, features)
