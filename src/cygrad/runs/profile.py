"""The columns of a table, as a report shows them."""

from __future__ import annotations

import numpy as np

from cygrad._typing import Array
from cygrad.data.preprocessing import Category, Preprocessor
from cygrad.data.tables import Table
from cygrad.report.findings import Column

__all__ = ["profile_columns"]


def profile_columns(inputs: Table, preprocessor: Preprocessor) -> list[Column]:
    """Describe the columns of the training set; those that the preprocessor left out with its reason.

    Example:
        >>> from cygrad.runs.profile import profile_columns
        >>> table = cg.data.Table({"height": [1.6, 1.8, None], "planet": ["Earth"] * 3})
        >>> [(c["name"], c["missing"], c["reason"]) for c in profile_columns(table, cg.data.Preprocessor().fit(table))]
        [('height', 1, ''), ('planet', 0, "all its values are 'Earth'")]
    """
    kept = {encoder.name: encoder for encoder in preprocessor.encoders}
    outliers = preprocessor.outliers(inputs)
    columns = []
    for name, values in inputs.items():
        encoder = kept.get(name)
        numeric = values.dtype != object and not isinstance(encoder, Category)
        column = describe(name, values, numeric, outliers.get(name, 0))
        columns.append(column if encoder else {**column, "reason": reason_of(name, preprocessor.notes)})
    return columns


def describe(name: str, values: Array, numeric: bool, outliers: int) -> Column:
    """A column that is kept."""
    missing = values == None if values.dtype == object else np.isnan(values)  # noqa: E711 elementwise
    known = values[~missing]
    least = median = most = None
    if numeric and len(known):
        least, median, most = np.quantile(known, [0, 0.5, 1]).tolist()
    return Column(
        name=name,
        kind="number" if numeric else "category",
        missing=int(missing.sum()),
        outliers=outliers,
        distinct=len(set(known.tolist())),
        least=least,
        median=median,
        most=most,
        reason="",
    )


def reason_of(name: str, notes: list[str]) -> str:
    """Why a column was left out, by the preprocessor's notes."""
    start = f"column {name!r} is dropped: "
    return next((note.removeprefix(start) for note in notes if note.startswith(start)), "not an input")
