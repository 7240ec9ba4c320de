"""The command line on tables: training, interrupting and resuming, comparing, predicting, and error messages."""

from __future__ import annotations

import asyncio
import csv
import datetime
import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg
from cygrad import cli, runs, train
from cygrad.runs.training import rows_of
from cygrad.train.interrupts import uninterrupted
from tests.test_cli import failure

COMMAND = [sys.executable, "-W", "error", "-m", "cygrad"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1])}


@pytest.fixture(autouse=True)
def restored_settings():
    """Restore the thread count and the random state."""
    threads, state = cg.get_num_threads(), cg.get_rng_state()
    yield
    cg.set_num_threads(threads)
    cg.set_rng_state(state)


def rows_of_people(count=240):
    """Rows whose last two columns, a class and a number, depend on the others."""
    draw = random.Random(0)
    for i in range(count):
        age, city, member = draw.randint(18, 80), draw.choice(["Bern", "Oslo", "Rome"]), draw.random() < 0.5
        income = "" if draw.random() < 0.1 else round(draw.gauss(50, 20), 2)
        worth = age / 50 + (city == "Oslo") + member
        buys = "yes" if worth + draw.gauss(0, 0.1) > 1.7 else "no"
        day = str(datetime.date(2026, 1, 1) + datetime.timedelta(37 * i % 241))
        yield [age, city, member, income, "Earth", day, buys, round(10 * worth + draw.gauss(0, 0.1), 3)]


NAMES = ["age", "city", "member", "income", "planet", "day", "buys", "spends"]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "people.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=";").writerows([NAMES, *rows_of_people()])
    return path


@pytest.fixture(scope="module")
def classifier(people, tmp_path_factory):
    """A run that predicts a class."""
    folder = tmp_path_factory.mktemp("runs") / "class"
    arguments = ["train", people, "--target", "buys", "--drop", "spends,day", "--threads", "1", "--out", folder]
    assert cli.main([str(a) for a in arguments]) == 0
    return folder


@pytest.fixture(scope="module")
def perceptron(people, tmp_path_factory):
    """A run whose network is a perceptron, as those of earlier versions are."""
    folder = tmp_path_factory.mktemp("runs") / "mlp"
    arguments = ["train", people, "--target", "buys", "--drop", "spends,day", "--network", "mlp", "--out", folder]
    assert cli.main([str(a) for a in arguments]) == 0
    return folder


@pytest.fixture(scope="module")
def regressor(people, tmp_path_factory):
    """A run that predicts a number."""
    folder = tmp_path_factory.mktemp("runs") / "number"
    arguments = [
        "train",
        people,
        "--target",
        "spends",
        "--drop",
        "buys",
        "--time",
        "day",
        "--epochs",
        "60",
        "--out",
        folder,
    ]
    assert cli.main([str(a) for a in arguments]) == 0
    return folder


def run(*arguments, **options):
    """Run the command in a process."""
    call = [*COMMAND, *map(str, arguments)]
    return subprocess.run(call, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False, **options)


def files_of(folder):
    """The content of a run without the time that its epochs took."""
    lines = (folder / "metrics.csv").read_text().splitlines()
    records = [line.rpartition(",")[0] for line in lines]
    assert lines[0].endswith(",samples_per_second")
    config = json.loads((folder / "config.json").read_text())
    config["options"].pop("threads")
    return (folder / "weights.npz").read_bytes(), records, config


# train


