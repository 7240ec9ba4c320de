"""``cygrad runs``: runs in a table, to compare them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from cygrad._folders import committed
from cygrad.runs.folder import CONFIG, JOB, read_json
from cygrad.train.metrics import HIGHER_IS_BETTER

__all__ = ["find_runs", "format_rows", "sort_rows", "summarize_run"]

Row = dict[str, Any]
ALWAYS_SHOWN = ("run", "task", "state", "epochs", "best_epoch", "val_loss")


def find_runs(folders: Iterable[str]) -> list[str]:
    """Find the runs in folders and below them, in the order of their paths.

    Raises:
        FileNotFoundError: if a folder does not exist.
    """
    runs = []
    for folder in folders:
        if not os.path.isdir(folder):
            raise FileNotFoundError(f"runs: there is no folder {folder}")
        for path, subfolders, files in os.walk(folder):
            subfolders.sort()
            if CONFIG in files or JOB in files or os.path.isfile(committed(path, CONFIG)):
                runs.append(path)
                subfolders.clear()
    return runs


def summarize_run(folder: str) -> Row:
    """Return the state, results and options of a run.

    Raises:
        ValueError: if a file is corrupt or has another version's format.
    """
    row: Row = {"run": folder, "task": "", "state": "complete"}
    if os.path.isfile(os.path.join(folder, JOB)):
        job = read_json("runs", os.path.join(folder, JOB))
        row.update(task=os.path.splitext(os.path.basename(str(job.get("source"))))[0], state="unfinished")
    if os.path.isfile(committed(folder, CONFIG)):
        config = read_json("runs", committed(folder, CONFIG))
        row["task"] = config.get("task", "")
        for part in "results", "options":
            values = config[part] if isinstance(config.get(part), dict) else {}
            row.update({name: value for name, value in values.items() if not isinstance(value, dict)})
    return row


def sort_rows(rows: Sequence[Row], column: str | None) -> list[Row]:
    """Sort rows by a column, the best value first and rows without a value last.

    Raises:
        ValueError: if no row has the column.
    """
    if column is None:
        return list(rows)
    if rows and not any(column in row for row in rows):
        known = ", ".join(dict.fromkeys(name for row in rows for name in row))
        raise ValueError(f"runs: no run has the column {column!r}; the columns are {known}")
    with_value = [row for row in rows if row.get(column) is not None]
    without = [row for row in rows if row.get(column) is None]
    numeric = all(isinstance(row[column], (int, float)) for row in with_value)
    descending = column.endswith(HIGHER_IS_BETTER)
    return (
        sorted(with_value, key=lambda row: row[column] if numeric else str(row[column]), reverse=descending) + without
    )


def format_rows(rows: Sequence[Row]) -> str:
    """Format rows as text: results, and the options in which the runs differ."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    differ = {name for name in names if len({str(row.get(name)) for row in rows if name in row}) > 1}
    shown = [name for name in names if name in ALWAYS_SHOWN or name.startswith("test_") or name in differ]
    lines = [shown, *([format_cell(row.get(name)) for name in shown] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines)


def format_cell(value: Any) -> str:
    """Format a value of the table."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else ",".join(map(str, value)) if isinstance(value, list) else str(value)
