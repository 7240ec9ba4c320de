"""Table: named columns of one length."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.tables.column import as_column

__all__ = ["ENDINGS", "Table"]

ENDINGS = (".csv", ".tsv", ".npy", ".npz", ".parquet")


class Table:
    """Columns of one length under their names. A column of numbers is an array (n,) of float64, in which NaN stands
    for a value that is missing; one of text an array (n,) of objects, str or, where one is missing, None.

    `columns` is a dict, or anything else with ``items()``, such as a data frame of pandas. Integers and floats become
    float64, booleans the text "True" and "False", dates and times seconds since 1970; space around a text is cut off,
    and a text of nothing else is missing.

    Raises ValueError where columns differ in length, a name stands twice, is empty or no text, TypeError for values
    of other kinds.

    >>> table = cg.data.Table({"height": [1.8, None], "city": ["Bern", "Oslo"]})
    >>> len(table), table.names, table["height"]
    (2, ['height', 'city'], array([1.8, nan]))
    """

    def __init__(self, columns: Any) -> None:
        if not hasattr(columns, "items"):
            raise TypeError(f"Table: wanted a dict of columns or a data frame, got {type(columns).__name__}")
        self._columns: dict[str, Array] = {}
        length = None
        for name, values in columns.items():
            if not isinstance(name, str) or not name:
                raise ValueError(f"Table: a column's name must be text and not empty, got {name!r}")
            if name in self._columns:
                raise ValueError(f"Table: the column {name!r} stands twice")
            column = as_column(name, values)
            length = len(column) if length is None else length
            if len(column) != length:
                raise ValueError(f"Table: column {name!r} has {len(column)} values, those before it {length}")
            self._columns[name] = column
        self._length = length or 0

    @staticmethod
    def read(path: str | os.PathLike[str], **options: Any) -> Table:
        """The table in a file: ``.csv`` or ``.tsv`` by ``read_csv``, whose options these are, ``.npy``, ``.npz`` or
        ``.parquet``. To read one runs no code from it.

        Raises ValueError for another ending, and, naming the file, for a file that can't be read as a table.
        """
        from cygrad.data import tables

        ending = os.path.splitext(os.fspath(path))[1].lower()
        if ending in (".csv", ".tsv"):
            return tables.read_csv(path, **options)
        if ending not in ENDINGS:
            raise ValueError(f"Table.read: the file must end in {', '.join(ENDINGS)}, got {os.fspath(path)!r}")
        readers = {".npy": tables.read_npy, ".npz": tables.read_npz, ".parquet": tables.read_parquet}
        if options:
            raise ValueError(f"Table.read: a {ending} file is read without options, got {', '.join(options)}")
        return readers[ending](path)

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return list(self._columns)

    def __len__(self) -> int:
        """The number of rows."""
        return self._length

    def __contains__(self, name: object) -> bool:
        """Whether there is a column of that name."""
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._columns)

    def __getitem__(self, name: str) -> Array:
        """The column of a name. Raises KeyError, which tells those that there are."""
        if name not in self._columns:
            raise KeyError(f"the table has no column {name!r}, but {listed(self.names, name)}")
        return self._columns[name]

    def items(self) -> Iterable[tuple[str, Array]]:
        """Names and columns."""
        return self._columns.items()

    def take(self, rows: Sequence[int] | Array) -> Table:
        """The rows of some indices, in their order."""
        indices = np.asarray(rows, np.int64)
        return self._made({name: column[indices] for name, column in self.items()}, len(indices))

    def drop(self, names: Iterable[str]) -> Table:
        """The table without some columns. Raises KeyError for one that there is not."""
        gone = set(names)
        for name in gone:
            self[name]
        return self._made({name: column for name, column in self.items() if name not in gone}, len(self))

    def _made(self, columns: dict[str, Array], length: int) -> Table:
        table = Table({})
        table._columns, table._length = columns, length
        return table

    def __repr__(self) -> str:
        kinds = (f"{name}: {'text' if column.dtype == object else 'numbers'}" for name, column in self.items())
        return f"Table({len(self)} rows; {', '.join(kinds)})"


def listed(names: Sequence[str], wanted: str) -> str:
    """The names that there are, at most ten, those like the one that is wanted first."""
    near = difflib.get_close_matches(wanted, names, 3)
    ordered = [*near, *(name for name in names if name not in near)]
    return ", ".join(map(repr, ordered[:10])) + (", …" if len(ordered) > 10 else "") if ordered else "none"
