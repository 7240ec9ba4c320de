"""Table: named columns of equal length."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from cygrad._typing import Array
from cygrad.data.tables.column import as_column
from cygrad.data.tables.content import STANDARD_INPUT, plain_name

__all__ = ["READERS", "Table", "list_names", "reads", "require_names"]

Reader = TypeVar("Reader", bound=Callable[..., Any])


class Table:
    """Named columns of equal length.

    A numeric column is a float64 array (n,) in which NaN marks missing values. A text column is an object array (n,) of
    str, with None for missing values.

    Integers and floats become float64, integers that it can't hold text, booleans the text "True" and "False", dates
    and times text in ISO 8601, time spans seconds. Whitespace around text is stripped; blank text is missing.
    ``notes`` says what a reader decided about a file, one message each.

    Args:
        columns: a dict from names to values, or any object with ``items()``, such as a pandas data frame, or with an
            Arrow stream (``__arrow_c_stream__``), such as those of polars, pyarrow and DuckDB, which needs pyarrow.

    Raises:
        ImportError: if pyarrow is needed and not installed.
        TypeError: if values are neither numbers nor text.
        ValueError: if columns differ in length, or a name is repeated, empty or not a string.

    >>> table = cg.data.Table({"height": [1.8, None], "city": ["Bern", "Oslo"]})
    >>> len(table), table.names, table["height"]
    (2, ['height', 'city'], array([1.8, nan]))
    """

    def __init__(self, columns: Any) -> None:
        if not hasattr(columns, "items") and hasattr(columns, "__arrow_c_stream__"):
            from cygrad.data.tables.arrow import columns_of_stream

            columns = columns_of_stream(columns)
        if not hasattr(columns, "items"):
            raise TypeError(f"Table: expected a dict of columns or a data frame, got {type(columns).__name__}")
        self._columns: dict[str, Array] = {}
        self.notes: list[str] = []
        length = None
        for name, values in columns.items():
            if not isinstance(name, str) or not name:
                raise ValueError(f"Table: column names must be non-empty strings, got {name!r}")
            if name in self._columns:
                raise ValueError(f"Table: duplicate column {name!r}")
            column = as_column(name, values)
            length = len(column) if length is None else length
            if len(column) != length:
                raise ValueError(
                    f"Table: column {name!r} must have {length} values, as previous columns do, got {len(column)}"
                )
            self._columns[name] = column
        self._length = length or 0

    @staticmethod
    def read(path: str | os.PathLike[str], **options: Any) -> Table:
        """Read a table from a file; the reader is chosen by the file's suffix. No code in the file is executed.

        Args:
            path: a ``.csv``, ``.tsv``, ``.txt``, ``.data``, ``.jsonl``, ``.ndjson``, ``.npy``, ``.npz`` or ``.parquet``
                file. Text may be compressed, as in ``.csv.gz`` and ``.csv.zip``; "-" is CSV from standard input.
            **options: options of ``read_csv``, for files that it reads.

        Returns:
            The table.

        Raises:
            ValueError: if the suffix is another one, the file can't be read as a table, or options do not apply.
        """
        suffix = suffix_of(path)
        if suffix not in READERS:
            raise ValueError(f"Table.read: the file must end in {', '.join(sorted(READERS))}, got {os.fspath(path)!r}")
        if options and suffix not in TEXT_SUFFIXES:
            kinds = ", ".join(TEXT_SUFFIXES)
            raise ValueError(f"Table.read: options are for {kinds} files, got {', '.join(options)} for {suffix}")
        return READERS[suffix](path, **options)

    @property
    def names(self) -> list[str]:
        """Column names, in order."""
        return list(self._columns)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._length

    def __contains__(self, name: object) -> bool:
        """Return whether the table has a column of this name."""
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        """Iterate over the column names."""
        return iter(self._columns)

    def __getitem__(self, name: str) -> Array:
        """Return a column. Raises KeyError, listing the columns, if there is none of this name."""
        if name not in self._columns:
            raise KeyError(f"the table has no column {name!r}; its columns are {list_names(self.names, name)}")
        return self._columns[name]

    def items(self) -> Iterable[tuple[str, Array]]:
        """Return (name, column) pairs, in order."""
        return self._columns.items()

    def take(self, rows: Sequence[int] | Array) -> Table:
        """Select rows.

        Args:
            rows: indices (k,), in the desired order.

        Returns:
            A table of k rows.
        """
        indices = np.asarray(rows, np.int64)
        columns = {name: column[indices] for name, column in self.items()}
        return self.of_columns(columns, len(indices), self.notes)

    def drop(self, names: Iterable[str]) -> Table:
        """Remove columns.

        Args:
            names: names of the columns to remove.

        Returns:
            A table of the other columns.

        Raises:
            KeyError: if a column does not exist.
        """
        dropped = set(names)
        for name in dropped:
            self[name]
        columns = {name: column for name, column in self.items() if name not in dropped}
        return self.of_columns(columns, len(self), self.notes)

    @staticmethod
    def of_columns(columns: dict[str, Array], length: int, notes: Iterable[str] = ()) -> Table:
        """Make a table of columns that need no conversion.

        Args:
            columns: arrays (length,) of float64 or objects, by name.
            length: number of rows.
            notes: of the table.

        Returns:
            The table.
        """
        table = Table({})
        table._columns, table._length, table.notes = columns, length, list(notes)
        return table

    def __repr__(self) -> str:
        kinds = (f"{name}: {'text' if column.dtype == object else 'numbers'}" for name, column in self.items())
        return f"Table({len(self)} rows; {', '.join(kinds)})"

    def _repr_html_(self) -> str:
        """The first rows, as a notebook shows them."""
        from cygrad.charts.tables import html_table

        names, shown = self.names[:SHOWN_COLUMNS], min(len(self), SHOWN_ROWS)
        columns = [[cell_text(value) for value in self[name][:shown].tolist()] for name in names]
        return html_table(names, zip(*columns), f"{len(self):,} rows, {len(self.names):,} columns")


def cell_text(value: Any) -> str:
    """A value as a notebook shows it; nothing for a missing one."""
    if value is None or value != value:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


# The reader of each file suffix. Readers register themselves, so that this module does not import them.
SHOWN_ROWS, SHOWN_COLUMNS = 10, 30  # of a table in a notebook
READERS: dict[str, Callable[..., Table]] = {}
TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".data")  # of the files that read_csv reads


def suffix_of(path: str | os.PathLike[str]) -> str:
    """The suffix that tells a file's format: that of the content if it is compressed, ".csv" for standard input."""
    name = os.fspath(path)
    return ".csv" if name == STANDARD_INPUT else os.path.splitext(plain_name(name))[1].lower()


def reads(*suffixes: str) -> Callable[[Reader], Reader]:
    """Register the decorated function as the reader of files with these suffixes."""

    def register(reader: Reader) -> Reader:
        READERS.update(dict.fromkeys(suffixes, reader))
        return reader

    return register


def list_names(names: Sequence[str], wanted: str) -> str:
    """At most ten names, those most similar to the wanted one first."""
    similar = difflib.get_close_matches(wanted, names, 3)
    ordered = [*similar, *(name for name in names if name not in similar)]
    return ", ".join(map(repr, ordered[:10])) + (", …" if len(ordered) > 10 else "") if ordered else "none"


def require_names(known: Sequence[str], wanted: Iterable[str]) -> None:
    """Raise ValueError if a name is not among the known ones."""
    found = set(known)
    for name in wanted:
        if name not in found:
            raise ValueError(f"column {name!r} is missing; the table has {list_names(known, name)}")
