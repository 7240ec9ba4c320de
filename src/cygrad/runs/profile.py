"""The columns of a table, as a report shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.preprocessing import Category, Date, Preprocessor
from cygrad.data.preprocessing.base import missing_mask
from cygrad.data.tables import Table
from cygrad.report.findings import Column

__all__ = ["profile_columns"]

KINDS: dict[Any, str] = {Category: "category", Date: "date"}


def profile_columns(inputs: Table, preprocessor: Preprocessor, left_out: Mapping[str, str]) -> list[Column]:
    """Describe the columns of the training set, those that were left out with the reason.

    Args:
        inputs: all columns but the target.
        preprocessor: fitted to those that are not left out before.
        left_out: notes on those, by name.

    Example:
        >>> from cygrad.runs.profile import profile_columns
        >>> table = cg.data.Table({"height": [1.6, 1.8, None], "planet": ["Earth"] * 3})
        >>> columns = profile_columns(table, cg.data.Preprocessor().fit(table), {})
        >>> [(c["name"], c["missing"], c["reason"]) for c in columns]
        [('height', 1, ''), ('planet', 0, "all its values are 'Earth'")]
    """
    kept = {encoder.name: encoder for encoder in preprocessor.encoders}
    outliers = preprocessor.outliers(inputs)
    columns = []
    for name, values in inputs.items():
        encoder = kept.get(name)
        plain = "number" if values.dtype != object else "category"
        kind = KINDS.get(type(encoder), plain) if encoder else plain
        column = describe(name, values, kind, outliers.get(name, 0))
        notes = [*left_out.values(), *preprocessor.notes]
        columns.append(column if encoder else {**column, "reason": reason_of(name, notes)})
    return columns


def describe(name: str, values: Array, kind: str, outliers: int) -> Column:
    """A column that is kept."""
    missing = missing_mask(values)
    known = values[~missing]
    least = median = most = None
    if kind == "number" and len(known):
        least, median, most = np.quantile(known, [0, 0.5, 1]).tolist()
    return Column(
        name=name,
        kind=kind,
        missing=int(missing.sum()),
        outliers=outliers,
        distinct=len(set(known.tolist())),
        least=least,
        median=median,
        most=most,
        reason="",
    )


def reason_of(name: str, notes: list[str]) -> str:
    """Why a column was left out, by the notes on it."""
    starts = (f"column {name!r} is dropped: ", f"column {name!r} is left out: ")
    found = [note.removeprefix(start) for note in notes for start in starts if note.startswith(start)]
    return found[0] if found else "not an input"
