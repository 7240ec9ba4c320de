"""Held-out rows, on which a report measures the trained network and its baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from cygrad._typing import Array
from cygrad.nn.module import Module
from cygrad.tensor import Tensor
from cygrad.train.evaluation import predict
from cygrad.train.tabular.folds import Folds

__all__ = ["EVALUATION_ROWS", "Held", "held_in_folds", "held_rows"]

EVALUATION_ROWS = 1024  # predicted at once
Fit = Callable[[Array, Array], Module]  # a baseline, from the features and targets of the rows to learn from


@dataclass(frozen=True)
class Held:
    """Rows that the network has not learned from. They lie in as many equal groups as there are training sets that
    exclude them: one for a test set, one for each fold.

    Args:
        name: of the set.
        x: features, (groups, n, F).
        y: targets, (groups, n, …).
        train: features and targets of each group's training rows.
        network: features (groups, n, F) → outputs (groups, n, C).

    ``scored`` keeps what ``once`` has computed.
    """

    name: str
    x: Array
    y: Array
    train: list[tuple[Array, Array]]
    network: Callable[[Array], Array]
    scored: dict[str, Array] = field(default_factory=dict, init=False, compare=False)

    def once(self, model: str, outputs: Callable[[], Array]) -> Array:
        """The outputs (rows, C) of a model, which are computed at the first call with its name."""
        if model not in self.scored:
            self.scored[model] = outputs()
        return self.scored[model]

    def __len__(self) -> int:
        return int(self.x.shape[0] * self.x.shape[1])

    @property
    def features(self) -> Array:
        """The features, (rows, F)."""
        return self.x.reshape(len(self), -1)

    @property
    def targets(self) -> Array:
        """The targets, (rows,)."""
        return self.y.reshape(len(self))

    def outputs(self, features: Array | None = None) -> Array:
        """The network's outputs (rows, C), for other features (rows, F) of the same rows if they are given."""
        if features is None:
            return self.once("network", lambda: self.outputs(self.features))
        x = features.reshape(self.x.shape)
        chunks = [self.network(x[:, i : i + EVALUATION_ROWS]) for i in range(0, x.shape[1], EVALUATION_ROWS)]
        return np.concatenate(chunks, 1).reshape(len(self), -1)

    def baseline(self, fit: Fit) -> Array:
        """The outputs (rows, C) of a baseline, fitted to each group's training rows."""
        return np.concatenate([predict(fit(*known), x) for known, x in zip(self.train, self.x, strict=True)])

    def constant(self, predict_all: Callable[[Array], Array]) -> Array:
        """The outputs (rows, C) of a baseline that predicts the same for all rows, from each group's targets."""
        outputs = [np.atleast_1d(predict_all(targets)) for _, targets in self.train]
        return np.repeat(np.stack(outputs), self.x.shape[1], 0)

    def reduced(self, rows: int, seed: int) -> Held:
        """About `rows` of the rows, drawn without replacement, equally many of each group."""
        groups, count = self.x.shape[:2]
        size = min(count, max(1, rows // groups))
        chosen = np.sort(np.random.default_rng(seed).permutation(count)[:size])
        return replace(self, x=self.x[:, chosen], y=self.y[:, chosen])


def held_rows(name: str, model: Module, part: tuple[Array, Array], train: tuple[Array, Array]) -> Held:
    """One set: the test set, or the validation set."""
    x, y = part
    return Held(name, x[None], y[None], [train], lambda rows: predict(model, rows[0])[None])


def held_in_folds(
    networks: Module, folds: Folds, x: Array, y: Array, bounds: tuple[float, float] | None = None
) -> Held:
    """The validation rows of an ensemble's members, each predicted by the member that has not learned from it.

    Args:
        networks: features (K·n, F) of rows of all members in turn → outputs (K·n, C), see ``flattened``.
        folds: the rows of each member.
        x, y: features and targets of all rows.
        bounds: between which outputs are kept, if they are numbers.
    """
    rows = np.stack(folds.validation)

    def outputs(features: Array) -> Array:
        members, count, width = features.shape
        flat = predict(networks, Tensor(features.reshape(-1, width)), members * count).reshape(members, count, -1)
        return flat if bounds is None else np.clip(flat, *bounds)

    train = [(x[known], y[known]) for known in folds.train]
    return Held("validation folds", x[rows], y[rows], train, outputs)
