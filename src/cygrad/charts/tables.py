"""Tables in HTML, as a notebook shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["html_table"]

LONGEST = 60  # characters of a cell


def html_table(heads: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> str:
    """A table of texts, with a note below it.

    Example:
        >>> from cygrad.charts.tables import html_table
        >>> html_table(["a"], [["<1>"]])
        '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;1&gt;</td></tr></tbody></table>'
    """
    head = "".join(f"<th>{shortened(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{shortened(cell)}</td>' for cell in row)}</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"{table}<p>{escape(note)}</p>" if note else table


def shortened(text: str) -> str:
    """A text as HTML, without its end where it is too long."""
    return escape(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")
