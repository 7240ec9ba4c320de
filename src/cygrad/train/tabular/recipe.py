"""The numbers of the recipe: what fits a table without tuning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = [
    "CLASSES",
    "DROPOUT",
    "EPOCHS",
    "LABEL_SMOOTHING",
    "NUMBERS",
    "WEIGHT_DECAY",
    "Sizes",
    "embeddable",
    "is_blended",
    "sizes_for",
]

EPOCHS = 64
DROPOUT = 0.15
WEIGHT_DECAY = 0.02
LABEL_SMOOTHING = 0.1
FEW_ROWS = 1000
MOST_EMBEDDED = 32  # features; each of them widens the first layer by four


class Sizes(NamedTuple):
    """What fits the number of rows: the number of members, the units of the hidden layers, the rows of a batch, and by
    which mean of validation an epoch of a classification is chosen, "loss" or "error". The fraction of wrong classes
    of a few rows is coarse."""

    members: int
    hidden: tuple[int, ...]
    batch: int
    criterion: str


SMALL = Sizes(12, (64, 64, 64), 32, "loss")
LARGE = Sizes(4, (128, 128, 128), 256, "error")


class Kind(NamedTuple):
    """What fits the kind of target: the activation, and the largest learning rate of a weight, times √fan_in."""

    activation: str
    learning_rate: float


CLASSES = Kind("selu", 0.04)
NUMBERS = Kind("mish", 0.14)


def sizes_for(rows: int) -> Sizes:
    """The sizes that fit a number of rows to learn from."""
    return SMALL if rows < FEW_ROWS else LARGE


def embeddable(rows: int, numbers: Sequence[int]) -> list[int]:
    """The features for which a periodic embedding may be of use, of those that are numbers: all of them, unless there
    are few rows, which embeddings would fit too closely, or more than 32 numbers."""
    return list(numbers) if rows >= FEW_ROWS and len(numbers) <= MOST_EMBEDDED else []


def is_blended(rows: int) -> bool:
    """Whether members are blended with linear models, which few rows may fit better than a network."""
    return rows < FEW_ROWS