def test_a_classification_is_learned_and_described(people, tmp_path):
    done = run("train", people, "--target", "buys", "--drop", "spends,day", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "target 'buys': classification, 2 classes"
    assert re.fullmatch(
        r"column 'income' has \d+ missing values, replaced by the median and marked by a feature", lines[1]
    )
    assert lines[2] == "column 'planet' is dropped: all its values are 'Earth'"
    assert lines[3].startswith("LeakageWarning: rows of the training set that repeat others: 1 of 204; ")
    assert lines[4].startswith(
        "people: 204 training and 36 test rows; ensemble of 12 networks 8-64-64-64-2, blended with linear models, each "
        "validated on a fold of its own, "
    )
    assert re.search(r"^linear models have a share of \d+% in the predictions$", done.stdout, re.MULTILINE)
    assert lines[-7].split() == ["test", "set", "accuracy", "balanced", "F1", "AUC", "log", "loss"]
    scores = {line[:20].strip(): [float(word) for word in line[20:].split()] for line in lines[-6:-3]}
    assert list(scores) == ["ensemble", "linear model", "most frequent class"]
    assert min(scores["ensemble"][:4]) > 0.85 and scores["most frequent class"][1] == 0.5
    assert scores["linear model"][0] > 0.8 and max(map(len, lines[-7:])) <= 80
    assert sorted(os.listdir(tmp_path / "runs" / "people")) == [
        "config.json",
        "metrics.csv",
        "report.html",
        "report.json",
        "weights.npz",
    ]


def test_a_perceptron_is_trained_with_the_defaults_of_earlier_versions(people, perceptron, capsys):
    config = runs.load(perceptron).config
    assert config.options["hidden"] == [32, 16] and config.options["batch_size"] == 16
    assert (config.options["patience"], config.options["clip"], config.options["members"]) == (30, 1.0, None)
    assert config.preprocessing["columns"][0]["kind"] == "number" and "std" in config.preprocessing["columns"][0]
    assert config.results["test_accuracy"] > 0.85
    from_python = runs.Options(str(people), target="buys")
    assert not from_python.is_ensemble and runs.prepare_table(from_python).network_type == "mlp"


def test_an_ensemble_is_trained_as_options_say(people, tmp_path, capsys):
    """On folds or on one validation set, with one member or several, and sizes of its own."""
    out, arguments = str(tmp_path / "run"), ["train", str(people), "--target", "buys", "--drop", "spends,day"]
    options = ["--members", "3", "--hidden", "16", "--epochs", "4", "--validation", "0.2", "--clip", "0.5"]
    options += ["--embeddings", "yes", "--linear", "no"]
    assert cli.main([*arguments, *options, "--out", out]) == 0
    output = capsys.readouterr().out
    assert (
        "people: 156 training, 48 validation and 36 test rows; ensemble of 3 networks 8-16-2, embeddings of numbers, each "
        "validated on the same" in output
    )
    weight = runs.load(out).model.state_dict()["2.weight"]
    assert tuple(weight.shape) == (3, 16, 8 + 4 * 2)  # embeddings of age and income
    assert cli.main([*arguments, "--members", "1", "--epochs", "4", "--patience", "1", "--out", out]) == 0
    assert "ensemble of 1 networks" not in capsys.readouterr().out
    for options, message in (
        (["--members", "0"], "train: members must be at least 1, got 0"),
        (["--members", "2", "--network", "mlp"], "train: members applies to the network ensemble only"),
        (["--linear", "yes", "--network", "mlp"], "train: linear applies to the network ensemble only"),
        (["--embeddings", "no", "--network", "mlp"], "train: embeddings applies to the network ensemble only"),
        (
            ["--window", "3", "--horizon", "2", "--time", "day", "--network", "ensemble"],
            "must be tcn or gru, got ensemble",
        ),
    ):
        assert message in failure(capsys, *arguments, *options)
    assert "an ensemble needs a table, not digits" in failure(capsys, "train", "digits", "--network", "ensemble")


def test_an_outlier_is_clipped_and_named(tmp_path, capsys):
    """Stones by weight: 500 instead of 5.00 carat costs no more than the dearest stone of the training data."""
    draw = random.Random(0)
    weights = [round(draw.uniform(0.2, 5), 2) for _ in range(300)]
    lines = [f"{w},{draw.choice('DEF')},{round(3000 * w**1.5 + draw.gauss(0, 50))}" for w in weights]
    path, out = tmp_path / "stones.csv", str(tmp_path / "run")
    path.write_text("carat,color,price\n" + "\n".join([*lines, "70,D,15000"]))
    assert cli.main(["train", str(path), "--target", "price", "--test", "0", "--epochs", "8", "--out", out]) == 0
    assert "column 'carat' has 1 outlier, such as 70, where the median is" in capsys.readouterr().out
    (tmp_path / "new.csv").write_text("carat,color\n1,D\n500,D\n1e300,E\n")
    assert cli.main(["predict", out, str(tmp_path / "new.csv")]) == 0
    printed = capsys.readouterr()
    prices = [float(line) for line in printed.out.split()]
    assert prices[0] < prices[1] <= 1.0001 * (3000 * 5**1.5 + 200)
    assert printed.err == (
        "cygrad: predict: outliers, numbers far from those of the training data, are clipped: 2 in column 'carat'\n"
    )


def test_a_regression_is_learned_with_a_time_split(people, regressor):
    run = runs.load(regressor)
    assert run.config.results["test_r2"] > 0.9 and run.target.task == "regression"
    table = cg.data.Table.read(people)
    wanted = table["spends"]
    days = np.array([int(day.replace("-", "")) for day in table["day"]])
    last = np.sort(np.argsort(days, kind="stable")[-36:])
    predicted = np.array(run.predictions(run.features(table)))
    assert np.abs(predicted - wanted)[last].mean() == pytest.approx(run.config.results["test_mae"], rel=1e-4)
    mean, std = run.config.target["mean"], run.config.target["std"]
    early = np.argsort(days, kind="stable")[:168]
    assert (mean, std) == pytest.approx((wanted[early].mean(), wanted[early].std()))


def test_preprocessing_is_fitted_on_the_training_set_alone(people):
    task = runs.prepare_table(runs.Options(str(people), target="buys", drop=["spends", "day"], seed=3))
    x = task.train.tensors[0].array
    age = task.preprocessor.features.index("age")
    assert abs(x[:, age].mean()) < 1e-6 and abs(x[:, age].std() - 1) < 1e-6
    assert abs(task.validation.tensors[0].array[:, age].mean()) > 1e-3
    assert [len(part) for part in (task.train, task.validation, task.test)] == [168, 36, 36]


@pytest.mark.parametrize("ending", [".npz", ".npy", ".parquet"])
def test_other_file_formats(ending, tmp_path, capsys):
    x = np.random.default_rng(0).standard_normal((60, 2))
    y = (x[:, 0] > x[:, 1]).astype(np.int64)
    path = tmp_path / f"table{ending}"
    if ending == ".npz":
        np.savez(path, x=x, y=y)
    elif ending == ".npy":
        np.save(path, np.column_stack([x, y]))
    else:
        pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table({"a": x[:, 0], "b": x[:, 1], "y": y}), path)
    target = "2" if ending == ".npy" else "y"
    out = str(tmp_path / "run")
    assert cli.main(["train", str(path), "--target", target, "--epochs", "3", "--out", out]) == 0
    capsys.readouterr()
    assert cli.main(["predict", out, str(path)]) == 0
    assert set(capsys.readouterr().out.split()) <= {"0", "1"}


def test_command_line_options_override_a_configuration_file(people, tmp_path, monkeypatch, capsys):
    pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    shutil.copy(people, tmp_path / "people.csv")
    config = tmp_path / "config.toml"
    config.write_text(
        'source = "people.csv"\nout = "here"\ntarget = "buys"\ndrop = ["spends", "day"]\n'
        'epochs = 2\nbatch-size = 32\nhidden = [8]\nlr = 1\ncategories = "member"\n'
    )
    monkeypatch.chdir("/")
    assert cli.main(["train", str(config), "--lr", "0.01", "--hidden", "6,4"]) == 0
    options = runs.load(tmp_path / "here").config.options
    assert {name: options[name] for name in ("epochs", "batch_size", "hidden", "lr")} == {
        "epochs": 2, "batch_size": 32, "hidden": [6, 4], "lr": 0.01,
    }  # fmt: skip


