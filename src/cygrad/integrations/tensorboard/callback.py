"""The callback."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Sequence
from typing import Any

from cygrad.integrations.tensorboard.reading import last_step
from cygrad.integrations.tensorboard.summary import histogram, scalar
from cygrad.integrations.tensorboard.writer import SummaryWriter
from cygrad.integrations.tracker import (
    FirstInputs,
    Row,
    Tracker,
    TrackerWarning,
    check_every,
    layers_of,
    outcome,
    settings_of,
    short_message,
)
from cygrad.train.protocols import TrainerLike

__all__ = ["TensorBoard"]

BUCKETS = 30  # the number that TensorBoard draws


class TensorBoard(Tracker):
    """Writes a training to TensorBoard: scalars, histograms, the graph of the model, and hyperparameters.

    Scalars are the records of epochs (``epoch/loss`` over the epochs) and the values of steps (``batch/loss`` over the
    steps); the tab "Custom Scalars" draws those of training and validation in one chart. At the end the settings of the
    training and its last record become a row in the table of hyperparameters. If a file cannot be written, training
    continues after a ``TrackerWarning``.

    Args:
        log_dir: the folder to write to. Default: a new folder in ``runs``.
        every: write the loss, gradient norm and learning rate of each `every`-th step; None writes epochs only.
        histograms: write histograms of the weights after each `histograms`-th epoch; None writes none.
        gradients: also write histograms of the last gradients.
        graph: write the graph of the model.
        hparams: hyperparameters to write in addition to the settings of the training.

    Raises:
        ValueError: `every` or `histograms` is below 1.

    Example:
        >>> import tempfile
        >>> from cygrad.integrations.tensorboard import TensorBoard
        >>> model = cg.nn.Linear(2, 1)
        >>> trainer = cg.train.Trainer(
        ...     model, cg.nn.functional.mse_loss, cg.optim.SGD(model.parameters(), lr=0.1), progress=False,
        ...     callbacks=[TensorBoard(tempfile.mkdtemp(), gradients=True)],
        ... )
        >>> _ = trainer.fit([(cg.ones(4, 2), cg.ones(4, 1))], epochs=2)
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        every: int | None = 50,
        *,
        histograms: int | None = 1,
        gradients: bool = False,
        graph: bool = True,
        hparams: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(every)
        self.log_dir = log_dir
        self.histograms = check_every("TensorBoard", histograms)
        self.gradients = gradients
        self.graph = graph
        self.hparams = hparams or {}
        self.writer: SummaryWriter | None = None
        self._first: FirstInputs | None = None
        self._last_epoch = 0  # in the files of a resumed training
        self._has_charts = False

    def destination(self) -> str:
        return os.fspath(self.writer.log_dir if self.writer is not None else self.log_dir or "runs")

    def begin(self, trainer: TrainerLike) -> None:
        purge_step = trainer.step + 1 if trainer.step else None
        # Purging removes rows from this step on. Epochs have smaller numbers than steps, so that most of them remain
        # and must not be written again.
        self._last_epoch = min(last_step(self.log_dir, "epoch/"), trainer.step) if purge_step and self.log_dir else 0
        self.writer = SummaryWriter(self.log_dir, purge_step=purge_step)
        self._has_charts = False
        self._first = FirstInputs(trainer.model) if self.graph else None

    def take(self, row: Row, trainer: TrainerLike) -> None:
        writer = self.writer
        if writer is None or (row.kind == "epoch" and row.epoch <= self._last_epoch):
            return
        at = row.step if row.kind == "batch" else row.epoch
        scalars = [scalar(f"{row.kind}/{name}", value) for name, value in row.values.items() if name != "epoch"]
        writer.add_values(scalars, at, row.time)
        if row.kind == "epoch":
            if not self._has_charts:
                self._has_charts = True
                writer.add_custom_scalars({"epochs": charts_of(list(row.values))})
            self._add_histograms(writer, trainer)
            self._add_graph(writer, trainer)

    def _add_histograms(self, writer: SummaryWriter, trainer: TrainerLike) -> None:
        if self.histograms is None or trainer.epoch % self.histograms:
            return
        arrays = {f"weights/{name}": p.array for name, p in trainer.model.named_parameters()}
        if self.gradients:
            parameters = trainer.model.named_parameters()
            arrays |= {f"gradients/{name}": p.grad.array for name, p in parameters if p.grad is not None}
        histograms = []
        for tag, array in arrays.items():
            with contextlib.suppress(ValueError):  # no finite value
                histograms.append(histogram(tag, array, BUCKETS))
        writer.add_values(histograms, trainer.epoch)

    def _add_graph(self, writer: SummaryWriter, trainer: TrainerLike) -> None:
        if self._first is None or not self._first.tensors:
            return
        first, self._first = self._first, None
        try:
            writer.add_graph(trainer.model, first.tensors)
        except OSError:
            raise
        except Exception as error:  # copying or calling the user's model may raise anything
            message = f"TensorBoard: cannot draw the graph of the model ({short_message(error)}); training continues"
            warnings.warn(message, TrackerWarning, stacklevel=6)

    def end(self, trainer: TrainerLike) -> None:
        if self._first is not None:
            self._first.remove()
        if self.writer is None:
            return
        results = [f"epoch/{name}" for name in trainer.history.names() if name != "epoch"]
        try:
            if results:
                hparams = {**settings_of(trainer), **layers_of(trainer.model), **self.hparams}
                self.writer.add_session(hparams, results, success=outcome(trainer) == "finished")
        finally:
            self.writer.close()
            self.writer = None

    def release(self) -> None:
        if self._first is not None:
            self._first.remove()
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.discard()


def charts_of(names: Sequence[str]) -> dict[str, tuple[str, list[str]]]:
    """The charts of epochs: each metric of the validation, with that of the training if there is one."""
    pairs = {name.removeprefix("val_"): name for name in names if name.startswith("val_")}
    return {
        of_training: (
            "Multiline",
            [f"epoch/{re.escape(name)}$" for name in (of_training, of_validation) if name in names],
        )
        for of_training, of_validation in pairs.items()
    }
