"""Targets: the column to predict, encoded for a loss and decoded from outputs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.preprocessing.base import missing_mask
from cygrad.data.preprocessing.encoders import Category, format_value, is_valid
from cygrad.data.tables.column import to_numbers

__all__ = ["Classes", "Quantity", "Target", "fit_target", "target_of", "target_to_dict"]

TASKS = ("classification", "regression")
FEW_CLASSES = 20  # at most so many distinct integers are taken for classes


@dataclass(frozen=True)
class Classes:
    """A target of classes, encoded as class indices (N,) of int64.

    Args:
        name: name of the column.
        values: the classes, in the order of their indices.

    >>> from cygrad.data.preprocessing import Classes
    >>> species = Classes("species", ["setosa", "virginica"])
    >>> species.encode(np.array(["virginica", "setosa"], object)), species.decode(np.array([1, 0]))
    (array([1, 0]), ['virginica', 'setosa'])
    """

    name: str
    values: list[Any] = field(default_factory=list)

    task = "classification"

    def encode(self, column: Array) -> Array:
        """Return class indices (N,). Raises ValueError, naming the row, for an unknown class."""
        return self.category.codes(column)

    def decode(self, indices: Array) -> list[Any]:
        """Return the labels of class indices (N,)."""
        labels = self.labels
        return [labels[index] for index in indices.tolist()]

    @property
    def category(self) -> Category:
        """The classes as a category."""
        return Category(self.name, self.values)

    @property
    def labels(self) -> list[Any]:
        """The class labels; whole numbers as int."""
        return [int(v) if isinstance(v, float) and v == int(v) else v for v in self.values]


@dataclass(frozen=True)
class Quantity:
    """A numeric target, encoded as (y − mean)/std, shape (N, 1) of float32.

    Args:
        name: name of the column.
        mean: mean of the training data.
        std: standard deviation of the training data, positive.

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
        """Return standardized values (N, 1). Raises ValueError, naming the row, for missing or infinite ones."""
        numbers = finite_numbers(self.name, column)
        return ((numbers - self.mean) / self.std).astype(np.float32)[:, None]

    def decode(self, outputs: Array) -> list[float]:
        """Convert outputs (N, 1) or (N,) to the column's unit."""
        numbers: list[float] = (outputs.astype(np.float64).reshape(-1) * self.std + self.mean).tolist()
        return numbers


Target = Classes | Quantity


def fit_target(name: str, column: Array, task: str | None = None) -> Target:
    """Fit a target to a column of the training data.

    Args:
        name: name of the column.
        column: its values (N,).
        task: "classification" or "regression". By default text is classified, and so are integers with at most 20
            distinct values that are fewer than half the rows; other numbers are regressed.

    Returns:
        ``Classes`` or a ``Quantity``.

    Raises:
        ValueError: if a value is missing or infinite, all values are equal, or text is to be regressed.

    >>> from cygrad.data.preprocessing import fit_target
    >>> fit_target("buys", np.array(["no", "yes", "no"], object))
    Classes(name='buys', values=['no', 'yes'])
    """
    if task is not None and task not in TASKS:
        raise ValueError(f"the task must be {' or '.join(TASKS)}, got {task!r}")
    values = column if column.dtype == object else finite_numbers(name, column)
    for row, value in enumerate(values):
        if value is None:
            raise ValueError(f"target {name!r} has a missing value in row {row + 1}")
    distinct = sorted(set(values.tolist()))
    if len(distinct) < 2:
        raise ValueError(f"target {name!r} must have at least two distinct values, got {format_distinct(distinct)}")
    if (task or infer_task(values, distinct)) == "classification":
        return Classes(name, distinct)
    numbers = finite_numbers(name, values)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(numbers.mean()), float(numbers.std())
    if not math.isfinite(std) or not std > 0:
        raise ValueError(f"the standard deviation of target {name!r} is out of float64's range")
    return Quantity(name, mean, std)


def format_distinct(distinct: list[Any]) -> str:
    return f"only {format_value(distinct[0])}" if distinct else "none"


def infer_task(values: Array, distinct: list[Any]) -> str:
    """The task that the values suggest."""
    if values.dtype == object:
        return "classification"
    integers = bool((values == np.rint(values)).all())
    few = len(distinct) <= FEW_CLASSES and (len(distinct) == 2 or 2 * len(distinct) < len(values))
    return "classification" if integers and few else "regression"


def finite_numbers(name: str, column: Array) -> Array:
    """The values of a target as numbers. Raises ValueError for missing or infinite ones."""
    numbers = to_numbers(column)
    if (other := np.isnan(numbers) & ~missing_mask(column)).any():
        row = int(np.argmax(other))
        got = f"contains {column[row][:40]!r} in row {row + 1}"
        raise ValueError(f"the target is not numeric: column {name!r} {got}, expected a number")
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers)))
        what = "has a missing value" if np.isnan(numbers[row]) else f"contains {numbers[row]}"
        raise ValueError(f"target {name!r} {what} in row {row + 1}")
    return numbers


def target_to_dict(target: Target) -> dict[str, Any]:
    """A target as JSON values."""
    return {"task": target.task, **asdict(target)}


def target_of(description: Any) -> Target:
    """Create a target from its JSON description, as found in a run's ``config.json``.

    Args:
        description: a dict with "task", "name", and "values" or "mean" and "std".

    Returns:
        ``Classes`` or a ``Quantity``.

    Raises:
        ValueError: if the description is invalid.
    """
    options = dict(description) if isinstance(description, dict) else {}
    task = options.pop("task", None)
    try:
        target: Target = {"classification": Classes, "regression": Quantity}[task](**options)
    except (KeyError, TypeError):
        raise ValueError(f"not a description of a target: {str(description)[:100]}") from None
    if isinstance(target, Classes):
        valid = isinstance(target.values, list) and is_valid(target.category) and len(target.values) > 1
        if valid:
            target = Classes(target.name, [float(v) if isinstance(v, int) else v for v in target.values])
    else:
        valid = all(type(n) in (int, float) and math.isfinite(n) for n in (target.mean, target.std)) and target.std > 0
    if not valid or not isinstance(target.name, str):
        raise ValueError(f"the description of the target {str(target.name)[:40]!r} has invalid values")
    return target
