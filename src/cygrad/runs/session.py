"""Training from files: started, interrupted, resumed, and saved in the folder of a run."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cygrad import _kernels as kernels
from cygrad._files import one_line, remove_leftovers
from cygrad._folders import committed, locked
from cygrad._version import __version__
from cygrad.config import get_num_threads, set_num_threads
from cygrad.random import manual_seed
from cygrad.report.commands import next_commands
from cygrad.runs.advice import as_options
from cygrad.runs.console import Console
from cygrad.runs.folder import CHECKPOINT, CONFIG, JOB, METRICS, WEIGHTS, load, prepare_folder, save_locked
from cygrad.runs.held import Held
from cygrad.runs.held_forecasts import HeldForecasts
from cygrad.runs.image_task import digits, mnist
from cygrad.runs.job import read_job, write_job
from cygrad.runs.options import Options
from cygrad.runs.protocols import Part, Run, Task
from cygrad.runs.reporting import FINDINGS, REPORT, findings_of, held_of, write_report
from cygrad.runs.series_task import prepare_series
from cygrad.runs.table_task import prepare_table
from cygrad.runs.training import Training, training_of, with_trials
from cygrad.train.checkpoint import Checkpoint
from cygrad.train.early_stopping import EarlyStopping
from cygrad.train.fingerprint import fingerprint
from cygrad.train.history import History
from cygrad.train.interrupts import uninterrupted
from cygrad.train.option_changes import ResumeWarning
from cygrad.train.output import say
from cygrad.train.ranks import joined
from cygrad.train.trainer import Trainer

__all__ = ["Session", "load_task", "resume", "train"]


def train(options: Options, quiet: bool = False) -> bool:
    """Train a network, print a line per epoch and the results on the test set, and save the run.

    The network is a perceptron (``cygrad.train.mlp``), a convnet for images (``cygrad.train.convnet``), or one that
    forecasts a series (``cygrad.train.forecaster``). AdamW trains it, its weight decay exempting biases and norms, with
    a learning rate annealed along a cosine, clipping by norm, and early stopping on the validation loss. For a table it
    is an ensemble by default (``cygrad.train.tabular``), whose best epoch has the highest accuracy or the least error.

    Args:
        options: the data, the training and the folder of the run.
        quiet: whether to print nothing but results.

    Returns:
        False if Ctrl-C ended the training. The best weights so far, if there are any, are saved, and ``resume``
        continues.

    Raises:
        OSError: if the folder can't be written, or another process is training in it.
        ValueError: if the options do not match the data, or a loss or gradient is not finite.
    """
    ranks = joined()
    session = Session(options, Console(quiet))
    if not ranks.is_main:
        return session.take_part()
    prepare_folder(options.folder)
    with locked("train", options.folder):
        session.clear()
        write_job(session.options, session.fingerprint)
        return session.run()


def resume(folder: str, threads: int | None = None, quiet: bool = False) -> bool:
    """Continue an interrupted training from its last checkpoint, with the bits of one that was not interrupted.

    Args:
        folder: of the run. A complete run stays as it is.
        threads: that a kernel may use; by default as many as the training was started with.
        quiet: whether to print nothing but results.

    Returns:
        False if Ctrl-C ended the training.

    Raises:
        FileNotFoundError: if the folder is not that of a run.
        OSError: if the folder can't be written, or another process is training in it.
        ValueError: if the data has changed, or a file is corrupt or has another version's format.
    """
    ranks = joined()
    if not ranks.of_main(lambda: os.path.isfile(os.path.join(folder, JOB))):
        if not os.path.isfile(committed(folder, CONFIG)):
            raise FileNotFoundError(f"resume: {folder} is not a run folder: it has neither {JOB} nor {CONFIG}")
        load(folder)  # raises an error if the run is damaged
        say(f"{folder} is already complete")
        return True
    if not ranks.is_main:
        return session_of(folder, threads, quiet).take_part()
    with locked("resume", folder):
        return resume_locked(folder, threads, quiet)


def resume_locked(folder: str, threads: int | None, quiet: bool = False) -> bool:
    """``resume`` an unfinished training, in a folder that this process has locked."""
    job, session = read_job(folder), session_of(folder, threads, quiet)
    if job.version != __version__:
        say(f"note: started with cygrad {job.version}; with {__version__} the result may differ in its bits")
    level = kernels.cpu_level()
    if job.cpu_level not in (None, level):
        say(f"note: started at CPU level {job.cpu_level}; at {level} the result may differ in its bits")
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "fit: the resumed training ran at CPU level", ResumeWarning
        )  # the note says it
        return session.run()


def session_of(folder: str, threads: int | None, quiet: bool) -> Session:
    """The session of an unfinished training."""
    job = read_job(folder)
    session = Session(job.options if threads is None else replace(job.options, threads=threads), Console(quiet))
    if session.fingerprint != job.fingerprint:
        raise ValueError(f"resume: the data of {job.options.source} has changed since the training started")
    return session


class Session:
    """One training in the folder of a run.

    Args:
        options: the data, the training and the folder.
        console: shows it.
        task: the data, if it is loaded already.
    """

    def __init__(self, options: Options, console: Console, task: Task | None = None) -> None:
        self.console = console
        if options.threads is not None:
            set_num_threads(options.threads)
        manual_seed(options.seed)
        self.task = task or load_task(options)
        self.options = options = with_trials(self.task, options.with_defaults(self.task.defaults))
        self.training = training = training_of(self.task, options)
        patience = options.patience or options.epochs
        self.stopping = EarlyStopping(training.model, patience, options.min_delta, ties=training.ties)
        self.trainer = build_trainer(training, self.task, options, self.stopping, console)
        self.fingerprint = fingerprint(arrays_of(self.task))
        self.chosen: dict[str, Any] = {}  # on the validation set, once the training is done

    def clear(self) -> None:
        """Remove the files that only an unfinished training needs."""
        for name in CONFIG, METRICS, WEIGHTS, CHECKPOINT, JOB, FINDINGS, REPORT:
            remove_leftovers(os.path.join(self.options.folder, name))
        for name in JOB, CHECKPOINT:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.options.folder, name))

    def take_part(self) -> bool:
        """Train with rank 0, which does everything else."""
        return not self.fit().interrupted

    def run(self) -> bool:
        """Train to the end and return True, or to Ctrl-C and return False."""
        history = self.learn()
        if self.stopping.best_epoch is None:
            self.clear()
            return False
        self.measure()
        if history.interrupted:
            self.console.result(f"continue with: cygrad resume {self.options.folder}")
            return False
        self.clear()
        return True

    def learn(self) -> History:
        """Train, and save the run if an epoch is complete."""
        self.console.notes([as_options(note) for note in self.task.notes])
        self.console.tell(describe(self.task, self.training, self.options))
        try:
            history = self.fit()
        except ValueError:
            # A loss or gradient is not finite; early stopping has restored the best weights.
            if self.stopping.best_epoch is not None:
                self.save({})
            raise
        self.console.tell(summarize(history, self.stopping, self.options))
        if self.stopping.best_epoch is None:
            return history
        self.chosen = self.training.choices()
        if "linear_share" in self.chosen:
            share = self.chosen["linear_share"]
            self.console.tell(f"linear models have a share of {share:.0%} in the predictions")
        self.save({})  # before the test, so that Ctrl-C there loses nothing
        return history

    def measure(self) -> None:
        """Evaluate on held-out rows, save the results with the run, and write its report."""
        held = held_of(self.task, self.training, self.run_of(self.chosen))
        self.save(results := self.test(held))
        self.console.result(f"saved in {self.options.folder}")
        self.report(held, results)

    def fit(self) -> History:
        """Train, and print every epoch."""
        train, valid = self.training.train, self.training.valid
        # The task's notes report leakage.
        return self.trainer.fit(train, valid, self.options.epochs, resume=True, check_leakage=False)

    def test(self, held: Held | HeldForecasts) -> dict[str, Any]:
        """Evaluate on held-out rows, and print the result."""
        results, lines = self.task.results(self.run_of(self.chosen), held)
        self.console.result(lines)
        return results

    def report(self, held: Held | HeldForecasts, results: Mapping[str, Any]) -> None:
        """Write the report; one that fails does not take the run with it."""
        run = self.run_of({**self.results, **results})
        try:
            path = write_report(
                self.options.folder,
                findings_of(self.task, self.training, run, held),
                self.trainer.history.records,
            )
        except (ValueError, ArithmeticError, LookupError, TypeError, OSError, MemoryError) as error:
            self.console.result(f"note: the report could not be written ({one_line(error)})")
        else:
            self.console.result(f"report: {path}")
        if not self.trainer.history.interrupted:
            self.console.tell(f"next: {next_commands(self.options.folder)[0].command}")

    def save(self, test_results: Mapping[str, Any]) -> None:
        """Save the run; Ctrl-C waits until all files are written."""
        with uninterrupted():
            run = self.run_of({**self.results, **test_results})
            save_locked(self.options.folder, run, self.trainer.history.records)

    @property
    def results(self) -> dict[str, Any]:
        """What is known before the test."""
        stopping, records = self.stopping, self.trainer.history.records
        loss = None if stopping.best_epoch is None else records[stopping.best_epoch - 1]["val_loss"]
        return {"best_epoch": stopping.best_epoch, "epochs": len(records), "val_loss": loss, **self.chosen}

    def run_of(self, results: Mapping[str, Any]) -> Run:
        """A run of the network as it is now."""
        return self.task.run(self.training.network, self.options.values("training"), results)


def load_task(options: Options) -> Task:
    """Load the data that options name, split by the seed.

    Example:
        >>> cg.runs.session.load_task(cg.runs.Options("digits")).metrics
        ['accuracy']
    """
    if options.is_series:
        return prepare_series(options)
    if options.is_table:
        return prepare_table(options)
    images = digits(options.seed) if options.data is None else mnist(options.data, options.seed, options.name)
    return replace(images, network_type=options.network or "mlp")


def build_trainer(
    training: Training, task: Task, options: Options, stopping: EarlyStopping, console: Console
) -> Trainer:
    """The trainer that the options describe."""
    path = os.path.join(options.folder, CHECKPOINT)
    return Trainer(
        training.model,
        training.loss,
        training.optimizer,
        scheduler=training.scheduler,
        metrics=task.metrics,
        monitor=training.monitor,
        validation_loss=training.validation_loss,
        clip=options.clip,
        early_stopping=stopping,
        callbacks=[console],
        progress=False,
        checkpoint=Checkpoint(path, every_seconds=options.checkpoint_seconds),
        deterministic_shards=options.deterministic_shards,
    )


def arrays_of(task: Task) -> dict[str, Any]:
    """The arrays of all parts, whose fingerprint covers the data, the split and the preprocessing."""
    parts: dict[str, Part | None] = {"train": task.train, "validation": task.validation, "test": task.test}
    return {
        f"{name} {i}": tensor for name, part in parts.items() for i, tensor in enumerate(part.tensors if part else ())
    }


def describe(task: Task, training: Training, options: Options) -> str:
    """The line before the first epoch."""
    parameters = sum(p.array.size for p in training.network.parameters())
    tested = len(task.test) if task.test is not None else 0
    unit = "windows" if options.is_series else "rows"
    validation = "" if task.validation is None else f", {len(task.validation)} validation"
    samples = f"{len(task.train)} training{validation} and {tested} test {unit}"
    ranks = joined().size
    setting = f"{f'{ranks} ranks, ' if ranks > 1 else ''}threads {get_num_threads()}, seed {options.seed}"
    return f"{task.name}: {samples}; {training.description}, {parameters:,} parameters; {setting}"


def summarize(history: History, stopping: EarlyStopping, options: Options) -> str:
    """The line after the last epoch: how the training ended, and whose weights were kept."""
    if stopping.best_epoch is None:
        return "interrupted during the first epoch: nothing was saved"
    loss = history["val_loss"][stopping.best_epoch - 1]
    best = f"kept the weights of epoch {stopping.best_epoch}, validation loss {loss:.4f}"
    if history.interrupted:
        return f"interrupted: {best}"
    return f"no improvement for {options.patience} epochs: {best}" if history.stopped else best
