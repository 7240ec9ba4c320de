"""MLflow with a SQLite store: what a training logs, the model flavor, serving, and an unreachable server."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

import cygrad as cg
from cygrad.integrations.loggers import read_jsonl
from cygrad.integrations.tracker import TrackerWarning
from tests.served import request, server
from tests.tracked import STEPS, Stop, fit, trainer

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("safetensors")

from cygrad.integrations import mlflow as flavor  # noqa: E402
from cygrad.integrations.mlflow import MLflow  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # MLflow and its dependencies issue deprecation warnings


class Everything:
    """A training logged to a database in a folder."""

    def __init__(self, folder):
        os.chdir(folder)
        self.uri = f"sqlite:///{folder}/mlflow.db"
        (folder / "note.txt").write_text("a note")
        (folder / "notes").mkdir()
        (folder / "notes" / "other.txt").write_text("another")
        artifacts = ["note.txt", "notes", "missing.txt"]
        callback = MLflow(
            "digits", "first", 4, params={"mine": "yes"}, tags={"a": "b"}, artifacts=artifacts, tracking_uri=self.uri
        )
        self.trainer, self.history = fit(callback)
        self.run_id = callback.run_id
        self.client = mlflow.MlflowClient(self.uri)
        self.run = self.client.get_run(self.run_id)
        self.left = [path for path in os.listdir(folder) if "unsent" in path]
        mlflow.set_tracking_uri(self.uri)

    def values(self, name):
        return [(m.step, m.value) for m in self.client.get_metric_history(self.run_id, name)]


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    before = os.getcwd()
    yield Everything(tmp_path_factory.mktemp("mlflow"))
    os.chdir(before)


X = np.random.default_rng(5).standard_normal((6, 4)).astype(np.float32)


def test_parameters_metrics_and_status(logged):
    assert logged.run.info.status == "FINISHED" and logged.run.info.run_name == "first"
    assert logged.client.get_experiment(logged.run.info.experiment_id).name == "digits"
    params = logged.run.data.params
    assert params["optimizer"] == "AdamW" and params["lr"] == "0.01" and params["mine"] == "yes"
    assert params["model.0"].startswith("Linear(in_features=4, out_features=8")
    assert logged.run.data.tags["a"] == "b"
    assert logged.values("val_loss") == [(i + 1, v) for i, v in enumerate(logged.history["val_loss"])]
    assert [step for step, _ in logged.values("batch/loss")] == [4, 8, 12, 16, 20, 24]
    assert logged.left == []


def test_user_program_and_commit_are_logged(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "from cygrad.integrations.mlflow import MLflow\nfrom tests.tracked import fit\n"
        f"MLFLOW = MLflow(tags={{'mine': 'yes'}}, tracking_uri='sqlite:///{tmp_path}/mlflow.db', model=False, patience=300)\n"
        "fit(MLFLOW, epochs=1)\nprint(MLFLOW.run_id)\n"
    )
    commands = (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "first"])
    for command in (*commands, ["rev-parse", "HEAD"]):
        done = subprocess.run(["git", "-C", str(tmp_path), *command], capture_output=True, text=True, check=True)
    environment = {**os.environ, "LOGNAME": "somebody", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    call = [sys.executable, str(script)]
    training = subprocess.run(call, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert training.returncode == 0, training.stderr
    tags = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_run(training.stdout.split()[-1]).data.tags
    assert tags["mlflow.source.git.commit"] == done.stdout.strip() and tags["mlflow.source.name"] == str(script)
    assert tags["mlflow.user"] == "somebody" and tags["mine"] == "yes"


def test_existing_artifacts_are_logged(logged):
    assert [item.path for item in logged.client.list_artifacts(logged.run_id)] == ["note.txt", "notes"]
    assert [item.path for item in logged.client.list_artifacts(logged.run_id, "notes")] == ["notes/other.txt"]


def test_the_model_is_logged_to_the_run(logged):
    (entry,) = mlflow.search_logged_models([logged.run.info.experiment_id], output_format="list")
    assert entry.source_run_id == logged.run_id and entry.name == "model"
    model = flavor.load_model(entry.model_uri)
    np.testing.assert_array_equal(cg.train.predict(model, X), logged.trainer.predict(X))


def as_frame(x):
    import pandas

    return pandas.DataFrame(x.astype(np.float64), columns=list("abcd"))


@pytest.mark.parametrize("form", [lambda x: x, as_frame, lambda x: {"x": x}, lambda x: x.tolist()])
def test_pyfunc_predicts(logged, form):
    wrapper = flavor._load_pyfunc(saved(logged))
    np.testing.assert_array_equal(wrapper.predict(form(X)), logged.trainer.predict(X))


def saved(logged):
    return os.path.join(mlflow.artifacts.download_artifacts(f"runs:/{logged.run_id}/model"), "data")


def test_pyfunc_has_the_signature(logged):
    loaded = mlflow.pyfunc.load_model(f"runs:/{logged.run_id}/model")
    np.testing.assert_array_equal(loaded.predict(X), logged.trainer.predict(X))
    (column,) = loaded.metadata.signature.inputs.inputs
    assert column.shape == (-1, 4) and column.type == np.float32
    assert loaded.metadata.signature.outputs.inputs[0].shape == (-1, 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a": X, "b": X}, "the model has one input, got 2"),
        (np.array([["a"]]), "expected numbers"),
        ([[1.0, math.nan, 0.0, 0.0]], "NaN or infinity in the input"),
    ],
)
def test_pyfunc_refuses(logged, given, message):
    with pytest.raises(ValueError, match=message):
        flavor._load_pyfunc(saved(logged)).predict(given)


def test_inputs_of_an_embedding_are_integers():
    model = cg.nn.Sequential(cg.nn.Embedding(9, 2), cg.nn.Flatten())
    rows = np.array([[1.0, 2.0]])
    assert flavor.PythonModel(model).predict(rows).shape == (1, 4)


def test_the_model_is_served(logged, tmp_path, unused_port):
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "--host", "127.0.0.1"]
    command += ["--port", str(unused_port), "-m", f"runs:/{logged.run_id}/model"]
    address = f"http://127.0.0.1:{unused_port}"
    expected = logged.trainer.predict(X)
    with server(command, f"{address}/ping", tmp_path / "log", MLFLOW_TRACKING_URI=logged.uri):
        for name in ("inputs", "instances"):
            status, answer = request(f"{address}/invocations", json.dumps({name: X.tolist()}).encode())
            assert status == 200, answer
            np.testing.assert_allclose(json.loads(answer)["predictions"], expected, rtol=1e-6)
        status, _ = request(f"{address}/invocations", b'{"inputs": [["a", 1, 2, 3]]}')
        assert status == 400


# The flavor


def test_an_example_gives_the_signature(tmp_path):
    flavor.save_model(cg.train.mlp((4, 3)), tmp_path / "m", input_example=as_frame(X), metadata={"k": 1})
    loaded = mlflow.models.Model.load(str(tmp_path / "m"))
    assert loaded.signature.inputs.input_names() == list("abcd") and loaded.metadata == {"k": 1}
    assert loaded.flavors["cygrad"]["cygrad_version"] == cg.__version__
    assert mlflow.pyfunc.load_model(str(tmp_path / "m")).predict(as_frame(X)).shape == (6, 3)
    requirements = (tmp_path / "m" / "requirements.txt").read_text().split()
    assert f"cygrad=={cg.__version__}" in requirements
    names = {name for _, _, files in os.walk(tmp_path / "m") for name in files}
    assert names == {
        "MLmodel",
        "conda.yaml",
        "python_env.yaml",
        "requirements.txt",
        "model.json",
        "weights.safetensors",
    }


def test_log_model_in_an_active_run(logged):
    with mlflow.start_run() as run:
        info = flavor.log_model(cg.train.mlp((4, 3)), "net", registered_model_name="nets")
    assert info.run_id == run.info.run_id
    assert isinstance(flavor.load_model("models:/nets/1"), cg.nn.Sequential)


def test_invalid_models_and_folders_are_refused(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    with pytest.raises(ValueError, match="already exists and is not empty"):
        flavor.save_model(cg.nn.ReLU(), tmp_path / "full")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "MLmodel").write_text("flavors: {sklearn: {}}\n")
    with pytest.raises(ValueError, match="has the flavors sklearn, expected cygrad"):
        flavor.load_model(tmp_path / "other")


def test_a_model_that_cannot_be_saved_is_named_before_the_training(tmp_path):
    class Own(cg.nn.Sequential):
        pass

    trained = trainer(MLflow(tracking_uri=f"sqlite:///{tmp_path}/m.db"), model=Own(cg.nn.Linear(4, 2)))
    with pytest.raises(cg.train.CallbackError, match="Own is not a module of"):
        trained.fit([])


# An unreachable server


def test_nothing_is_lost_if_the_server_is_unreachable(tmp_path, monkeypatch, unused_port):
    monkeypatch.chdir(tmp_path)
    address = f"http://127.0.0.1:{unused_port}"
    callback = MLflow("away", every=4, tracking_uri=address, seconds=0.01)
    with pytest.warns(TrackerWarning, match=rf"MLflow: cannot send to {address} \(.* does not answer") as caught:
        trained, history = fit(callback)
    assert len([one for one in caught if one.category is TrackerWarning]) == 1 and len(history) == 3
    (path,) = tmp_path.glob("*.jsonl")
    assert str(path) in str(caught[0].message)
    assert [row["kind"] for row in read_jsonl(path)][-2:] == ["model", "end"]

    later = MLflow("away", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    run_id = later.replay(path)
    client = mlflow.MlflowClient(later.tracking_uri)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED" and run.data.params["optimizer"] == "AdamW"
    assert [m.value for m in client.get_metric_history(run_id, "val_loss")] == history["val_loss"]
    assert [m.step for m in client.get_metric_history(run_id, "batch/lr")] == [4, 8, 12, 16, 20, 24]
    assert run.info.end_time - run.info.start_time < 60_000
    (model,) = client.search_logged_models([run.info.experiment_id])
    mlflow.set_tracking_uri(later.tracking_uri)
    np.testing.assert_array_equal(cg.train.predict(flavor.load_model(model.model_uri), X), trained.predict(X))


def test_training_continues_if_the_store_raises(tmp_path, monkeypatch):
    """MLflow's file store was removed and raises."""
    monkeypatch.chdir(tmp_path)
    with pytest.warns(TrackerWarning, match="training continues") as caught:
        _, history = fit(MLflow(tracking_uri=(tmp_path / "mlruns").as_uri(), model=False))
    assert len([one for one in caught if one.category is TrackerWarning]) == 1 and len(history) == 3
    assert len(read_jsonl(next(tmp_path.glob("*.jsonl")))) >= 3


