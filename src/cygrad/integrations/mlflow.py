"""MLflow: a callback, and a model flavour, ``cygrad``, that pyfunc and ``mlflow models serve`` know.

A model is saved as a description in JSON and weights in safetensors, see ``cygrad.train.save_model``; to load it runs
no code. The package: ``pip install 'cygrad[mlflow]'``.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cygrad._files import atomic_write
from cygrad._typing import Array
from cygrad._version import __version__
from cygrad.integrations.loggers import read_jsonl
from cygrad.integrations.packages import demand_answer, required
from cygrad.integrations.sender import Sender, unsent_path
from cygrad.integrations.tracker import FirstInputs, Row, Tracker, TrackerWarning, outcome, settings_of
from cygrad.nn.description import describe
from cygrad.nn.module import Module
from cygrad.nn.modules.embedding import Embedding
from cygrad.train import saved_model
from cygrad.train.evaluation import predict
from cygrad.train.protocols import TrainerLike

__all__ = ["FLAVOR_NAME", "MLflow", "PythonModel", "load_model", "log_model", "save_model"]

FLAVOR_NAME = "cygrad"
DATA = "data"  # the folder of the model within that of MLflow
METRICS_AT_ONCE, PARAMS_AT_ONCE = 1000, 100  # MLflow's limits of one request
LONGEST_PARAM = 6000
STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


class MLflow(Tracker):
    """Logs a training to MLflow: as parameters its settings and `params`; as metrics the records of the epochs, and the
    numbers of each `every`-th step under ``batch/``; at the end the files of `artifacts` that exist, and with `model`
    the model, with its signature.

    `tracking_uri` is a server or a database such as ``sqlite:///mlflow.db``; MLflow's setting unless given. The run is
    a new one, or that of `run_id`, which checkpoints hold, so that a training that is resumed goes on in its run; steps
    that it does once more are not logged twice. Where Ctrl-C ended it the run's status is KILLED, where an error did,
    FAILED.

    Everything is sent by a thread, every `seconds`. Where the server is away the training goes on after one
    ``TrackerWarning``, and what could not be sent is in the file that it names, for ``replay``. At the end the
    callback waits at most `patience` seconds for the server.

    Raises ImportError without the package.
    """

    def __init__(
        self,
        experiment: str | None = None,
        run_name: str | None = None,
        every: int | None = 50,
        *,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        artifacts: Iterable[str | os.PathLike[str]] = (),
        model: bool = True,
        tracking_uri: str | None = None,
        run_id: str | None = None,
        seconds: float = 10.0,
        patience: float = 60.0,
    ) -> None:
        super().__init__(every)
        required("MLflow", "mlflow")
        if model:
            required("MLflow", "safetensors")
        self.experiment = experiment
        self.run_name = run_name
        self.params = dict(params or {})
        self.tags = dict(tags or {})
        self.artifacts = [os.path.abspath(path) for path in artifacts]
        self.model = model
        self.tracking_uri = tracking_uri
        self.run_id = run_id
        self.seconds = seconds
        self.patience = patience
        self._sender: Sender | None = None
        self._first: FirstInputs | None = None
        self._warned = False
        self._done: dict[str, int] = {}  # the last step of each metric in the run that is gone on with

    # The training

    def begin(self, trainer: TrainerLike) -> None:
        self._warned = False
        self._done = {}
        if self.model:
            describe(trainer.model)  # where it can't be, that is said now
        self._sender = Sender(self._send, unsent_path("mlflow"), self.seconds)
        self._first = FirstInputs(trainer.model) if self.model else None
        self._put(self._sender, "begin", time=time.time())
        self._put(self._sender, "params", values={**settings_of(trainer), **self.params})

    def take(self, row: Row, trainer: TrainerLike) -> None:
        if self._sender is None:
            return
        at = row.step if row.kind == "batch" else row.epoch
        names = {name: f"batch/{name}" if row.kind == "batch" else name for name in row.values if name != "epoch"}
        values = {names[name]: value for name, value in row.values.items() if name in names}
        self._put(self._sender, "metrics", step=at, time=row.time, values=values)
        self._warn(self._sender)

    def end(self, trainer: TrainerLike) -> None:
        sender, self._sender = self._sender, None
        if sender is None:
            return
        for path in self.artifacts:
            if os.path.exists(path):
                self._put(sender, "artifact", path=path)
        folder = sender.path.removesuffix(".jsonl") + "-model"
        try:
            if self._first is not None:
                self._first.remove()
                save_model(trainer.model, folder, signature=signature_of(trainer.model, self._first))
                self._put(sender, "model", path=folder)
        finally:
            self._put(sender, "end", time=time.time(), status=STATUS[outcome(trainer)])
            if sender.close(self.patience):
                shutil.rmtree(folder, ignore_errors=True)
            self._warn(sender)

    def _put(self, sender: Sender, kind: str, **values: Any) -> None:
        """Gives a row to the thread, with the run that it belongs to, as soon as there is one."""
        sender.put({"kind": kind, "run_id": self.run_id, **values})

    def _warn(self, sender: Sender) -> None:
        if sender.problem is not None and not self._warned:
            self._warned = True
            warnings.warn(
                f"MLflow: {self._uri()} takes nothing ({sender.problem}); the training goes on, and until it does what "
                f"could not be sent is kept in {sender.path}, which MLflow(…).replay(path) sends later",
                TrackerWarning,
                stacklevel=5,
            )

    def state_dict(self) -> dict[str, Any]:
        """The run's id."""
        return {"run_id": self.run_id}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on in that run."""
        self.run_id = state["run_id"] or self.run_id

    # The server

    def replay(self, path: str | os.PathLike[str]) -> str:
        """Sends what is in a file that a training left, and returns the run's id: that of the training's run, where the
        server had it already. The file stays. Raises what MLflow raises where that fails."""
        rows = read_jsonl(path)
        self.run_id = self.run_id or next((row["run_id"] for row in rows if row.get("run_id")), None)
        for first in range(0, len(rows), METRICS_AT_ONCE):
            self._send(rows[first : first + METRICS_AT_ONCE])
        return self.run_id or ""

    def _uri(self) -> str:
        return str(self.tracking_uri or required("MLflow", "mlflow").get_tracking_uri())

    def _send(self, rows: list[dict[str, Any]]) -> None:
        demand_answer(self._uri())
        client = required("MLflow", "mlflow").MlflowClient(self._uri())
        begun = next((row["time"] for row in rows if row["kind"] == "begin"), None)
        if self.run_id is None:
            self.run_id = self._new_run(client, time.time() if begun is None else begun)
        elif begun is not None:
            client.update_run(self.run_id, "RUNNING")
            self._done = last_steps(client, self.run_id)
        self._send_metrics(client, rows)
        for row in rows:
            if row["kind"] == "params":
                self._send_params(client, row["values"])
            elif row["kind"] == "artifact" and os.path.isdir(row["path"]):
                client.log_artifacts(self.run_id, row["path"], os.path.basename(row["path"]))
            elif row["kind"] == "artifact":
                client.log_artifact(self.run_id, row["path"])
            elif row["kind"] == "model":
                self._send_model(row["path"])
            elif row["kind"] == "end":
                client.set_terminated(self.run_id, row.get("status", "FINISHED"), milliseconds(row["time"]))

    def _new_run(self, client: Any, begun: float) -> str:
        name = self.experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
        found = client.get_experiment_by_name(name)
        number = client.create_experiment(name) if found is None else found.experiment_id
        run = client.create_run(number, milliseconds(begun), self.tags, self.run_name)
        return str(run.info.run_id)

    def _send_metrics(self, client: Any, rows: list[dict[str, Any]]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(name, float(value), milliseconds(row["time"]), row["step"])
            for row in rows
            if row["kind"] == "metrics"
            for name, value in row["values"].items()
            if row["step"] > self._done.get(name, -1)
        ]
        for first in range(0, len(metrics), METRICS_AT_ONCE):
            client.log_batch(self.run_id, metrics=metrics[first : first + METRICS_AT_ONCE])

    def _send_params(self, client: Any, values: dict[str, Any]) -> None:
        """Parameters that the run has already stay as they are: MLflow lets none change."""
        from mlflow.entities import Param

        present = client.get_run(self.run_id).data.params
        params = [Param(name, str(value)[:LONGEST_PARAM]) for name, value in values.items() if name not in present]
        for first in range(0, len(params), PARAMS_AT_ONCE):
            client.log_batch(self.run_id, params=params[first : first + PARAMS_AT_ONCE])

    def _send_model(self, folder: str) -> None:
        from mlflow.models import Model

        mlflow = required("MLflow", "mlflow")
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(self._uri())
        try:
            with mlflow.start_run(run_id=self.run_id, nested=True):
                log_model(load_model(folder), "model", signature=Model.load(folder).signature)
        finally:
            mlflow.set_tracking_uri(before)


def last_steps(client: Any, run_id: str) -> dict[str, int]:
    """The last step of each metric of a run."""
    names = client.get_run(run_id).data.metrics
    return {name: max(metric.step for metric in client.get_metric_history(run_id, name)) for name in names}


def milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def signature_of(model: Module, first: FirstInputs) -> Any:
    """The signature of a model with one input, from what it was given first; None where there was nothing."""
    from mlflow.models import infer_signature

    if len(first.tensors) != 1:
        return None
    rows = first.tensors[0].array[:2]
    return infer_signature(rows, predict(model, rows))


# The flavour


def save_model(
    model: Module,
    path: str | os.PathLike[str],
    mlflow_model: Any = None,
    signature: Any = None,
    input_example: Any = None,
    pip_requirements: list[str] | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Saves a model of ``cygrad.nn``'s modules as an MLflow model in the folder `path`, which must not exist.

    With an `input_example`, an array or a DataFrame of some rows, the signature is that of the example, unless given.
    Raises TypeError for a model that can't be described, see ``cygrad.train.save_model``.
    """
    mlflow = required("save_model", "mlflow")
    from mlflow.models import Model, infer_signature

    folder = os.path.abspath(path)
    if os.path.exists(folder) and os.listdir(folder):
        raise ValueError(f"save_model: {folder} is there already, and not empty")
    saved_model.save_model(os.path.join(folder, DATA), model)
    described = Model() if mlflow_model is None else mlflow_model
    if signature is None and input_example is not None:
        signature = infer_signature(input_example, PythonModel(model).predict(input_example))
    if signature is not None:
        described.signature = signature
    if metadata is not None:
        described.metadata = metadata
    files = write_environment(folder, pip_requirements or default_requirements())
    mlflow.pyfunc.add_to_model(described, loader_module=__name__, data=DATA, **files)
    described.add_flavor(FLAVOR_NAME, cygrad_version=__version__, data=DATA)
    described.save(os.path.join(folder, "MLmodel"))


