"""DVC: dvclive's files, and DVC itself, which runs a pipeline, shows metrics, and moves outputs to a remote."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import subprocess
import sys

import pytest

import cygrad as cg
from cygrad.integrations.dvc import DVC
from tests.tracked import STEPS, Stop, fit


def table(folder, name):
    with open(folder / "plots" / "metrics" / f"{name}.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert list(rows[0]) == ["step", name.rpartition("/")[2]]
    return [(int(row["step"]), float(row[name.rpartition("/")[2]])) for row in rows]


# The files


def test_files_are_those_of_dvclive(tmp_path):
    _, history = fit(DVC(tmp_path, every=4, params={"mine": [1, 2]}))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["val_loss"] == history["val_loss"][-1] and metrics["step"] == 3
    assert set(metrics["batch"]) == {"loss", "grad_norm", "lr"}
    assert table(tmp_path, "val_loss") == [(i + 1, v) for i, v in enumerate(history["val_loss"])]
    assert [step for step, _ in table(tmp_path, "batch/loss")] == [4, 8, 12, 16, 20, 24]
    params = json.loads((tmp_path / "params.yaml").read_text())
    assert params["optimizer"] == "AdamW" and params["mine"] == [1, 2]
    dvc_yaml = json.loads((tmp_path / "dvc.yaml").read_text())
    assert dvc_yaml == {
        "metrics": ["metrics.json"],
        "params": ["params.yaml"],
        "plots": [{"plots/metrics": {"x": "step"}}],
    }


def test_the_same_training_has_the_same_files(tmp_path):
    """Rates such as samples per second differ from run to run."""
    for name in "one", "other":
        cg.manual_seed(0)
        fit(DVC(tmp_path / name, every=4))
    files = [path.relative_to(tmp_path / "one") for path in sorted((tmp_path / "one").rglob("*")) if path.is_file()]
    assert len(files) > 5
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "other" / path).read_bytes(), path


def test_a_new_training_starts_new_tables(tmp_path):
    for epochs in (3, 2):
        fit(DVC(tmp_path, every=4), epochs=epochs)
    assert [step for step, _ in table(tmp_path, "loss")] == [1, 2]
    assert [step for step, _ in table(tmp_path, "batch/loss")] == [4, 8, 12, 16]


def test_a_resumed_training_has_every_row_once(tmp_path):
    for stop in (STEPS + 3, 10**9):
        checkpoint = cg.train.Checkpoint(tmp_path / "run.npz", every_steps=2)
        _, history = fit(DVC(tmp_path / "live", every=1), Stop(stop), checkpoint=checkpoint)
        with open(tmp_path / "live" / "plots" / "metrics" / "loss.tsv", "a") as file:
            file.write("3\t0." * (stop < 10**9))  # as left by a killed process
    assert table(tmp_path / "live", "loss") == [(i + 1, v) for i, v in enumerate(history["loss"])]
    assert [step for step, _ in table(tmp_path / "live", "batch/loss")] == list(range(1, 3 * STEPS + 1))


def test_non_finite_metrics_are_names(tmp_path):
    def never(output, target):
        return math.nan

    fit(DVC(tmp_path), metrics=[never])
    assert json.loads((tmp_path / "metrics.json").read_text())["never"] == "NaN"


def test_a_stage_leaves_dvc_yaml_to_the_pipeline(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train")
    fit(DVC(tmp_path))
    assert not (tmp_path / "dvc.yaml").exists() and (tmp_path / "metrics.json").exists()


# DVC itself

TRAIN = """
import json
from tests.tracked import fit
from cygrad.integrations.dvc import DVC
import cygrad as cg

epochs = json.load(open("params.yaml"))["epochs"]
trainer, history = fit(DVC("live"), epochs=epochs)
cg.save(trainer.model.state_dict(), "model.npz")
"""
PIPELINE = {
    "stages": {
        "train": {
            "cmd": f'"{sys.executable}" train.py',
            "deps": ["train.py"],
            "params": ["epochs"],
            "outs": ["model.npz"],
            "metrics": [{"live/metrics.json": {"cache": False}}],
            "plots": [{"live/plots/metrics": {"cache": False, "x": "step"}}],
        }
    }
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A function that runs a command in a git and DVC project whose pipeline has run, and the project's folder."""
    pytest.importorskip("dvc")
    if shutil.which("git") is None:
        pytest.skip("DVC projects need git")
    folder = tmp_path_factory.mktemp("dvc")
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    names = {"HOME": str(folder / "home"), "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        names |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@localhost"}
    path = os.pathsep.join([here, os.path.dirname(os.path.dirname(cg.__file__))])
    environment = {**os.environ, **names, "PYTHONPATH": path, "DVC_SITE_CACHE_DIR": str(folder / "site")}

    def run(*command, cwd=folder / "work"):
        if command[0] == "dvc":
            command = (sys.executable, "-m", *command)
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    work = folder / "work"
    work.mkdir()
    (work / "train.py").write_text(TRAIN)
    (work / "params.yaml").write_text('{"epochs": 2}')
    (work / "dvc.yaml").write_text(json.dumps(PIPELINE))
    run("git", "init", "-q")
    run("dvc", "init", "-q")
    run("dvc", "remote", "add", "-d", "store", str(folder / "store"))
    run("dvc", "repro")
    run("git", "add", ".")
    run("git", "commit", "-qm", "first")
    return run, work


def test_metrics_are_shown(project):
    run, work = project
    shown = json.loads(run("dvc", "metrics", "show", "--json"))[""]["data"]["live/metrics.json"]["data"]
    assert shown == json.loads((work / "live" / "metrics.json").read_text())
    assert {"loss", "val_accuracy"} <= set(shown)


def test_plots_are_shown(project):
    run, work = project
    plots = json.loads(run("dvc", "plots", "show", "--json"))
    (name,) = [name for name in plots["data"] if name.endswith("val_loss.tsv")]
    points = plots["data"][name][0]["content"]["data"]["values"]
    assert [float(point["val_loss"]) for point in points] == [value for _, value in table(work / "live", "val_loss")]


def test_only_changes_run_again(project):
    run, work = project
    assert "didn't change" in run("dvc", "repro")
    (work / "params.yaml").write_text('{"epochs": 4}')
    try:
        assert "Running stage 'train'" in run("dvc", "repro")
        changes = json.loads(run("dvc", "metrics", "diff", "--json"))["live/metrics.json"]
        assert changes["step"] == {"old": 2, "new": 4, "diff": 2}
    finally:
        run("git", "checkout", "--", ".")
        run("dvc", "checkout", "-q")


def test_outputs_go_to_a_remote_and_come_back(project, tmp_path):
    run, work = project
    run("dvc", "push")
    run("git", "clone", "-q", str(work), str(tmp_path / "clone"))
    run("dvc", "pull", cwd=tmp_path / "clone")
    assert (tmp_path / "clone" / "model.npz").read_bytes() == (work / "model.npz").read_bytes()


def test_metrics_without_a_pipeline_are_shown(project, tmp_path):
    run, _ = project
    run("git", "init", "-q", cwd=tmp_path)
    run("dvc", "init", "-q", cwd=tmp_path)
    _, history = fit(DVC(tmp_path / "dvclive"))
    shown = json.loads(run("dvc", "metrics", "show", "--json", cwd=tmp_path))
    (data,) = shown[""]["data"].values()
    assert data["data"]["val_loss"] == history["val_loss"][-1]
    plots = json.loads(run("dvc", "plots", "show", "--json", cwd=tmp_path))
    assert any(name.endswith("val_loss.tsv") for name in plots["data"])
