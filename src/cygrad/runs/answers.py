"""Predictions of a run as a CSV table: with a header, and beside the columns of the input."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

from cygrad.data.tables.column import format_number
from cygrad.runs.protocols import Run
from cygrad.runs.table_run import TableRun, read_file

__all__ = ["answer_columns", "input_columns", "to_csv"]


def answer_columns(run: Run, predictions: Sequence[Any], proba: bool = False) -> dict[str, list[Any]]:
    """Name the columns of predictions.

    Args:
        run: that predicted.
        predictions: as ``run.predictions`` returns them.
        proba: whether they are probabilities.

    Returns:
        Values by column name: a class label for each probability, the names in the records of a forecast, else the
        name of the target, which is "class" for images.
    """
    description = run.metadata()
    if proba:
        labels = [str(label) for label in description["classes"]]
        return {label: [row[i] for row in predictions] for i, label in enumerate(labels)}
    if predictions and isinstance(predictions[0], dict):
        return {name: [record[name] for record in predictions] for name in predictions[0]}
    return {description.get("target", "class"): list(predictions)}


def input_columns(run: Run, path: str | os.PathLike[str]) -> dict[str, list[Any]]:
    """Read the columns of a file as text, in the spelling of the file if it is text.

    Raises:
        ValueError: if the run does not predict rows of a table.
    """
    if not isinstance(run, TableRun):
        raise ValueError(f"predict: keep applies to runs on the rows of a table, got a {type(run).__name__}")
    reading = run.config.reading
    names = read_file(path, reading).names
    table = read_file(path, {name: value for name, value in reading.items() if name != "numbers"}, text=names)
    return {name: column.tolist() for name, column in table.items()}


def to_csv(answers: Mapping[str, Sequence[Any]], kept: Mapping[str, Sequence[Any]]) -> str:
    """Format columns as CSV, those of the input first; the name of an answer that the input has gets "predicted" in
    front.

    Example:
        >>> from cygrad.runs.answers import to_csv
        >>> print(to_csv({"buys": ["yes", "no"]}, {"age": [70.0, 20.5], "buys": ["yes", None]}), end="")
        age,buys,predicted buys
        70,yes,yes
        20.5,,no
    """
    columns = {**kept, **{f"predicted {name}" if name in kept else name: values for name, values in answers.items()}}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    return text.getvalue()


def cell(value: Any) -> str:
    """A value as text; nothing for a missing one."""
    if value is None or value != value:
        return ""
    return format_number(value) if isinstance(value, float) else str(value)
