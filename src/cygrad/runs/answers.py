"""Predictions of a run as a CSV table: with a header, and beside the columns of the input."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from cygrad.data.tables.column import format_number
from cygrad.data.tables.content import plain_name
from cygrad.data.tables.delimited import BLOCK
from cygrad.runs.protocols import Run
from cygrad.runs.table_run import TableRun
from cygrad.train.progress import UNPRINTABLE, progress_bar

__all__ = ["answer_columns", "answers_of", "to_csv"]


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


def answers_of(
    run: Run, path: str | os.PathLike[str], proba: bool, unseen: str = "ignore", keep: bool = False
) -> Iterator[tuple[list[Any], dict[str, list[Any]]]]:
    """Predict for the rows of a file in blocks, with a bar on a terminal if there is more than one.

    Args:
        run: that predicts.
        path: the file.
        proba: whether to predict probabilities.
        unseen: see ``TableRun.read_blocks``; applies to the rows of a table.
        keep: whether to return the columns of the file, too.

    Returns:
        For each block the predictions, and with `keep` the columns.

    Raises:
        ValueError: if a row is refused, or `keep` is set and the run does not predict rows of a table.
    """
    if not isinstance(run, TableRun):
        if keep:
            raise ValueError(f"predict: keep applies to runs on the rows of a table, got a {type(run).__name__}")
        yield run.predictions(run.read(path), proba), {}
        return
    bar, first = None, 0
    predicted = partial(run.predictions, proba=proba)
    for number, (predictions, kept) in enumerate(run.read_blocks(path, unseen, keep, predicted)):
        if number == 1:
            known = os.path.isfile(path) and plain_name(os.fspath(path)) == os.fspath(path)
            bar = progress_bar("predict", "row", first, round(first * os.path.getsize(path) / BLOCK) if known else None)
        yield predictions, kept
        first = first or len(predictions)
        if bar is not None:
            with contextlib.suppress(*UNPRINTABLE):
                bar.update(len(predictions))
    if bar is not None:
        with contextlib.suppress(*UNPRINTABLE):
            bar.close()


def to_csv(answers: Mapping[str, Sequence[Any]], kept: Mapping[str, Sequence[Any]], header: bool = True) -> str:
    """Format columns as CSV, those of the input first; the name of an answer that the input has gets "predicted" in
    front. Without `header`, as the rows of a later block.

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
    if header:
        writer.writerow(columns)
    texts = [cells(values) for values in columns.values()]
    if all(map(is_numbers, columns.values())) and "" not in texts[0]:  # nothing to quote, as an empty line would be
        lines = texts[0] if len(texts) == 1 else map(",".join, zip(*texts, strict=True))
        text.write("\n".join([*lines, ""]))
    else:
        writer.writerows(zip(*texts, strict=True))
    return text.getvalue()


def cells(values: Sequence[Any]) -> list[str]:
    """Values as texts, each distinct one formatted once, unless they are numbers, which rarely repeat."""
    if is_numbers(values):
        joined = repr(list(values))[1:-1]  # in C, in a fifth of the time of one at a time
        texts = joined.split(", ")
        if ".0, " not in joined and joined[-2:] != ".0" and "e" not in joined and "n" not in joined:
            return texts
        return [
            t if t[-2:] != ".0" and "e" not in t and "n" not in t else cell(v)
            for t, v in zip(texts, values, strict=True)
        ]
    known = {value: cell(value) for value in set(values)}
    return [known[value] for value in values]


def is_numbers(values: Sequence[Any]) -> bool:
    """Whether all values are of the class float."""
    return bool(values) and set(map(type, values)) == {float}


def cell(value: Any) -> str:
    """A value as text; nothing for a missing one."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    return format_number(value) if isinstance(value, float) else str(value)
