"""The columns that a server's form and documents name."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cygrad.data.dates import DAY
from cygrad.data.preprocessing import Category, Date, Preprocessor
from cygrad.data.tables.column import format_number
from cygrad.data.timeline import time_texts
from cygrad.runs import ImageRun, Run

__all__ = ["Field", "fields_of"]

Value = float | str | None


class Field(NamedTuple):
    """A column: its name, a typical value, the values of a category, and whether it is a number."""

    name: str
    typical: Value
    values: tuple[Value, ...] = ()
    numeric: bool = False


def fields_of(run: Run) -> list[Field]:
    """The columns of a run on a table or a series; none for images, whose columns are pixels.

    Example:
        >>> from cygrad.serve.inputs import fields_of
        >>> config = cg.runs.ImageConfig([4, 2], 0.0, mean=0.0, std=1.0, classes=[0, 1], version=cg.__version__)
        >>> fields_of(cg.runs.ImageRun(config.network(), config))
        []
    """
    if isinstance(run, ImageRun):
        return []
    preprocessor: Preprocessor = run.preprocessor  # type: ignore[attr-defined]
    fields = []
    for encoder in preprocessor.encoders:
        if isinstance(encoder, Category):
            known = [value for value in encoder.values if value is not None]
            fields.append(Field(encoder.name, known[0] if known else None, tuple(known)))
        elif isinstance(encoder, Date):
            (text,) = time_texts(np.array([encoder.typical[0] // DAY * DAY]), dates=True)
            fields.append(Field(encoder.name, text))
        else:
            fields.append(Field(encoder.name, float(f"{encoder.typical[0]:.4g}"), numeric=True))
    return fields


def text_of(value: Value) -> str:
    """A value as a form shows it."""
    if value is None:
        return ""
    return format_number(value) if isinstance(value, float) else str(value)
