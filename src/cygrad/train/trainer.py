"""Trainer: the training loop."""

from __future__ import annotations

import copy
import math
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import islice
from typing import Any

from cygrad._typing import Array
from cygrad._version import __version__
from cygrad.nn.module import Module
from cygrad.optim.lr_scheduler import LRScheduler, OneCycleLR, ReduceLROnPlateau
from cygrad.optim.optimizer import Optimizer
from cygrad.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from cygrad.random import manual_seed
from cygrad.tensor import Tensor
from cygrad.train.callbacks import Callback, call_all, listens
from cygrad.train.checkpoint import Checkpoint, read_checkpoint, remove_leftovers, write_checkpoint
from cygrad.train.checks import check_options, check_parts
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
from cygrad.train.option_changes import ResumeWarning, changes, options_of
from cygrad.train.progress import Progress
from cygrad.train.random_state import RandomState
from cygrad.train.running import MEASURED, Epoch
from cygrad.train.step import RecordedStep
from cygrad.train.swa import SWA

__all__ = ["Trainer"]

Path = str | os.PathLike[str]
UNCLIPPED = (None, math.inf)


class Trainer:
    """Trains a model: ``loss(model(inputs), targets)`` is made smaller by `optimizer`, for batches that are pairs of
    inputs and targets.

    - `scheduler` steps after every epoch, or with ``scheduler_interval="step"`` after every update, as a
      ``OneCycleLR`` does anyway; ``ReduceLROnPlateau`` is given `monitor`.
    - `metrics`: names (accuracy, f1, roc_auc, mae, r2), ``Metric`` objects, or functions of all outputs and targets.
    - `monitor` names the number of a record that early stopping and ``ReduceLROnPlateau`` watch: ``"val_loss"``,
      without a validation ``"loss"``, unless given.
    - `clip` bounds the gradient: a number its norm, all parameters together, or ``("norm", 1.0)``,
      ``("value", 0.5)``, ``("adaptive", 0.01)``.
    - `accumulate`: so many batches make one update, as one batch of all their samples would; the loss must be a
      mean over the samples.
    - `ema`: the decay of an exponential moving average of the weights, taken after every update. Validation and
      early stopping judge the average, ``averaged``, and the model has it at the end.
    - `swa`: an ``SWA``; at the end the model has the mean, its batch norms' statistics computed anew.
    - `early_stopping` was made for this model. At the end the best state is restored, whatever ended the training.
    - `callbacks`, see ``Callback``. With `progress`, a line an epoch is printed, and a bar shown on terminals.
    - `checkpoint`: a ``Checkpoint``, or the path of one. See ``resume``.
    - `seed` seeds everything random at the beginning of ``fit``.
    - `compile`: whether steps are recorded (``cg.compile``), with the same bits. None, the default: where model, loss
      and optimizer are of this library, and nobody hung a hook on them. True: always; of Python of your own that they
      run only calls of the library are repeated, and where it reads numbers a warning tells that steps run eagerly.
      A callback that looks at gradients has to copy what it keeps.

    Raises ValueError or TypeError for options that make no sense.

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
        compile: bool | None = None,
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
        self.compile = compile
        check_options(self)
        self._options = options_of(self)
        self._begun_with = self._options  # other ones where a checkpoint was of others
        self.swa_scheduler = None if swa is None else swa.scheduler(optimizer)
        self.averaged: AveragedModel | None = None
        self.history = History()
        self.epoch = self.epochs = self.step = 0
        self.steps_per_epoch: int | None = None
        self._stop = False
        self._learning = RecordedStep(model, loss, optimizer, compile)
        self._watched_gradients = False
        self._written = -math.inf  # when the last checkpoint was
        self._running = Epoch(self.metrics)
        self._random = RandomState([])
        self._resumed: dict[str, Any] | None = None  # the states of the generators, until the loaders are known

    @property
    def step_of_epoch(self) -> int:
        """The updates so far in the epoch that is trained."""
        return self._running.steps

    def stop(self) -> None:
        """Ends the training after this epoch."""
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
        """Trains until `epochs` epochs are done, fewer with early stopping, and returns the history.

        After ``resume(path)``, or with ``resume=path``, it goes on where the checkpoint was written; with
        ``resume=True`` where the trainer's own checkpoint was, if there is one. Else it begins a new history, with
        the model, the optimizer and the scheduler as they are.

        Where the rows of both parts are in memory, a ``LeakageWarning`` tells of those of the validation that, with
        their targets, stand in the training too: ``cygrad.data.repeated_rows`` tells what is compared, and how. That
        takes about a hundredth of an epoch, once; ``check_leakage=False`` leaves it out.

        Ctrl-C ends the training without an exception; ``history.interrupted`` tells. Numbers that are not
        finite, in the data, the loss or the gradient, raise NonFiniteError, a ValueError, with the epoch and the
        batch, both counted from 1, before any weight has changed.
        """
        if not isinstance(epochs, int) or epochs < 0:
            raise ValueError(f"fit: epochs must be an integer of at least 0, got {epochs!r}")
        for part in (train, valid):
            demand_batches(part, "fit")
        if isinstance(valid, Sized) and not len(valid):
            raise ValueError("fit: the validation part is empty")
        if self.swa is not None and self.swa.start > epochs:
            raise ValueError(f"fit: swa starts with epoch {self.swa.start}, but there are only {epochs}")
        self._watched(valid)
        if check_leakage and valid is not None:
            warn_of_repeated(train, valid)
        if resume is True:
            if self.checkpoint is None:
                raise ValueError("fit: resume=True needs a trainer with a checkpoint")
            remove_leftovers(self.checkpoint.path)
            if os.path.exists(self.checkpoint.path):
                self.resume(self.checkpoint.path)
        elif resume is not False:
            self.resume(resume)
        self._begin(train, valid, epochs)
        try:
            self._notify("on_fit_begin")
            while len(self.history) < epochs and not self.history.stopped:
                self._train_epoch(train, valid)
            self._average_epochs(train)
        except KeyboardInterrupt:
            self.history.interrupted = True
        finally:
            self._learning = RecordedStep(self.model, self.loss, self.optimizer, self.compile)  # lets go of memory
            self._keep_best()
            self._notify("on_fit_end")
        return self.history

    def _begin(self, train: Batches, valid: Batches | None, epochs: int) -> None:
        """Everything at its start, or where the checkpoint was written."""
        self._random = RandomState([train, valid])
        self.epochs = epochs
        self.steps_per_epoch = -(-len(train) // self.accumulate) if isinstance(train, Sized) else None
        self._stop = False
        if self._resumed is None:
            if self.seed is not None:
                manual_seed(self.seed)
            self.history = History()
            self.epoch = self.step = 0
            self._running = Epoch(self.metrics)
            self.averaged = self._new_average()
            self._begun_with = {**self._options, "steps_per_epoch": self.steps_per_epoch}
        else:
            self._warn_of_changes()
            self._random.set(self._resumed)
            self._resumed = None
        if self.early_stopping is not None:
            self.early_stopping.module = self._judged()

    def _warn_of_changes(self) -> None:
        """Tells where a resumed training goes on otherwise than it began."""
        found = changes(self._begun_with, {**self._options, "steps_per_epoch": self.steps_per_epoch})
        if found:
            warnings.warn(
                f"fit: the training that is resumed began with other options: {found}; what the optimizer and the "
                "scheduler keep is as it was, and the training does not end as it would have",
                ResumeWarning,
                stacklevel=4,
            )

    def _new_average(self) -> AveragedModel | None:
        if self.swa is not None:
            return AveragedModel(self.model)
        if self.ema is None:
            return None
        return AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(self.ema))

    def _judged(self) -> Module:
        """What validation and early stopping look at."""
        return self.model if self.ema is None or self.averaged is None else self.averaged.module

    def _train_epoch(self, train: Batches, valid: Batches | None) -> None:
        """One epoch of training, or the rest of it, and the validation behind it."""
        self.epoch = len(self.history) + 1
        running = self._running
        running.begun = time.perf_counter()
        self.model.train()
        self._learning = self._learning.now(self.model, self.loss, self.optimizer, self.compile)
        self._watched_gradients = any(listens(callback, "on_backward_end") for callback in self.callbacks)
        for group in self._groups(train):
            self._train_group(group)
        if not running.steps:
            raise ValueError("fit: the loader gives no batches")
        running.seconds = running.elapsed()
        record = running.record(self.epoch, {} if valid is None else self._validate(valid))
        self._end_epoch(record, self._watched(valid))
        self._write_checkpoint()

    def _groups(self, train: Batches) -> Iterator[list[Any]]:
        """The batches of each update; in an epoch that is resumed, those after the position."""
        running = self._running
        if running.random is None:
            self._notify("on_epoch_begin")
            running.random = self._random.get()
            batches = iter(train)
        else:
            # The order is drawn once more, and what has been learnt from is passed over.
            now = self._random.get()
            self._notify("on_epoch_begin")
            self._random.set(running.random)
            batches = iter(train)
            passed = sum(1 for _ in islice(batches, running.batches))
            if passed < running.batches:
                raise ValueError(f"resume: {running.batches} batches were done, but the loader gives {passed}")
            self._random.set(now)
        while group := list(islice(batches, self.accumulate)):
            yield group

    def _train_group(self, group: list[Any]) -> None:
        """One update, and what hangs on it."""
        running = self._running
        rate = self.optimizer.param_groups[0]["lr"]
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
        """One update of the weights from the batches of a group. Returns the mean loss and the gradient's norm
        before clipping."""
        learning, meter = self._learning, self._running.meter
        pairs = [pair_of(batch, "fit") for batch in group]
        sizes = [samples_of(inputs) for inputs, _ in pairs]
        mean = 0.0
        for number, ((inputs, target), size) in enumerate(zip(pairs, sizes, strict=True), 1):
            share = 1.0 if len(group) == 1 else size / max(sum(sizes), 1)
            place = f"fit: epoch {self.epoch}, batch {self._running.batches + number}"
            demand_finite(inputs, place)
            clip = self.clip if number == len(group) and not self._watched_gradients else UNCLIPPED
            error, output, norm = learning.gradient(inputs, target, share, number == 1, bool(meter.metrics), *clip)
            value = error.item()
            if not math.isfinite(value):
                raise NonFiniteError(f"{place}: the loss is {value}")
            mean += share * value
            meter.add(value, output, target, size)
        if self._watched_gradients:
            self._notify("on_backward_end")
            norm = learning.step.clip(*self.clip)
        length = norm.item()
        if not math.isfinite(length):
            raise NonFiniteError(f"{place}: the norm of the gradient is {length}")
        # A callback may have put other gradients in their place, each of which would want a program of its own.
        update = learning.step.update if self._watched_gradients else learning.update
        update()
        return mean, length

    def _validate(self, valid: Batches) -> Record:
        return evaluate(self._judged(), valid, self.loss, self.metrics, where=f"validation in epoch {self.epoch}, ")

    def _end_epoch(self, record: Record, watched: str) -> None:
        """Everything that follows from an epoch's record."""
        self.history.records.append(record)
        self._running = Epoch(self.metrics)
        if self.early_stopping is not None:
            self.history.stopped = self.early_stopping.step(record[watched])
        if self.swa is not None and self.averaged is not None and self.epoch >= self.swa.start:
            self.averaged.update_parameters(self.model)
        self._notify("on_epoch_end", dict(record))
        self.history.stopped |= self._stop
        if self.swa_scheduler is not None and self._swa_rate():
            self.swa_scheduler.step()
        elif isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(record[watched])
        elif self.scheduler is not None and self.scheduler_interval == "epoch":
            self.scheduler.step()

    def _swa_rate(self) -> bool:
        """Whether stochastic weight averaging has its say about the learning rate."""
        return self.swa is not None and self.swa_scheduler is not None and self.epoch >= self.swa.start

    def _watched(self, valid: Batches | None) -> str:
        """The name of the number that early stopping is given."""
        if self.monitor is not None:
            if self.monitor.startswith("val_") and valid is None:
                raise ValueError(f"fit: {self.monitor} is monitored, but there is no validation part")
            metrics = [metric.name for metric in self.metrics]
            held = [] if valid is None else [f"val_{name}" for name in ("loss", *metrics)]
            if self.monitor not in (known := [*MEASURED, *metrics, *held]):
                raise ValueError(f"fit: there is no {self.monitor} to monitor, but {', '.join(known)}")
            return self.monitor
        return "loss" if valid is None else "val_loss"

    def _average_epochs(self, train: Batches) -> None:
        """Gives the model the mean of stochastic weight averaging."""
        if self.swa is not None and self.averaged is not None and self.averaged.n_averaged.item():
            self.model.load_state_dict(self.averaged.module.state_dict())
            update_bn(train, self.model)

    def _keep_best(self) -> None:
        """Gives the model the weights of the best epoch, and of the moving average where there is one."""
        stopping = self.early_stopping
        # Interrupted before the first best, the weights of the unfinished epoch are all there is.
        if stopping is not None and (stopping.best_epoch is not None or not self.history.interrupted):
            stopping.restore()
        if self.ema is not None and self.averaged is not None and self.averaged.n_averaged.item():
            self.model.load_state_dict(self.averaged.module.state_dict())

    # Measuring

    def evaluate(self, data: Batches) -> dict[str, float]:
        """The loss and the metrics of the model on `data`, as ``cygrad.train.evaluate``."""
        return evaluate(self.model, data, self.loss, self.metrics)

    def predict(self, data: Tensor | Array | Batches, batch_size: int = 1024) -> Array:
        """The model's outputs for `data`, a tensor, an array or a loader, as ``cygrad.train.predict``."""
        return predict(self.model, data, batch_size)

    # Checkpoints

    def resume(self, path: Path) -> None:
        """Takes over the state of a checkpoint: model, optimizer, scheduler, average, early stopping, history,
        callbacks that have a state, and at the next ``fit`` the random state and the position in the data. The
        training then ends with the same bits as one that never stopped, on any number of threads, where the model,
        the data and the options are the same; a loader's order must be drawn at the beginning of an epoch, or by
        the loader's or its sampler's own ``generator``. Where options differ, ``fit`` gives a ``ResumeWarning``.

        Raises FileNotFoundError where there is no file, and ValueError, the trainer as it was, for one that is
        corrupt or does not fit.
        """
        state = read_checkpoint(path)
        before, parts = vars(self).copy(), self._parts()
        states = copy.deepcopy([self.model.state_dict(), *(part.state_dict() for part in parts.values())])
        try:
            self.load_state_dict(state)
        except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            vars(self).update(before)
            for part, own in zip([self.model, *parts.values()], states, strict=True):
                part.load_state_dict(own)
            raise ValueError(f"resume: {os.fspath(path)} does not fit this trainer ({error})") from error
        remove_leftovers(path)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a training consists of but the data and the options, as ``cygrad.save`` takes it; the
        arrays share memory with the trainer's."""
        return {
            "version": __version__,
            "accumulate": self.accumulate,
            "options": self._begun_with,
            "model": self.model.state_dict(),
            "parts": {name: saved(part) for name, part in self._parts().items()},
            "history": self.history.records,
            "stopped": self.history.stopped,
            "step": self.step,
            "running": self._running.state_dict(),
            "random": self._random.get(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over what ``state_dict`` gave. Raises an error where it does not fit; ``resume`` then undoes what has
        been taken over."""
        if state["accumulate"] != self.accumulate:
            raise ValueError(f"it accumulates {state['accumulate']} batches, this one {self.accumulate}")
        self.model.load_state_dict(state["model"])
        self.averaged = self._new_average()
        parts = self._parts()
        if parts.keys() != state["parts"].keys():
            raise ValueError(f"it holds {names(state['parts'])}, this one has {names(parts)}")
        for name, part in parts.items():
            load_part(name, part, state["parts"][name])
        running = Epoch(self.metrics)
        running.load_state_dict(state["running"])
        self._running = running
        self.history = History(list(state["history"]), stopped=state["stopped"])
        self.epoch, self.step = len(self.history), state["step"]
        self._begun_with = state.get("options", {})
        self._resumed = state["random"]

    def _parts(self) -> dict[str, Any]:
        """What has a state of its own beside the model, under names."""
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
        if self.checkpoint is not None and time.monotonic() >= self._written + self.checkpoint.every_seconds:
            write_checkpoint(self.checkpoint.path, self.state_dict())
            self._written = time.monotonic()
            self._notify("on_checkpoint", os.fspath(self.checkpoint.path))

    # Callbacks

    def _notify(self, moment: str, *arguments: Any) -> None:
        """Calls one method of every callback."""
        call_all(self.callbacks, moment, "Trainer", self, *arguments)


def warn_of_repeated(train: Batches, valid: Batches) -> None:
    """Warns the caller of ``fit`` of rows of the validation that also are in the training."""
    from cygrad.data import leakage

    known, rows = leakage.comparable_rows(train), leakage.comparable_rows(valid)
    if leakage.is_comparable(known, rows):
        leakage.warn_of_leakage(known, rows, stacklevel=4)


def names(parts: Iterable[str]) -> str:
    """Names in a sentence."""
    return ", ".join(parts) or "nothing"


def saved(part: Any) -> dict[str, Any]:
    """The state of a part, and what it is of."""
    return {"type": type(part).__name__, "state": part.state_dict()}


def load_part(name: str, part: Any, state: dict[str, Any]) -> None:
    """Gives a part its state. Raises ValueError where that is of another type."""
    if state["type"] != type(part).__name__:
        raise ValueError(f"its {name} is a {state['type']}, this one a {type(part).__name__}")
    load: Callable[[Any], Any] = part.load_state_dict
    load(state["state"])
