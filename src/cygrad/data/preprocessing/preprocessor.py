"""Preprocessor: a table converted to a feature matrix."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cygrad._files import atomic_write, one_line, read_json
from cygrad._typing import Array
from cygrad.data.dates import ORDERS, parse_date
from cygrad.data.parsing import parse_number
from cygrad.data.preprocessing.base import missing_mask
from cygrad.data.preprocessing.dates import date_spelling, fit_date
from cygrad.data.preprocessing.encoders import (
    Category,
    Encoder,
    Number,
    RobustNumber,
    Value,
    encoder_from_dict,
    encoder_to_dict,
)
from cygrad.data.preprocessing.robust import RobustColumns
from cygrad.data.tables.table import Table, require_names

__all__ = ["Preprocessor"]

FORMAT = 1
FEW = 1024  # rows, up to which all numbers are encoded together
RARE = 1e-3  # a category that is kept among many has at least this fraction of the rows
CHOICES = {
    "missing": ("fill", "raise"),
    "unseen": ("raise", "ignore"),
    "scaling": ("standard", "robust"),
    "date_order": ORDERS,
}


class Preprocessor:
    """Encode numbers, dates and categories as features, as fitted on the training data.

    - Numeric columns become (x − mean)/std, or are scaled robustly. If values are missing, the mean or the median
      replaces them, and an extra feature marks where.
    - Columns of dates become year, month, weekday, hour and elapsed time, see :class:`Date`: text if all values are
      dates, numbers such as seconds since 1970 if the column's name says so or it is listed in `dates`.
    - Other text columns, and those listed in `categories`, are one-hot encoded. Missing values form a category of their
      own. If a text column has more than `most_categories` values, and is not listed in `categories`, the frequent ones
      are kept, and the others form one category.
    - Columns listed in `drop` are dropped, and so are those with a single value, text columns without frequent values,
      and dates whose day and month can't be told apart.

    After fitting, ``notes`` lists everything that was filled or dropped, ``columns`` the names of the input columns and
    ``features`` the names of the features.

    Args:
        categories: names of columns to one-hot encode even if they are numeric or have many values.
        drop: names of columns to drop.
        missing: "fill" missing values as above, or "raise" an error for them.
        most_categories: the largest number of categories of a text column that is not listed in `categories`.
        scaling: "standard" for :class:`Number`, or "robust" for :class:`RobustNumber`, which clips outliers smoothly;
            ``notes`` counts them.
        dates: names of columns with dates, even if they are numeric: seconds, milliseconds, microseconds or nanoseconds
            since 1970, or digits such as 20241231.
        date_order: "dmy", "mdy" or "ymd", what dates such as 01/02/03 mean if the column does not tell.

    Raises:
        TypeError: if `categories`, `drop` or `dates` is a string.
        ValueError: if `missing`, `scaling` or `date_order` is another value.

    >>> train = cg.data.Table({"height": [1.6, 1.8], "city": ["Bern", "Oslo"], "planet": ["Earth", "Earth"]})
    >>> preprocessor = cg.data.Preprocessor().fit(train)
    >>> preprocessor.features, preprocessor.notes
    (['height', "city is 'Bern'", "city is 'Oslo'"], ["column 'planet' is dropped: all its values are 'Earth'"])
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
        scaling: str = "standard",
        dates: Iterable[str] = (),
        date_order: str | None = None,
    ) -> None:
        check_choice("missing", missing)
        check_choice("scaling", scaling)
        if date_order is not None:
            check_choice("date_order", date_order)
        if any(isinstance(names, str) for names in (categories, drop, dates)):
            raise TypeError("Preprocessor: categories, drop and dates must be lists of names, got a string")
        self.categories = list(categories)
        self.drop = list(drop)
        self.missing = missing
        self.most_categories = most_categories
        self.scaling = scaling
        self.dates = list(dates)
        self.date_order = date_order
        self.encoders: list[Encoder] = []
        self.notes: list[str] = []

    # Fitting

    def fit(self, table: Table) -> Preprocessor:
        """Compute means, standard deviations and categories.

        Args:
            table: the training data.

        Returns:
            The preprocessor itself.

        Raises:
            ValueError: if the table has no rows, lacks a listed column, contains infinity, if a column listed in
                `dates` has none, or if all columns are dropped. The message names the column.
        """
        if not len(table):
            raise ValueError("Preprocessor: can't be fitted to a table without rows")
        self.check(table)
        notes: list[str] = []
        dropped, listed = set(self.drop), set(self.categories)
        columns = [(name, column) for name, column in table.items() if name not in dropped]
        fitted = [self._fit_column(name, column, name in listed, notes) for name, column in columns]
        encoders = [encoder for encoder in fitted if encoder is not None]
        if not encoders:
            reasons = "; ".join(notes) or "the table has no other columns"
            raise ValueError(f"Preprocessor: no column is left to learn from: {reasons}")
        self.encoders, self.notes = encoders, notes
        return self

    def check(self, table: Table) -> None:
        """Check that a table can be fitted. Useful before splitting it, because a subset may hide an error.

        Args:
            table: the whole table.

        Raises:
            ValueError: if a column contains infinity, or a listed column does not exist.
        """
        require_names(table.names, (*self.categories, *self.drop, *self.dates))
        unchecked = {*self.categories, *self.drop}
        for name, column in table.items():
            if name in unchecked:
                continue
            if column.dtype != object:
                check_finite(name, column)

    def _fit_column(self, name: str, column: Array, listed: bool, notes: list[str]) -> Encoder | None:
        """The encoder of a column, which may be listed in ``categories``; None if the column is dropped."""
        mask = missing_mask(column)
        known, missing = column[~mask], int(mask.sum())
        if missing and self.missing == "raise":
            raise ValueError(f"column {name!r} has {count_missing(missing)}, the first in row {mask.argmax() + 1}")
        if not len(known):
            notes.append(f"column {name!r} is dropped: it has no values")
            return None
        if not listed and (spelling := date_spelling(name, column, name in self.dates)):
            return fit_date(name, column, spelling, self.date_order or "", notes)
        if name in self.dates:
            raise ValueError(f"column {name!r} is listed in dates, but not all its values are dates")
        if column.dtype == object and not listed and (note := mixture_note(name, known)):
            notes.append(note)
        if column.dtype == object or listed:
            return self._fit_category(name, known, missing, listed, notes)
        if self.scaling == "robust":
            return self._fit_robust(name, column, known, notes)
        return self._fit_number(name, known, missing, notes)

    def _fit_category(self, name: str, known: Array, missing: int, listed: bool, notes: list[str]) -> Category | None:
        counts = Counter(known.tolist())
        values: list[Value] = sorted(counts)
        many = len(values) > self.most_categories and not listed
        if many:
            least = max(2, RARE * len(known))
            frequent = sorted((v for v, count in counts.items() if count >= least), key=lambda v: (-counts[v], v))
            values = sorted(frequent[: self.most_categories])
            described = f"{len(known)} texts have {len(counts)} distinct values, more than {self.most_categories}"
            if not values:
                notes.append(f"column {name!r} is dropped: {described}, and none is frequent")
                return None
            rest = len(known) - sum(counts[value] for value in values)
            notes.append(
                f"column {name!r}: {described}; the {len(values)} most frequent are kept, those of the other {rest} "
                "rows become one category"
            )
        if missing:
            notes.append(f"column {name!r} has {count_missing(missing)}, encoded as a separate category")
            values.append(None)
        if len(values) == 1 and not many:
            notes.append(f"column {name!r} is dropped: all its values are {values[0]!r}")
            return None
        return Category(name, values, many)

    def _fit_number(self, name: str, known: Array, missing: int, notes: list[str]) -> Number | None:
        if known.min() == known.max():
            if not missing:
                notes.append(f"column {name!r} is dropped: all its values are {known[0]:g}")
                return None
            mean, std = float(known[0]), 1.0
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                mean, std = float(known.mean()), float(known.std())
            if not np.isfinite([mean, std]).all() or not std > 0:
                raise ValueError(f"the standard deviation of column {name!r} is out of float64's range")
        if missing:
            notes.append(f"column {name!r} has {count_missing(missing)}, replaced by the mean and marked by a feature")
        return Number(name, mean, std, bool(missing))

    def _fit_robust(self, name: str, column: Array, known: Array, notes: list[str]) -> RobustNumber | None:
        missing = len(column) - len(known)
        if known.min() == known.max() and not missing:
            notes.append(f"column {name!r} is dropped: all its values are {known[0]:g}")
            return None
        encoder = RobustNumber.fitted(name, column)
        if missing:
            notes.append(
                f"column {name!r} has {count_missing(missing)}, replaced by the median and marked by a feature"
            )
        if (far := encoder.outliers(column)).any():
            row = int(np.argmax(np.where(far, np.abs(column - encoder.median), -1)))
            count = int(far.sum())
            notes.append(
                f"column {name!r} has {count} outlier{'s' * (count != 1)}, such as {column[row]:g}, where the median "
                f"is {encoder.median:g}; they are clipped smoothly"
            )
        return encoder

    # Transforming

    @property
    def columns(self) -> list[str]:
        """Names of the columns that ``transform`` requires."""
        return [encoder.name for encoder in self.encoders]

    @property
    def features(self) -> list[str]:
        """Names of the features, in order."""
        return [name for encoder in self.encoders for name in encoder.features]

    @property
    def numeric(self) -> list[int]:
        """Indices of the features that are numbers: neither categories nor marks of missing values."""
        known = [(e, 0 if isinstance(e, Category) else len(e.parts)) for e in self.encoders]
        is_number = [i < numbers for encoder, numbers in known for i in range(len(encoder.features))]
        return [i for i, numeric in enumerate(is_number) if numeric]

    def transform(self, table: Table, unseen: str = "raise") -> Array:
        """Convert a table to features.

        Columns are matched by name; additional columns are ignored.

        Args:
            table: a table with at least the columns listed in ``columns``.
            unseen: "raise" an error for values that the training data did not have: categories, text in a column of
                numbers or dates, infinity, missing values in a column without any; or "ignore" them: encode them as
                missing, a category as all zeros and a number as the mean if none was missing in the training data.

        Returns:
            Features (N, number of features) of float32.

        Raises:
            RuntimeError: if the preprocessor is not fitted.
            ValueError: if a column does not exist, or a value is refused. The message names column and row.
        """
        check_choice("unseen", unseen)
        self._require_fitted(table)
        return np.concatenate([encoder.encode(table[encoder.name], unseen) for encoder in self.encoders], 1)

    def _require_fitted(self, table: Table) -> None:
        """Raise an error if the preprocessor is not fitted, or the table lacks columns."""
        if not self.encoders:
            raise RuntimeError("Preprocessor: not fitted yet, call fit first")
        require_names(table.names, self.columns)

    def unknown(self, table: Table) -> dict[str, int]:
        """Count the rows with values that ``transform`` would refuse as unseen.

        Args:
            table: a table with at least the columns listed in ``columns``.

        Returns:
            The number of rows for each column that has any.
        """
        self._require_fitted(table)
        counts = {encoder.name: int(encoder.unknown(table[encoder.name]).sum()) for encoder in self.encoders}
        return {name: count for name, count in counts.items() if count}

    def outliers(self, table: Table) -> dict[str, int]:
        """Count the rows with numbers so far from the training data that robust scaling clips them.

        Args:
            table: a table with at least the columns listed in ``columns``.

        Returns:
            The number of rows for each column that has any.
        """
        self._require_fitted(table)
        numeric = [encoder for encoder in self.encoders if not isinstance(encoder, Category)]
        counts = {encoder.name: int(encoder.outliers(table[encoder.name]).sum()) for encoder in numeric}
        return {name: count for name, count in counts.items() if count}

    def transform_noted(self, table: Table) -> tuple[Array, dict[str, int], dict[str, int]]:
        """Convert a table to features with unseen values ignored, and count them: the results of ``transform(table,
        "ignore")``, ``unknown(table)`` and ``outliers(table)``. For few rows, all numbers that are scaled robustly are
        encoded together.

        Args:
            table: a table with at least the columns listed in ``columns``.
        """
        if len(table) > FEW:
            return self.transform(table, "ignore"), self.unknown(table), self.outliers(table)
        self._require_fitted(table)
        starts = [0, *itertools.accumulate(len(encoder.features) for encoder in self.encoders)]
        features = np.empty((len(table), starts[-1]), np.float32)
        unknown: dict[int, int] = {}
        outliers: dict[int, int] = {}
        scaled = {i: encoder for i, encoder in enumerate(self.encoders) if isinstance(encoder, RobustNumber)}
        if scaled:
            block = RobustColumns(list(scaled.values()), [starts[i] for i in scaled])
            counts = block.encode(table, features)
            unknown, outliers = (dict(zip(scaled, count, strict=True)) for count in counts)
        for i, encoder in enumerate(self.encoders):
            if i not in scaled:
                column = table[encoder.name]
                features[:, starts[i] : starts[i + 1]] = encoder.encode(column, "ignore")
                unknown[i] = int(encoder.unknown(column).sum())
                outliers[i] = 0 if isinstance(encoder, Category) else int(encoder.outliers(column).sum())
        return features, self._named(unknown), self._named(outliers)

    def _named(self, counts: Mapping[int, int]) -> dict[str, int]:
        """Counts by the index of a column, as those above zero by its name."""
        return {encoder.name: counts[i] for i, encoder in enumerate(self.encoders) if counts[i]}

    def fit_transform(self, table: Table) -> Array:
        """Fit to a table, then transform it. See ``fit`` and ``transform``."""
        return self.fit(table).transform(table)

    # Saving

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted state as values for JSON."""
        return {"format": FORMAT, "columns": [encoder_to_dict(encoder) for encoder in self.encoders]}

    @staticmethod
    def from_dict(description: Any) -> Preprocessor:
        """Create a preprocessor from the result of ``to_dict``. Raises ValueError for other values."""
        columns = description.get("columns") if isinstance(description, dict) else None
        if not isinstance(columns, list) or not columns:
            raise ValueError("Preprocessor: not a description of a preprocessor")
        if description.get("format") != FORMAT:
            raise ValueError(f"Preprocessor: unsupported format {description.get('format')!r}, expected {FORMAT}")
        preprocessor = Preprocessor()
        preprocessor.encoders = [encoder_from_dict(column) for column in columns]
        return preprocessor

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the fitted state as JSON, for example next to a model saved by ``cg.train.save_model``.

        Args:
            path: the file, replaced if it exists.

        Raises:
            RuntimeError: if the preprocessor is not fitted.

        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "preprocessing.json")
        >>> cg.data.Preprocessor().fit(cg.data.Table({"x": [1, 3]})).save(path)
        >>> cg.data.Preprocessor.load(path).transform(cg.data.Table({"x": [4]}))
        array([[2.]], dtype=float32)
        """
        import json

        self._require_fitted(Table({name: [] for name in self.columns}))
        with atomic_write("Preprocessor.save", path) as file:
            file.write(json.dumps(self.to_dict(), indent=2).encode() + b"\n")

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Preprocessor:
        """Load a preprocessor that ``save`` wrote. Raises ValueError, naming the file, for other files."""
        try:
            return Preprocessor.from_dict(read_json("Preprocessor.load", path))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"Preprocessor.load: {os.fspath(path)} is corrupt ({one_line(error)})") from None

    def __repr__(self) -> str:
        return f"Preprocessor({len(self.columns)} columns, {len(self.features)} features)"


