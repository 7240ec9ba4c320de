"""The columns of a table as features of a network: numbers, categories and missing values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.preprocessing.encoders import RobustNumber
from cygrad.data.tables.column import is_pandas_missing

__all__ = ["Features", "category_columns"]

MOST_CATEGORIES = 50  # of a column that have a feature of their own; the rest share none


@dataclass(frozen=True)
class Categories:
    """A column of categories: one feature of ±1 for two of them, else one of 0 or 1 for each of the most frequent. A
    value that is missing, rare or not in the training set has zeros.

    Args:
        values: the categories, in ascending order.
    """

    values: tuple[Any, ...]

    @staticmethod
    def fitted(column: Array) -> Categories:
        """The categories of a column of objects."""
        counts: dict[Any, int] = {}
        for value in column.tolist():
            if not is_missing(value):
                counts[key(value)] = counts.get(key(value), 0) + 1
        frequent = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_CATEGORIES]
        return Categories(tuple(sorted(frequent)))

    @property
    def width(self) -> int:
        """Number of features."""
        return 1 if len(self.values) == 2 else len(self.values)

    def encoded(self, column: Array) -> Array:
        """The features (N, categories) of a column."""
        index = {value: i for i, value in enumerate(self.values)}
        codes = np.array([-1 if is_missing(v) else index.get(key(v), -1) for v in column.tolist()], np.intp)
        if len(self.values) == 2:
            return np.where(codes < 0, 0.0, 2.0 * codes - 1)[:, None]
        return (codes[:, None] == np.arange(len(self.values))).astype(np.float64)


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN or pandas' NA."""
    return value is None or is_pandas_missing(value) or bool(value != value)


def key(value: Any) -> str:
    """The text that stands for a category, so that 1 and "1", or True and "True", are one."""
    return str(value)


def category_columns(X: Any, given: str | Sequence[Any] | None, name: str) -> list[int]:
    """The indices of the columns that hold categories.

    Args:
        X: an array or a data frame.
        given: "from_dtype" for the columns of a data frame that are not numbers; or the names, indices or a mask.
        name: of the estimator, for messages.
    """
    columns = list(getattr(X, "columns", ()))
    if given is None:
        return []
    if isinstance(given, str):
        return [i for i, column in enumerate(columns) if not is_numeric(X[column])]
    count = len(columns) if columns else np.asarray(X).shape[-1]
    chosen = np.asarray(given)
    if chosen.dtype == bool:
        if chosen.shape != (count,):
            raise ValueError(f"{name}: categorical_features has {chosen.size} entries for {count} columns")
        return [int(i) for i in np.flatnonzero(chosen)]
    unknown = [c for c in given if not (c in columns if isinstance(c, str) else 0 <= int(c) < count)]
    if unknown:
        raise ValueError(f"{name}: categorical_features has {unknown[:5]}, but the columns are {columns or count}")
    return sorted({columns.index(c) if isinstance(c, str) else int(c) for c in given})


def is_numeric(series: Any) -> bool:
    """Whether a column of a data frame holds numbers: floats, integers or booleans."""
    kind = getattr(series.dtype, "kind", None)  # of pandas; polars' dtypes have methods
    if kind is not None:
        return kind in "fiub" and str(series.dtype) != "category"
    return bool(series.dtype.is_numeric() or str(series.dtype) == "Boolean")


@dataclass(frozen=True)
class Features:
    """The encoding of all columns, fitted on the training set.

    Args:
        columns: of each column.
    """

    columns: tuple[RobustNumber | Categories, ...]

    @staticmethod
    def fitted(X: Array, categories: Sequence[int]) -> Features:
        """The encoding of X (N, D), an array of floats, or of objects if there are categories."""
        chosen = set(categories)
        return Features(
            tuple(
                [
                    Categories.fitted(X[:, i]) if i in chosen else RobustNumber.fitted(str(i), as_floats(X[:, i]))
                    for i in range(X.shape[1])
                ]
            )
        )

    @property
    def numeric(self) -> list[int]:
        """Indices of the features that are numbers: neither categories nor marks of missing values."""
        is_number: list[bool] = []
        for column in self.columns:
            is_number += [False] * column.width if isinstance(column, Categories) else [True, *[False] * column.marked]
        return [i for i, numeric in enumerate(is_number) if numeric]

    def encoded(self, X: Array) -> Array:
        """The features (N, features) of X, float32."""
        parts = [
            column.encoded(x) if isinstance(column, Categories) else column.encode(as_floats(x), unseen="ignore")
            for column, x in zip(self.columns, X.T, strict=True)
        ]
        return np.concatenate(parts, 1, dtype=np.float32) if parts else np.zeros((len(X), 0), np.float32)


def as_floats(column: Array) -> Array:
    """A column as floats, with NaN for what is missing."""
    if column.dtype != object:
        return np.asarray(column, np.float64)
    return np.array([np.nan if is_missing(value) else float(value) for value in column.tolist()])
