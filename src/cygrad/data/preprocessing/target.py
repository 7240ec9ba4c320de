"""Targets: what is to be predicted, as a network learns it, and back."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.preprocessing.encoders import Category, is_sound, shown
from cygrad.data.tables.column import numbers_of

__all__ = ["Classes", "Quantity", "Target", "fit_target", "target_of"]

TASKS = ("classification", "regression")
FEW_CLASSES = 20


@dataclass(frozen=True)
class Classes:
    """A column of classes, as their numbers (N,) of int64.

    >>> from cygrad.data.preprocessing import Classes
    >>> species = Classes("species", ["setosa", "virginica"])
    >>> species.encode(np.array(["virginica", "setosa"], object)), species.decode(np.array([1, 0]))
    (array([1, 0]), ['virginica', 'setosa'])
    """

    name: str
    values: list[Any] = field(default_factory=list)

    task = "classification"

    def encode(self, column: Array) -> Array:
        """Class numbers. Raises ValueError, naming the row, for a class that is not known."""
        return self.category.codes(column)

    def decode(self, numbers: Array) -> list[Any]:
        """The classes of their numbers; whole ones as integers."""
        return [self.labels[number] for number in numbers.tolist()]

    @property
    def category(self) -> Category:
        """The same as a category of inputs."""
        return Category(self.name, self.values)

    @property
    def labels(self) -> list[Any]:
        """The classes; numbers that are whole as integers."""
        return [int(v) if isinstance(v, float) and v == int(v) else v for v in self.values]


@dataclass(frozen=True)
class Quantity:
    """A column of numbers, as (y − mean)/std, (N, 1) of float32.

    >>> from cygrad.data.preprocessing import Quantity
    >>> price = Quantity("price", mean=10.0, std=2.0)
    >>> price.decode(price.encode(np.array([14.0, 9.0])))
    [14.0, 9.0]
    """

    name: str
    mean: float
    std: float

    task = "regression"

    def encode(self, column: Array) -> Array:
        """Standardised numbers. Raises ValueError, naming the row, for one that is missing or not finite."""
        numbers = finite(self.name, column)
        return ((numbers - self.mean) / self.std).astype(np.float32)[:, None]

    def decode(self, outputs: Array) -> list[float]:
        """outputs (N, 1) or (N,) in the column's own unit."""
        numbers: list[float] = (outputs.astype(np.float64).reshape(-1) * self.std + self.mean).tolist()
        return numbers


Target = Classes | Quantity


def fit_target(name: str, column: Array, task: str | None = None) -> Target:
    """The target that the training part's column `name` shows.

    Unless `task` says "classification" or "regression", text is classes, and so are whole numbers of at most 20
    different values that are fewer than half the rows; other numbers are quantities.

    Raises ValueError where a value is missing or infinite, all are equal, or text is to be a quantity.
    """
    if task is not None and task not in TASKS:
        raise ValueError(f"the task must be {' or '.join(TASKS)}, got {task!r}")
    values = column if column.dtype == object else finite(name, column)
    for row, value in enumerate(values):
        if value is None:
            raise ValueError(f"the target {name!r} lacks a value in row {row + 1}")
    different = sorted(set(values.tolist()))
    if len(different) < 2:
        raise ValueError(f"the target {name!r} has one value only, {', '.join(map(shown, different))}")
    if (task or guessed(values, different)) == "classification":
        return Classes(name, different)
    numbers = finite(name, values)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(numbers.mean()), float(numbers.std())
    if not math.isfinite(std) or not std > 0:
        raise ValueError(f"the target {name!r} has no deviation that float64 can hold")
    return Quantity(name, mean, std)


def guessed(values: Array, different: list[Any]) -> str:
    """The task that values look like."""
    if values.dtype == object:
        return "classification"
    whole = bool((values == np.rint(values)).all())
    few = len(different) <= FEW_CLASSES and (len(different) == 2 or 2 * len(different) < len(values))
    return "classification" if whole and few else "regression"


def finite(name: str, column: Array) -> Array:
    """The numbers of a target. Raises ValueError where one is missing or infinite."""
    try:
        numbers = numbers_of(name, column)
    except ValueError as error:
        raise ValueError(f"the target is no quantity: {error}") from None
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers)))
        what = "lacks a value" if np.isnan(numbers[row]) else f"holds {numbers[row]}"
        raise ValueError(f"the target {name!r} {what} in row {row + 1}")
    return numbers


def described_target(target: Target) -> dict[str, Any]:
    """A target as plain values."""
    return {"task": target.task, **asdict(target)}


def target_of(description: Any) -> Target:
    """The target that plain values describe. Raises ValueError where they describe none."""
    options = dict(description) if isinstance(description, dict) else {}
    task = options.pop("task", None)
    try:
        made: Target = {"classification": Classes, "regression": Quantity}[task](**options)
    except (KeyError, TypeError):
        raise ValueError(f"there is no target {str(description)[:100]}") from None
    if isinstance(made, Classes):
        sound = isinstance(made.values, list) and is_sound(made.category) and len(made.values) > 1
        made = Classes(made.name, [float(v) if isinstance(v, int) else v for v in made.values]) if sound else made
    else:
        sound = all(type(n) in (int, float) and math.isfinite(n) for n in (made.mean, made.std)) and made.std > 0
    if not sound or not isinstance(made.name, str):
        raise ValueError(f"the target {str(made.name)[:40]!r} has values that are none")
    return made
