"""MLflow: a callback, and a model flavor, ``cygrad``, that pyfunc and ``mlflow models serve`` support.

A model is saved as a description in JSON and weights in safetensors, see ``cygrad.train.save_model``; loading it runs
no code. ``pip install 'cygrad[mlflow]'`` installs MLflow.
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
from cygrad.integrations.packages import require_package, require_server
from cygrad.integrations.sender import Sender, unsent_path
from cygrad.integrations.tracker import FirstInputs, Row, Tracker, TrackerWarning, layers_of, outcome, settings_of
from cygrad.nn.description import describe
from cygrad.nn.module import Module
from cygrad.nn.modules.embedding import Embedding
from cygrad.train import saved_model
from cygrad.train.evaluation import predict
from cygrad.train.protocols import TrainerLike

__all__ = ["FLAVOR_NAME", "MLflow", "PythonModel", "load_model", "log_model", "save_model"]

FLAVOR_NAME = "cygrad"
DATA = "data"  # the folder of the model inside MLflow's
METRICS_PER_REQUEST, PARAMS_PER_REQUEST = 1000, 100  # MLflow's limits
MAX_PARAM_LENGTH = 6000
STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


class MLflow(Tracker):
    """Logs a training to MLflow: settings as parameters, the values of epochs and steps as metrics, files, and the
    model.

    Metrics of steps are named ``batch/…``. A thread sends everything. If the server cannot be reached, training
    continues after one ``TrackerWarning``, and unsent rows stay in the file that it names; ``replay`` sends them later.
    A resumed training continues its run, whose id is stored in checkpoints, and repeated steps are logged once. Tags
    name the user, the program and the commit of its Git repository. The status of the run is FINISHED, KILLED (after
    Ctrl-C) or FAILED (after an error).

    Args:
        experiment: name of the experiment. Default: ``MLFLOW_EXPERIMENT_NAME``, or "Default".
        run_name: name of the run. Default: chosen by MLflow.
        every: log the loss, gradient norm and learning rate of each `every`-th step; None logs epochs only.
        params: parameters to log in addition to the settings of the training.
        tags: further tags of the run.
        artifacts: files and folders to log at the end, if they exist.
        model: log the model with its signature at the end.
        tracking_uri: a server, or a database such as ``sqlite:///mlflow.db``. Default: MLflow's own setting.
        run_id: a run to continue. Default: a new run.
        seconds: time between two deliveries.
        patience: seconds to wait for the server at the end.

    Raises:
        ImportError: the package ``mlflow``, or ``safetensors`` for `model`, is not installed.
        ValueError: `every` is below 1.

    https://mlflow.org/docs/latest/ml/tracking
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
        require_package("MLflow", "mlflow")
        if model:
            require_package("MLflow", "safetensors")
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
        self._last_steps: dict[str, int] = {}  # of each metric, in a run that is continued

    # The training

    def begin(self, trainer: TrainerLike) -> None:
        self._warned = False
        self._last_steps = {}
        if self.model:
            describe(trainer.model)  # raises now if the model cannot be saved
        self._sender = Sender(self._send, unsent_path("mlflow"), self.seconds)
        self._first = FirstInputs(trainer.model) if self.model else None
        self._put(self._sender, "begin", time=time.time(), tags={**source_tags(), **self.tags})
        self._put(self._sender, "params", values={**settings_of(trainer), **layers_of(trainer.model), **self.params})

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
        """Queues a row, with the id of its run once there is one."""
        sender.put({"kind": kind, "run_id": self.run_id, **values})

    def _warn(self, sender: Sender) -> None:
        if sender.problem is not None and not self._warned:
            self._warned = True
            warnings.warn(
                f"MLflow: cannot send to {self._uri()} ({sender.problem}); training continues, unsent rows are saved "
                f"in {sender.path}, and MLflow(…).replay(path) sends them later",
                TrackerWarning,
                stacklevel=5,
            )

    def state_dict(self) -> dict[str, Any]:
        """Returns the id of the run."""
        return {"run_id": self.run_id}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues the run of a checkpoint."""
        self.run_id = state["run_id"] or self.run_id

    # The server

    def replay(self, path: str | os.PathLike[str]) -> str:
        """Sends the rows of a file that a training left.

        Args:
            path: the file named by the ``TrackerWarning``; it is not removed.

        Returns:
            The id of the run: that of the training, if the server already had it.

        Raises:
            mlflow.exceptions.MlflowException, ConnectionError: sending failed.
        """
        rows = read_jsonl(path)
        self.run_id = self.run_id or next((row["run_id"] for row in rows if row.get("run_id")), None)
        for first in range(0, len(rows), METRICS_PER_REQUEST):
            self._send(rows[first : first + METRICS_PER_REQUEST])
        return self.run_id or ""

    def _uri(self) -> str:
        return str(self.tracking_uri or require_package("MLflow", "mlflow").get_tracking_uri())

    def _send(self, rows: list[dict[str, Any]]) -> None:
        require_server(self._uri())
        client = require_package("MLflow", "mlflow").MlflowClient(self._uri())
        begin: dict[str, Any] = next((row for row in rows if row["kind"] == "begin"), {})
        started = begin.get("time")
        if self.run_id is None:
            tags = begin.get("tags", self.tags)
            self.run_id = self._new_run(client, time.time() if started is None else started, tags)
        elif started is not None:
            client.update_run(self.run_id, "RUNNING")
            self._last_steps = last_steps(client, self.run_id)
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

    def _new_run(self, client: Any, started: float, tags: Mapping[str, str]) -> str:
        name = self.experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
        experiment = client.get_experiment_by_name(name)
        experiment_id = client.create_experiment(name) if experiment is None else experiment.experiment_id
        run = client.create_run(experiment_id, milliseconds(started), tags, self.run_name)
        return str(run.info.run_id)

    def _send_metrics(self, client: Any, rows: list[dict[str, Any]]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(name, float(value), milliseconds(row["time"]), row["step"])
            for row in rows
            if row["kind"] == "metrics"
            for name, value in row["values"].items()
            if row["step"] > self._last_steps.get(name, -1)
        ]
        for first in range(0, len(metrics), METRICS_PER_REQUEST):
            client.log_batch(self.run_id, metrics=metrics[first : first + METRICS_PER_REQUEST])

    def _send_params(self, client: Any, values: dict[str, Any]) -> None:
        """Logs new parameters; MLflow does not allow existing ones to change."""
        from mlflow.entities import Param

        existing = client.get_run(self.run_id).data.params
        params = [Param(name, str(value)[:MAX_PARAM_LENGTH]) for name, value in values.items() if name not in existing]
        for first in range(0, len(params), PARAMS_PER_REQUEST):
            client.log_batch(self.run_id, params=params[first : first + PARAMS_PER_REQUEST])

    def _send_model(self, folder: str) -> None:
        from mlflow.models import Model

        mlflow = require_package("MLflow", "mlflow")
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(self._uri())
        try:
            with mlflow.start_run(run_id=self.run_id, nested=True):
                log_model(load_model(folder), "model", signature=Model.load(folder).signature)
        finally:
            mlflow.set_tracking_uri(before)


def source_tags() -> dict[str, str]:
    """The tags with which MLflow says who trains, with which program, and at which commit of its repository, as far as
    that is known."""
    from mlflow.tracking.context.registry import resolve_tags

    tags: dict[str, str] = resolve_tags()
    return tags


def last_steps(client: Any, run_id: str) -> dict[str, int]:
    """The last step of each metric in a run."""
    names = client.get_run(run_id).data.metrics
    return {name: max(metric.step for metric in client.get_metric_history(run_id, name)) for name in names}


def milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def signature_of(model: Module, first: FirstInputs) -> Any:
    """The signature of a model with one input, inferred from its first inputs; None if there were none or several."""
    from mlflow.models import infer_signature

    if len(first.tensors) != 1:
        return None
    rows = first.tensors[0].array[:2]
    return infer_signature(rows, predict(model, rows))


# The flavor


def save_model(
    model: Module,
    path: str | os.PathLike[str],
    mlflow_model: Any = None,
    signature: Any = None,
    input_example: Any = None,
    pip_requirements: list[str] | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Saves a model as an MLflow model.

    Args:
        model: a model that consists of modules of ``cygrad.nn``.
        path: a new or empty folder.
        mlflow_model: an ``mlflow.models.Model`` to add to. Default: a new one.
        signature: the signature. Default: inferred from `input_example`, else none.
        input_example: some rows, as an array or a DataFrame.
        pip_requirements: requirements of the model. Default: cygrad and its dependencies in their installed versions.
        metadata: further entries of the file ``MLmodel``.

    Raises:
        ImportError: ``mlflow`` or ``safetensors`` is not installed.
        TypeError: the model cannot be described, see ``cygrad.train.save_model``.
        ValueError: the folder is not empty.
    """
    mlflow = require_package("save_model", "mlflow")
    from mlflow.models import Model, infer_signature

    folder = os.path.abspath(path)
    if os.path.exists(folder) and os.listdir(folder):
        raise ValueError(f"save_model: {folder} already exists and is not empty")
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
    """Writes the files from which pip, virtualenv and conda create an environment for the model. JSON is also YAML."""
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
    """The packages that a model needs, in their installed versions."""
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
    """Logs a model to a run.

    Args:
        model: a model that consists of modules of ``cygrad.nn``.
        name: name of the logged model.
        signature: the signature. Default: inferred from `input_example`, else none.
        input_example: some rows, as an array or a DataFrame.
        registered_model_name: name in the model registry. Default: not registered.
        run_id: the run. Default: the active run.
        options: further arguments of ``mlflow.models.Model.log`` and ``save_model``.

    Returns:
        MLflow's ``ModelInfo``. Its ``model_uri`` can be passed to ``load_model``, ``mlflow.pyfunc.load_model`` and
        ``mlflow models serve``.

    Raises:
        ImportError: ``mlflow`` or ``safetensors`` is not installed.
        TypeError: the model cannot be described, see ``cygrad.train.save_model``.
    """
    require_package("log_model", "mlflow")
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
    """Loads a model that ``log_model`` or ``save_model`` wrote.

    Args:
        model_uri: a folder, or an address such as ``runs:/RUN/model`` or ``models:/NAME/1``.

    Returns:
        The model in evaluation mode.

    Raises:
        ImportError: ``mlflow`` or ``safetensors`` is not installed.
        ValueError: the model is corrupt or has another flavor.
    """
    require_package("load_model", "mlflow")
    from mlflow.artifacts import download_artifacts
    from mlflow.models import Model

    uri = os.fspath(model_uri)
    folder = uri if os.path.isdir(uri) else download_artifacts(artifact_uri=uri)
    flavors = Model.load(folder).flavors
    if FLAVOR_NAME not in flavors:
        raise ValueError(f"load_model: {uri} has the flavors {', '.join(flavors)}, expected {FLAVOR_NAME}")
    return saved_model.load_model(os.path.join(folder, DATA))


