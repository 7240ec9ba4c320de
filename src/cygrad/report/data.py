"""The data: its parts, its columns, its classes, and what was decided about them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from cygrad.report.findings import Column, Findings
from cygrad.report.html import bar_row, number, section, table

__all__ = ["data_section"]

SHOWN = 20  # classes


def data_section(findings: Findings) -> str:
    """All of it."""
    parts = [figures(findings.get("parts", {}), findings.get("unit", "rows"))]
    parts += [classes(findings.get("classes", {})), columns(findings.get("columns", [])), notes(findings)]
    return section("Data", *parts) if any(parts) else ""


def figures(parts: Mapping[str, int], unit: str) -> str:
    """The sizes of the parts."""
    shown = [
        f'<div class="figure"><b>{count:,}</b><span>{escape(name)} {escape(unit)}</span></div>'
        for name, count in parts.items()
    ]
    return f'<div class="figures">{"".join(shown)}</div>' if shown else ""


def classes(counts: Mapping[str, int]) -> str:
    """The classes of the training set, the most frequent first."""
    if not counts:
        return ""
    ordered, most = sorted(counts.items(), key=lambda pair: -pair[1]), max(counts.values())
    rows = [bar_row(label, (count, None, None), 0.0, most, f"{count:,}") for label, count in ordered]
    first, rest = "".join(rows[:SHOWN]), "".join(rows[SHOWN:])
    more = (
        f'<details><summary>{len(rows) - SHOWN} more</summary><table class="bars">{rest}</table></details>'
        if rest
        else ""
    )
    title = f"<h3>{len(counts)} classes in the training set</h3>"
    return f'{title}<table class="bars">{first}</table>{more}'


def columns(found: list[Column]) -> str:
    """The columns that the network sees, and those that were left out."""
    if not found:
        return ""
    kept, left = [c for c in found if not c["reason"]], [c for c in found if c["reason"]]
    rows = [
        [
            escape(c["name"]),
            escape(c["kind"]),
            f"{c['missing']:,}" if c["missing"] else "",
            f"{c['outliers']:,}" if c["outliers"] else "",
            f"{c['distinct']:,}",
            *(number(c[key]) if c[key] is not None else "" for key in ("least", "median", "most")),
        ]
        for c in kept
    ]
    heads = ["", "kind", "missing", "outliers", "distinct", "least", "median", "most"]
    what = f"{len(kept)} column{'s' * (len(kept) != 1)} kept"
    body = table(heads, rows, text=(1,))
    opened = " open" if len(kept) <= SHOWN else ""
    parts = [f"<details{opened}><summary>{what}</summary>{body}</details>"]
    if left:
        out = table(["", "reason"], [[escape(c["name"]), escape(c["reason"])] for c in left], text=(1,))
        opened = " open" if len(left) <= SHOWN else ""
        title = f"{len(left)} column{'s' * (len(left) != 1)} left out"
        parts.append(f"<details{opened}><summary>{title}</summary>{out}</details>")
    return "".join(parts)


def notes(findings: Findings) -> str:
    """What was decided about the data."""
    items = "".join(f"<li>{escape(note)}</li>" for note in findings.get("notes", []))
    return f'<details><summary>Notes on the data</summary><ul class="notes">{items}</ul></details>' if items else ""
