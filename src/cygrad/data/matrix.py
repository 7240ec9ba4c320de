"""Matrices of float32 in text files or NumPy files. For named columns and text, see ``cygrad.data.Table``."""

from __future__ import annotations

import io
import os
from typing import IO

import numpy as np

from cygrad._files import one_line, open_file
from cygrad._typing import Array
from cygrad.data.parsing import load_npy, parse_number

__all__ = ["read_matrix"]


def read_matrix(path: str | os.PathLike[str]) -> Array:
    """Read a ``.csv`` or ``.npy`` file of numbers as a float32 array (rows, columns).

    A ``.csv`` file has comma-separated numbers, one row per line. Its first line is a header if none of its fields is a
    number; empty lines are ignored. A ``.npy`` file contains a 2-dimensional array.

    Args:
        path: the file.

    Returns:
        A new array (rows, columns).

    Raises:
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if the suffix is another one, lines differ in length, a field is not a number or too large for
            float32, or there are no rows. The message names the file and the line.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "people.csv")
    >>> _ = path.write_text("height,weight\\n1.8,75\\n1.7,68.5\\n")
    >>> cg.data.read_matrix(path)
    array([[ 1.8, 75. ],
           [ 1.7, 68.5]], dtype=float32)
    """
    name = os.fspath(path)
    suffix = os.path.splitext(name)[1].lower()
    if suffix == ".csv":
        return matrix_from_csv(name)
    if suffix == ".npy":
        return matrix_from_npy(name)
    raise ValueError(f"read_matrix: the file must end in .csv or .npy, got {name!r}")


def matrix_from_csv(path: str) -> Array:
    """The matrix in a text file."""
    import csv

    try:
        with io.TextIOWrapper(open_file("read_matrix", path), encoding="utf-8-sig", newline="") as file:
            rows, lines = parse_rows(file, path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"read_matrix: {path} is not a CSV file of numbers ({one_line(error)})") from None
    if not rows:
        raise ValueError(f"read_matrix: {path} has no rows of numbers")
    return to_float32(np.array(rows), path, lines)


def parse_rows(file: IO[str], path: str) -> tuple[list[list[float]], list[int]]:
    """The rows, and the line number of each."""
    import csv

    rows: list[list[float]] = []
    lines: list[int] = []
    width = 0
    reader = csv.reader(file)
    for fields in reader:
        if not fields:
            continue
        numbers = [parse_number(field) for field in fields]
        if width and len(fields) != width:
            raise ValueError(
                f"read_matrix: line {reader.line_num} of {path} must have {width} fields, as previous lines do, "
                f"got {len(fields)}"
            )
        is_header = not width and all(value is None for value in numbers)
        width = len(fields)
        if is_header:
            continue
        row = [value for value in numbers if value is not None]
        if len(row) < width:
            wrong = fields[numbers.index(None)]
            raise ValueError(f"read_matrix: line {reader.line_num} of {path}: expected a number, got {wrong!r}")
        rows.append(row)
        lines.append(reader.line_num)
    return rows, lines


def matrix_from_npy(path: str) -> Array:
    """The matrix in a NumPy file."""
    array = load_npy("read_matrix", path)
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise ValueError(
            f"read_matrix: {path} must contain a 2-dimensional array of real numbers, "
            f"got {array.dtype} of shape {array.shape}"
        )
    if not array.size:
        raise ValueError(f"read_matrix: {path} contains an empty array of shape {array.shape}")
    return to_float32(array, path, None)


def to_float32(matrix: Array, path: str, lines: list[int] | None) -> Array:
    """A copy in float32. Raises ValueError if a finite number would become infinite."""
    with np.errstate(over="ignore"):
        small = np.array(matrix, np.float32, order="C")
    overflow = np.isinf(small) & np.isfinite(matrix)
    if overflow.any():
        row, column = (int(i) for i in np.argwhere(overflow)[0])
        where = f"row {row}" if lines is None else f"line {lines[row]}"
        raise ValueError(f"read_matrix: {where} of {path}: {float(matrix[row, column])} is too large for float32")
    return small