class PythonModel:
    """The model that pyfunc calls."""

    def __init__(self, model: Module) -> None:
        self.model = model
        self.dtype = dtype_of(model)

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Array:
        """Predicts rows.

        Args:
            model_input: a DataFrame, an array, a list, or a dict with one of them.
            params: ignored.

        Returns:
            The model's outputs, one per row.

        Raises:
            ValueError: several inputs, values that are not numbers, NaN or infinity.
        """
        if isinstance(model_input, Mapping):
            if len(model_input) != 1:
                raise ValueError(f"predict: the model has one input, got {len(model_input)}")
            model_input = next(iter(model_input.values()))
        rows = np.asarray(model_input)
        if rows.dtype.kind not in "fiub":
            raise ValueError(f"predict: expected numbers, got {rows.dtype}")
        if not np.isfinite(rows).all():
            raise ValueError("predict: NaN or infinity in the input")
        return predict(self.model, rows.astype(self.dtype))


def dtype_of(model: Module) -> Any:
    """The dtype of a model's input: int64 if its first layer is an embedding, else that of its parameters."""
    inner = [module for module in model.modules() if not list(module.children())]
    if inner and isinstance(inner[0], Embedding):
        return np.int64
    kinds = [p.array.dtype for p in model.parameters() if p.array.dtype.kind == "f"]
    return kinds[0] if kinds else np.float32


def _load_pyfunc(path: str) -> PythonModel:
    """Called by pyfunc with the folder of the data."""
    return PythonModel(saved_model.load_model(path))