def write_environment(folder: str, requirements: list[str]) -> dict[str, str]:
    """Writes what pip, virtualenv and conda need to make an environment for the model; JSON is YAML too."""
    python = platform.python_version()
    pip = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    packages = [f"python={python}", "pip", {"pip": requirements}]
    conda = {"name": "cygrad", "channels": ["conda-forge"], "dependencies": packages}
    contents = {
        "requirements.txt": "\n".join(requirements),
        "python_env.yaml": json.dumps(pip, indent=2),
        "conda.yaml": json.dumps(conda, indent=2),
    }
    for name, text in contents.items():
        with atomic_write("save_model", os.path.join(folder, name)) as file:
            file.write(text.encode() + b"\n")
    return {"conda_env": "conda.yaml", "python_env": "python_env.yaml"}


def default_requirements() -> list[str]:
    """The packages that a model needs, in the versions that are here."""
    from importlib.metadata import version

    others = [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "safetensors")]
    return [f"cygrad=={__version__}", *others]


def log_model(
    model: Module,
    name: str = "model",
    signature: Any = None,
    input_example: Any = None,
    registered_model_name: str | None = None,
    run_id: str | None = None,
    **options: Any,
) -> Any:
    """Logs a model to the active run, or that of `run_id`, and returns MLflow's ``ModelInfo``, whose ``model_uri``
    ``load_model``, ``mlflow.pyfunc.load_model`` and ``mlflow models serve`` take. `options` are those of
    ``mlflow.models.Model.log``, and of ``save_model``."""
    required("log_model", "mlflow")
    import sys

    from mlflow.models import Model

    return Model.log(
        artifact_path=None,
        name=name,
        flavor=sys.modules[__name__],
        model=model,
        signature=signature,
        input_example=input_example,
        registered_model_name=registered_model_name,
        run_id=run_id,
        **options,
    )


