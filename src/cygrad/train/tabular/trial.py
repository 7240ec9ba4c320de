"""A short trial that tells whether the numbers of a table should have embeddings.

Where the target is a step function or a wave of few numbers, periodic embeddings halve the error. Where it depends on
many numbers smoothly, they fit noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cygrad._typing import Array
from cygrad.generator import Generator
from cygrad.random import fork_rng
from cygrad.train.tabular.fitting import Recipe, train
from cygrad.train.tabular.folds import Folds
from cygrad.train.tabular.network import ensemble

__all__ = ["Shape", "embedded_in_trial"]

MEMBERS = 2
PART = 4  # of the epochs, a quarter
ROWS = 4096  # of each member, at most: a trial of more takes a quarter of the time of a fit


class Shape(NamedTuple):
    """The networks of an ensemble; see ``ensemble``."""

    sizes: tuple[int, ...]
    activation: str
    dropout: float
    shared: bool = False


def spread(rows: Array) -> Array:
    """At most ROWS of the rows, at equal distances."""
    return rows[:: -(-len(rows) // ROWS) or 1]


def embedded_in_trial(
    shape: Shape, x: Array, y: Array, folds: Folds, recipe: Recipe, numbers: Sequence[int], seed: int = 0
) -> list[int]:
    """Train two members on some rows for a quarter of the epochs, with and without embeddings, and return the features
    that should have one: all of `numbers` if the mean error of validation was less with them, else none.

    Args:
        shape: of the networks.
        x, y, folds, recipe: see ``train``.
        numbers: indices of features; without any there is no trial.
        seed: of the trial's weights and batches. The default generator stays as it is.
    """
    if not numbers:
        return []
    few = Folds(*([spread(rows) for rows in part[:MEMBERS]] for part in (folds.train, folds.validation)))
    short = replace(recipe, epochs=max(1, recipe.epochs // PART))

    def least_error(embedded: Sequence[int]) -> float:
        generator = Generator().manual_seed(seed)
        networks = ensemble(few.members, *shape[:3], generator, embedded, shape.shared)
        history, best = train(networks, x, y, few, short, generator)
        return float(history[f"val_{recipe.name}"][best - 1])

    with fork_rng():
        errors = [least_error([]), least_error(numbers)]
    return list(numbers) if np.argmin(errors) else []
