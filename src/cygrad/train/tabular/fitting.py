"""The training of an ensemble's networks, all members in one recorded step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cygrad import nn, optim
from cygrad._typing import Array
from cygrad.autograd import no_grad
from cygrad.compiler import CompiledFunction, Epochs
from cygrad.generator import Generator
from cygrad.nn import functional as F
from cygrad.tensor import Tensor
from cygrad.train.early_stopping import copied
from cygrad.train.history import History
from cygrad.train.modes import evaluate
from cygrad.train.tabular.folds import Folds
from cygrad.train.tabular.network import BETAS, parameter_groups
from cygrad.train.tabular.schedule import RecipeSchedule

__all__ = ["Recipe", "class_recipe", "number_recipe", "scores_of", "train"]

ROWS = 2048  # predicted at a time


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Args:
        epochs: passes over the training rows.
        batch_size: rows of a batch, for each member.
        learning_rate: largest rate of a weight, times √fan_in.
        weight_decay: of weights, decoupled, at its start.
        loss: of scores (K, B, C) and targets (K·B, …): the sum of the members' losses.
        error: of scores (N, C) and targets (N, …), to choose the epoch by.
        name: of the error.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    loss: Callable[[Tensor, Tensor], Tensor]
    error: Callable[[Array, Array], float]
    name: str


def class_recipe(
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    label_smoothing: float,
    weight: Tensor | None,
    criterion: str,
) -> Recipe:
    """The recipe for class indices (N,): cross entropy, and by which mean the epoch is chosen, "loss" or "error". See
    ``Recipe`` for the others.

    Args:
        label_smoothing: of the loss.
        weight: of each class in the loss.
        criterion: "loss" or "error".
    """

    def loss(scores: Tensor, targets: Tensor) -> Tensor:
        flat = scores.reshape(targets.shape[0], scores.shape[2])
        return F.cross_entropy(flat, targets, weight, label_smoothing=label_smoothing) * scores.shape[0]

    measure = log_loss if criterion == "loss" else error
    return Recipe(epochs, batch_size, learning_rate, weight_decay, loss, measure, criterion)


def number_recipe(
    epochs: int, batch_size: int, learning_rate: float, weight_decay: float, least: Array, most: Array
) -> Recipe:
    """The recipe for numbers (N, C): the squared error, for the validation that of predictions between bounds. See
    ``Recipe`` for the others.

    Args:
        least, most: the bounds (C,).
    """

    def loss(scores: Tensor, targets: Tensor) -> Tensor:
        return F.mse_loss(scores.reshape(targets.shape), targets) * scores.shape[0]

    def squared(scores: Array, targets: Array) -> float:
        return float(np.mean((scores.clip(least, most) - targets) ** 2))

    return Recipe(epochs, batch_size, learning_rate, weight_decay, loss, squared, "mse")


def error(scores: Array, targets: Array) -> float:
    """The fraction of rows whose class does not have the largest of the scores (N, C)."""
    return float((scores.argmax(1) != targets).mean())


def log_loss(scores: Array, targets: Array) -> float:
    """The mean of −log softmax(scores) of the targets' classes."""
    return F.cross_entropy(Tensor(scores), Tensor(targets)).item()


def train(
    model: nn.Sequential, x: Array, y: Array, folds: Folds, recipe: Recipe, generator: Generator
) -> tuple[History, int]:
    """Train all members; afterwards they have the weights of the epoch whose mean error of validation was least, the
    last of equal ones. Returns the history and that epoch."""
    members, batch = folds.members, min(recipe.batch_size, folds.size)
    optimizer = optim.AdamW(parameter_groups(model, recipe.learning_rate, recipe.weight_decay), betas=BETAS)
    schedule = RecipeSchedule(optimizer, model, recipe.epochs)

    def step(rows: Tensor, targets: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = recipe.loss(model(rows.reshape(members, batch, rows.shape[1])), targets)
        loss.backward()
        optimizer.step()
        return loss

    epochs = Epochs(CompiledFunction(step, quiet=True), (Tensor(x), Tensor(y)), {}, members * batch)
    history, best, best_epoch, least = History(), copied(model), 0, np.inf
    model.train()
    for epoch in range(1, recipe.epochs + 1):
        losses = epochs.run(folds.epoch(generator, batch))
        schedule.step()
        scores = evaluate(model, lambda: member_scores(model, x, folds.validation))
        error = float(np.mean([recipe.error(z, y[rows]) for z, rows in zip(scores, folds.validation)]))
        loss = float(np.mean(losses.array)) / members
        if not np.isfinite(loss):
            raise ValueError(f"the loss of epoch {epoch} is {loss}; lower learning_rate, now {recipe.learning_rate}")
        history.records.append({"epoch": epoch, "loss": loss, f"val_{recipe.name}": error})
        if error <= least:
            least, best, best_epoch = error, copied(model), epoch
    model.load_state_dict(best)
    model.eval()
    return history, best_epoch


def member_scores(model: nn.Sequential, x: Array, rows: list[Array]) -> list[Array]:
    """The scores of each member for rows of its own."""
    indices = np.stack(rows)
    parts = [model(Tensor(x[indices[:, i : i + ROWS]])).array for i in range(0, indices.shape[1], ROWS)]
    return list(np.concatenate(parts, 1))


def scores_of(model: nn.Sequential, x: Array) -> Any:
    """The scores (K, N, C) of all members for all rows."""
    with no_grad():
        return np.concatenate([model(Tensor(x[i : i + ROWS])).array for i in range(0, len(x), ROWS)], 1)