BAD_CONFIGS = {
    "not TOML": ("epochs = ", "is not valid TOML ("),
    "not UTF-8": (b"\xff", "is not valid TOML ("),
    "no source": ("epochs = 3", "has no source, such as digits or the path of a table"),
    "no such option": ('source = "digits"\nepoch = 3', "has an unknown option 'epoch'; did you mean epochs?"),
    "twice": ('source = "digits"\nbatch-size = 3\nbatch_size = 4', "has the option batch_size twice"),
    "text for a number": ('source = "digits"\nepochs = "3"', "train: epochs must be an integer, got '3'"),
    "a boolean for a number": ('source = "digits"\nlr = true', "train: lr must be a number, got True"),
    "a number for text": ('source = "t.csv"\ntarget = 3', "train: target must be a string, got 3"),
    "no sizes": ('source = "digits"\nhidden = [3, 0]', "train: hidden must be integers of at least 1, separated by commas, got [3, 0]"),
    "a section": ('source = "digits"\n[epochs]\nmany = 3', "train: epochs must be an integer, got {'many': 3}"),
    "no names": ('source = "t.csv"\ndrop = [1]', "train: drop must be names, separated by commas, got [1]"),
    "a source that is not text": ("source = 3", "train: source must be a string, got 3"),
    "an option of tables": ('source = "digits"\ntarget = "y"', "train: target applies to tables only, not to digits"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD_CONFIGS.values(), ids=BAD_CONFIGS)
def test_bad_configurations(capsys, tmp_path, text, message):
    pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    path = tmp_path / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert message in failure(capsys, "train", path)


def test_toml_without_a_reader(capsys, tmp_path, monkeypatch):
    for package in "tomllib", "tomli":
        monkeypatch.setitem(sys.modules, package, None)
    assert "needs Python 3.11 or the package tomli" in failure(capsys, "train", tmp_path / "config.toml")


# Bad tables

X = "\n".join(f"{i % 7},{i % 3},{'ab'[i % 2]}" for i in range(30))
BAD = {
    "empty": ("", [], "read_csv: .* is empty"),
    "ragged": (f"x,z,y\n{X}\n1,2\n", [], "read_csv: line 32 of .* must have 3 fields, one per column, got 2"),
    "name twice": (f"x,x,y\n{X}", [], "read_csv: duplicate column 'x' in"),
    "no target": (f"x,z,y\n{X}", ["--target", "why"], "train: .* has no column 'why' for the option target; its columns are x, z, y"),
    "target not said": (f"x,z,y\n{X}", None, "train: the option target is missing; the columns of .* are x, z, y"),
    "other delimiter": (f"x,z,y\n{X}", ["--delimiter", ";"], "train: .* has only one column, 'x,z,y'; check the delimiter"),
    "other encoding": (f"x,z,y\n{X}\n1,1,é".encode("latin-1"), [], "read_csv: .* is not valid utf-8 at byte"),
    "infinity": (f"x,z,y\n{X}\ninf,1,a", [], "column 'x' contains inf in row 31, expected finite numbers"),
    "only missing targets": ("x,z,y\n1,1,\n2,1,\n", [], "target 'y' must have at least two distinct values, got none|missing value"),
    "missing values": (f"x,z,y\n{X}\n,1,a", ["--missing", "raise", "--test", "0", "--validation", "0.05"], "column 'x' has 1 missing value"),
    "one class": ("x,y\n1,a\n2,a\n", [], "target 'y' must have at least two distinct values, got only 'a'"),
    "only constants": ("x,y\n" + "1,a\n1,b\n" * 20, [], "no column is left to learn from: column 'x' is dropped: all its values are 1"),
    "only a target": ("y\na\nb\n", [], "train: .* has only one column, 'y'"),
    "few rows": ("x,y\n1,a\n2,b\n3,a\n", [], "train: the test set is empty: 3 rows are too few for a fraction of 0.15"),
    "one row to learn from": ("x,y\n1,a\n2,b\n", ["--split", "random", "--validation", "0.5", "--test", "0"], "train: the training set has one row, but a training needs at least two"),
    "no validation": (f"x,z,y\n{X}", ["--validation", "0"], "train: validation must be above 0, since early stopping needs a validation set"),
    "no training": (f"x,z,y\n{X}", ["--validation", "0.6", "--test", "0.5"], "train: validation and test must leave rows for training, got 0.6 \\+ 0.5"),
    "share": (f"x,z,y\n{X}", ["--test", "1.5"], r"train: test must lie in \[0, 1\), got 1.5"),
    "no such split": (f"x,z,y\n{X}", ["--split", "even"], "train: split must be one of stratified, random, time, got 'even'"),
    "a time split without a column": (f"x,z,y\n{X}", ["--split", "time"], "train: a time split needs the option time, the column to order rows by"),
    "time and another split": (f"x,z,y\n{X}", ["--split", "random", "--time", "x"], "train: the option time needs a time split, got random"),
    "group and a split": (f"x,z,y\n{X}", ["--group", "x", "--split", "random"], "train: the option group is a split of its own, so split can't be given too"),
    "group and time": (f"x,z,y\n{X}", ["--group", "x", "--time", "z"], "train: the option group is a split of its own, so time can't be given too"),
    "no such group": (f"x,z,y\n{X}", ["--group", "who"], "train: .* has no column 'who' for the option group"),
    "the target as group": (f"x,z,y\n{X}", ["--group", "y"], "train: column 'y' can't be both the target and the group"),
    "the group dropped": (f"x,z,y\n{X}", ["--group", "x", "--drop", "x"], "train: column 'x' is the group, so it can't be in categories or drop"),
    "a missing group": (f"x,z,y\n{X}\n,1,a", ["--group", "x"], "train: column 'x' has a missing value in row 31, so that row has no group"),
    "one group": ("x,z,y\n" + "1,1,a\n1,2,b\n" * 9, ["--group", "x"], "train: column 'x' has one group only, '1.0'; a split needs two"),
    "few groups": ("x,z,y\n" + "1,1,a\n2,2,b\n" * 9, ["--group", "x", "--validation", "0.2"], "train: the (validation|test) set is empty: 2 groups are too few for a fraction of 0"),
    "one group to learn from": ("x,z,y\n" + "1,1,a\n2,2,b\n" * 9, ["--group", "x", "--test", "0.4"], "train: the training set has one group of column 'x', but folds need two"),
    "no such time": (f"x,z,y\n{X}", ["--time", "when"], "train: .* has no column 'when' for the option time"),
    "no time": (f"x,z,y\n{X}", ["--time", "y", "--target", "x"], "train: time column 'y', row 1: expected a number or a date such as 2026-11-24, got 'a'"),
    "no such category": (f"x,z,y\n{X}", ["--categories", "q"], "column 'q' is missing; the table has"),
    "target dropped": (f"x,z,y\n{X}", ["--drop", "y"], "train: column 'y' is the target, so it can't be in categories or drop"),
    "no such task": (f"x,z,y\n{X}", ["--task", "ranking"], "the task must be classification or regression, got 'ranking'"),
    "no such choice": (f"x,z,y\n{X}", ["--missing", "guess"], "missing must be fill or raise, got 'guess'"),
    "text as a quantity": (f"x,z,y\n{X}", ["--task", "regression"], "the target is not numeric: column 'y' contains 'a' in row 1"),
    "strata of numbers": (f"x,z,y\n{X}", ["--target", "x", "--task", "regression", "--split", "stratified"], "train: a stratified split needs classes, but the target 'x' is a number"),
    "a class that is not in the training set": (f"x,z,y\n{X}\n9,1,c", ["--time", "x"], "train: the test set can't be encoded: column 'y' contains 'c'"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "options", "message"), BAD.values(), ids=BAD)
def test_bad_tables(capsys, tmp_path, content, options, message):
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    target = [] if options is None or "--target" in options else ["--target", "y"]
    got = failure(capsys, "train", path, "--out", tmp_path / "run", *target, *(options or []))
    assert re.search(message, got), got
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("more", [[], ["--validation", "0.2"], ["--network", "mlp"]])
def test_rows_of_a_group_stay_in_one_part(capsys, tmp_path, more):
    """Each group has a number of its own, which only rows of the group tell."""
    draw, path = random.Random(3), tmp_path / "visits.csv"
    own = {f"patient {i}": (draw.gauss(0, 1), draw.gauss(0, 1)) for i in range(30)}
    lines = [f"{name},{x + draw.gauss(0, 0.01):.4f},{y:.4f}" for name, (x, y) in own.items() for _ in range(8)]
    draw.shuffle(lines)
    path.write_text("who,x,y\n" + "\n".join(lines))
    options = runs.Options.from_values({"source": str(path), "target": "y", "group": "who"})
    task = runs.prepare_table(options)
    parts = [{round(float(y), 5) for y in part.tensors[1].array.ravel()} for part in (task.train, task.test)]
    assert not parts[0] & parts[1] and len(parts[0]) + len(parts[1]) == 30 and task.preprocessor.columns == ["x"]
    data, folds = rows_of(task, options.with_defaults(task.defaults))
    own = data.tensors[1].array.ravel().round(5)
    assert folds.members == 12 and all(not {*own[a]} & {*own[b]} for a, b in zip(folds.train, folds.validation))
    arguments = ["train", str(path), "--target", "y", "--group", "who", "--epochs", "8", *more]
    assert cli.main([*arguments, "--out", str(tmp_path / "run")]) == 0
    output = capsys.readouterr().out
    assert "30 groups of column 'who', which is no input: none is in two parts\n" in output
    assert "LeakageWarning" not in output
    assert cli.main(["predict", str(tmp_path / "run"), str(path)]) == 0  # the column may be there, or not


def test_members_share_weights_if_told_to(people, capsys, tmp_path):
    out = tmp_path / "run"
    options = ["--target", "buys", "--drop", "spends,day", "--shared", "yes", "--members", "3", "--epochs", "8"]
    assert cli.main(["train", str(people), *options, "--out", str(out)]) == 0
    output = capsys.readouterr().out
    assert re.search(r"ensemble of 3 networks \d+-64-64-64-2, shared weights, blended .*, each validated on the same", output)
    run = runs.load(out)
    assert "EnsembleSharedLinear" in json.dumps(run.config.layers) and len(run.predictions(run.read(people))) == 240
    refused = failure(capsys, "train", people, "--target", "buys", "--network", "mlp", "--shared", "yes")
    assert refused == "train: shared applies to the network ensemble only"


def test_doubtful_data_is_reported(capsys, tmp_path):
    lines = [f"{i},{'abc'[i % 3]},{'pq'[i % 2]}" for i in range(100)]
    lines += ["50,rare,p", ",a,q", "7,a,single"]  # once each
    lines += lines[:40]
    (tmp_path / "table.csv").write_text("x,z,y\n" + "\n".join(lines))
    arguments = ["train", str(tmp_path / "table.csv"), "--target", "y", "--epochs", "1", "--seed", "8"]
    assert cli.main([*arguments, "--out", str(tmp_path / "run")]) == 0
    output = capsys.readouterr().out
    assert "class 'single' has only one row, so no other row checks what is learned of it\n" in output
    assert re.search(
        r"^LeakageWarning: rows of the training set that repeat others: \d+ of \d+; members of the ensemble",
        output,
        re.M,
    )
    assert re.search(r"^LeakageWarning: \d+ of \d+ rows of the test set", output, re.M)
    unseen = []
    for seed in range(12):  # in some split they are not in the training set
        assert cli.main([*arguments[:-1], str(seed), "--out", str(tmp_path / "run")]) == 0
        output = capsys.readouterr().out
        unseen += re.findall(
            r"^column '(\w)' has values in 1 row of the (?:validation|test) set that the training set does not have$",
            output,
            re.M,
        )
    assert set(unseen) == {"x", "z"}


def test_what_is_left_out_is_said(capsys, tmp_path):
    """Rows without a target, a row index, dropped columns whatever they hold, numbers that are text."""
    (tmp_path / "table.csv").write_text(
        ",x,z,bad,y\n" + "".join(f"{i},{i},{'7b'[i % 2]},1;5,{'pq '[i % 3]}\n" for i in range(60))
    )
    arguments = ["train", str(tmp_path / "table.csv"), "--target", "y", "--drop", "bad", "--epochs", "1"]
    assert cli.main([*arguments, "--out", str(tmp_path / "run")]) == 0
    output = capsys.readouterr().out
    assert "20 rows of 60 have no target 'y' and are left out\n" in output
    assert "the first column, which has no name" in output and "column 'z' mixes numbers and text" in output


# predict


def test_predict_finds_columns_by_name(people, classifier, tmp_path, capsys):
    saved = runs.load(classifier)
    lines = [dict(zip(NAMES, row)) for row in rows_of_people(20)]
    with open(tmp_path / "new.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["member", "income", "city", "age"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    assert cli.main(["predict", str(classifier), str(tmp_path / "new.csv")]) == 0
    got = capsys.readouterr().out.split()
    assert got == saved.predictions(saved.features(cg.data.Table.read(people).take(range(20))))
    assert sum(a == b["buys"] for a, b in zip(got, lines)) >= 16
    assert cli.main(["predict", str(classifier), str(tmp_path / "new.csv"), "--proba"]) == 0
    shares = np.array([[float(v) for v in line.split(",")] for line in capsys.readouterr().out.split()])
    assert shares.shape == (20, 2) and [["no", "yes"][i] for i in shares.argmax(1)] == got


def test_predict_reports_errors(people, classifier, regressor, tmp_path, capsys):
    table = tmp_path / "new.csv"
    for text, message in [
        ("age,city,member,income\n30,Paris,True,3\n", "predict: column 'city' contains 'Paris' in row 1; the training data had only 'Bern', 'Oslo', 'Rome'"),
        ("age,city,income\n30,Bern,3\n", "predict: column 'member' is missing; the table has 'age', 'city', 'income'"),
        ("age,city,member,income\nold,Bern,True,3\n", "predict: column 'age' contains 'old' in row 1, expected a number"),
        ("age,city,member,income\n,Bern,True,3\n", "predict: column 'age' has a missing value in row 1, but had none in the training data"),
    ]:  # fmt: skip
        table.write_text(text)
        assert failure(capsys, "predict", classifier, table, "--unseen", "raise") == message
    assert (
        failure(capsys, "predict", regressor, people, "--proba")
        == "predict: the target 'spends' is a number and has no probabilities"
    )


def test_predict_answers_for_rows_that_the_training_data_did_not_have(classifier, tmp_path, capsys):
    """An unseen category and a missing number are treated as missing values, and counted in one note."""
    table = tmp_path / "new.csv"
    table.write_text("age,city,member,income\n30,Paris,True,3\n,Bern,true,3\n40,,maybe,\n")
    assert cli.main(["predict", str(classifier), str(table)]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.split()) == 3 and set(printed.out.split()) <= {"yes", "no"}
    assert printed.err == (
        "cygrad: predict: values that the training data did not have are treated as missing ones: "
        "1 in column 'age', 2 in column 'city', 1 in column 'member'\n"
    )


def test_a_run_predicts_its_own_training_file(tmp_path, capsys):
    """A category that occurs once and blank cells, wherever the last row falls."""
    rows = [f"{('Bonn', 'Oslo')[i % 2]},{i / 2},{i % 2}" for i in range(60)]
    for at in (0, 30, 60):
        for seed in range(3):
            lines = [*rows[:at], "Paris,,1", *rows[at:]]
            (tmp_path / "table.csv").write_text("city,z,y\n" + "\n".join(lines) + "\n")
            out = str(tmp_path / f"run {at} {seed}")
            arguments = ["train", str(tmp_path / "table.csv"), "--target", "y", "--epochs", "1", "--seed", str(seed)]
            assert cli.main([*arguments, "--out", out]) == 0
            capsys.readouterr()
            assert cli.main(["predict", out, str(tmp_path / "table.csv")]) == 0
            assert len(capsys.readouterr().out.split()) == 61


@pytest.mark.parametrize("options", [[], ["--proba"], ["--keep"], ["--keep", "--proba"]], ids=" ".join)
def test_predict_writes_csv_with_a_header(options, people, classifier, tmp_path, capsys):
    saved, out = runs.load(classifier), tmp_path / "answers.csv"
    assert cli.main(["predict", str(classifier), str(people), "--out", str(out), *options]) == 0
    capsys.readouterr()
    kept, whole = cg.data.Table.read(people), cg.data.Table.read(out)
    inputs = kept.names if "--keep" in options else []
    expected = saved.predictions(saved.features(kept), "--proba" in options)
    if "--proba" in options:
        assert whole.names == [*inputs, "no", "yes"]
        np.testing.assert_array_equal(np.stack([whole["no"], whole["yes"]], 1), expected)
    else:
        name = "predicted buys" if inputs else "buys"
        assert whole.names == [*inputs, name] and whole[name].tolist() == expected
    for name in inputs:
        np.testing.assert_array_equal(whole[name], kept[name])


def test_predict_keeps_the_spelling_of_the_table(classifier, tmp_path, capsys):
    table = tmp_path / "new.csv"
    table.write_text("id,age,city,member,income\n007,30.50,Bern,TRUE,\n18446744073709551615,20,Oslo,false,3\n")
    assert cli.main(["predict", str(classifier), str(table), "--keep"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "id,age,city,member,income,buys"
    assert [line.rpartition(",")[0] for line in lines[1:]] == table.read_text().splitlines()[1:]


def test_predict_reads_standard_input_once(classifier, people, capsys, monkeypatch):
    with open(people) as file:
        monkeypatch.setattr("sys.stdin", file)
        assert cli.main(["predict", str(classifier), "-", "--keep"]) == 0
    said = capsys.readouterr().out
    assert cli.main(["predict", str(classifier), str(people), "--keep"]) == 0
    assert said == capsys.readouterr().out


OWN = {
    "a category in one row": [(["Bonn", "Oslo"][i % 2] if i else "Rome", i, i % 2) for i in range(60)],
    "a number missing once": [("" if i == 7 else i, i % 3, "ab"[i % 2]) for i in range(60)],
    "numbers and words": [("high" if i == 9 else i, i % 5, "ab"[i % 2]) for i in range(60)],
    "no target in some rows": [(i, i % 3, "" if i % 4 == 0 else i % 2) for i in range(60)],
    "booleans": [(["TRUE", "false", "", "True"][i % 4], i, i * 0.5) for i in range(60)],
    "an empty column": [("", i, i % 2) for i in range(60)],
    "large integers": [(2**60 + i % 3 + 1, i, i % 2) for i in range(60)],
    "thousands": [(f'"{i + 1},{i:03}"', i % 7, i % 2) for i in range(60)],
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rows", OWN.values(), ids=OWN)
def test_a_run_predicts_tables_with_gaps(rows, seed, tmp_path, capsys):
    path, out = tmp_path / "own.csv", str(tmp_path / "run")
    path.write_text("a,b,y\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    assert cli.main(["train", str(path), "--target", "y", "--epochs", "1", "--seed", str(seed), "--out", out]) == 0
    capsys.readouterr()
    assert cli.main(["predict", out, str(path)]) == 0
    assert len(capsys.readouterr().out.split()) == len(rows)


def test_codes_that_look_like_numbers_stay_text(tmp_path, capsys):
    path = tmp_path / "codes.csv"
    path.write_text("code,y\n" + "".join(f"{c},{c}!\n" for c in ["01", "1", "1A"] * 20))
    out = str(tmp_path / "run")
    assert cli.main(["train", str(path), "--target", "y", "--categories", "code", "--epochs", "60", "--out", out]) == 0
    (tmp_path / "new.csv").write_text("code,other\n01,5\n1,6\n")
    capsys.readouterr()
    assert cli.main(["predict", out, str(tmp_path / "new.csv")]) == 0
    assert capsys.readouterr().out == "01!\n1!\n"


# dates, identifiers and rare categories


def people_with_dates(path, write):
    """A file with a date, an identifier and a category of 150 values, whose target depends on month and category."""
    dates = np.datetime64("2020-01-31") + 5 * np.arange(300)
    months = dates.astype("datetime64[M]").astype(int) % 12
    table = {
        "id": 7 * np.arange(300) + 1000,
        "when": [write(date.item()) for date in dates],
        "city": ["Bern" if i % 2 else f"village {i // 2}" for i in range(300)],
        "y": np.where((months < 6) == (np.arange(300) % 2 == 0), "a", "b"),
    }
    lines = zip(*table.values(), strict=True)
    path.write_text(",".join(table) + "\n" + "".join(",".join(map(str, line)) + "\n" for line in lines))
    return table


@pytest.mark.parametrize("spelling", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%y", "%d %b %Y 00:00"])
def test_dates_identifiers_and_rare_categories(spelling, tmp_path, capsys):
    path, out = tmp_path / "visits.csv", str(tmp_path / "run")
    table = people_with_dates(path, lambda date: date.strftime(spelling))
    arguments = ["train", str(path), "--target", "y", "--network", "mlp", "--epochs", "2", "--out", out]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "column 'id' is left out: its values are identifiers, all different" in said
    assert "column 'when' has dates" in said and "its features are: year, month, weekday, elapsed" in said
    assert "column 'city': 210 texts have" in said and "the 1 most frequent are kept" in said
    saved = runs.load(out)
    iso = [str(np.datetime64("2020-01-31") + 5 * i) for i in range(300)]
    own = saved.features(cg.data.Table.read(path))
    if spelling != "%d/%m/%y":  # where ISO 8601 is another spelling
        np.testing.assert_array_equal(saved.features(cg.data.Table({**table, "when": iso})), own)
        times = cg.data.Table({**table, "when": np.array(iso, "datetime64[ns]")})
        np.testing.assert_array_equal(saved.features(times), own)
    status, content = answer(
        saved, {"dataframe_records": [{"when": iso[0], "city": "Bern"}, {"when": "?", "city": "?"}]}
    )
    assert status == 200 and content["notes"] == [UNSEEN + "1 in column 'when'"]
    rows, network = np.array([[0, 0], [1.6e9, 1]], np.float64), saved.network().eval()
    places = {name: i for i, name in enumerate(saved.preprocessor.columns)}
    rows = rows[:, [places["when"], places["city"]]]
    by_hand = saved.features(cg.data.Table({"when": ["1970-01-01", "2020-09-13 12:26:40"], "city": ["Bern", "x"]}))
    np.testing.assert_allclose(network(cg.Tensor(rows))[0].array, saved.scores(by_hand), rtol=1e-4, atol=1e-5)


def test_dates_whose_order_is_open_are_left_out_with_both_readings(tmp_path, capsys):
    path, out = tmp_path / "visits.csv", str(tmp_path / "run")
    path.write_text(
        "when,x,y\n" + "".join(f"0{1 + i % 7}/0{1 + i % 9}/2024,{i % 5},{'ab'[i % 2]}\n" for i in range(60))
    )
    arguments = ["train", str(path), "--target", "y", "--network", "mlp", "--epochs", "1", "--out", out]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    found = re.search(r"'(\d\d)/(\d\d)/2024' means 2024-(\d\d)-(\d\d) \(dmy\) or 2024-(\d\d)-(\d\d) \(mdy\)", said)
    first, second = found[1], found[2]
    assert first != second and found.groups() == (first, second, second, first, first, second)
    assert runs.load(out).preprocessor.columns == ["x"]
    assert cli.main([*arguments, "--date-order", "mdy"]) == 0
    assert runs.load(out).preprocessor.columns == ["when", "x"]


@pytest.mark.parametrize(("name", "dates"), [("timestamp", []), ("t", ["--dates", "t"]), ("t", None)])
def test_numbers_are_dates_where_the_name_or_an_option_says_so(name, dates, tmp_path, capsys):
    path, out = tmp_path / "visits.csv", str(tmp_path / "run")
    path.write_text(f"{name},y\n" + "".join(f"{1.7e12 + 36e5 * i:.0f},{'ab'[i % 2]}\n" for i in range(60)))
    arguments = ["train", str(path), "--target", "y", "--network", "mlp", "--epochs", "1", "--out", out]
    assert cli.main([*arguments, *(dates or [])]) == 0
    kinds = [column["kind"] for column in runs.load(out).metadata()["columns"]]
    assert kinds == ["number" if dates is None else "date"]


# export


@pytest.mark.parametrize("name", ["classifier", "regressor", "perceptron"])
def test_the_onnx_graph_contains_the_preprocessing(name, people, tmp_path, request):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    folder = request.getfixturevalue(name)
    path = tmp_path / "model.onnx"
    assert cli.main(["export", str(folder), "--out", str(path)]) == 0
    saved, table = runs.load(folder), cg.data.Table.read(people)
    notes = json.loads({entry.key: entry.value for entry in onnx.load(path).metadata_props}["cygrad"])
    rows = []
    for column in notes["columns"]:  # as the documentation says
        values = table[column["name"]].tolist()
        places = {value: place for place, value in enumerate(column.get("values", []))}
        rows.append(values if column["kind"] == "number" else [places[value] for value in values])
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {"rows": np.array(rows, np.float64).T})
    scores = saved.scores(saved.features(table))
    if name != "regressor":
        np.testing.assert_allclose(outputs[0], scores, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(outputs[1].sum(1), 1, rtol=1e-5)
        assert [notes["classes"][i] for i in outputs[1].argmax(1)] == saved.predictions(saved.features(table))
    else:
        assert [output.name for output in session.get_outputs()] == ["predictions"]
        np.testing.assert_allclose(outputs[0][:, 0], saved.predictions(saved.features(table)), rtol=1e-4)


# serve


def answer(run, body, kind="application/json"):
    """The application's answer to a body."""
    from cygrad.serve import Application

    sent = []

    async def receive():
        return {"type": "http.request", "body": body if isinstance(body, bytes) else json.dumps(body).encode()}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", kind.encode())]
    scope = {"type": "http", "path": "/invocations", "method": "POST", "headers": headers}
    asyncio.run(Application(run)(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


ROW = {"age": 70, "city": "Oslo", "member": True, "income": 50.5}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"dataframe_records": [ROW]}, "application/json"),
        ({"dataframe_records": [{**ROW, "planet": "Mars"}]}, "application/json"),
        ({"dataframe_records": [{**ROW, "income": None}]}, "application/json"),
        ({"dataframe_records": [{**ROW, "age": "70"}]}, "application/json"),
        ({"dataframe_split": {"columns": list(ROW)[::-1], "data": [list(ROW.values())[::-1]]}}, "application/json"),
        ({"instances": [ROW]}, "application/json"),
        ({"instances": [list(ROW.values())]}, "application/json"),
        ({"inputs": {name: [value] for name, value in ROW.items()}}, "application/json"),
        (b"city,age,income,member\nOslo,70,,True\n", "text/csv"),
        (b"city,age,income,member\nOslo,70, NA,True\n", "text/csv"),
    ],
)  # fmt: skip
def test_serve_takes_named_columns(classifier, body, kind):
    assert answer(runs.load(classifier), body, kind) == (200, {"predictions": ["yes"]})


def test_serve_returns_probabilities_and_numbers(classifier, regressor):
    status, content = answer(runs.load(classifier), {"instances": [ROW, ROW], "params": {"proba": True}})
    assert status == 200 and np.array(content["predictions"]).shape == (2, 2)
    status, content = answer(runs.load(regressor), {"instances": [ROW]})
    assert status == 200 and abs(content["predictions"][0] - 34) < 2


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"age": 10**400}, "predict: Table: column 'age' contains an integer too large for float64"),
        ({"age": "DROP"}, "predict: column 'age' is missing; the table has 'city', 'member', 'income'"),
    ],
)  # fmt: skip
def test_serve_refuses_with_a_message(classifier, record, message):
    row = {name: value for name, value in {**ROW, **record}.items() if value != "DROP"}
    status, content = answer(runs.load(classifier), {"dataframe_records": [row]})
    assert (status, content) == (400, {"error_code": "BAD_REQUEST", "message": message})


def test_serve_clips_numbers_or_treats_them_as_missing(classifier, perceptron):
    body = {"dataframe_records": [{**ROW, "age": 1e300}, ROW]}
    status, content = answer(runs.load(classifier), body)
    assert status == 200 and content["predictions"][0] in ("yes", "no")
    assert content["notes"] == [
        "predict: outliers, numbers far from those of the training data, are clipped: 1 in column 'age'"
    ]
    status, content = answer(runs.load(perceptron), body)
    assert status == 200 and content["predictions"][0] in ("yes", "no")
    assert content["notes"] == [UNSEEN + "1 in column 'age'"]


UNSEEN = "predict: values that the training data did not have are treated as missing ones: "


@pytest.mark.parametrize(
    "record", [{"city": "Paris"}, {"city": None}, {"city": 7}, {"age": None}, {"age": ""}, {"age": "old"}]
)
def test_serve_answers_for_values_that_the_training_data_did_not_have(classifier, record):
    status, content = answer(runs.load(classifier), {"dataframe_records": [{**ROW, **record}]})
    assert status == 200 and content["predictions"][0] in ("yes", "no")
    assert content["notes"] == [UNSEEN + f"1 in column {next(iter(record))!r}"]


def test_serve_refuses_other_widths_and_probabilities_of_numbers(classifier, regressor):
    status, content = answer(runs.load(classifier), {"instances": [[1, 2]]})
    assert status == 400
    assert content["message"] == "predict: the rows have 2 values, but the model expects age, city, member, income"
    status, content = answer(runs.load(regressor), {"instances": [ROW], "params": {"proba": True}})
    assert (status, content["message"]) == (400, "predict: the target 'spends' is a number and has no probabilities")


def test_a_server_process(classifier):
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    from .served import request

    command = [*COMMAND, "serve", str(classifier), "--port", "0"]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            address = re.search(r"http://\S+(?=,)", process.stdout.readline()).group()
            status, body = request(f"{address}/invocations", json.dumps({"dataframe_records": [ROW]}).encode())
            assert (status, json.loads(body)) == (200, {"predictions": ["yes"]})
            status, body = request(f"{address}/metadata")
            names = [column["name"] for column in json.loads(body)["columns"]]
            assert names == list(ROW) and json.loads(body)["classes"] == ["no", "yes"]
        finally:
            process.terminate()
            process.communicate(timeout=300)


# resume


@pytest.fixture(scope="module")
def whole(people, tmp_path_factory):
    """An uninterrupted run, and its arguments."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    arguments = [
        "train",
        people,
        "--target",
        "buys",
        "--epochs",
        "60",
        "--patience",
        "60",
        "--batch-size",
        "4",
        "--checkpoint-seconds",
        "0",
    ]
    assert cli.main([str(a) for a in [*arguments, "--out", folder]]) == 0
    return folder, arguments


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is not there on Windows")
def test_a_killed_run_ends_with_the_same_bits(whole, tmp_path):
    folder, arguments = whole
    draw, kills = random.Random(), 0
    command = [*COMMAND, *map(str, arguments), "--out", "run"]
    while True:
        with subprocess.Popen(
            command, env=ENVIRONMENT, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                if kills < 4:
                    for _ in range(draw.randint(4, 18)):
                        process.stdout.readline()
                    time.sleep(draw.random() * 0.05)
                    process.kill()
                    process.communicate()
                    kills += 1
                else:
                    out, errors = process.communicate(timeout=300)
                    break
            finally:
                process.kill()
        command = [*COMMAND, "resume", "run", "--threads", str(1 + kills % 2)]
    assert (process.returncode, errors) == (0, "")
    assert "saved in run" in out or out == "run is already complete\n"  # if the last kill came too late
    assert files_of(tmp_path / "run") == files_of(folder)
    assert sorted(os.listdir(tmp_path / "run")) == [
        "config.json",
        "metrics.csv",
        "report.html",
        "report.json",
        "weights.npz",
    ]


def test_digits_are_resumed_too(tmp_path, monkeypatch, capsys):
    options = ["--epochs", "3", "--hidden", "16", "--checkpoint-seconds", "0"]
    assert cli.main(["train", "digits", *options, "--out", str(tmp_path / "whole")]) == 0
    interrupt_in(monkeypatch, 2)
    assert cli.main(["train", "digits", *options, "--out", str(tmp_path / "run")]) == 130
    monkeypatch.undo()
    assert cli.main(["resume", str(tmp_path / "run")]) == 0
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")


def interrupt_in(monkeypatch, epoch):
    """Press Ctrl-C in an epoch."""

    def step(trainer, group, original=train.Trainer._step):
        if trainer.epoch == epoch:
            raise KeyboardInterrupt
        return original(trainer, group)

    monkeypatch.setattr(train.Trainer, "_step", step)


def test_an_interrupted_run_is_saved_and_resumed(whole, tmp_path, monkeypatch, capsys):
    folder, arguments = whole
    out = tmp_path / "run"
    interrupt_in(monkeypatch, 3)
    assert cli.main([*map(str, arguments), "--out", str(out)]) == 130
    output = capsys.readouterr().out
    assert "interrupted: kept the weights of epoch" in output and output.endswith(
        f"continue with: cygrad resume {out}\n"
    )
    assert runs.load(out).config.results["epochs"] == 2
    interrupt_in(monkeypatch, 3)
    assert cli.main(["resume", str(out)]) == 130  # in the first epoch of the process
    monkeypatch.undo()
    assert cli.main(["resume", str(out)]) == 0
    assert files_of(out) == files_of(folder)
    capsys.readouterr()
    assert cli.main(["resume", str(out)]) == 0
    assert capsys.readouterr().out == f"{out} is already complete\n"
    (out / "weights.npz").unlink()
    assert failure(capsys, "resume", out) == f"runs.load: {out} is not a run folder: weights.npz is missing"


def test_a_second_ctrl_c_in_the_test_loses_nothing(whole, tmp_path, monkeypatch, capsys):
    folder, arguments = whole
    out = tmp_path / "run"
    interrupt_in(monkeypatch, 3)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs.TableTask, "results", interrupt)
    assert failure(capsys, *arguments, "--out", out, code=130) == "interrupted"
    results = runs.load(out).config.results
    assert results["epochs"] == 2 and "test_accuracy" not in results
    monkeypatch.undo()
    assert cli.main(["resume", str(out)]) == 0
    assert files_of(out) == files_of(folder)


@pytest.mark.skipif(os.name == "nt", reason="SIGINT can't be sent to one process on Windows")
def test_ctrl_c_waits_until_files_are_written():
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        done.append(1)
    assert done == [1] and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(ZeroDivisionError), uninterrupted():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_full_disk_leaves_the_last_checkpoint(whole, tmp_path, monkeypatch, capsys):
    folder, arguments = whole
    out, flush, written = tmp_path / "run", os.fsync, []

    def fill(descriptor):
        written.append(descriptor)
        if len(written) > 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fill)
    message = failure(capsys, *arguments, "--out", out)
    assert re.fullmatch(r"save: .*checkpoint\.npz can't be written \(No space left on device\)", message)
    monkeypatch.undo()
    assert sorted(os.listdir(out)) == ["checkpoint.npz", "training.json"]
    assert (
        failure(capsys, "predict", out, "x.csv")
        == f"runs.load: {out} is not a run folder: config.json is missing; its training is unfinished, continue with: cygrad resume {out}"
    )
    assert cli.main(["resume", str(out)]) == 0
    assert files_of(out) == files_of(folder)


def test_a_new_training_replaces_an_interrupted_one(whole, tmp_path, monkeypatch, capsys):
    folder, arguments = whole
    out = tmp_path / "run"
    interrupt_in(monkeypatch, 3)
    assert cli.main(["train", "digits", "--out", str(out)]) == 130
    monkeypatch.undo()
    assert cli.main([*map(str, arguments), "--out", str(out)]) == 0
    assert files_of(out) == files_of(folder)


def test_leftovers_of_a_killed_writer_are_removed(whole, tmp_path, monkeypatch):
    folder, arguments = whole
    out = tmp_path / "run"
    interrupt_in(monkeypatch, 3)
    assert cli.main([*map(str, arguments), "--out", str(out)]) == 130
    monkeypatch.undo()
    for name in "weights.npz", "config.json", "metrics.csv", "checkpoint.npz", "training.json":
        (out / f".{name}.7-abcdef00.tmp").write_text("half")
    assert cli.main(["resume", str(out)]) == 0
    assert sorted(os.listdir(out)) == [
        "config.json",
        "metrics.csv",
        "report.html",
        "report.json",
        "weights.npz",
    ] and files_of(out) == files_of(folder)


def test_a_job_of_an_earlier_version_is_resumed(people, tmp_path, monkeypatch):
    """Earlier versions wrote only the options that were given, and trained a perceptron."""
    folder, out = tmp_path / "whole", tmp_path / "run"
    arguments = ["train", people, "--target", "buys", "--network", "mlp", "--epochs", "60", "--batch-size", "4"]
    arguments += ["--checkpoint-seconds", "0"]
    assert cli.main([*map(str, arguments), "--out", str(folder)]) == 0
    interrupt_in(monkeypatch, 3)
    assert cli.main([*map(str, arguments), "--out", str(out)]) == 130
    monkeypatch.undo()
    job = json.loads((out / "training.json").read_text())
    given = {"target": "buys", "epochs": 60, "batch_size": 4, "checkpoint_seconds": 0.0}
    assert all(job["options"][name] == value for name, value in given.items()) and job["options"]["hidden"] == [32, 16]
    (out / "training.json").write_text(json.dumps({**job, "options": given}))
    assert cli.main(["resume", str(out)]) == 0
    assert files_of(out) == files_of(folder)


def test_options_that_are_not_given_fit_the_table(tmp_path):
    options = runs.Options.from_values({"source": "t.csv", "target": "y", "epochs": 40})
    assert options.with_defaults({"epochs": 200, "patience": 30}).epochs == 40  # given, though it is the default
    assert options.with_defaults({"epochs": 200, "patience": 30}).patience == 30
    assert runs.Options("t.csv", target="y").with_defaults({"epochs": 200}).epochs == 40  # from Python: as it says
    with pytest.raises(AttributeError):
        options.epochs = 3


def test_resume_reports_errors(people, tmp_path, monkeypatch, capsys):
    assert (
        failure(capsys, "resume", tmp_path)
        == f"resume: {tmp_path} is not a run folder: it has neither training.json nor config.json"
    )
    table, out = tmp_path / "people.csv", tmp_path / "run"
    shutil.copy(people, table)
    interrupt_in(monkeypatch, 2)
    assert cli.main(["train", str(table), "--target", "buys", "--out", str(out)]) == 130
    monkeypatch.undo()
    job = json.loads((out / "training.json").read_text())
    capsys.readouterr()

    def resumed(text):
        (out / "training.json").write_text(text if isinstance(text, str) else json.dumps(text))
        return failure(capsys, "resume", out)

    assert (
        resumed({**job, "format": 7, "version": "9.1"})
        == f"resume: {out / 'training.json'} has format 7, written by cygrad 9.1, but this version reads format 1"
    )
    for text in (
        "{",
        "[]",
        {**job, "options": {"epochs": "3"}},
        {**job, "options": {"run": "rm"}},
        {**job, "source": "x"},
        {"format": 1},
    ):
        assert resumed(text).startswith(f"resume: {out / 'training.json'} is corrupt (")
    assert job["cpu_level"] == cg.show_config()["cpu_level"]
    (out / "training.json").write_text(json.dumps({**job, "version": "0.0.1", "cpu_level": "another"}))
    lines = table.read_text().splitlines()
    table.write_text("\n".join(lines[:-1]))
    assert failure(capsys, "resume", out) == f"resume: the data of {table} has changed since the training started"
    table.write_text("\n".join(lines))
    checkpoint = out / "checkpoint.npz"
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[:100])
    assert "checkpoint.npz is truncated" in failure(capsys, "resume", out)
    checkpoint.write_bytes(content)
    assert cli.main(["resume", str(out)]) == 0
    output = capsys.readouterr().out
    assert "note: started with cygrad 0.0.1" in output and "note: started at CPU level another; at " in output


# Runs


@pytest.mark.parametrize(
    "changed",
    [
        {"layers": {}}, {"layers": {"type": "Linear", "options": {"in_features": 3, "out_features": 2}}},
        {"preprocessing": {"format": 1, "columns": []}}, {"target": {"task": "regression", "name": "y", "mean": 0, "std": 1}},
        {"reading": 3}, {"extra": 1}, {"target": None},
    ],
)  # fmt: skip
def test_a_corrupt_run_is_named(classifier, tmp_path, changed):
    folder = shutil.copytree(classifier, tmp_path / "run")
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(ValueError) as caught:
        runs.load(folder)
    assert str(caught.value).startswith(f"runs.load: {path} is corrupt (")


@pytest.mark.parametrize("name", ["classifier", "pixels"])
def test_a_run_of_another_version_is_named(name, tmp_path, classifier):
    folder = tmp_path / "run"
    if name == "classifier":
        shutil.copytree(classifier, folder)
    else:
        config = runs.ImageConfig([4, 3], 0.0, mean=0.0, std=1.0, classes=[0, 1, 2], version=cg.__version__)
        runs.save(folder, runs.ImageRun(config.network(), config))
    path = folder / "config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "format": 2, "version": "9.1", "new": True}))
    with pytest.raises(ValueError) as caught:
        runs.load(folder)
    assert (
        str(caught.value) == f"runs.load: {path} has format 2, written by cygrad 9.1, but this version reads format 1"
    )
    del content["format"]  # as written before formats had numbers
    path.write_text(json.dumps(content))
    assert runs.load(folder).config.format == 1


def test_runs_are_compared(classifier, regressor, tmp_path, capsys, monkeypatch):
    shutil.copytree(classifier, tmp_path / "runs" / "a")
    shutil.copytree(regressor, tmp_path / "runs" / "more" / "b")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["runs"]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert {"run", "task", "state", "epochs", "val_loss", "test_accuracy", "test_r2", "lr"} == set(head.split()) - {
        "best_epoch", "test_balanced_accuracy", "test_f1", "test_roc_auc", "test_loss", "test_rmse", "test_mae", "threads", "linear_share",
    }  # fmt: skip
    assert first.split()[:3] == [os.path.join("runs", "a"), "people", "complete"] and second.split()[0].endswith("b")
    assert cli.main(["runs", "runs", "--sort", "test_r2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [os.path.basename(row["run"]) for row in rows] == ["b", "a"] and rows[1]["hidden"] == [64, 64, 64]
    assert failure(capsys, "runs", "--sort", "nothing").startswith(
        "runs: no run has the column 'nothing'; the columns are run, task, state"
    )
    assert failure(capsys, "runs", "nowhere") == "runs: there is no folder nowhere"
    (tmp_path / "runs" / "a" / "config.json").write_text("{")
    assert failure(capsys, "runs").startswith(f"runs: {os.path.join('runs', 'a', 'config.json')} is corrupt (")
    (tmp_path / "empty").mkdir()
    assert cli.main(["runs", "empty"]) == 0 and capsys.readouterr().out == "no runs found\n"


def test_the_best_run_comes_first():
    from cygrad.runs.comparison import sort_rows

    rows = [
        {"run": "a", "val_loss": 2.0},
        {"run": "b", "val_loss": 1.0, "test_accuracy": 0.5, "test_f1": 0.1},
        {"run": "c", "val_loss": None, "test_accuracy": 0.9, "test_f1": 0.3},
    ]
    assert [row["run"] for row in sort_rows(rows, "val_loss")] == ["b", "a", "c"]
    assert [row["run"] for row in sort_rows(rows, "test_accuracy")] == ["c", "b", "a"]
    assert [row["run"] for row in sort_rows(rows, "test_f1")] == ["c", "b", "a"]
    assert sort_rows(rows, None) == rows


def test_an_unfinished_run_is_listed(people, tmp_path, monkeypatch, capsys):
    interrupt_in(monkeypatch, 2)
    assert cli.main(["train", str(people), "--target", "buys", "--out", str(tmp_path / "run")]) == 130
    capsys.readouterr()
    assert cli.main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1:3] == ["people", "unfinished"]
