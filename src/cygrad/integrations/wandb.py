"""Weights & Biases: a callback. The package: ``pip install 'cygrad[wandb]'``."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import warnings
from collections.abc import Mapping
from typing import Any

from cygrad.integrations.packages import demand_answer, required
from cygrad.integrations.sender import Sender, unsent_path
from cygrad.integrations.tracker import Row, Tracker, TrackerWarning, outcome, sentence, settings_of
from cygrad.nn.description import describe
from cygrad.train.protocols import TrainerLike
from cygrad.train.saved_model import save_model

__all__ = ["WandB"]

MODES = ("online", "offline", "shared", "disabled")
EXIT_CODE = {"finished": 0, "interrupted": 255, "failed": 1}  # W&B calls 255 crashed, as after Ctrl-C


class WandB(Tracker):
    """Logs a training to Weights & Biases: its settings and `config` as the configuration; the records of the epochs,
    over ``epoch``, and the numbers of each `every`-th step under ``batch/``, over ``step``; and with `model` at the
    end the model as an artifact, see ``cygrad.train.save_model``. A run that is active already is used, and not ended.

    `mode` is "online", "offline", "shared" or "disabled", W&B's own setting unless given; `options` are others of
    ``wandb.init``. A run that is offline is in a folder below `folder`, and ``wandb sync`` sends it later; so is one
    whose server is away, after one ``TrackerWarning`` that names it. At the end the callback waits at most `patience`
    seconds for the server. The run is a new one, or that of `run_id`, which checkpoints hold, so that a training that
    is resumed goes on in its run. Where Ctrl-C or an error ended it, W&B is told by the exit code.

    A thread hands the rows to W&B every `seconds`, since each takes it up to a millisecond.

    Raises ImportError without the package, ValueError for another mode.
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
        required("WandB", "wandb")
        if model:
            required("WandB", "safetensors")
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
        self._own = True
        self._sender: Sender | None = None

    def place(self) -> str:
        return "the run" if self.run is None else str(self.run.dir)

    def begin(self, trainer: TrainerLike) -> None:
        if self.model:
            describe(trainer.model)  # where it can't be, that is said now
        wandb = required("WandB", "wandb")
        config = {**settings_of(trainer), **self.config}
        self._own = wandb.run is None
        self.run = self._new_run(wandb, config) if self._own else wandb.run
        self.run_id = self.run.id
        if not self._own:
            self.run.config.update(config, allow_val_change=True)
        self.run.define_metric("step", hidden=True)
        self.run.define_metric("epoch", hidden=True)
        self.run.define_metric("batch/*", step_metric="step", step_sync=False)
        self.run.define_metric("*", step_metric="epoch", step_sync=False)
        self.run.log({})  # the first call imports what W&B needs, which is better done now than in a step
        self._sender = Sender(self._log, unsent_path("wandb"), self.seconds)

    def _new_run(self, wandb: Any, config: dict[str, Any]) -> Any:
        """A run; where the server can't be reached one that is offline."""
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
            demand_answer(settings.base_url)
            return wandb.init(mode=mode, **options)
        except (wandb.errors.Error, OSError) as error:
            run = wandb.init(mode="offline", **options)
            self._warn(f"the run can't go online ({sentence(error)})", run)
            return run

    def _warn(self, problem: str, run: Any) -> None:
        folder = os.path.dirname(run.dir)
        warnings.warn(
            f"WandB: {problem}; the training goes on, and everything is kept in {folder}, which wandb sync sends later",
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
                artifact = required("WandB", "wandb").Artifact(f"model-{run.id}", type="model")
                artifact.add_dir(folder)
                run.log_artifact(artifact)
        finally:
            if self._own:
                self._finish(run, EXIT_CODE[outcome(trainer)])
            shutil.rmtree(folder, ignore_errors=True)

    def _finish(self, run: Any, exit_code: int = 0) -> None:
        """Ends the run, in a thread, since W&B waits for a server that is away."""
        thread = threading.Thread(target=run.finish, args=(exit_code,), name="cygrad-wandb-finish", daemon=True)
        thread.start()
        thread.join(self.patience)
        if thread.is_alive():
            self._warn(f"the server took more than {self.patience:g} seconds", run)

    def state_dict(self) -> dict[str, Any]:
        """The run's id."""
        return {"run_id": self.run_id}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on in that run."""
        self.run_id = state["run_id"] or self.run_id