def mixture_note(name: str, column: Array) -> str | None:
    """What to tell if some texts of a column are numbers or dates and others are not."""
    values = list(dict.fromkeys(value for value in column if value is not None))
    for kind, parse in ("number", parse_number), ("date", is_date):
        text = next((value for value in values if parse(value) is None), None)
        other = next((value for value in values if parse(value) is not None), None)
        if text is not None and other is not None:
            return (
                f"column {name!r} mixes {kind}s and text, such as {other[:40]!r} and {text[:40]!r}, and is taken as "
                f"text; declare texts that stand for a missing {kind} as missing values"
            )
    return None


def is_date(text: str) -> float | None:
    """The point in time that a text names, in any order of day and month, or None."""
    return next((seconds for order in ORDERS if (seconds := parse_date(text, order)) is not None), None)


def check_finite(name: str, column: Array) -> None:
    """Raise ValueError if a number is infinite."""
    if np.isinf(column).any():
        row = int(np.argmax(np.isinf(column)))
        raise ValueError(f"column {name!r} contains {column[row]} in row {row + 1}, expected finite numbers")


def check_choice(option: str, value: str) -> None:
    """Raise ValueError if an option has an unknown value."""
    if value not in CHOICES[option]:
        raise ValueError(f"Preprocessor: {option} must be {' or '.join(CHOICES[option])}, got {value!r}")


def count_missing(count: int) -> str:
    return f"{count} missing value{'' if count == 1 else 's'}"
