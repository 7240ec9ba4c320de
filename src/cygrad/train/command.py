"""``cygrad train``: an MLP on a task, and the run saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import cygrad
from cygrad import optim
from cygrad.config import get_num_threads, set_num_threads
from cygrad.data import DataLoader
from cygrad.nn import functional as F
from cygrad.nn.modules.container import Sequential
from cygrad.random import manual_seed
from cygrad.train.early_stopping import EarlyStopping
from cygrad.train.evaluation import evaluate
from cygrad.train.history import History
from cygrad.train.models import mlp
from cygrad.train.run import Config, Run, prepare_folder, save_run
from cygrad.train.tasks import Task
from cygrad.train.trainer import Trainer

__all__ = ["Options", "train"]

EVALUATION_ROWS = 1024


@dataclass
class Options:
    """The choices of a training; the command line's defaults."""

    epochs: int = 40
    batch_size: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.01
    dropout: float = 0.3
    hidden: Sequence[int] = (256, 128)
    clip: float = 1.0
    patience: int = 15
    min_delta: float = 0.0
    seed: int = 0
    threads: int | None = None

    def check(self) -> None:
        """Raises ValueError where a choice is out of range."""
        for name in ("epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"train: {name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.min_delta < float("inf"):
            raise ValueError(f"train: min_delta must be finite and not negative, got {self.min_delta}")
        if not self.clip > 0:
            raise ValueError(f"train: clip must be above 0, got {self.clip}")
        if not -(2**63) <= self.seed < 2**64:
            raise ValueError(f"train: the seed must have at most 64 bits, got {self.seed}")
        if self.batch_size == 1:
            raise ValueError("train: batch norm needs a batch_size of at least 2, got 1")


def train(load: Callable[[int], Task], options: Options, folder: str) -> bool:
    """Trains on what ``load(seed)`` gives, prints a line an epoch and the test accuracy, and saves the run
    in the folder. False where Ctrl-C ended the training; the best weights, if there are some yet, are saved
    all the same.

    The model: Linear, BatchNorm1d, ReLU, Dropout for every hidden size, with He's weights; AdamW, whose
    decay leaves biases and norms alone, at a rate that falls along a cosine; clipping by norm; early
    stopping on the loss of the validation part.
    """
    options.check()
    if options.threads is not None:
        set_num_threads(options.threads)
    manual_seed(options.seed)
    task = load(options.seed)
    prepare_folder(folder)
    model = mlp((task.columns, *options.hidden, len(task.classes)), options.dropout)
    print(describe(task, model, options), flush=True)
    stopping = EarlyStopping(model, options.patience, options.min_delta)
    trainer = trainer_of(model, options, stopping)
    try:
        history = learn(trainer, task, options)
    except ValueError:
        # Numbers that are not finite: the best weights are back in the model, and worth keeping.
        if stopping.best_epoch is not None:
            save_run(folder, Run(model, configuration(task, options, stopping)), trainer.history.records)
        raise
    print(ending(history, stopping, options))
    if stopping.best_epoch is None:
        return False
    config = configuration(task, options, stopping)
    result = evaluate(model, DataLoader(task.test, EVALUATION_ROWS))
    config.results.update(test_loss=result["loss"], test_accuracy=result["accuracy"])
    print(f"test accuracy {100 * result['accuracy']:.2f} %")
    save_run(folder, Run(model, config), history.records)
    print(f"saved in {folder}", flush=True)
    return not history.interrupted


def trainer_of(model: Sequential, options: Options, stopping: EarlyStopping) -> Trainer:
    """The trainer that the options ask for."""
    optimizer = optim.AdamW(optim.decay_groups(model, options.weight_decay), lr=options.lr)
    return Trainer(
        model,
        F.cross_entropy,
        optimizer,
        scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs),
        metrics=["accuracy"],
        clip=options.clip,
        early_stopping=stopping,
    )


def learn(trainer: Trainer, task: Task, options: Options) -> History:
    """The training itself; every epoch is printed."""
    # Batch norm can't learn from a single row.
    single = len(task.train) % options.batch_size == 1
    loader = DataLoader(task.train, options.batch_size, shuffle=True, drop_last=single)
    return trainer.fit(loader, DataLoader(task.validation, EVALUATION_ROWS), options.epochs)


def configuration(task: Task, options: Options, stopping: EarlyStopping) -> Config:
    """What is saved beside the weights."""
    return Config(
        sizes=[task.columns, *options.hidden, len(task.classes)],
        dropout=options.dropout,
        mean=task.mean,
        std=task.std,
        classes=task.classes,
        version=cygrad.__version__,
        seed=options.seed,
        task=task.name,
        options={**asdict(options), "hidden": list(options.hidden)},
        results={"best_epoch": stopping.best_epoch, "val_loss": stopping.best},
    )


def describe(task: Task, model: Sequential, options: Options) -> str:
    """The line before the first epoch."""
    sizes = "-".join(str(n) for n in (task.columns, *options.hidden, len(task.classes)))
    numbers = sum(p.array.size for p in model.parameters())
    parts = f"{len(task.train)} to train, {len(task.validation)} to validate, {len(task.test)} to test"
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