def test_a_resumed_training_continues_its_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_ids, states = [], []
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    for stop in (2 * STEPS + 3, 10**9):
        callback = MLflow(every=1, tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", model=False, seconds=0.01)
        wait = Wait(callback)
        fit(callback, wait, Stop(stop), checkpoint=cg.train.Checkpoint(tmp_path / "run.npz", every_steps=7))
        run_ids.append(callback.run_id)
        states.append(client.get_run(callback.run_id).info.status)
    assert run_ids[0] == run_ids[1] is not None and states == ["KILLED", "FINISHED"]
    assert [m.step for m in client.get_metric_history(run_ids[0], "loss")] == [1, 2, 3]
    # The checkpoint is from step 16, so that three steps are repeated.
    assert [m.step for m in client.get_metric_history(run_ids[0], "batch/loss")] == list(range(1, 3 * STEPS + 1))


def test_an_error_marks_the_run_as_failed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    callback = MLflow(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", model=False, seconds=0.01)
    with pytest.raises(cg.train.NonFiniteError):
        trainer(callback).fit([(cg.tensor(X) * math.nan, cg.zeros(6, dtype=cg.int64))], epochs=2)
    assert mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_run(callback.run_id).info.status == "FAILED"


def test_unsent_rows_of_an_existing_run_go_to_that_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    callback = MLflow(every=1, tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", model=False, seconds=0.01)

    class Away(cg.train.Callback):
        """The store cannot be reached from the second epoch on."""

        def on_epoch_begin(self, trainer):
            if trainer.epoch == 2:
                callback.tracking_uri = (tmp_path / "nowhere").as_uri()

    with pytest.warns(TrackerWarning, match="training continues"):
        fit(callback, Wait(callback), Away())
    (path,) = tmp_path.glob("*.jsonl")
    later = MLflow(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    for _ in range(2):  # sending it twice changes nothing
        assert later.replay(path) == callback.run_id
    client = mlflow.MlflowClient(later.tracking_uri)
    assert [m.step for m in client.get_metric_history(callback.run_id, "batch/loss")] == list(range(1, 3 * STEPS + 1))
    assert client.get_run(callback.run_id).info.status == "FINISHED"


class Wait(cg.train.Callback):
    """Waits until the thread has created the run."""

    def __init__(self, tracker):
        self.tracker = tracker

    def on_epoch_end(self, trainer, metrics):
        import time

        ends = time.monotonic() + 300
        while self.tracker.run_id is None and time.monotonic() < ends:
            time.sleep(0.02)
