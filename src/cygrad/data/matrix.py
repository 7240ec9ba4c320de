"""Matrices of numbers in files of text or NumPy's own; ``cygrad.data.Table`` has columns with names and text."""

from __future__ import annotations

import os
from typing import IO

import numpy as np

from cygrad._typing import Array

__all__ = ["read_table"]


def read_table(path: str | os.PathLike[str]) -> Array:
    """The numbers of a ``.csv`` or ``.npy`` file, (rows, columns) of float32.

    In a ``.csv`` the numbers are separated by commas, one row a line. Its first line may hold the columns'
    names, none of them a number; empty lines do not count. A ``.npy`` holds an array of two dimensions.

    Raises ValueError, naming the file and the line, where lines differ in length, a field is not a number or
    one too large for float32, or there is no row at all.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "table.csv")
    >>> _ = path.write_text("height,weight\\n1.8,75\\n1.7,68.5\\n")
    >>> cg.data.read_table(path)
    array([[ 1.8, 75. ],
           [ 1.7, 68.5]], dtype=float32)
    """
    name = os.fspath(path)
    ending = os.path.splitext(name)[1].lower()
    if ending == ".csv":
        return read_csv(name)
    if ending == ".npy":
        return read_npy(name)
    raise ValueError(f"read_table: the file must end in .csv or .npy, got {name!r}")


def read_csv(name: str) -> Array:
    """The table of a text file."""
    import csv

    try:
        with open(name, encoding="utf-8-sig", newline="") as file:
            rows, lines = parse(file, name)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"read_table: {name} is not a table in text ({error})") from None
    if not rows:
        raise ValueError(f"read_table: {name} has no rows of numbers")
    return to_float32(np.array(rows), name, lines)


def parse(file: IO[str], name: str) -> tuple[list[list[float]], list[int]]:
    """The rows, and the number of the line that each stands on."""
    import csv

    rows: list[list[float]] = []
    lines: list[int] = []
    width = 0
    reader = csv.reader(file)
    for fields in reader:
        if not fields:
            continue
        numbers = [number_of(field) for field in fields]
        if width and len(fields) != width:
            raise ValueError(
                f"read_table: line {reader.line_num} of {name} has {len(fields)} fields, the lines before it {width}"
            )
        heading = not width and all(value is None for value in numbers)
        width = len(fields)
        if heading:
            continue
        row = [value for value in numbers if value is not None]
        if len(row) < width:
            wrong = fields[numbers.index(None)]
            raise ValueError(f"read_table: line {reader.line_num} of {name} has {wrong!r} for a number")
        rows.append(row)
        lines.append(reader.line_num)
    return rows, lines


def number_of(field: str) -> float | None:
    """The number that a field holds, if it holds one; Python's 1_000 is none."""
    try:
        return None if "_" in field else float(field)
    except ValueError:
        return None


def read_npy(name: str) -> Array:
    """The table of a file of NumPy's."""
    array = load_npy("read_table", name)
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise ValueError(
            f"read_table: {name} must hold real numbers in 2 dimensions, got {array.dtype} of shape {array.shape}"
        )
    if not array.size:
        raise ValueError(f"read_table: {name} holds no numbers, its shape is {array.shape}")
    return to_float32(array, name, None)


def load_npy(op: str, name: str) -> Array:
    """The array of a ``.npy`` file, never of pickled objects. The file is mapped, so that a header can't claim more
    than there is."""
    with open(name, "rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError(f"{op}: {name} is not a .npy file")
    try:
        return np.load(name, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, TypeError, OverflowError, SyntaxError, OSError) as error:
        raise ValueError(f"{op}: {name} can't be read as an array of numbers ({error})") from None


def to_float32(table: Array, name: str, lines: list[int] | None) -> Array:
    """The table as float32, in new memory; no finite number becomes infinite."""
    with np.errstate(over="ignore"):
        small = np.array(table, np.float32, order="C")
    lost = np.isinf(small) & np.isfinite(table)
    if lost.any():
        row, column = (int(i) for i in np.argwhere(lost)[0])
        place = f"row {row}" if lines is None else f"line {lines[row]}"
        raise ValueError(f"read_table: {place} of {name} has {float(table[row, column])}, too large for float32")
    return small
