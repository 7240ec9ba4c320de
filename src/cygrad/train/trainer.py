"""Trainer: the training loop."""

from __future__ import annotations

import copy
import math
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import partial
from itertools import islice
from typing import Any

from cygrad import _kernels as kernels
from cygrad._files import one_line, remove_leftovers
from cygrad._typing import Array
from cygrad._version import __version__
from cygrad.data import leakage
from cygrad.nn.module import Module
from cygrad.optim.lr_scheduler import LRScheduler, OneCycleLR, ReduceLROnPlateau
from cygrad.optim.optimizer import Optimizer
from cygrad.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from cygrad.random import manual_seed
from cygrad.tensor import Tensor
from cygrad.train.callbacks import Callback, call_all, listens
from cygrad.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from cygrad.train.checks import check_options, check_parts, set_direction
from cygrad.train.clipping import Clip, kind_and_bound
from cygrad.train.early_stopping import EarlyStopping
from cygrad.train.evaluation import (
    Batches,
    Loss,
    NonFiniteError,
    demand_batches,
    demand_finite,
    evaluate,
    pair_of,
    predict,
    samples_of,
)
from cygrad.train.history import History, Record
from cygrad.train.metrics import Function, Metric, named_metrics
from cygrad.train.option_changes import ResumeWarning, describe_changes, options_of
from cygrad.train.progress import Progress
from cygrad.train.random_state import RandomState, check_random_state
from cygrad.train.ranks import Ranks, SharedStep, checksum, joined
from cygrad.train.running import MEASURED, Epoch
from cygrad.train.step import RecordedStep
from cygrad.train.swa import SWA

__all__ = ["Trainer"]

Path = str | os.PathLike[str]
UNCLIPPED = (None, math.inf)


