"""A training from the command line: begun or resumed, saved at its end, and whenever it is interrupted."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cygrad import optim
from cygrad._version import __version__
from cygrad.config import get_num_threads, set_num_threads
from cygrad.data import DataLoader, TensorDataset
from cygrad.nn.modules.container import Sequential
from cygrad.random import manual_seed
from cygrad.runs.folder import CHECKPOINT, CONFIG, JOB, METRICS, WEIGHTS, load, prepare_folder, save
from cygrad.runs.image_task import ImageTask
from cygrad.runs.job import Job, read_job, write_job
from cygrad.runs.options import Options
from cygrad.runs.table_task import TableTask
from cygrad.train.checkpoint import Checkpoint, remove_leftovers
from cygrad.train.early_stopping import EarlyStopping
from cygrad.train.evaluation import evaluate
from cygrad.train.fingerprint import fingerprint
from cygrad.train.history import History
from cygrad.train.interrupts import uninterrupted
from cygrad.train.models import mlp
from cygrad.train.trainer import Trainer

__all__ = ["resume", "train"]

EVALUATION_ROWS = 1024


def train(job: Job, folder: str) -> bool:
    """Trains, prints a line an epoch and what the test part tells, and saves the run in the folder. False where Ctrl-C
    ended it; the best weights, if there are some yet, are saved all the same, and ``resume`` goes on.

    The model: Linear, BatchNorm1d, ReLU, Dropout for every hidden size, with He's weights; AdamW, whose
    decay leaves biases and norms alone, at a rate that falls along a cosine; clipping by norm; early
    stopping on the loss of the validation part.
    """
    session = Session(job, folder)
    prepare_folder(folder)
    session.begin()
    return session.run()


def resume(folder: str, threads: int | None = None) -> bool:
    """Goes on with a training that was killed or interrupted, from its last checkpoint; it ends with the bits of one
    that was not. A run that is complete stays as it is. False where Ctrl-C ended it.

    Raises FileNotFoundError where the folder holds neither, ValueError where the data are not those that it began
    with, or a file is corrupt or of another version's format.
    """
    if not os.path.isfile(os.path.join(folder, JOB)):
        if not os.path.isfile(os.path.join(folder, CONFIG)):
            raise FileNotFoundError(f"resume: {folder} is no run, it has neither {JOB} nor {CONFIG}")
        load(folder)  # or says what is wrong with it
        print(f"{folder} is complete")
        return True
    job, data, version = read_job(folder)
    if threads is not None:
        job.options["threads"] = threads
    session = Session(job, folder)
    if session.fingerprint != data:
        raise ValueError(f"resume: the data of {job.source} are not those that the training began with")
    if version != __version__:
        print(f"note: begun by cygrad {version}, so {__version__} may end with other bits")
    return session.run()


class Session:
    """A training of a job's in a folder."""

    def __init__(self, job: Job, folder: str) -> None:
        self.job = job
        self.folder = folder
        given = job.training()  # refused before the data are read
        if given.threads is not None:
            set_num_threads(given.threads)
        manual_seed(given.seed)
        self.task = job.load()
        self.options = job.training(self.task)
        self.model = mlp((self.task.columns, *self.options.hidden, self.task.outputs), self.options.dropout)
        self.stopping = EarlyStopping(self.model, self.options.patience, self.options.min_delta)
        self.trainer = trainer_of(self.model, self.task, self.options, self.stopping, self.path(CHECKPOINT))
        self.fingerprint = fingerprint_of(self.task)

    def path(self, name: str) -> str:
        """The path of a file of the run's."""
        return os.path.join(self.folder, name)

    def begin(self) -> None:
        """Notes what is trained, and takes away what is left of a training that did not end."""
        self.clear()
        write_job(self.folder, self.job, self.fingerprint)

    def clear(self) -> None:
        """Takes away what only a training that goes on needs."""
        for name in CONFIG, METRICS, WEIGHTS, CHECKPOINT, JOB:
            remove_leftovers(self.path(name))
        for name in JOB, CHECKPOINT:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(name))

    def run(self) -> bool:
        """Trains to the end, or to Ctrl-C; whether it was the end."""
        for note in self.task.notes:
            print(note)
        print(describe(self.task, self.model, self.options), flush=True)
        try:
            history = self.learn()
        except ValueError:
            # Numbers that are not finite: the best weights are back in the model, and worth keeping.
            if self.stopping.best_epoch is not None:
                self.save({})
            raise
        print(ending(history, self.stopping, self.options))
        if self.stopping.best_epoch is None:
            self.clear()
            return False
        self.save({})  # first of all, so that Ctrl-C in the test loses nothing
        self.save(self.test())
        print(f"saved in {self.folder}", flush=True)
        if history.interrupted:
            print(f"cygrad resume {self.folder} goes on with it", flush=True)
            return False
        self.clear()
        return True

    def learn(self) -> History:
        """The training itself; every epoch is printed."""
        train, batch_size = self.task.train, self.options.batch_size
        # Batch norm can't learn from a single row.
        loader = DataLoader(train, batch_size, shuffle=True, drop_last=len(train) % batch_size == 1)
        valid = DataLoader(self.task.validation, EVALUATION_ROWS)
        return self.trainer.fit(loader, valid, self.options.epochs, resume=True, check_leakage=False)  # the notes tell

    def test(self) -> dict[str, float]:
        """What the test part, if there is one, tells of the model."""
        if self.task.test is None:
            return {}
        loader = DataLoader(self.task.test, EVALUATION_ROWS)
        kept, sentence = self.task.results(evaluate(self.model, loader, self.task.loss, self.task.metrics))
        print(sentence, flush=True)
        return kept

    def save(self, tested: Mapping[str, float]) -> None:
        """Writes the run, all of it before Ctrl-C has its say."""
        stopping, records = self.stopping, self.trainer.history.records
        results = {"best_epoch": stopping.best_epoch, "epochs": len(records), "val_loss": stopping.best, **tested}
        options = {**asdict(self.options), "hidden": list(self.options.hidden)}
        with uninterrupted():
            save(self.folder, self.task.run(self.model, options, results), records)