def load_model(model_uri: str | os.PathLike[str]) -> Module:
    """The model that ``log_model`` or ``save_model`` wrote, in evaluation mode, from a folder or MLflow's address of
    it.

    Raises ValueError where it is corrupt or of another flavour.
    """
    required("load_model", "mlflow")
    from mlflow.artifacts import download_artifacts
    from mlflow.models import Model

    uri = os.fspath(model_uri)
    folder = uri if os.path.isdir(uri) else download_artifacts(artifact_uri=uri)
    flavours = Model.load(folder).flavors
    if FLAVOR_NAME not in flavours:
        raise ValueError(f"load_model: {uri} has the flavours {', '.join(flavours)}, wanted {FLAVOR_NAME}")
    return saved_model.load_model(os.path.join(folder, DATA))


class PythonModel:
    """A model as pyfunc calls it."""

    def __init__(self, model: Module) -> None:
        self.model = model
        self.dtype = dtype_of(model)

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Array:
        """The model's outputs, one a row, for a DataFrame, an array, a list, or a dict with one of them.

        Raises ValueError for a dict with several, and where a number is not finite.
        """
        if isinstance(model_input, Mapping):
            if len(model_input) != 1:
                raise ValueError(f"predict: the model has one input, got {len(model_input)}")
            model_input = next(iter(model_input.values()))
        rows = np.asarray(model_input)
        if rows.dtype.kind not in "fiub":
            raise ValueError(f"predict: wanted numbers, got {rows.dtype}")
        if not np.isfinite(rows).all():
            raise ValueError("predict: a number is not finite")
        return predict(self.model, rows.astype(self.dtype))


def dtype_of(model: Module) -> Any:
    """What a model wants to be given: integers before an embedding, else floats as wide as its own."""
    inner = [module for module in model.modules() if not list(module.children())]
    if inner and isinstance(inner[0], Embedding):
        return np.int64
    kinds = [p.array.dtype for p in model.parameters() if p.array.dtype.kind == "f"]
    return kinds[0] if kinds else np.float32


def _load_pyfunc(path: str) -> PythonModel:
    """pyfunc calls it with the folder of the data."""
    return PythonModel(saved_model.load_model(path))
