"""The page of a study: its best trial, what mattered, and all trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, TypedDict

from cygrad._version import __version__
from cygrad.charts import Series, chart
from cygrad.charts.parallel_coordinates import Axis, parallel_coordinates
from cygrad.report.commands import commands_section
from cygrad.report.html import bar_row, number, section, table
from cygrad.report.page import html_page

__all__ = ["StudyFindings", "TrialFindings", "study_page"]

SHOWN = 20  # trials in the table
STRONG = 10  # one trial in so many is drawn in color


class TrialFindings(TypedDict):
    """One trial; `state` is complete, pruned, failed or running."""

    number: int
    state: str
    value: float | None
    epochs: int
    params: dict[str, Any]
    error: str


class StudyFindings(TypedDict):
    """What a page tells of a study. `importance` of a parameter is a share of 1."""

    name: str
    metric: str
    maximizes: bool
    epochs: int
    axes: Sequence[Axis]
    trials: Sequence[TrialFindings]
    importance: Mapping[str, float]
    folder: str  # of the best trial's run, "" if there is none here


def study_page(findings: StudyFindings) -> str:
    """The page of a study.

    Args:
        findings: what was found.

    Returns:
        HTML in one file.

    Example:
        >>> from cygrad.report.study import study_page
        >>> trials = [{"number": 0, "state": "complete", "value": 0.5, "epochs": 3, "params": {}, "error": ""}]
        >>> page = study_page({"name": "digits", "metric": "val_loss", "maximizes": False, "epochs": 3, "axes": [],
        ...     "trials": trials, "importance": {}, "folder": ""})
        >>> "1 complete" in page
        True
    """
    ranked = sorted(
        (trial for trial in findings["trials"] if trial["state"] == "complete" and trial["value"] is not None),
        key=lambda trial: -(trial["value"] or 0.0) if findings["maximizes"] else (trial["value"] or 0.0),
    )
    sections = [
        best_section(findings, ranked),
        pictures_section(findings, ranked),
        importance_section(findings["importance"], findings["metric"]),
        trials_section(findings, ranked),
        commands_section(findings["folder"], "Use the best trial", on_its_page=False) if findings["folder"] else "",
    ]
    counts = {state: sum(trial["state"] == state for trial in findings["trials"]) for state in STATES}
    shown = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    total = len(findings["trials"])
    lead = f'<p>{total} trial{"s" * (total != 1)} <span class="muted">{shown}</span></p>'
    footer = f"<p>Written by cygrad {escape(__version__)}. The page needs no network.</p>"
    return html_page(findings["name"], lead, "\n".join(filter(None, sections)), footer)


STATES = ("complete", "pruned", "failed", "running")


def shown_value(value: Any) -> str:
    """The value of a parameter."""
    return number(value) if isinstance(value, float) else str(value)


def best_section(findings: StudyFindings, ranked: Sequence[TrialFindings]) -> str:
    """The best trial."""
    if not ranked:
        return section("Best trial", "<p>No trial is complete yet.</p>")
    best = ranked[0]
    numbers = [(number(best["value"]), findings["metric"]), (str(best["number"]), "trial")]
    numbers += [(shown_value(value), name) for name, value in best["params"].items()]
    figures = "".join(f'<div class="figure"><b>{escape(v)}</b><span>{escape(k)}</span></div>' for v, k in numbers)
    return section("Best trial", f'<div class="figures">{figures}</div>')


def pictures_section(findings: StudyFindings, ranked: Sequence[TrialFindings]) -> str:
    """The values of the trials in their order, and beside their parameters."""
    if not ranked:
        return ""
    spent, most = sum(trial["epochs"] for trial in findings["trials"]), findings["epochs"] * len(findings["trials"])
    saved = f" Pruning and early stopping left out {1 - spent / most:.0%} of the epochs." if spent < most else ""
    strong = max(1, math.ceil(len(ranked) / STRONG))
    blue = "those of the best tenth are blue, " if strong > 1 else ""
    text = f"{spent:,} epochs in all.{saved} Each complete trial has a line across its parameters: "
    text += f"{blue}the best is orange."
    pictures = f'<div class="charts">{history(findings)}{coordinates(findings, ranked, strong)}</div>'
    return section("Search", pictures, f'<p class="muted">{text}</p>')


def history(findings: StudyFindings) -> str:
    """The values of the trials, and the best so far."""
    done = [t for t in findings["trials"] if t["state"] == "complete" and t["value"] is not None]
    xs, ys = [float(trial["number"]) for trial in done], [trial["value"] or 0.0 for trial in done]
    best = max if findings["maximizes"] else min
    so_far: list[float] = []
    for value in ys:
        so_far.append(best([*so_far[-1:], value]))
    series = [Series("trial", xs, ys, "points"), Series("best so far", xs, so_far)]
    return chart(series, findings["metric"], "trial", whole=True)


def importance_section(importance: Mapping[str, float], metric: str) -> str:
    """The importance of the parameters, as bars."""
    if not importance:
        return ""
    ordered = sorted(importance.items(), key=lambda pair: -pair[1])
    most = max(importance.values()) or 1.0
    rows = [bar_row(name, (share, None, None), 0.0, most, f"{share:.0%}") for name, share in ordered]
    text = (
        f"How much each parameter decides whether {metric} is among the best tenth (PED-ANOVA). Few trials tell little."
    )
    bars = f'<table class="bars">{"".join(rows)}</table>'
    return section("Which parameters matter", f'<p class="muted">{escape(text)}</p>', bars)


def coordinates(findings: StudyFindings, ranked: Sequence[TrialFindings], strong: int) -> str:
    """A line for each complete trial across the parameters and the value."""
    if len(ranked) < 2 or not findings["axes"]:
        return ""
    values = [trial["value"] or 0.0 for trial in ranked]
    samples = [
        [*(position(axis, trial["params"][axis.name]) for axis in findings["axes"]), value]
        for trial, value in zip(ranked, values)
    ]
    low, high = min(values), max(values)
    axes = [*findings["axes"], Axis(findings["metric"], low, high, log=0 < low < high / 10)]
    return parallel_coordinates(axes, samples, "parameters and values of the trials", strong)


def position(axis: Axis, value: Any) -> float:
    """The position of a parameter's value on its axis."""
    return float(axis.choices.index(str(value)) if axis.choices else value)


def trials_section(findings: StudyFindings, ranked: Sequence[TrialFindings]) -> str:
    """All trials, the best first."""
    names = list(dict.fromkeys(name for trial in findings["trials"] for name in trial["params"]))
    numbers = {trial["number"] for trial in ranked}
    ordered = [*ranked, *(trial for trial in findings["trials"] if trial["number"] not in numbers)]
    rows = [
        [
            str(trial["number"]),
            number(trial["value"]),
            *(escape(shown_value(trial["params"].get(name, ""))) for name in names),
            str(trial["epochs"]),
            escape(f"{trial['state']}: {trial['error']}" if trial["error"] else trial["state"]),
        ]
        for trial in ordered
    ]
    heads = ["trial", findings["metric"], *names, "epochs", ""]
    more = f"{len(rows) - SHOWN} more trials"
    rest = f"<details><summary>{more}</summary>{table(heads, rows[SHOWN:], text=(len(heads) - 1,))}</details>"
    return section("Trials", table(heads, rows[:SHOWN], text=(len(heads) - 1,)), rest if len(rows) > SHOWN else "")
