"""Predictions beside targets: the confusion matrix, calibration, and the errors of numbers and forecasts."""

from __future__ import annotations

import math
from html import escape

from cygrad.charts import Series, chart
from cygrad.report.findings import Findings
from cygrad.report.html import number, section, table

__all__ = ["predictions_section"]

SQUARE = (400, 320)
MOST_CLASSES = 12  # of a whole matrix
PAIRS = 12  # of classes that are confused most


def predictions_section(findings: Findings) -> str:
    """All of it that applies."""
    parts = [confusion(findings), pictures(findings)]
    return section("Predictions", *parts) if any(parts) else ""


def confusion(findings: Findings) -> str:
    """The confusion matrix; of many classes, the pairs that are confused most and the classes found least."""
    counts, labels = findings.get("confusion"), list(findings.get("classes", {}))
    if not counts:
        return ""
    if len(labels) > MOST_CLASSES:
        return confused_pairs(counts, labels) + least_found(counts, labels)
    head = "".join(f"<th>{escape(label)}</th>" for label in labels)
    rows = []
    for i, (label, row) in enumerate(zip(labels, counts)):
        total = max(sum(row), 1)
        cells = [
            f'<td{"" if i == j else " class=wrong"} style="--share:{count / total:.3f}">{count or ""}</td>'
            for j, count in enumerate(row)
        ]
        rows.append(f"<tr><th>{escape(label)}</th>{''.join(cells)}</tr>")
    return (
        '<p class="muted">Rows by their class (left) and the predicted one (above).</p><div class="wide">'
        f'<table class="confusion"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def confused_pairs(counts: list[list[int]], labels: list[str]) -> str:
    """The pairs of a class and a wrong prediction with most rows."""
    pairs = [(n, i, j) for i, row in enumerate(counts) for j, n in enumerate(row) if n and i != j]
    pairs.sort(key=lambda pair: -pair[0])
    if not pairs:
        return "<p>No class was taken for another.</p>"
    rows = [[escape(labels[i]), escape(labels[j]), f"{n:,} of {sum(counts[i]):,}"] for n, i, j in pairs[:PAIRS]]
    return "<h3>Confused most</h3>" + table(["class", "predicted", "rows"], rows, text=(1,))


def least_found(counts: list[list[int]], labels: list[str]) -> str:
    """The classes whose rows are predicted right least often."""
    shares = [(row[i] / sum(row), i) for i, row in enumerate(counts) if sum(row)]
    rows = [[escape(labels[i]), f"{100 * share:.0f} %", f"{sum(counts[i]):,}"] for share, i in sorted(shares)[:PAIRS]]
    return "<h3>Found least</h3>" + table(["class", "found", "rows"], rows)


def pictures(findings: Findings) -> str:
    """Charts, side by side where there is room."""
    drawn = [draw(findings) for draw in (calibration, points, residuals, forecasts, steps)]
    return f'<div class="charts">{"".join(drawn)}</div>' if any(drawn) else ""


def calibration(findings: Findings) -> str:
    """Predicted probabilities beside frequencies."""
    bins = findings.get("calibration")
    if not bins:
        return ""
    x = [one["probability"] for one in bins]
    p, low, high = zip(*[[end or 0.0 for end in one["frequency"]] for one in bins])
    count = sum(one["count"] for one in bins)
    gap = sum(one["count"] * abs(one["probability"] - (one["frequency"][0] or 0.0)) for one in bins) / count
    classes = list(findings.get("classes", {}))
    of = f"probability of {classes[1][:24]}" if len(classes) == 2 else "probability of the predicted class"
    drawn, side = [Series("", x, p, "points", low, high)], "how often it was so"
    picture = chart(drawn, "Calibration", of, side, size=SQUARE, diagonal=True, cover=(0.0, 1.0))
    text = f"On the dashed line, a probability means what it says; the mean distance from it is {number(gap, 2)}."
    return f'<div>{picture}<p class="muted">{text}</p></div>'


def points(findings: Findings) -> str:
    """Predicted numbers over targets."""
    pairs = findings.get("points")
    if not pairs:
        return ""
    targets, predicted = zip(*pairs)
    name = findings.get("target", "target")[:40]
    return chart(
        [Series("", targets, predicted, "points")],
        "Predicted over actual",
        name,
        "predicted",
        size=SQUARE,
        diagonal=True,
    )


def residuals(findings: Findings) -> str:
    """Residuals over predictions."""
    pairs = findings.get("points")
    if not pairs:
        return ""
    predicted = [p for _, p in pairs]
    errors = [p - t for t, p in pairs]
    zero = Series("", [min(predicted), max(predicted)], [0.0, 0.0])
    drawn = [Series("", predicted, errors, "points"), zero]
    return chart(drawn, "Residuals", "predicted", "predicted − actual", size=SQUARE)


def forecasts(findings: Findings) -> str:
    """The last forecasts of the test set beside what came, with their prediction intervals."""
    found = findings.get("forecasts")
    if not found:
        return ""
    rows: list[float] = []
    columns: dict[str, list[float]] = {name: [] for name in ("actual", "forecast", "low", "high")}
    for one in found:
        widths = one["half_widths"] or [math.nan] * len(one["forecast"])
        rows += [*range(one["start"] + 1, one["start"] + 1 + len(one["actual"])), math.nan]
        columns["actual"] += [*one["actual"], math.nan]  # a gap between two forecasts
        columns["forecast"] += [*one["forecast"], math.nan]
        columns["low"] += [*(f - w for f, w in zip(one["forecast"], widths)), math.nan]
        columns["high"] += [*(f + w for f, w in zip(one["forecast"], widths)), math.nan]
    has_intervals = bool(found[0]["half_widths"])
    ends = (columns["low"], columns["high"]) if has_intervals else ((), ())
    drawn = [Series("forecast", rows, columns["forecast"], "line", *ends), Series("actual", rows, columns["actual"])]
    count = len(found)
    title = f"The last {count} forecasts" if count > 1 else "The last forecast"
    picture = chart(drawn, title, "row", findings.get("target", "")[:40], whole=True, size=SQUARE)
    return f'<div>{picture}<p class="muted">{coverage(findings)}</p></div>'


def coverage(findings: Findings) -> str:
    """How much the prediction intervals hold of what came."""
    share, low, high = findings.get("coverage", (None, None, None))
    if share is None:
        return "Too few validation windows for prediction intervals."
    wanted = findings["coverage_wanted"]
    between = "" if low is None or high is None else f" (95 % interval {100 * low:.0f} to {100 * high:.0f} %)"
    return (
        f"The band is the {100 * wanted:.0f} % prediction interval, from the errors on the validation set. It holds "
        f"{100 * share:.1f} %{between} of the test values."
    )


def steps(findings: Findings) -> str:
    """The errors of a forecast by how far ahead it looks."""
    found = findings.get("steps")
    if not found:
        return ""
    ahead = [step["ahead"] for step in found]
    network, linear, *naive = [*found[0]["errors"], "", ""]
    seasons = [name for name in naive if name]
    best = min(seasons, key=lambda name: sum(step["errors"][name] for step in found), default="")
    names = [name for name in (network, linear, best) if name]  # as many as a legend has room for
    drawn = [Series(name, ahead, [step["errors"][name] for step in found]) for name in names]
    return chart(drawn, "Mean absolute error", "rows ahead", whole=True, size=SQUARE)
