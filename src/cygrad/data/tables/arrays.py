"""Readers of tables in NumPy files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from cygrad._files import one_line, open_file
from cygrad._typing import Array
from cygrad.data.parsing import load_npy
from cygrad.data.tables.index import index_names, index_note
from cygrad.data.tables.table import Table, reads
from cygrad.serialization import load_npz

__all__ = ["read_npy", "read_npz"]


@reads(".npy")
def read_npy(path: str | os.PathLike[str]) -> Table:
    """Read a table from a ``.npy`` file. Pickled objects are refused.

    Args:
        path: a file with an array (n,) of named fields, one per column, or an array (n, k), whose columns get the names
            "0" to "k − 1".

    Returns:
        The table.

    Raises:
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if the file is corrupt or its array has another form.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "numbers.npy")
    >>> np.save(path, [[1.8, 75], [1.7, 68]])
    >>> cg.data.read_npy(path)
    Table(2 rows; 0: numbers, 1: numbers)
    """
    name = os.fspath(path)
    array = load_npy("read_npy", name)
    if array.dtype.names:
        return build_table("read_npy", name, {field: np.array(array[field]) for field in array.dtype.names})
    if array.ndim != 2:
        raise ValueError(f"read_npy: {name} must contain a 2-dimensional array or named fields, got {array.shape}")
    if not len(array):
        raise ValueError(f"read_npy: {name} has no rows")
    return build_table("read_npy", name, {str(i): np.array(array[:, i]) for i in range(array.shape[1])})


@reads(".npz")
def read_npz(path: str | os.PathLike[str]) -> Table:
    """Read a table from a ``.npz`` file. Pickled objects are refused.

    Args:
        path: a file of named arrays. An array (n,) is a column; an array (n, k) is k columns, "name 0" to "name k − 1".

    Returns:
        The table.

    Raises:
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if the file is corrupt or its arrays are not columns of equal length.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "people.npz")
    >>> np.savez(path, height=[1.8, 1.7], city=["Bern", "Oslo"])
    >>> cg.data.read_npz(path)
    Table(2 rows; height: numbers, city: text)
    """
    name = os.fspath(path)
    with open_file("read_npz", name) as file:
        arrays, _ = load_npz(file, name)
    columns: dict[str, Array] = {}
    for key, array in arrays.items():
        if array.ndim and not len(array):
            raise ValueError(f"read_npz: {name} has no rows")
        if array.ndim == 2:
            columns.update({f"{key} {i}": array[:, i] for i in range(array.shape[1])})
        else:
            columns[key] = array
    return build_table("read_npz", name, columns)


def build_table(op: str, path: str, columns: Any) -> Table:
    """A table of columns from a file, without a row index that pandas wrote. Raises ValueError, naming the file, if
    they do not form one or have no rows."""
    kept = dict(columns.items())
    index = index_names(list(kept))
    index = index if len(index) < len(kept) else []
    try:
        table = Table({name: values for name, values in kept.items() if name not in index})
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{op}: {path} is not a table ({one_line(error)})") from None
    if not len(table):
        raise ValueError(f"{op}: {path} has no rows")
    table.notes = [index_note(path, name) for name in index]
    return table
