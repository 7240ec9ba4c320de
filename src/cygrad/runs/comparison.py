"""``cygrad runs``: runs in a table, to compare them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from cygrad.runs.folder import CONFIG, JOB, read_json

__all__ = ["found", "ordered", "summary", "tabulated"]

Row = dict[str, Any]
RISING = ("accuracy", "r2")  # measures of which more is better


def found(folders: Iterable[str]) -> list[str]:
    """The runs among folders and below them, in the order of their paths. Raises FileNotFoundError for a folder that
    is not there."""
    runs = []
    for folder in folders:
        if not os.path.isdir(folder):
            raise FileNotFoundError(f"runs: there is no folder {folder}")
        for path, inner, files in os.walk(folder):
            inner.sort()
            if CONFIG in files or JOB in files:
                runs.append(path)
                inner.clear()
    return runs


def summary(folder: str) -> Row:
    """What is to be compared of a run: its state, results and options. Raises ValueError where its files are corrupt
    or of another version's format."""
    row: Row = {"run": folder, "task": "", "state": "complete"}
    if os.path.isfile(os.path.join(folder, JOB)):
        job = read_json("runs", os.path.join(folder, JOB))
        row.update(task=os.path.splitext(os.path.basename(str(job.get("source"))))[0], state="unfinished")
    if os.path.isfile(os.path.join(folder, CONFIG)):
        config = read_json("runs", os.path.join(folder, CONFIG))
        row["task"] = config.get("task", "")
        for part in "results", "options":
            row.update(config[part] if isinstance(config.get(part), dict) else {})
    return row


def ordered(rows: Sequence[Row], key: str | None) -> list[Row]:
    """The rows with the best value of a column first, those without one last. Raises ValueError where none has it."""
    if key is None:
        return list(rows)
    if rows and not any(key in row for row in rows):
        known = ", ".join(dict.fromkeys(name for row in rows for name in row))
        raise ValueError(f"runs: no run has {key!r}, but {known}")
    falls = key.endswith(RISING)
    with_value = [row for row in rows if row.get(key) is not None]
    without = [row for row in rows if row.get(key) is None]
    numbers = all(isinstance(row[key], (int, float)) for row in with_value)
    return sorted(with_value, key=lambda row: row[key] if numbers else str(row[key]), reverse=falls) + without


def tabulated(rows: Sequence[Row]) -> str:
    """The rows as text: results, and the options in which runs differ."""
    always = ("run", "task", "state", "epochs", "best_epoch", "val_loss")
    names = list(dict.fromkeys(name for row in rows for name in row))
    differ = {name for name in names if len({str(row.get(name)) for row in rows if name in row}) > 1}
    shown = [name for name in names if name in always or name.startswith("test_") or name in differ]
    lines = [shown, *([cell(row.get(name)) for name in shown] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines)


def cell(value: Any) -> str:
    """A value in the table."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else ",".join(map(str, value)) if isinstance(value, list) else str(value)
