"""Text loggers, the base class of trackers, and the sender that saves unsent rows."""

from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg
from cygrad.integrations.loggers import CSVLogger, JSONLLogger, csv_line, json_line, read_jsonl
from cygrad.integrations.packages import require_package, require_server
from cygrad.integrations.sender import Sender
from cygrad.integrations.tracker import FirstInputs, Tracker, TrackerWarning, settings_of
from tests.tracked import STEPS, Stop, fit, trainer

PAGE = Path(__file__).parents[1] / "docs" / "trackers.md"


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# CSV


def test_csv_holds_the_history(tmp_path):
    path = tmp_path / "new" / "metrics.csv"
    _, history = fit(CSVLogger(path))
    rows = table(path)
    assert list(rows[0]) == history.names()
    assert [{name: float(value) for name, value in row.items()} for row in rows] == history.records


def test_csv_of_a_resumed_training_has_every_epoch_once(tmp_path):
    path, checkpoint = tmp_path / "metrics.csv", tmp_path / "run.npz"
    for stop in (STEPS + 3, 10**9):
        saved = cg.train.Checkpoint(checkpoint, every_steps=2)
        _, history = fit(CSVLogger(path), Stop(stop), checkpoint=saved)
    assert [row["epoch"] for row in table(path)] == ["1", "2", "3"]
    assert [float(row["loss"]) for row in table(path)] == history["loss"]


def test_csv_accepts_a_new_column(tmp_path):
    class Late(cg.train.Callback):
        def on_epoch_end(self, trainer, metrics):
            if trainer.epoch == 2:
                trainer.history.records[-1]["late, quoted"] = metrics["late, quoted"] = 0.5

    path = tmp_path / "metrics.csv"
    fit(Late(), CSVLogger(path))
    assert [row["late, quoted"] for row in table(path)] == ["", "0.5", ""]


@pytest.mark.parametrize(
    ("values", "line"),
    [([1, 0.1, math.nan], "1,0.1,nan\n"), (["a,b", 'c"d'], '"a,b","c""d"\n'), ([1e-300, math.inf], "1e-300,inf\n")],
)
def test_csv_lines(values, line):
    assert csv_line(values) == line


# JSON lines


def test_jsonl_has_steps_and_epochs(tmp_path):
    path = tmp_path / "log.jsonl"
    _, history = fit(JSONLLogger(path, every=3))
    lines = read_jsonl(path)
    steps = [line["step"] for line in lines if line["kind"] == "batch"]
    assert steps == [3, 6, 9, 12, 15, 18, 21, 24]
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert [line["loss"] for line in epochs] == history["loss"]
    assert [line["step"] for line in epochs] == [8, 16, 24]
    assert all(line["time"] > 1.6e9 for line in lines)


def test_jsonl_of_a_resumed_training_has_every_step_once(tmp_path):
    path, checkpoint = tmp_path / "log.jsonl", tmp_path / "run.npz"
    for stop in (STEPS + 3, 10**9):
        saved = cg.train.Checkpoint(checkpoint, every_steps=2)
        fit(JSONLLogger(path, every=1), Stop(stop), checkpoint=saved)
        with open(path, "a", encoding="utf-8") as file:
            file.write('{"kind": "batch", "st')  # as left by a killed process
    steps = [line["step"] for line in read_jsonl(path) if line["kind"] == "batch"]
    assert steps == list(range(1, 3 * STEPS + 1))


def test_non_finite_floats_in_json():
    line = json_line({"a": math.nan, "b": -math.inf, "c": {"d": math.inf, "e": 0.1}})
    assert json.loads(line) == {"a": "NaN", "b": "-Infinity", "c": {"d": "Infinity", "e": 0.1}}