class Trainer:
    """The training loop: minimizes ``loss(model(inputs), targets)`` over batches of inputs and targets.

    Args:
        model: to train.
        loss: function of outputs and targets that returns a scalar.
        optimizer: of the model's parameters.
        scheduler: of the learning rate.
        scheduler_interval: when the scheduler steps, after every ``"epoch"`` or every ``"step"``; by default "step" for
            ``OneCycleLR``, else "epoch". ``ReduceLROnPlateau`` receives `monitor`.
        metrics: names (accuracy, balanced_accuracy, f1, roc_auc, mae, r2), ``Metric`` objects, or functions of all
            outputs and targets.
        monitor: name of the value that early stopping and ``ReduceLROnPlateau`` watch; by default ``"val_loss"``, or
            ``"loss"`` without a validation set.
        clip: bound of the gradient: a number bounds the total norm; or ``("norm", 1.0)``, ``("value", 0.5)``,
            ``("adaptive", 0.01)``.
        accumulate: number of batches per update. It equals the update of one batch of all their samples if the loss is
            a mean over samples.
        ema: decay of an exponential moving average of the weights, ``averaged``, updated in every step. Validation and
            early stopping use the average, and the model has it at the end.
        swa: an ``SWA``; at the end the model has the mean of the weights, with new batch norm statistics.
        early_stopping: for this model. Its best state is restored at the end, however the training ended.
        callbacks: see ``Callback``.
        checkpoint: a ``Checkpoint``, or the path of one; see ``resume``.
        seed: of all random numbers, set at the start of ``fit``.
        progress: whether to print a line per epoch, and on terminals show a bar.
        validation_loss: to report for the validation set instead of `loss`, for example without label smoothing.
        compile: whether to record steps (``cg.compile``), with the same bits. None, the default: if model, loss and
            optimizer are classes of this library, without hooks. True: always; Python code of your own then runs
            only while recording, its calls of the library are repeated, and if it reads numbers from tensors a warning
            says that steps run eagerly. A callback that keeps a gradient must copy it.
        deterministic_shards: number of logical shards into which each batch is cut, so that all bits are the same at
            any number of ranks; None, the default, for one shard of each rank. See docs/scale.md.

    Raises:
        TypeError: if a part has the wrong type.
        ValueError: if an option is out of range or two contradict each other.

    Example:
        >>> _ = cg.manual_seed(0)
        >>> x = cg.randn(64, 2)
        >>> data = cg.data.TensorDataset(x, (x.array[:, 0] > 0).astype(int))
        >>> model = cg.train.mlp((2, 8, 2))
        >>> optimizer = cg.optim.AdamW(model.parameters(), lr=0.05)
        >>> trainer = cg.train.Trainer(
        ...     model, cg.nn.functional.cross_entropy, optimizer, metrics=["accuracy"], clip=1.0, progress=False
        ... )
        >>> history = trainer.fit(cg.data.DataLoader(data, batch_size=16, shuffle=True), epochs=10)
        >>> len(history), history["loss"][-1] < history["loss"][0], history["accuracy"][-1] > 0.9
        (10, True, True)
    """

    def __init__(
        self,
        model: Module,
        loss: Loss,
        optimizer: Optimizer,
        *,
        scheduler: LRScheduler | None = None,
        scheduler_interval: str | None = None,
        metrics: Iterable[str | Metric | Function] = (),
        monitor: str | None = None,
        clip: Clip | None = None,
        accumulate: int = 1,
        ema: float | None = None,
        swa: SWA | None = None,
        early_stopping: EarlyStopping | None = None,
        callbacks: Iterable[Callback] = (),
        checkpoint: Checkpoint | Path | None = None,
        seed: int | None = None,
        progress: bool = True,
        validation_loss: Loss | None = None,
        compile: bool | None = None,
        deterministic_shards: int | None = None,
    ) -> None:
        check_parts(model, loss, optimizer, early_stopping, callbacks)
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.scheduler_interval = scheduler_interval or ("step" if isinstance(scheduler, OneCycleLR) else "epoch")
        self.metrics = named_metrics(metrics)
        self.monitor = monitor
        self.clip = kind_and_bound(clip)
        self.accumulate = accumulate
        self.ema = ema
        self.swa = swa
        self.early_stopping = early_stopping
        self.callbacks = [*callbacks, *([Progress()] if progress else [])]
        self.checkpoint = Checkpoint(checkpoint) if isinstance(checkpoint, (str, os.PathLike)) else checkpoint
        self.seed = seed
        self.validation_loss = validation_loss
        self.compile = compile
        self.deterministic_shards = deterministic_shards
        self.ranks = Ranks(None)
        self._shared_step: SharedStep | None = None
        check_options(self)
        self._options = options_of(self)
        self._started_with = self._options  # a checkpoint may hold others
        self._ran_at: str | None = None  # the CPU level of the training that is resumed
        self.swa_scheduler = None if swa is None else swa.scheduler(optimizer)
        self.averaged: AveragedModel | None = None
        self.history = History()
        self.epoch = self.epochs = self.step = 0
        self.steps_per_epoch: int | None = None
        self._stop = self._compared = False  # _compared: whether all ranks have the same data
        self._recorded_step = RecordedStep(model, loss, optimizer, compile)
        self._gradients_observed = False  # by a callback's on_backward_end
        self._checkpointed = -math.inf  # time of the last checkpoint
        self._running = Epoch(self.metrics)
        self._random = RandomState([])
        self._resumed: dict[str, Any] | None = None  # random state of the checkpoint, until ``fit`` knows the loaders

    @property
    def step_of_epoch(self) -> int:
        """Updates in the current epoch."""
        return self._running.steps

    def stop(self) -> None:
        """Stop after the current epoch."""
        self._stop = True

    # Training

    def fit(
        self,
        train: Batches,
        valid: Batches | None = None,
        epochs: int = 1,
        *,
        resume: bool | Path = False,
        check_leakage: bool = True,
    ) -> History:
        """Train until `epochs` epochs are complete, or early stopping or a callback stops.

        Ctrl-C ends the training without an exception and sets ``history.interrupted``.

        Args:
            train: batches of the training set.
            valid: batches of the validation set.
            epochs: total number of epochs, those before a resumption included.
            resume: path of a checkpoint to continue from, or True for the trainer's own if it exists. Otherwise, unless
                ``resume`` was called, a new history starts with the model, optimizer and scheduler as they are.
            check_leakage: whether to give a ``LeakageWarning`` for rows of the validation set that, with their targets,
                are in the training set too, if both are in memory; see ``cygrad.data.repeated_rows``. It takes about a
                hundredth of an epoch, once.

        Returns:
            The history.

        Raises:
            NonFiniteError: a ValueError, if the data, a loss or a gradient is not finite, before any weight changes.
                The message names epoch and batch, from 1.
            TypeError: if the data is not in batches.
            ValueError: if the validation set is empty, `monitor` names nothing that is measured, or early stopping or
                ``ReduceLROnPlateau`` would take its worst value for the best.
        """
        if not isinstance(epochs, int) or epochs < 0:
            raise ValueError(f"fit: epochs must be an integer of at least 0, got {epochs!r}")
        for part in (train, valid):
            demand_batches(part, "fit")
        self.ranks = joined()
        if isinstance(valid, Sized) and not len(valid):
            raise ValueError("fit: the validation set is empty")
        if self.swa is not None and self.swa.start > epochs:
            raise ValueError(f"fit: swa starts in epoch {self.swa.start}, but there are only {epochs} epochs")
        set_direction(self, self._monitored(valid))
        if check_leakage and valid is not None and self.ranks.is_main:
            warn_of_leakage(train, valid)
        if resume is True:
            if self.checkpoint is None:
                raise ValueError("fit: resume=True needs a trainer with a checkpoint")
            if self.ranks.of_main(partial(has_checkpoint, self.checkpoint.path)):
                self.resume(self.checkpoint.path)
        elif resume is not False:
            self.resume(resume)
        self._start(train, valid, epochs)
        try:
            self._notify("on_fit_begin")
            while len(self.history) < epochs and not self.history.stopped:
                self._train_epoch(train, valid)
            self._average_epochs(train)
        except KeyboardInterrupt:
            if self.ranks.size > 1:
                raise  # ends all ranks
            self.history.interrupted = True
        finally:
            self._recorded_step = RecordedStep(self.model, self.loss, self.optimizer, self.compile)  # frees its memory
            self._keep_best()
            self._notify("on_fit_end")
        return self.history

    def _start(self, train: Batches, valid: Batches | None, epochs: int) -> None:
        """Set the state to that of a new training, or of the checkpoint."""
        self._random = RandomState([train, valid])
        self.epochs = epochs
        self.steps_per_epoch = -(-len(train) // self.accumulate) if isinstance(train, Sized) else None
        self._stop = self._compared = False
        if self._resumed is None:
            if self.seed is not None:
                manual_seed(self.seed)
            self.history = History()
            self.epoch = self.step = 0
            self._running = Epoch(self.metrics)
            self.averaged = self._new_average()
            self._started_with = {**self._options, "steps_per_epoch": self.steps_per_epoch}
        else:
            self._warn_of_changes()
            self._random.set(self._resumed)
            self._resumed = None
        if self.early_stopping is not None:
            self.early_stopping.module = self._evaluated()
        self._share(train)

    def _share(self, train: Batches) -> None:
        """Prepare for steps of several ranks, or of logical shards."""
        ranks, self._shared_step = self.ranks, None
        shared = ranks.shared_batch(self.model, self.deterministic_shards)
        if shared is None:
            return
        self._shared_step = SharedStep(self.model, self.loss, self.optimizer, shared)
        ranks.check_same("the number of batches", len(train) if isinstance(train, Sized) else None)
        ranks.check_same("the state of the training", (self.epoch, self.step, len(self.history)))
        ranks.copy_model(self.model)
        self._random.set(ranks.of_main(self._random.get))

    def _warn_of_changes(self) -> None:
        """Warn if a resumed training was started with other options, or ran at another CPU level."""
        level = kernels.cpu_level()
        if self._ran_at not in (None, level):
            warnings.warn(
                f"fit: the resumed training ran at CPU level {self._ran_at}, this one runs at {level}: the result may "
                "differ in its bits from that of the original training; CYGRAD_ISA chooses the level",
                ResumeWarning,
                stacklevel=4,
            )
        changes = describe_changes(self._started_with, {**self._options, "steps_per_epoch": self.steps_per_epoch})
        if changes:
            warnings.warn(
                f"fit: the resumed training was started with other options: {changes}; the optimizer and the scheduler "
                "keep their saved state, and the result will not be that of the original training",
                ResumeWarning,
                stacklevel=4,
            )

    def _new_average(self) -> AveragedModel | None:
        if self.swa is not None:
            return AveragedModel(self.model)
        if self.ema is None:
            return None
        return AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(self.ema))

    def _evaluated(self) -> Module:
        """The model that validation and early stopping use."""
        return self.model if self.ema is None or self.averaged is None else self.averaged.module

    def _train_epoch(self, train: Batches, valid: Batches | None) -> None:
        """Train an epoch, or the rest of one, and validate."""
        self.epoch = len(self.history) + 1
        running = self._running
        running.started = time.perf_counter()
        self.model.train()
        self._recorded_step = self._recorded_step.refreshed(
            self.model, self.loss, self.optimizer, self.compile, self._shared_step
        )
        self._gradients_observed = any(listens(callback, "on_backward_end") for callback in self.callbacks)
        for group in self._groups(train):
            if not self._compared and self.ranks.size > 1:
                self.ranks.check_same("the checksum of the first batch", checksum(group))
                self._compared = True
            self._train_group(group)
        self.ranks.copy_buffers(self.model)
        if not running.steps:
            raise ValueError("fit: the loader has no batches")
        running.seconds = running.elapsed()
        record = running.record(self.epoch, {} if valid is None else self._validate(valid))
        self._end_epoch(record, self._monitored(valid))
        self._write_checkpoint()

    def _groups(self, train: Batches) -> Iterator[list[Any]]:
        """The batches of each update; in a resumed epoch, those after the checkpoint."""
        running = self._running
        if running.random is None:
            self._notify("on_epoch_begin")
            running.random = self._random.get()
            batches = iter(train)
        else:
            # The order is drawn again, and the batches before the checkpoint are skipped.
            now = self._random.get()
            self._notify("on_epoch_begin")
            self._random.set(running.random)
            batches = iter(train)
            skipped = sum(1 for _ in islice(batches, running.batches))
            if skipped < running.batches:
                raise ValueError(
                    f"resume: the checkpoint was written after batch {running.batches}, but the loader has {skipped}"
                )
            self._random.set(now)
        while group := list(islice(batches, self.accumulate)):
            yield group

    def _train_group(self, group: list[Any]) -> None:
        """Update the weights, and everything that follows an update."""
        running = self._running
        first = self.optimizer.param_groups[0]
        rate = first["lr"] / first.get("lr_scale", 1.0)
        loss, norm = self._step(group)
        self.step += 1
        running.steps += 1
        running.batches += len(group)
        running.norms += norm
        running.lr = rate
        if self.ema is not None and self.averaged is not None:
            self.averaged.update_parameters(self.model)
        if self.scheduler is not None and self.scheduler_interval == "step" and not self._swa_rate():
            self.scheduler.step()
        self._notify("on_batch_end", {"loss": loss, "grad_norm": norm, "lr": rate})
        every = self.checkpoint.every_steps if self.checkpoint else None
        if every is not None and self.step % every == 0:
            self._write_checkpoint()

    def _step(self, group: list[Any]) -> tuple[float, float]:
        """Update the weights from the batches of a group; return the mean loss and the gradient's norm before
        clipping."""
        step, meter = self._recorded_step, self._running.meter
        pairs = [pair_of(batch, "fit") for batch in group]
        sizes = [samples_of(inputs) for inputs, _ in pairs]
        mean = 0.0
        for number, ((inputs, target), size) in enumerate(zip(pairs, sizes, strict=True), 1):
            share = 1.0 if len(group) == 1 else size / max(sum(sizes), 1)
            position = f"fit: epoch {self.epoch}, batch {self._running.batches + number}"
            demand_finite(inputs, position)
            clip = self.clip if number == len(group) and not self._gradients_observed else UNCLIPPED
            error, output, norm = step.gradient(inputs, target, share, number == 1, bool(meter.metrics), *clip)
            value = error.item()
            if not math.isfinite(value):
                raise NonFiniteError(f"{position}: the loss is {value}")
            mean += share * value
            meter.add(value, output, target, size)
        if self._gradients_observed:
            self._notify("on_backward_end")
            norm = step.eager.clip(*self.clip)
        length = norm.item()
        if not math.isfinite(length):
            raise NonFiniteError(f"{position}: the norm of the gradient is {length}")
        # A callback may have replaced gradients, and a program would have to be recorded for each set of arrays.
        update = step.eager.update if self._gradients_observed else step.update
        update()
        return mean, length

    def _validate(self, valid: Batches) -> Record:
        loss = self.loss if self.validation_loss is None else self.validation_loss
        return evaluate(self._evaluated(), valid, loss, self.metrics, where=f"validation in epoch {self.epoch}, ")

    def _end_epoch(self, record: Record, monitored: str) -> None:
        """Everything that follows an epoch."""
        self.history.records.append(record)
        self._running = Epoch(self.metrics)
        if self.early_stopping is not None:
            self.history.stopped = self.early_stopping.step(record[monitored])
        if self.swa is not None and self.averaged is not None and self.epoch >= self.swa.start:
            self.averaged.update_parameters(self.model)
        self._notify("on_epoch_end", dict(record))
        self.history.stopped |= self.ranks.any(self._stop)
        if self.swa_scheduler is not None and self._swa_rate():
            self.swa_scheduler.step()
        elif isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(record[monitored])
        elif self.scheduler is not None and self.scheduler_interval == "epoch":
            self.scheduler.step()

    def _swa_rate(self) -> bool:
        """Whether stochastic weight averaging sets the learning rate."""
        return self.swa is not None and self.swa_scheduler is not None and self.epoch >= self.swa.start

    def _monitored(self, valid: Batches | None) -> str:
        """The name of the value that early stopping watches."""
        if self.monitor is not None:
            if self.monitor.startswith("val_") and valid is None:
                raise ValueError(f"fit: monitor is {self.monitor}, but there is no validation set")
            metrics = [metric.name for metric in self.metrics]
            validation = [] if valid is None else [f"val_{name}" for name in ("loss", *metrics)]
            if self.monitor not in (known := [*MEASURED, *metrics, *validation]):
                raise ValueError(f"fit: monitor must be one of {', '.join(known)}, got {self.monitor}")
            return self.monitor
        return "loss" if valid is None else "val_loss"

    def _average_epochs(self, train: Batches) -> None:
        """Give the model the mean of stochastic weight averaging."""
        if self.swa is not None and self.averaged is not None and self.averaged.n_averaged.item():
            self.model.load_state_dict(self.averaged.module.state_dict())
            update_bn(train, self.model)

    def _keep_best(self) -> None:
        """Give the model the weights of the best epoch, or of the moving average."""
        stopping = self.early_stopping
        # If the first epoch was interrupted, its weights are the only result.
        if stopping is not None and (stopping.best_epoch is not None or not self.history.interrupted):
            stopping.restore()
        if self.ema is not None and self.averaged is not None and self.averaged.n_averaged.item():
            self.model.load_state_dict(self.averaged.module.state_dict())

    # Evaluation

    def evaluate(self, data: Batches) -> dict[str, float]:
        """Compute the loss and the metrics of the model on `data`; see ``cygrad.train.evaluate``."""
        return evaluate(self.model, data, self.loss, self.metrics)

    def predict(self, data: Tensor | Array | Batches, batch_size: int = 1024) -> Array:
        """Compute the model's outputs for a tensor, an array or a loader; see ``cygrad.train.predict``."""
        return predict(self.model, data, batch_size)

    # Checkpoints

    def resume(self, path: Path) -> None:
        """Restore the state in a checkpoint.

        These are the states of model, optimizer, scheduler, averaged weights, early stopping, history and callbacks,
        and from the next ``fit`` on the random state and the position in the data. The training then ends with the same
        bits as an uninterrupted one, for any thread count, if model, data and options are equal, and the loader draws
        its order at the start of an epoch, or by its own or its sampler's ``generator``. If options differ, ``fit``
        gives a ``ResumeWarning``.

        Args:
            path: of the checkpoint.

        Raises:
            FileNotFoundError: if there is no file.
            ValueError: if it is corrupt or does not fit this trainer, which stays as it was.
        """
        self.ranks = joined()
        state = self.ranks.of_main(partial(read_checkpoint, path))
        try:
            self.load_state_dict(state)
        except ValueError as error:
            cause = one_line(error.__cause__)
            raise ValueError(f"resume: {os.fspath(path)} does not fit this trainer ({cause})") from error
        if self.ranks.is_main:
            remove_leftovers(path)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the training without data and options, for ``cygrad.save``; arrays share memory with the
        trainer's."""
        return {
            "version": __version__,
            "cpu_level": kernels.cpu_level(),
            "accumulate": self.accumulate,
            "options": self._started_with,
            "model": self.model.state_dict(),
            "parts": {name: state_of(part) for name, part in self._parts().items()},
            "history": self.history.records,
            "stopped": self.history.stopped,
            "step": self.step,
            "running": self._running.state_dict(),
            "random": self._random.get(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned.

        Raises:
            ValueError: if the state does not fit this trainer, which stays as it was.
        """
        before, parts = vars(self).copy(), self._parts()
        states = copy.deepcopy([self.model.state_dict(), *(part.state_dict() for part in parts.values())])
        try:
            self._restore(state)
        except BaseException as error:  # whatever the state of a part makes of values that are not its own
            vars(self).update(before)
            for part, old in zip([self.model, *parts.values()], states, strict=True):
                part.load_state_dict(old)
            if not isinstance(error, Exception):
                raise
            raise ValueError(f"load_state_dict: the state does not fit this trainer ({error})") from error

    def _restore(self, state: dict[str, Any]) -> None:
        """Restore a state. An error leaves it partly restored."""
        if state["accumulate"] != self.accumulate:
            raise ValueError(f"it has accumulate={state['accumulate']}, this one {self.accumulate}")
        step, records = state["step"], state["history"]
        if not isinstance(step, int) or step < 0 or not isinstance(records, list):
            raise ValueError(f"its step must be a count and its history a list, got {step!r} and {records!r}")
        check_random_state(state["random"])
        self.model.load_state_dict(state["model"])
        self.averaged = self._new_average()
        parts = self._parts()
        if parts.keys() != state["parts"].keys():
            raise ValueError(f"it has {listed(state['parts'])}, this one {listed(parts)}")
        for name, part in parts.items():
            load_part(name, part, state["parts"][name])
        running = Epoch(self.metrics)
        running.load_state_dict(state["running"])
        self._running = running
        self.history = History(list(state["history"]), stopped=state["stopped"])
        self.epoch, self.step = len(self.history), state["step"]
        self._started_with = state.get("options", {})
        self._ran_at = state.get("cpu_level")
        self._resumed = state["random"]

    def _parts(self) -> dict[str, Any]:
        """The parts with state, beside the model, by name."""
        named: dict[str, Any] = {
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "swa_scheduler": self.swa_scheduler,
            "averaged": self.averaged,
            "early_stopping": self.early_stopping,
        }
        with_state = [callback for callback in self.callbacks if hasattr(callback, "state_dict")]
        named.update({f"callback {i}": callback for i, callback in enumerate(with_state)})
        return {name: part for name, part in named.items() if part is not None}

    def _write_checkpoint(self) -> None:
        if self.checkpoint is None or not self.ranks.is_main:
            return
        if time.monotonic() >= self._checkpointed + self.checkpoint.every_seconds:
            write_checkpoint(self.checkpoint.path, self.state_dict())
            self._checkpointed = time.monotonic()
            self._notify("on_checkpoint", os.fspath(self.checkpoint.path))

    # Callbacks

    def _notify(self, moment: str, *arguments: Any) -> None:
        """Call one method of every callback."""
        ranks = [callback for callback in self.callbacks if self.ranks.is_main or not callback.main_rank_only]
        call_all(ranks, moment, "Trainer", self, *arguments)


def has_checkpoint(path: Path) -> bool:
    """Whether there is a checkpoint; removes what an interrupted write has left."""
    remove_leftovers(path)
    return os.path.exists(path)


def warn_of_leakage(train: Batches, valid: Batches) -> None:
    """Warn the caller of ``fit`` of rows of the validation set that are in the training set too."""
    known, rows = leakage.comparable_rows(train), leakage.comparable_rows(valid)
    if leakage.is_comparable(known, rows):
        leakage.warn_of_leakage(known, rows, stacklevel=4)


def listed(parts: Iterable[str]) -> str:
    """Names in a message."""
    return ", ".join(parts) or "nothing"


def state_of(part: Any) -> dict[str, Any]:
    """The state of a part, with its type."""
    return {"type": type(part).__name__, "state": part.state_dict()}


def load_part(name: str, part: Any, state: dict[str, Any]) -> None:
    """Restore the state of a part; raise ValueError if it is that of another type."""
    if state["type"] != type(part).__name__:
        raise ValueError(f"its {name} is a {state['type']}, this one's is a {type(part).__name__}")
    load: Callable[[Any], Any] = part.load_state_dict
    load(state["state"])
