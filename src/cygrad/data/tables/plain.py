"""Large CSV texts by readers in C: pyarrow's where it is installed, else NumPy's for tables of plain numbers.

Both read what ``csv`` and ``float`` read, with the same values, or decline: quotes, lines of different length, integers
that float64 can't hold and numbers in any but the plain form are left to them.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from cygrad._kernels import uses_one_thread
from cygrad._typing import Array
from cygrad.data.parsing import parse_number
from cygrad.data.tables.column import LARGEST_EXACT

__all__ = ["read_columns"]

LARGE = 2**17  # characters for which NumPy's reader is worth its checks
HUGE = 2**21  # characters for which pyarrow is worth its import
SAMPLE = 2**12

Columns = list["Array | list[str]"]


def read_columns(
    body: str, width: int, delimiter: str, missing: Collection[str], text: Sequence[int]
) -> Columns | None:
    """Read the columns of a text without a header.

    Args:
        body: lines of fields.
        width: number of columns.
        delimiter: between two fields.
        missing: texts that stand for a missing value.
        text: indices of columns that are not numbers, whatever they contain.

    Returns:
        For each column an array (n,) of float64 with NaN for missing values, or all its fields if they need a closer
        look; None if the lines do.
    """
    if len(body) < LARGE or '"' in body or ("\r" in body and body.count("\r") != body.count("\r\n")):
        return None
    if len(body) >= HUGE:
        try:
            return with_pyarrow(body, width, delimiter, missing, text)
        except ImportError:
            pass
    return None if text else with_numpy(body, width, delimiter, missing)


def with_pyarrow(
    body: str, width: int, delimiter: str, missing: Collection[str], text: Sequence[int]
) -> Columns | None:
    """See ``read_columns``."""
    import pyarrow
    from pyarrow import csv, types

    content = pyarrow.py_buffer(body.encode())
    names = [str(i) for i in range(width)]

    def read(included: list[str], **options: Any) -> Any:
        return csv.read_csv(
            pyarrow.BufferReader(content),
            csv.ReadOptions(column_names=names, use_threads=not uses_one_thread()),
            csv.ParseOptions(delimiter=delimiter, quote_char=False),
            csv.ConvertOptions(include_columns=included, check_utf8=False, strings_can_be_null=False, **options),
        )

    columns: dict[str, Array | list[str]] = {}
    others = [names[i] for i in text]
    try:
        if plain := [name for name in names if name not in others]:
            table = read(plain, null_values=list(missing))
            if any(map(types.is_integer, table.schema.types)) and ("0x" in body or "0X" in body):
                return None  # integers for pyarrow, text for Python
            for name in plain:
                column = table.column(name)
                numeric = types.is_integer(column.type) or types.is_floating(column.type)
                numbers = column.cast(pyarrow.float64(), safe=False).to_numpy() if numeric else None
                if numbers is None or exceeds(numbers):
                    others.append(name)
                else:
                    columns[name] = numbers
        if others:
            table = read(others, null_values=[], column_types=dict.fromkeys(others, pyarrow.string()))
            columns.update({name: table.column(name).to_pylist() for name in others})
    except pyarrow.ArrowException:
        return None
    return [columns[name] for name in names] if len(columns[names[0]]) else None


def with_numpy(body: str, width: int, delimiter: str, missing: Collection[str]) -> Columns | None:
    """See ``read_columns``; only for tables of numbers without missing values."""
    if "_" in body or any(number == number for text in missing if (number := parse_number(text)) is not None):
        return None
    try:
        load(body[: body.find("\n", SAMPLE) + 1] or body, delimiter)
        numbers = load(body, delimiter)
    except ValueError:
        return None
    if numbers.shape[1] != width or exceeds(numbers):
        return None
    return list(np.ascontiguousarray(numbers.T))


def load(body: str, delimiter: str) -> Array:
    """Numbers (rows, columns). Raises ValueError for anything else."""
    numbers: Array = np.loadtxt(io.StringIO(body), delimiter=delimiter, comments=None, ndmin=2)
    return numbers


def exceeds(numbers: Array) -> bool:
    """Whether a number may be an integer that float64 can't hold."""
    return bool((np.abs(numbers) >= LARGEST_EXACT).any())