def test_read_jsonl_names_a_broken_line(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": "NaN"}\n[1]\n{"b": 1}\n')
    with pytest.raises(ValueError, match=r"line 2 of .*log.jsonl is not a JSON object"):
        read_jsonl(path)
    path.write_text('{"a": {"b": "NaN"}}\n{"b":')
    (only,) = read_jsonl(path)
    assert math.isnan(only["a"]["b"])


# The base class


@pytest.mark.skipif(not PAGE.exists(), reason="the page is not installed with the tests")
def test_the_page_about_trackers_runs(tmp_path):
    script = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.csv", "log.jsonl", "runs", "dvclive"}


@pytest.mark.parametrize("logger", [CSVLogger, JSONLLogger])
def test_training_continues_if_a_file_cannot_be_written(tmp_path, logger):
    (tmp_path / "file").write_text("")
    with pytest.warns(TrackerWarning, match=r"training continues") as caught:
        _, history = fit(logger(tmp_path / "file" / "log"))
    assert len(caught) == 1 and len(history) == 3


def test_a_disk_that_fills_up_gives_one_warning(tmp_path):
    class Full(Tracker):
        def take(self, row, trainer):
            if row.step > STEPS:
                raise OSError(28, "No space left on device")

    with pytest.warns(TrackerWarning, match="No space left on device") as caught:
        _, history = fit(Full(every=1))
    assert len(caught) == 1 and len(history) == 3


def test_every_must_be_positive():
    with pytest.raises(ValueError, match="JSONLLogger: every must be at least 1, or None, got 0"):
        JSONLLogger("log.jsonl", every=0)


def test_trackers_do_not_change_the_training(tmp_path):
    from cygrad.integrations.dvc import DVC
    from cygrad.integrations.tensorboard import TensorBoard

    alone, _ = fit()
    trackers = [
        CSVLogger(tmp_path / "a.csv"),
        JSONLLogger(tmp_path / "a.jsonl", every=1),
        TensorBoard(tmp_path / "tb", every=1, gradients=True),
        DVC(tmp_path / "dvc", every=1),
    ]
    tracked, _ = fit(*trackers)
    assert cg.train.fingerprint(tracked.model) == cg.train.fingerprint(alone.model)


def test_settings_are_plain():
    settings = settings_of(trainer(seed=7, ema=0.9))
    assert settings["optimizer"] == "AdamW" and settings["lr"] == 0.01 and settings["betas"] == "(0.9, 0.999)"
    assert settings["clip"] == "norm 1.0" and settings["seed"] == 7 and settings["ema"] == 0.9
    assert settings["parameters"] == 4 * 8 + 8 + 2 * 8 + 8 * 2 + 2
    assert all(isinstance(value, (bool, int, float, str)) for value in settings.values())


def test_first_inputs_are_copies():
    model, x = cg.nn.Linear(2, 1), cg.ones(3, 2)
    first = FirstInputs(model)
    model(x)
    x.array[...] = 5
    model(x)
    assert first.tensors[0].tolist() == [[1, 1]] * 3


# Packages and servers


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(ImportError, match=r"X: the package no_such is not installed: pip install 'cygrad\[no_such\]'"):
        require_package("X", "no_such")


def test_only_http_addresses_are_tried(unused_port):
    for address in ("sqlite:///a.db", "/a/folder", "file:///a"):
        require_server(address)
    with pytest.raises(ConnectionError, match=f"http://127.0.0.1:{unused_port} does not answer"):
        require_server(f"http://127.0.0.1:{unused_port}")


# Sender


def indices(rows):
    return [row["n"] for row in rows]


def test_sender_sends_everything_in_order(tmp_path):
    got, path = [], tmp_path / "unsent.jsonl"
    sender = Sender(got.extend, str(path), seconds=0.01)
    for n in range(1000):
        sender.put({"n": n})
    assert sender.close(60) and sender.problem is None
    assert indices(got) == list(range(1000)) and not path.exists()


def test_sender_saves_unsent_rows(tmp_path):
    got, path = [], tmp_path / "unsent.jsonl"

    def send(rows):
        if got:
            raise RuntimeError("away\nfor long")
        got.extend(rows)

    sender = Sender(send, str(path), seconds=60)
    for n in range(500):
        sender.put({"n": n})
    assert not sender.close(60)
    assert sender.problem == "away for long"
    assert indices(got) + indices(read_jsonl(path)) == list(range(500))
    assert 0 < len(got) < 500


def test_sender_retries_when_the_server_is_back(tmp_path):
    got, path, away = [], tmp_path / "unsent.jsonl", threading.Event()
    failed = threading.Event()
    away.set()

    def send(rows):
        if away.is_set():
            failed.set()
            raise OSError("away")
        got.extend(rows)

    sender = Sender(send, str(path), seconds=0.01)
    sender.put({"n": 0})
    assert failed.wait(60)
    sender.put({"n": 1})
    away.clear()
    sender.put({"n": 2})
    assert sender.close(60) and sender.problem == "away"
    assert indices(got) == [0, 1, 2] and not path.exists()


def test_sender_does_not_wait_for_a_hanging_server(tmp_path):
    path, release = tmp_path / "unsent.jsonl", threading.Event()
    sender = Sender(lambda rows: release.wait(60), str(path), seconds=0.01)
    sender.put({"n": 0})
    threading.Event().wait(0.1)
    sender.put({"n": 1})
    try:
        assert not sender.close(0.1)
        assert sender.problem == "it took more than 0.1 seconds"
        assert indices(read_jsonl(path)) == [0, 1]
    finally:
        release.set()
        sender._thread.join(60)


def test_sender_works_without_a_file(tmp_path):
    got = []
    sender = Sender(got.extend, str(tmp_path / "missing" / "unsent.jsonl"), seconds=60)
    sender.put({"n": 0})
    assert sender.close(60) and indices(got) == [0]


# Estimators


def test_trackers_follow_an_estimator_too(tmp_path):
    """Calls of partial_fit are logged like epochs of fit, and the estimator's parameters are the settings."""
    pytest.importorskip("sklearn")
    from cygrad.integrations.dvc import DVC
    from cygrad.integrations.tensorboard import TensorBoard
    from cygrad.sklearn import MLPRegressor

    x = np.random.default_rng(0).standard_normal((40, 3))
    trackers = [
        CSVLogger(tmp_path / "m.csv"),
        JSONLLogger(tmp_path / "m.jsonl", every=1),
        DVC(tmp_path / "live", every=1),
        TensorBoard(tmp_path / "tb", every=1),
    ]
    model = MLPRegressor(hidden_layer_sizes=(4, 3), batch_size=20, early_stopping=True, callbacks=trackers)
    for _ in range(3):
        model.partial_fit(x, x[:, 0])
    lines = (tmp_path / "m.csv").read_text().splitlines()
    assert [float(line.split(",")[1]) for line in lines[1:]] == model.loss_curve_ and len(lines) == 4
    rows = read_jsonl(tmp_path / "m.jsonl")
    assert [(row["kind"], row["step"]) for row in rows if row["kind"] == "batch"] == [("batch", n) for n in range(1, 7)]
    assert [row["val_r2"] for row in rows if row["kind"] == "epoch"] == model.validation_scores_
    params = json.loads((tmp_path / "live" / "params.yaml").read_text())
    assert params["hidden_layer_sizes"] == "(4, 3)" and params["batch_size"] == 20 and params["parameters"] == 35
    assert "callbacks" not in params
