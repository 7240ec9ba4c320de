"""Row indices: columns that pandas and R write in front of the data."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["index_names", "index_note"]

PANDAS = re.compile(r"Unnamed: 0(\.\d+)?|__index_level_\d+__")


def index_names(names: Sequence[str]) -> list[str]:
    """The names that stand for a row index: an empty first one, and those that pandas gives."""
    return [name for i, name in enumerate(names) if (i == 0 and not name) or PANDAS.fullmatch(name)]


def index_note(path: str, name: str) -> str:
    """What to tell about an index that is left out."""
    column = f"column {name!r}" if name else "the first column, which has no name,"
    return f"{column} of {path} is left out: it is a row index, as pandas or R writes it"
