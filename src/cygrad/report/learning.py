"""The learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cygrad.charts import Series, chart
from cygrad.report.findings import Findings
from cygrad.report.html import section

__all__ = ["curves", "learning_section"]

UNPLOTTED = ("epoch", "lr", "samples_per_second", "grad_norm")
NAMES = {"r2": "R²", "mae": "mean absolute error", "balanced_accuracy": "balanced accuracy"}


def learning_section(findings: Findings, records: Sequence[Mapping[str, float]]) -> str:
    """A chart of the loss and of each metric, training and validation together."""
    drawn = curves(records, findings.get("best_epoch"))
    if not drawn:
        return ""
    text = (
        "Training values are measured during an epoch, with dropout and label smoothing if there are any; validation "
    )
    text += "values after it."
    if findings.get("best_epoch"):
        text += " The dashed line is the epoch whose weights were kept."
    pictures = f'<div class="charts">{"".join(drawn)}</div>'
    return section("Learning curves", pictures, f'<p class="muted">{text}</p>')


def curves(records: Sequence[Mapping[str, float]], best_epoch: int | None = None) -> list[str]:
    """The charts."""
    names = dict.fromkeys(name.removeprefix("val_") for record in records for name in record)
    epochs = [record["epoch"] for record in records]
    drawn = []
    for name in [name for name in names if name not in UNPLOTTED]:
        series = [
            Series(part, epochs, [record.get(key, math.nan) for record in records])
            for part, key in (("training", name), ("validation", f"val_{name}"))
            if any(key in record for record in records)
        ]
        drawn.append(chart(series, NAMES.get(name, name), "epoch", whole=True, mark=best_epoch))
    return drawn
