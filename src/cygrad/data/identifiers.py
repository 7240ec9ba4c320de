"""Columns that tell rows apart instead of describing them: numbers of rows, and other identifiers."""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np

from cygrad._typing import Array
from cygrad.data.preprocessing.base import missing_mask
from cygrad.data.tables import Table

__all__ = ["identifier_notes"]

NAMES = {"id", "ids", "uid", "uuid", "guid", "key", "index", "idx", "row", "rownum", "rownumber", "rowid"}
ALONE = {"nr", "no", "num", "number", "nummer", "numero", "numéro", "#", "n°", "lfdnr"}  # whole names
WORD = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*")
FEWEST = 3  # rows in which to look for a pattern


def identifier_notes(table: Table, kept: Collection[str] = ()) -> dict[str, str]:
    """Find the columns of a table that identify its rows.

    They are integers that count the rows from 0 or 1, and integers or texts that all differ under a name such as "id"
    or "customer_id". What is learned from them holds for no other row.

    Args:
        table: of at least 3 rows, in the order of the file; smaller ones have none.
        kept: names of columns that are none, whatever they contain.

    Returns:
        By name, what to tell about the column; none if no other column has different values.

    >>> from cygrad.data.identifiers import identifier_notes
    >>> list(identifier_notes(cg.data.Table({"id": [7, 9, 8], "x": [2, 5, 5], "nr": [1, 2, 3]})))
    ['id', 'nr']
    """
    if len(table) < FEWEST:
        return {}
    candidates = {name: column for name, column in table.items() if name not in kept}
    found = {name: reason for name, column in candidates.items() if (reason := identifies(name, column))}
    if not any(varies(column) for name, column in table.items() if name not in found):
        return {}
    hint = "list it in numbers or categories to keep it"
    return {name: f"column {name!r} is left out: {reason}; {hint}" for name, reason in found.items()}


def varies(column: Array) -> bool:
    """Whether a column has at least two distinct values, a missing one among them."""
    missing = missing_mask(column)
    return len(set(column[~missing].tolist())) + bool(missing.any()) > 1


def identifies(name: str, column: Array) -> str:
    """Why a column identifies the rows; "" if it does not."""
    if missing_mask(column).any():
        return ""
    if column.dtype != object:
        if (column != np.rint(column)).any():
            return ""
        if column[0] in (0, 1) and (np.diff(column) == 1).all():
            return f"it numbers the rows from {column[0]:g}"
    named = name.strip().rstrip(".").lower() in ALONE or any(word.lower() in NAMES for word in WORD.findall(name)[-1:])
    return "its values are identifiers, all different" if named and len(set(column.tolist())) == len(column) else ""
