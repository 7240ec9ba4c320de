"""Weights & Biases offline: W&B's own program reads what a training wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import cygrad as cg
from cygrad.integrations.tracker import TrackerWarning
from tests.tracked import STEPS, Stop, fit, trainer

wandb = pytest.importorskip("wandb")
pytest.importorskip("safetensors")

from cygrad.integrations.wandb import WandB  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # W&B issues deprecation warnings


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    for name in ("CACHE", "DATA", "CONFIG"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / name))
    yield
    wandb.teardown()


def inspected(folder):
    """The records of the only run in a folder."""
    (path,) = folder.glob("wandb/*run-*/run-*.wandb")
    program = os.path.join(os.path.dirname(sys.executable), "wandb")
    done = subprocess.run(
        [program, "leet", "inspect", "--json", path], capture_output=True, text=True, timeout=300, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def history_of(records):
    return [record["history"]["item"] for record in records if record["type"] == "history"]


def test_an_offline_run_is_read_back(tmp_path):
    callback = WandB("project", "first", every=4, config={"mine": "yes"}, mode="offline", folder=tmp_path)
    _, history = fit(callback)
    records = inspected(tmp_path)
    rows = history_of(records)
    epochs = [row for row in rows if "val_loss" in row]
    assert [(row["epoch"], row["val_loss"]) for row in epochs] == [
        (i + 1, v) for i, v in enumerate(history["val_loss"])
    ]
    assert [row["step"] for row in rows if "batch/loss" in row] == [4, 8, 12, 16, 20, 24]
    (run,) = [record["run"] for record in records if record["type"] == "run"]
    assert run["project"] == "project" and run["display_name"] == "first" and run["run_id"] == callback.run_id
    config = run["config"]["update"]
    assert config["mine"] == "yes" and config["optimizer"] == "AdamW" and config["lr"] == 0.01
    (artifact,) = [record["artifact"] for record in records if record["type"] == "artifact"]
    assert artifact["type"] == "model"
    (end,) = [record["exit"] for record in records if record["type"] == "exit"]
    assert not end.get("exit_code")
    names = {entry["path"] for entry in artifact["manifest"]["contents"]}
    assert names == {"model.json", "weights.safetensors"}


def test_the_run_is_offline_if_the_server_is_unreachable(tmp_path, monkeypatch, unused_port):
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{unused_port}")
    with pytest.warns(TrackerWarning, match=r"cannot go online .* does not answer") as caught:
        _, history = fit(WandB("project", mode="online", folder=tmp_path, model=False))
    (warned,) = [one for one in caught if one.category is TrackerWarning]
    (folder,) = tmp_path.glob("wandb/offline-run-*")
    assert str(folder) in str(warned.message)
    assert [row["loss"] for row in history_of(inspected(tmp_path)) if "val_loss" in row] == history["loss"]


def test_an_active_run_is_used_and_not_finished(tmp_path):
    with wandb.init(project="project", mode="offline", dir=str(tmp_path)) as run:
        _, history = fit(WandB(model=False))
        run.log({"after": 1.0})
        assert run.config["optimizer"] == "AdamW"
    rows = history_of(inspected(tmp_path))
    assert [row["loss"] for row in rows if "val_loss" in row] == history["loss"] and rows[-1]["after"] == 1


def test_a_resumed_training_has_the_same_run(tmp_path):
    run_ids = []
    for stop in (STEPS + 3, 10**9):
        callback = WandB("project", mode="offline", folder=tmp_path / str(stop), model=False)
        fit(callback, Stop(stop), checkpoint=cg.train.Checkpoint(tmp_path / "run.npz", every_steps=2))
        run_ids.append(callback.run_id)
    assert run_ids[0] == run_ids[1] is not None


def test_an_interrupted_run_has_its_exit_code(tmp_path):
    fit(WandB("project", mode="offline", folder=tmp_path, model=False), Stop(STEPS + 3))
    (end,) = [record["exit"] for record in inspected(tmp_path) if record["type"] == "exit"]
    assert end["exit_code"] == 255


def test_the_end_does_not_wait_for_the_server(tmp_path):
    import threading

    release = threading.Event()

    class Hanging:
        dir = str(tmp_path / "run" / "files")

        def finish(self, exit_code):
            release.wait(60)

    try:
        with pytest.warns(TrackerWarning, match=r"the server took more than 0.1 seconds.*wandb sync"):
            WandB(patience=0.1)._finish(Hanging())
    finally:
        release.set()


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="WandB: mode must be one of online, offline, shared, disabled, got 'of'"):
        WandB("project", mode="of")


def test_a_model_that_cannot_be_saved_is_named_before_the_training():
    class Own(cg.nn.Sequential):
        pass

    with pytest.raises(cg.train.CallbackError, match="Own is not a module of"):
        trainer(WandB(mode="offline"), model=Own(cg.nn.Linear(4, 2))).fit([])
