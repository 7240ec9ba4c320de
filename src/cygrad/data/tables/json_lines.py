"""Reader of tables in files of JSON lines."""

from __future__ import annotations

import json
import os
from typing import Any

from cygrad._files import one_line
from cygrad.data.tables.arrays import build_table
from cygrad.data.tables.content import read_text
from cygrad.data.tables.table import Table, reads

__all__ = ["read_json_lines"]


@reads(".jsonl", ".ndjson")
def read_json_lines(path: str | os.PathLike[str]) -> Table:
    """Read a table from a file with one JSON object per line, from names to values.

    Args:
        path: the file, in UTF-8; it may be compressed as ``.gz`` or ``.zip``. Blank lines are ignored, and a name that
            an object lacks is a missing value.

    Returns:
        The table; its columns are in the order in which their names occur.

    Raises:
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if it has no rows, or a line is not an object of numbers, text, booleans and null. The message names
            the line.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "people.jsonl")
    >>> _ = path.write_text('{"height": 1.8}\\n{"height": 1.7, "city": "Oslo"}\\n')
    >>> table = cg.data.read_json_lines(path)
    >>> table, table["city"].tolist()
    (Table(2 rows; height: numbers, city: text), [None, 'Oslo'])
    """
    name = os.fspath(path)
    columns: dict[str, list[Any]] = {}
    rows = 0
    for number, line in enumerate(read_text("read_json_lines", name, "utf-8").split("\n"), 1):
        if not line.strip():
            continue
        for key, value in parse_object(name, number, line).items():
            column = columns.setdefault(key, [None] * rows)
            if len(column) == rows:
                column.append(value)
        rows += 1
        for column in columns.values():
            if len(column) < rows:
                column.append(None)
    if not rows:
        raise ValueError(f"read_json_lines: {name} has no rows")
    return build_table("read_json_lines", name, columns)


def parse_object(path: str, number: int, line: str) -> dict[str, Any]:
    """The object in a line. Raises ValueError, naming the line, for anything else."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"read_json_lines: line {number} of {path} is not valid JSON ({one_line(error)})") from None
    nested = isinstance(value, dict) and any(isinstance(v, (dict, list)) for v in value.values())
    if not isinstance(value, dict) or nested:
        got = "a nested one" if nested else type(value).__name__
        raise ValueError(f"read_json_lines: line {number} of {path} must be an object of numbers and text, got {got}")
    return value