def trainer_of(
    model: Sequential, task: ImageTask | TableTask, options: Options, stopping: EarlyStopping, path: str
) -> Trainer:
    """The trainer that the options ask for."""
    optimizer = optim.AdamW(optim.decay_groups(model, options.weight_decay), lr=options.lr)
    return Trainer(
        model,
        task.loss,
        optimizer,
        scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs),
        metrics=task.metrics,
        clip=options.clip,
        early_stopping=stopping,
        checkpoint=Checkpoint(path, every_seconds=options.checkpoint_seconds),
    )


def fingerprint_of(task: ImageTask | TableTask) -> str:
    """The fingerprint of the numbers in all parts, so of the data, the split and the preprocessing."""
    parts: dict[str, TensorDataset | None] = {"train": task.train, "validation": task.validation, "test": task.test}
    arrays: dict[str, Any] = {}
    for name, part in parts.items():
        arrays.update({f"{name} {i}": tensor for i, tensor in enumerate(part.tensors if part else ())})
    return fingerprint(arrays)


def describe(task: ImageTask | TableTask, model: Sequential, options: Options) -> str:
    """The line before the first epoch."""
    sizes = "-".join(str(n) for n in (task.columns, *options.hidden, task.outputs))
    numbers = sum(p.array.size for p in model.parameters())
    tested = len(task.test) if task.test is not None else 0
    parts = f"{len(task.train)} to train, {len(task.validation)} to validate, {tested} to test"
    setting = f"threads {get_num_threads()}, seed {options.seed}"
    return f"{task.name}: {parts}; MLP {sizes}, {numbers:,} parameters; {setting}"


def ending(history: History, stopping: EarlyStopping, options: Options) -> str:
    """How the training ended, and which weights are kept."""
    if stopping.best_epoch is None:
        return "interrupted before the first epoch was over: nothing is saved"
    kept = f"the weights of epoch {stopping.best_epoch} are kept, validation loss {stopping.best:.4f}"
    if history.interrupted:
        return f"interrupted: {kept}"
    return f"no better for {options.patience} epochs: {kept}" if history.stopped else kept
