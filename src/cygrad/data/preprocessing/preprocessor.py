"""Preprocessor: a table as the numbers that a network takes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from cygrad._files import atomic_write
from cygrad._typing import Array
from cygrad.data.preprocessing.encoders import Category, Encoder, Number, Value, described, encoder_of
from cygrad.data.tables.column import number_of
from cygrad.data.tables.table import Table, listed

__all__ = ["Preprocessor"]

FORMAT = 1
CHOICES = {"missing": ("fill", "raise"), "unseen": ("raise", "ignore")}


class Preprocessor:
    """Standardises the numbers of a table, and encodes its categories, as was fitted on the training part.

    - Numbers become (x − mean)/std. Where some are missing the mean takes their place, and a number more tells which;
      with ``missing="raise"`` they are refused.
    - Text, and the columns that `categories` names, become one number for each value, 1 where it is that one. A
      value that is missing is a category of its own.
    - Left out are columns that `drop` names, that have one value only, and text, unless `categories` names it, with
      more than `most_categories` different values.

    ``notes`` has a sentence for everything that was filled or left out; ``columns`` the names of those that are
    wanted, and ``features`` the names of the numbers that they become.

    >>> train = cg.data.Table({"height": [1.6, 1.8], "city": ["Bern", "Oslo"], "planet": ["Earth", "Earth"]})
    >>> preprocessor = cg.data.Preprocessor().fit(train)
    >>> preprocessor.features, preprocessor.notes
    (['height', "city is 'Bern'", "city is 'Oslo'"], ["column 'planet' is left out: all its values are 'Earth'"])
    >>> preprocessor.transform(cg.data.Table({"city": ["Oslo"], "height": [1.9]})).round(3)
    array([[2., 0., 1.]], dtype=float32)
    """

    def __init__(
        self,
        *,
        categories: Iterable[str] = (),
        drop: Iterable[str] = (),
        missing: str = "fill",
        most_categories: int = 100,
    ) -> None:
        check_choice("missing", missing)
        if isinstance(categories, str) or isinstance(drop, str):
            raise TypeError("Preprocessor: categories and drop are lists of names, got a text")
        self.categories = list(categories)
        self.drop = list(drop)
        self.missing = missing
        self.most_categories = most_categories
        self.encoders: list[Encoder] = []
        self.notes: list[str] = []

    # Fitting

    def fit(self, table: Table) -> Preprocessor:
        """Learns means, deviations and categories from the training part, and returns itself.

        Raises ValueError, naming the column, where numbers and text are mixed, a number is infinite, or the table lacks
        one that `categories` or `drop` name; and where no column is left.
        """
        if not len(table):
            raise ValueError("Preprocessor: there are no rows to fit it to")
        self.check(table)
        notes: list[str] = []
        columns = [(name, column) for name, column in table.items() if name not in self.drop]
        encoders = [self._fitted(name, column, notes) for name, column in columns]
        kept = [encoder for encoder in encoders if encoder is not None]
        if not kept:
            reasons = "; ".join(notes) or "the table has no other"
            raise ValueError(f"Preprocessor: there is no column to learn from: {reasons}")
        self.encoders, self.notes = kept, notes
        return self

    def check(self, table: Table) -> None:
        """Raises ValueError where a column mixes numbers and text or has an infinite number, or one that was named is
        not there. Of use for a whole table, before it is split, because a part of it may show less."""
        demand_columns(table, (*self.categories, *self.drop))
        for name, column in table.items():
            if name not in self.drop and name not in self.categories:
                demand_one_type(name, column) if column.dtype == object else demand_no_infinity(name, column)

    def _fitted(self, name: str, column: Array, notes: list[str]) -> Encoder | None:
        """The encoder of a column; None if it is left out."""
        gone = column == None if column.dtype == object else np.isnan(column)  # noqa: E711 elementwise
        there, missing = column[~gone], int(gone.sum())
        if missing and self.missing == "raise":
            raise ValueError(f"column {name!r} lacks {missing} values, the first in row {gone.argmax() + 1}")
        if not len(there):
            notes.append(f"column {name!r} is left out: it has no values")
            return None
        if column.dtype == object or name in self.categories:
            return self._category(name, there, missing, notes)
        return self._number(name, there, missing, notes)

    def _category(self, name: str, there: Array, missing: int, notes: list[str]) -> Category | None:
        values: list[Value] = sorted(set(there.tolist()))
        if len(values) > self.most_categories and name not in self.categories:
            notes.append(f"column {name!r} is left out: its {len(there)} texts are {len(values)} different ones")
            return None
        if missing:
            notes.append(f"column {name!r} lacks {missing} values, which are a category of their own")
            values.append(None)
        if len(values) == 1:
            notes.append(f"column {name!r} is left out: all its values are {values[0]!r}")
            return None
        return Category(name, values)

    def _number(self, name: str, there: Array, missing: int, notes: list[str]) -> Number | None:
        if there.min() == there.max():
            if not missing:
                notes.append(f"column {name!r} is left out: all its values are {there[0]:g}")
                return None
            mean, std = float(there[0]), 1.0
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                mean, std = float(there.mean()), float(there.std())
            if not np.isfinite([mean, std]).all() or not std > 0:
                raise ValueError(f"column {name!r} has no deviation that float64 can hold")
        if missing:
            notes.append(f"column {name!r} lacks {missing} values: the mean stands for them, and a mark tells where")
        return Number(name, mean, std, bool(missing))

    # Transforming

    @property
    def columns(self) -> list[str]:
        """The names of the columns that ``transform`` wants."""
        return [encoder.name for encoder in self.encoders]

    @property
    def features(self) -> list[str]:
        """The names of the numbers that it gives."""
        return [name for encoder in self.encoders for name in encoder.features]

    def transform(self, table: Table, unseen: str = "raise") -> Array:
        """The rows of a table as float32, (N, features). Columns are found by name; others than ``columns`` are passed
        over. What training had not, a category, or a missing number where it lacked none, is refused; or with
        ``unseen="ignore"`` it is none of the categories, and the mean.

        Raises ValueError for a column that is missing, and, naming column and row, for a value that is infinite, no
        number, or missing where training lacked none; RuntimeError if it was not fitted.
        """
        check_choice("unseen", unseen)
        self._demand(table)
        return np.concatenate([encoder.encode(table[encoder.name], unseen) for encoder in self.encoders], 1)

    def _demand(self, table: Table) -> None:
        """Raises an error if it was not fitted, or columns are missing."""
        if not self.encoders:
            raise RuntimeError("Preprocessor: it must be fitted before it transforms")
        demand_columns(table, self.columns)

    def unknown(self, table: Table) -> dict[str, int]:
        """The names of the columns in which a table has what training had not, and in how many rows."""
        self._demand(table)
        counts = {encoder.name: int(encoder.unknown(table[encoder.name]).sum()) for encoder in self.encoders}
        return {name: count for name, count in counts.items() if count}

    def fit_transform(self, table: Table) -> Array:
        """``fit``, then ``transform``."""
        return self.fit(table).transform(table)

    # Keeping

    def to_dict(self) -> dict[str, Any]:
        """What was fitted, as plain values for JSON."""
        return {"format": FORMAT, "columns": [described(encoder) for encoder in self.encoders]}

    @staticmethod
    def from_dict(description: Any) -> Preprocessor:
        """The preprocessor that ``to_dict`` described. Raises ValueError for anything else."""
        columns = description.get("columns") if isinstance(description, dict) else None
        if not isinstance(columns, list) or not columns:
            raise ValueError("Preprocessor: these values describe none")
        if description.get("format") != FORMAT:
            raise ValueError(f"Preprocessor: it has format {description.get('format')!r}, wanted {FORMAT}")
        made = Preprocessor()
        made.encoders = [encoder_of(column) for column in columns]
        return made

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes it as JSON, for instance beside a model that ``cg.train.save_model`` wrote.

        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "preprocessing.json")
        >>> cg.data.Preprocessor().fit(cg.data.Table({"x": [1, 3]})).save(path)
        >>> cg.data.Preprocessor.load(path).transform(cg.data.Table({"x": [4]}))
        array([[2.]], dtype=float32)
        """
        import json

        self._demand(Table({name: [] for name in self.columns}))
        with atomic_write("Preprocessor.save", path) as file:
            file.write(json.dumps(self.to_dict(), indent=2).encode() + b"\n")

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Preprocessor:
        """The preprocessor in a file. Raises ValueError, naming it, for one that ``save`` did not write."""
        import json

        with open(path, encoding="utf-8") as file:
            try:
                return Preprocessor.from_dict(json.load(file))
            except (ValueError, RecursionError) as error:
                raise ValueError(f"Preprocessor.load: {os.fspath(path)} is corrupt ({error})") from None

    def __repr__(self) -> str:
        return f"Preprocessor({len(self.columns)} columns to {len(self.features)} numbers)"


