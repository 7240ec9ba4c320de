"""The training of a tabular estimator's networks, all members in one recorded step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cygrad import nn, optim
from cygrad._typing import Array
from cygrad.autograd import no_grad
from cygrad.compiler import CompiledFunction, Epochs
from cygrad.sklearn.network import evaluate
from cygrad.sklearn.tabular_network import flat_cosine, parameter_groups, rate_factor
from cygrad.tensor import Tensor
from cygrad.train.early_stopping import copied
from cygrad.train.history import History

__all__ = ["Folds", "Recipe", "scores_of", "train"]

ROWS = 2048  # predicted at a time
DROPOUT_STAGES = 8  # a recorded step has one dropout probability


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


class Folds:
    """The rows that each member trains on, and those that it is validated on.

    With several members the validation sets are the parts of a K-fold split, so that together they are all rows.

    Args:
        strata: a class for each row, within which rows are dealt out; or None.
        count: of rows.
        members: of the ensemble.
        fraction: of the rows for validation of a single member.
        random: draws the split.
    """

    def __init__(
        self, strata: Array | None, count: int, members: int, fraction: float, random: np.random.RandomState
    ) -> None:
        order = random.permutation(count)
        if strata is not None:
            order = order[np.argsort(strata[order], kind="stable")]
        parts = min(max(members, 2) if members > 1 else max(2, round(1 / fraction)), count)
        part = np.empty(count, np.intp)
        part[order] = np.arange(count) % parts
        held = [k % parts for k in range(members)]
        self.validation = [np.flatnonzero(part == k) for k in held]
        self.train = [np.flatnonzero(part != k) for k in held]
        self.size = min([len(rows) for rows in self.train])

    def epoch(self, random: np.random.RandomState, batch: int) -> Array:
        """The rows of an epoch, for each batch those of all members in turn: (batches·members·batch,)."""
        count = self.size // batch
        rows = np.stack([random.permutation(rows)[: count * batch].reshape(count, batch) for rows in self.train], 1)
        return rows.reshape(-1)


def train(
    model: nn.Sequential, x: Array, y: Array, folds: Folds, recipe: Recipe, random: np.random.RandomState
) -> tuple[History, int]:
    """Train all members; afterwards they have the weights of the epoch whose mean error of validation was least, the
    last of equal ones. Returns the history and that epoch."""
    members, batch = len(folds.train), min(recipe.batch_size, folds.size)
    optimizer = optim.AdamW(parameter_groups(model, recipe.learning_rate, recipe.weight_decay), betas=(0.9, 0.95))
    peaks = [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups]
    dropouts = [(layer, layer.p) for layer in model if isinstance(layer, nn.Dropout)]

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
        time = (epoch - 0.5) / recipe.epochs
        for group, (rate, decay) in zip(optimizer.param_groups, peaks):
            group["lr"], group["weight_decay"] = rate * rate_factor(time), decay * flat_cosine(time)
        for layer, p in dropouts:
            layer.p = p * flat_cosine(np.floor(time * DROPOUT_STAGES) / DROPOUT_STAGES)
        losses = epochs.run(folds.epoch(random, batch))
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
    longest = max([len(part) for part in rows])
    padded = np.stack([np.resize(part, longest) for part in rows])
    parts = [model(Tensor(x[padded[:, i : i + ROWS]])).array for i in range(0, longest, ROWS)]
    scores = np.concatenate(parts, 1)
    return [z[: len(part)] for z, part in zip(scores, rows)]


def scores_of(model: nn.Sequential, x: Array) -> Any:
    """The scores (K, N, C) of all members for all rows."""
    with no_grad():
        return np.concatenate([model(Tensor(x[i : i + ROWS])).array for i in range(0, len(x), ROWS)], 1)
