"""What a session trains: a network, or an ensemble for a table, with its batches and all that a ``Trainer`` needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from cygrad import nn, optim
from cygrad._typing import Array
from cygrad.data import DataLoader, TensorDataset
from cygrad.data.preprocessing import Classes
from cygrad.generator import Generator
from cygrad.nn import functional as F
from cygrad.nn.functional import softmax
from cygrad.nn.module import Module
from cygrad.optim.lr_scheduler import CosineAnnealingLR, LRScheduler
from cygrad.optim.optimizer import Optimizer
from cygrad.runs.measuring import EVALUATION_ROWS
from cygrad.runs.options import Options
from cygrad.runs.protocols import Task
from cygrad.runs.series_task import SeriesTask
from cygrad.runs.table_task import TableTask
from cygrad.tensor import Tensor
from cygrad.train.evaluation import Loss, predict
from cygrad.train.tabular.blend import blend, blended
from cygrad.train.tabular.fitting import class_recipe, number_recipe
from cygrad.train.tabular.folds import Folds, MemberSampler, ValidationSampler
from cygrad.train.tabular.network import BETAS, flattened, parameter_groups
from cygrad.train.tabular.recipe import CLASSES, LABEL_SMOOTHING, NUMBERS, embeddable, sizes_for
from cygrad.train.tabular.schedule import RecipeSchedule
from cygrad.train.tabular.threshold import choose_threshold
from cygrad.train.tabular.trial import Shape, embedded_in_trial

__all__ = ["EVALUATION_ROWS", "Training", "training_of", "with_trials"]

SINGLE = 0.2  # fraction of the rows that validates an ensemble of one


@dataclass(frozen=True)
class Training:
    """What a session trains.

    Args:
        model: that is trained on the batches of `train`.
        network: that the run keeps; it has the parameters of the model.
        description: of the network.
        optimizer, scheduler: of the model.
        train, valid: the batches of an epoch.
        loss, validation_loss: of the model.
        monitor: name of the value that tells the best epoch.
        ties: which of equally good epochs is the best, "first" or "last".
        criterion: by which the threshold between two classes is chosen, if it is.
        folds: the rows of each member of an ensemble.
        finish: to call after the training, with the best weights.
    """

    model: Module
    network: Module
    description: str
    optimizer: Optimizer
    scheduler: LRScheduler
    train: DataLoader
    valid: DataLoader
    loss: Loss
    validation_loss: Loss
    monitor: str = "val_loss"
    ties: str = "first"
    criterion: str | None = None
    folds: Folds | None = None
    finish: Callable[[], dict[str, Any]] = dict

    def choices(self) -> dict[str, Any]:
        """What is chosen on the validation set after the training: the ``linear_share`` of linear models in an
        ensemble for few rows, the ``half_widths`` of a forecast's intervals, and the ``threshold``, if there is a
        criterion."""
        found = self.finish()
        if self.criterion is None:
            return found
        scores = predict(self.model, self.valid)
        targets = np.concatenate([batch[1].array for batch in self.valid])
        probabilities = softmax(Tensor(scores), -1).array[:, 1]
        return {**found, "threshold": choose_threshold(probabilities, targets, self.criterion)}


def training_of(task: Task, options: Options) -> Training:
    """The training that the options describe."""
    if isinstance(task, TableTask) and options.is_ensemble:
        return ensemble_training(task, options)
    return network_training(task, options)


def with_trials(task: Task, options: Options) -> Options:
    """The options with those that a short trial decides, if they are open."""
    if not (isinstance(task, TableTask) and options.is_ensemble and options.embeddings is None):
        return options
    data, folds = rows_of(task, options)
    x, y = (tensor.array for tensor in data.tensors)
    rates = (options.epochs, options.batch_size, options.lr, options.weight_decay)
    if isinstance(task.target, Classes):
        kind, criterion = CLASSES, sizes_for(len(data)).criterion
        recipe = class_recipe(*rates, LABEL_SMOOTHING, task.class_weight, criterion)
    else:
        kind, recipe = NUMBERS, number_recipe(*rates, y.min(0), y.max(0))
    sizes = (task.columns, *options.hidden, task.outputs)
    shape = Shape(sizes, kind.activation, options.dropout, bool(options.shared))
    numbers = embeddable(len(task.train), task.preprocessor.numeric)
    try:
        chosen = embedded_in_trial(shape, x, y, folds, recipe, numbers, options.seed % 2**63)
    except ValueError as error:
        raise ValueError(f"train: {error}") from None
    return replace(options, embeddings=bool(chosen))


def network_training(task: Task, options: Options) -> Training:
    """The training of one network, with a learning rate annealed along a cosine."""
    model = task.network(options)
    if options.deterministic_shards is not None:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # of whole batches, however many shards
    optimizer = optim.AdamW(optim.decay_groups(model, options.weight_decay), lr=options.lr)
    # Batch norm needs more than one row.
    drop_last = len(task.train) % options.batch_size == 1
    kind = options.network if options.network == "convnet" else (options.network or "").upper()
    return Training(
        model,
        model,
        f"{kind} {sizes_of(task, options)}",
        optimizer,
        CosineAnnealingLR(optimizer, options.epochs),
        DataLoader(task.train, options.batch_size, shuffle=True, drop_last=drop_last),
        DataLoader(task.validation, EVALUATION_ROWS),
        training_loss(task),
        task.loss,
        criterion=options.threshold,
        finish=lambda: {"half_widths": task.interval_widths(model)} if isinstance(task, SeriesTask) else {},
    )


def training_loss(task: Task, label_smoothing: float = 0.0) -> Loss:
    """The loss to minimize: that of the task, with the weights of its classes, if it has any."""
    weight = task.class_weight if isinstance(task, TableTask) else None
    if weight is None and not label_smoothing:
        return task.loss
    return partial(F.cross_entropy, weight=weight, label_smoothing=label_smoothing)


def ensemble_training(task: TableTask, options: Options) -> Training:
    """The training of an ensemble by the recipe of ``cygrad.train.tabular``. A batch holds rows of all members in
    turn."""
    layers = task.network(options)
    data, folds = rows_of(task, options)
    classes, bounds = isinstance(task.target, Classes), bounds_of(data.tensors[1].array)
    batch = min(options.batch_size, folds.size)
    networks: list[Module] = list(layers)
    if options.linear:
        networks = [blended(layers, folds.members, task.columns, task.outputs, classes)]
    model = flattened(networks, folds.members)
    kept = averaged(networks, None if classes else bounds)
    optimizer = optim.AdamW(parameter_groups(layers, options.lr, options.weight_decay), betas=BETAS)

    def finish() -> dict[str, Any]:
        shares: dict[str, Any] = {}
        for layer in (*model, *kept):  # both have the same networks
            if isinstance(layer, nn.EnsembleBlend):
                x, y = (tensor.array for tensor in data.tensors)
                shares["linear_share"] = blend(layer.eval(), x, y, folds, task.class_weight)
        return shares

    return Training(
        model,
        kept,
        description_of(task, options, folds),
        optimizer,
        RecipeSchedule(optimizer, model, options.epochs),
        DataLoader(data, folds.members * batch, sampler=MemberSampler(folds, batch)),
        DataLoader(data, folds.members * EVALUATION_ROWS, sampler=ValidationSampler(folds, EVALUATION_ROWS)),
        training_loss(task, LABEL_SMOOTHING if classes else 0.0),
        F.cross_entropy if classes else BoundedError(*bounds),
        monitored(task, len(data)),
        "last",
        options.threshold,
        folds,
        finish,
    )


def description_of(task: TableTask, options: Options, folds: Folds) -> str:
    """What is trained, in words."""
    count = folds.members
    embedded = ", embeddings of numbers" if options.embeddings else ""
    linear = ", blended with linear models" if options.linear else ""
    rows = "a fold of its own" if options.has_folds else "the same rows"
    sizes = f"{count} network{'s' * (count != 1)} {sizes_of(task, options)}"
    shared = ", shared weights" if options.shared else ""
    return f"ensemble of {sizes}{shared}{embedded}{linear}, each validated on {rows}"


def monitored(task: TableTask, rows: int) -> str:
    """The name of the value that tells the best epoch."""
    if task.class_weight is not None:
        return "val_balanced_accuracy"
    by_error = isinstance(task.target, Classes) and sizes_for(rows).criterion == "error"
    return "val_accuracy" if by_error else "val_loss"


def averaged(networks: Iterable[Module], bounds: tuple[float, float] | None) -> nn.Sequential:
    """The network that a run keeps: the mean of the members' numbers, between bounds, or without bounds that of their
    probabilities."""
    layers = without_dropout(networks)
    if bounds is None:
        return nn.Sequential(*layers, nn.EnsembleMean("probabilities"))
    return nn.Sequential(*layers, nn.EnsembleMean(), nn.Hardtanh(*bounds))


def without_dropout(layers: Iterable[Module]) -> Iterator[Module]:
    """The layers but Dropout, also in the networks of a blend."""
    for layer in layers:
        if isinstance(layer, nn.EnsembleBlend):
            assert isinstance(layer.first, nn.Sequential)
            yield nn.EnsembleBlend(nn.Sequential(*without_dropout(layer.first)), layer.second, layer.share, layer.of)
        elif not isinstance(layer, nn.Dropout):
            yield layer


class BoundedError:
    """The mean squared error of outputs that are kept between bounds."""

    def __init__(self, least: float, most: float) -> None:
        self.least, self.most = least, most

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(output.clamp(self.least, self.most), target)


def rows_of(task: TableTask, options: Options) -> tuple[TensorDataset, Folds]:
    """The rows of training and validation, and those of each member."""
    members = options.members or 1
    if task.validation is not None:
        pairs = zip(task.train.tensors, task.validation.tensors, strict=True)
        both = [np.concatenate([a.array, b.array]) for a, b in pairs]
        return TensorDataset(*both), Folds.shared(len(task.train), len(task.validation), members)
    strata = task.train.tensors[1].array if isinstance(task.target, Classes) else None
    generator = Generator().manual_seed(options.seed)
    if task.groups is not None:
        return task.train, Folds.of_groups(task.groups, members, SINGLE, generator)
    return task.train, Folds.drawn(strata, len(task.train), members, SINGLE, generator)


def bounds_of(values: Array) -> tuple[float, float]:
    """The least and the largest value."""
    return float(values.min()), float(values.max())


def sizes_of(task: Task, options: Options) -> str:
    """The sizes of the layers, such as 8-64-64-2."""
    sizes: Sequence[Any] = (task.columns, *options.hidden, task.outputs)
    return "-".join(map(str, sizes))
