"""The numbers of the recipe: what fits a table without tuning."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CLASSES", "DROPOUT", "EPOCHS", "LABEL_SMOOTHING", "NUMBERS", "WEIGHT_DECAY", "Sizes", "sizes_for"]

EPOCHS = 64
DROPOUT = 0.15
WEIGHT_DECAY = 0.02
LABEL_SMOOTHING = 0.1
FEW_ROWS = 1000


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