def demand_columns(table: Table, names: Iterable[str]) -> None:
    """Raises ValueError where the table lacks a column."""
    for name in names:
        if name not in table:
            raise ValueError(f"the column {name!r} is missing; there is {listed(table.names, name)}")


def demand_one_type(name: str, column: Array) -> None:
    """Raises ValueError where some of a column's texts are numbers, and others are not."""
    values = [value for value in column if value is not None]
    odd = next((value for value in values if number_of(value) is None), None)
    number = next((value for value in values if number_of(value) is not None), None)
    if odd is not None and number is not None:
        raise ValueError(
            f"the column {name!r} mixes numbers and text, such as {number[:40]!r} and {odd[:40]!r}: name it among the "
            "categories or those to drop, or say which text stands for a missing value"
        )


def demand_no_infinity(name: str, column: Array) -> None:
    """Raises ValueError where a number is infinite."""
    if np.isinf(column).any():
        row = int(np.argmax(np.isinf(column)))
        raise ValueError(f"the column {name!r} holds {column[row]} in row {row + 1}, which has no place on a scale")


def check_choice(option: str, value: str) -> None:
    """Raises ValueError for a value that an option does not have."""
    if value not in CHOICES[option]:
        raise ValueError(f"Preprocessor: {option} must be {' or '.join(CHOICES[option])}, got {value!r}")
