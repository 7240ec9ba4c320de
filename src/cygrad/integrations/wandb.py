"""Weights & Biases: a callback. The package: ``pip install 'cygrad[wandb]'``."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import warnings
from collections.abc import Mapping
from typing import Any

from cygrad.integrations.packages import require_package, require_server
from cygrad.integrations.sender import Sender, unsent_path
from cygrad.integrations.tracker import Row, Tracker, TrackerWarning, outcome, settings_of, short_message
from cygrad.nn.description import describe
from cygrad.train.protocols import TrainerLike
from cygrad.train.saved_model import save_model

__all__ = ["WandB"]

MODES = ("online", "offline", "shared", "disabled")
EXIT_CODE = {"finished": 0, "interrupted": 255, "failed": 1}  # W&B shows 255, the code after Ctrl-C, as "crashed"


class WandB(Tracker):
    """Logs a training to Weights & Biases: settings, the record of each epoch, the values of steps, and the model.

    Epochs are plotted over ``epoch``, steps under ``batch/`` over ``step``. A run that is already active is used and
    not finished. If the server cannot be reached, the run goes offline after one ``TrackerWarning``, and ``wandb sync``
    sends it later. A resumed training continues its run, whose id is stored in checkpoints. The exit code of the run
    tells whether training finished, was interrupted by Ctrl-C, or failed.

    Args:
        project: name of the project.
        name: name of the run.
        every: log the loss, gradient norm and learning rate of each `every`-th step; None logs epochs only.
        config: configuration to log in addition to the settings of the training.
        model: log the model as an artifact at the end, see ``cygrad.train.save_model``.
        mode: "online", "offline", "shared" or "disabled". Default: W&B's own setting.
        folder: parent of the run's folder. Default: the working directory.
        run_id: a run to continue. Default: a new run.
        seconds: time between two deliveries to W&B by a thread; each row takes W&B up to a millisecond.
        patience: seconds to wait for the server at the start and at the end.
        options: further arguments of ``wandb.init``.

    Raises:
        ImportError: the package ``wandb``, or ``safetensors`` for `model`, is not installed.
        ValueError: an unknown mode, or `every` is below 1.

    https://docs.wandb.ai
    """

    def __init__(
        self,
        project: str | None = None,
        name: str | None = None,
        every: int | None = 100,
        *,
        config: Mapping[str, Any] | None = None,
        model: bool = True,
        mode: str | None = None,
        folder: str | os.PathLike[str] | None = None,
        run_id: str | None = None,
        seconds: float = 5.0,
        patience: float = 60.0,
        **options: Any,
    ) -> None:
        super().__init__(every)
        if mode is not None and mode not in MODES:
            raise ValueError(f"WandB: mode must be one of {', '.join(MODES)}, got {mode!r}")
        require_package("WandB", "wandb")
        if model:
            require_package("WandB", "safetensors")
        self.project = project
        self.name = name
        self.config = dict(config or {})
        self.model = model
        self.mode = mode
        self.folder = folder
        self.run_id = run_id
        self.seconds = seconds
        self.patience = patience
        self.options = options
        self.run: Any = None
        self._owns_run = True
        self._sender: Sender | None = None

    def destination(self) -> str:
        return "the run" if self.run is None else str(self.run.dir)

    def begin(self, trainer: TrainerLike) -> None:
        if self.model:
            describe(trainer.model)  # raises now if the model cannot be saved
        wandb = require_package("WandB", "wandb")
        config = {**settings_of(trainer), **self.config}
        self._owns_run = wandb.run is None
        self.run = self._new_run(wandb, config) if self._owns_run else wandb.run
        self.run_id = self.run.id
        if not self._owns_run:
            self.run.config.update(config, allow_val_change=True)
        self.run.define_metric("step", hidden=True)
        self.run.define_metric("epoch", hidden=True)
        self.run.define_metric("batch/*", step_metric="step", step_sync=False)
        self.run.define_metric("*", step_metric="epoch", step_sync=False)
        self.run.log({})  # the first call imports modules, which should not delay a step
        self._sender = Sender(self._log, unsent_path("wandb"), self.seconds)

    def _new_run(self, wandb: Any, config: dict[str, Any]) -> Any:
        """A new run, offline if the server cannot be reached."""
        options = {
            "project": self.project,
            "name": self.name,
            "config": config,
            "dir": None if self.folder is None else os.fspath(self.folder),
            "id": self.run_id,
            "resume": None if self.run_id is None else "allow",
            "settings": wandb.Settings(init_timeout=self.patience),
            **self.options,
        }
        settings = wandb.setup().settings
        mode = self.mode or os.environ.get("WANDB_MODE") or settings.mode
        if mode != "online":
            return wandb.init(mode=mode, **options)
        try:
            require_server(settings.base_url)
            return wandb.init(mode=mode, **options)
        except (wandb.errors.Error, OSError) as error:
            run = wandb.init(mode="offline", **options)
            self._warn(f"the run cannot go online ({short_message(error)})", run)
            return run

    def _warn(self, problem: str, run: Any) -> None:
        folder = os.path.dirname(run.dir)
        warnings.warn(
            f"WandB: {problem}; training continues, the run is saved in {folder}, and wandb sync sends it later",
            TrackerWarning,
            stacklevel=6,
        )

    def take(self, row: Row, trainer: TrainerLike) -> None:
        if self._sender is None:
            return
        if row.kind == "batch":
            self._sender.put({"step": row.step, **{f"batch/{name}": value for name, value in row.values.items()}})
        else:
            self._sender.put(row.values)

    def _log(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self.run.log(row)

    def end(self, trainer: TrainerLike) -> None:
        sender, self._sender = self._sender, None
        if sender is not None and not sender.close(self.patience):
            self._warn(f"rows could not be logged ({sender.problem}) and are in {sender.path}", self.run)
        run, self.run = self.run, None
        folder = tempfile.mkdtemp(prefix="cygrad-model-")
        try:
            if self.model:
                save_model(folder, trainer.model)
                artifact = require_package("WandB", "wandb").Artifact(f"model-{run.id}", type="model")
                artifact.add_dir(folder)
                run.log_artifact(artifact)
        finally:
            if self._owns_run:
                self._finish(run, EXIT_CODE[outcome(trainer)])
            shutil.rmtree(folder, ignore_errors=True)

    def _finish(self, run: Any, exit_code: int = 0) -> None:
        """Finishes the run in a thread, because W&B waits for a server that cannot be reached."""
        thread = threading.Thread(target=run.finish, args=(exit_code,), name="cygrad-wandb-finish", daemon=True)
        thread.start()
        thread.join(self.patience)
        if thread.is_alive():
            self._warn(f"the server took more than {self.patience:g} seconds", run)

    def state_dict(self) -> dict[str, Any]:
        """Returns the id of the run."""
        return {"run_id": self.run_id}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues the run of a checkpoint."""
        self.run_id = state["run_id"] or self.run_id
