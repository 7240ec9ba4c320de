"""Tables in NumPy's files."""

from __future__ import annotations

import os

import numpy as np

from cygrad._typing import Array
from cygrad.data.matrix import load_npy
from cygrad.data.tables.table import Table
from cygrad.serialization import read_npz as arrays_of

__all__ = ["read_npy", "read_npz"]


def read_npy(path: str | os.PathLike[str]) -> Table:
    """The table in a ``.npy`` file: an array (n,) with named fields, each a column, or one (n, k), whose columns are
    named "0" to "k − 1". Pickled objects are not read.

    Raises ValueError, naming the file, for a file that is corrupt, or an array of another form.
    """
    name = os.fspath(path)
    array = load_npy("read_npy", name)
    if array.dtype.names:
        return made("read_npy", name, {field: np.array(array[field]) for field in array.dtype.names})
    if array.ndim != 2:
        raise ValueError(f"read_npy: {name} must hold 2 dimensions or named fields, got shape {array.shape}")
    return made("read_npy", name, {str(i): np.array(array[:, i]) for i in range(array.shape[1])})


def read_npz(path: str | os.PathLike[str]) -> Table:
    """The table in a ``.npz`` file: an array (n,) is a column under its name, one (n, k) is k of them, "name 0" to
    "name k − 1". Pickled objects are not read.

    Raises ValueError, naming the file, for a file that is corrupt, or arrays that are no columns of one length.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "people.npz")
    >>> np.savez(path, height=[1.8, 1.7], city=["Bern", "Oslo"])
    >>> cg.data.read_npz(path)
    Table(2 rows; height: numbers, city: text)
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        arrays, _ = arrays_of(file, name)
    columns: dict[str, Array] = {}
    for key, array in arrays.items():
        if array.ndim == 2:
            columns.update({f"{key} {i}": array[:, i] for i in range(array.shape[1])})
        else:
            columns[key] = array
    return made("read_npz", name, columns)


def made(op: str, name: str, columns: dict[str, Array]) -> Table:
    """The table of arrays."""
    try:
        table = Table(columns)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{op}: {name} is no table ({error})") from None
    if not len(table):
        raise ValueError(f"{op}: {name} has no rows")
    return table
