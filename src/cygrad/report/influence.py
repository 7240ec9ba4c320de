"""What single columns do: their importance, and those that give the target away by themselves."""

from __future__ import annotations

from html import escape

from cygrad.report.alone import SUSPICIOUS
from cygrad.report.findings import Findings
from cygrad.report.html import bar_row, interval_of, number, section

__all__ = ["influence_section", "suspects_section"]

SHOWN = 15


def influence_section(findings: Findings) -> str:
    """The growth of the loss if a column is shuffled, as bars; beyond fifteen columns behind a button."""
    found = findings.get("importance")
    if not found:
        return ""
    ends = [end for one in found for end in one["growth"] if end is not None]
    least, most = min(0.0, *ends), max(0.0, *ends)
    rows = [
        bar_row(one["name"], one["growth"], least, most, number(one["growth"][0], 3) + interval_of(one["growth"], 2))
        for one in found
    ]
    explained = (
        f"How much the {findings.get('importance_unit', 'loss')} grows if the values of a column are shuffled, with "
        "95 % intervals. Columns that carry the same information share their importance."
    )
    return section("Which columns matter", f'<p class="muted">{escape(explained)}</p>', folded(rows))


def folded(rows: list[str]) -> str:
    """A table of bars, of which the first ones are shown at once."""
    first, rest = rows[:SHOWN], rows[SHOWN:]
    shown = f'<table class="bars">{"".join(first)}</table>'
    if not rest:
        return shown
    more = f"{len(rest)} more column{'s' * (len(rest) != 1)}"
    return f'{shown}<details><summary>{more}</summary><table class="bars">{"".join(rest)}</table></details>'


def suspects_section(findings: Findings) -> str:
    """Leaks: rows that appear in two parts, and columns that predict the target by themselves."""
    leaks = [f'<div class="warning">{escape(text)}</div>' for text in findings.get("leaks", [])]
    alone = findings.get("alone", [])
    suspects = [one for one in alone if one["share"] >= SUSPICIOUS]
    names = ", ".join(one["name"] for one in suspects)
    verb = "predict" if len(suspects) > 1 else "predicts"
    warning = (
        f'<div class="warning"><b>{escape(names)}</b> alone {verb} the target almost without error. Is it known before '
        "the target is, or the target by another name? If not, leave it out with --drop.</div>"
        if suspects
        else ""
    )
    if not leaks and not alone:
        return ""
    rows = [
        bar_row(
            one["name"],
            (one["share"], None, None),
            0.0,
            1.0,
            f"{100 * one['share']:.0f} %",
            one["share"] >= SUSPICIOUS,
        )
        for one in alone[:5]
    ]
    explained = "The share of the simplest prediction’s error that a column alone removes, on held-out rows."
    bars = f'<p class="muted">{explained}</p><table class="bars">{"".join(rows)}</table>' if rows else ""
    clean = "<p>No column gives the target away by itself, and no row appears in two parts.</p>"
    fine = "" if leaks or warning else clean
    return section("Leaks", *leaks, warning, fine, bars)
