"""Results as a picture: a bar chart for each case."""

from __future__ import annotations

import os

from benchmarks.peers import PEERS
from benchmarks.report import conditions, number
from benchmarks.results import CaseResult, Run

__all__ = ["write"]

COLUMNS = 4
COLORS = dict(zip(PEERS, ("#0b6e4f", "#3fb68b", "#4d77cf", "#ee4c2c", "#f7a072", "#8e6bbf")))


def write(run: Run, path: str | os.PathLike[str]) -> None:
    """Write the picture in the format that the suffix of the path names.

    Raises ImportError if matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    cases = [case for case in run.cases if case.times]
    rows = max(1, -(-len(cases) // COLUMNS))
    figure = Figure(figsize=(4.2 * COLUMNS, 1.9 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for case, axis in zip(cases, axes):
        bars(case, case.limit(run.limits), axis)
    for axis in axes[len(cases) :]:
        axis.set_axis_off()
    figure.suptitle(f"Microseconds per call, less is better. {conditions(run)}", fontsize=8)
    figure.savefig(path)


def bars(case: CaseResult, limit: float | None, axis: object) -> None:
    """A bar for each peer with its quartiles, and a dashed line at the machine's limit."""
    peers = list(case.times)[::-1]
    times = [case.times[peer] for peer in peers]
    medians = [t.median for t in times]
    quartiles = [[t.median - t.lower for t in times], [t.upper - t.median for t in times]]
    drawn = axis.barh(  # type: ignore[attr-defined]
        [PEERS[peer].title for peer in peers], medians, xerr=quartiles, color=[COLORS[peer] for peer in peers]
    )
    axis.bar_label(drawn, [number(m) for m in medians], padding=3, fontsize=7)  # type: ignore[attr-defined]
    if limit:
        axis.axvline(limit, color="black", linestyle="--", linewidth=0.8)  # type: ignore[attr-defined]
    axis.set_title(case.name, fontsize=8)  # type: ignore[attr-defined]
    axis.tick_params(labelsize=7)  # type: ignore[attr-defined]
    axis.margins(x=0.2)  # type: ignore[attr-defined]
    axis.spines[["top", "right"]].set_visible(False)  # type: ignore[attr-defined]
