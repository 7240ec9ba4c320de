"""The scores, beside those of baselines."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from cygrad.report.findings import Estimate, Findings
from cygrad.report.html import interval_of, number, section, table

__all__ = ["HEADINGS", "MAIN", "best_baseline", "scores_section"]

HEADINGS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "roc_auc": "AUC",
    "loss": "log loss",
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "r2": "R²",
}
MAIN = {"classification": ("accuracy", 1), "regression": ("rmse", -1), "forecast": ("mae", -1)}  # and better if larger
MEANINGS = {
    "accuracy": "the share of rows whose class was predicted",
    "balanced accuracy": "the mean of that share over the classes",
    "F1": "the mean over the classes of 2·TP/(2·TP + FP + FN)",
    "AUC": "how often a row of the class scores above another one",
    "log loss": "the mean of −log p of the row's class",
    "RMSE": "the root of the mean squared error",
    "R²": "the share of the target's variance that is explained",
}


def scores_section(findings: Findings) -> str:
    """The scores of all models with their intervals, and whether the network beats the best baseline."""
    scores, kind = findings.get("scores"), findings.get("kind", "")
    if not scores:
        return ""
    metrics = [name for name in HEADINGS if name in next(iter(scores.values()))]
    rows = [
        [escape(model), *(number(s[name][0]) + interval_of(s[name]) for name in metrics)] for model, s in scores.items()
    ]
    heads = [HEADINGS[name] for name in metrics]
    meanings = "; ".join(f"{name}: {MEANINGS[name]}" for name in heads if name in MEANINGS)
    rest = f'<details><summary>What the scores mean</summary><p class="muted">{meanings}.</p></details>'
    unit = findings.get("unit", "rows")
    where = f"{findings.get('held_name', 'test set')}, {findings.get('held', 0):,} {unit}"
    block = findings.get("block", 1)
    drawn = f", from blocks of {block:,} {unit} in a row, since their errors are alike" if block > 1 else ""
    explained = f"On the {where}. Below a score: the 95 % interval on other rows of the same kind{drawn}."
    return section(
        "Scores",
        verdict(findings, *MAIN.get(kind, ("", 1))),
        f'<p class="muted">{escape(explained)}</p>',
        table(["", *heads], rows, "scores"),
        rest if meanings else "",
    )


def best_baseline(scores: Mapping[str, Mapping[str, Estimate]], metric: str, sign: int) -> str:
    """The model with the best score among those behind the first, the network; "" if none has one.

    Args:
        scores: by model and metric.
        metric: the score.
        sign: 1 if larger is better, else −1.
    """
    values = {name: found[metric][0] for name, found in list(scores.items())[1:]}
    known = {name: value for name, value in values.items() if value is not None}
    return max(known, key=lambda name: sign * known[name], default="")


def verdict(findings: Findings, metric: str, sign: int) -> str:
    """Whether the network is better than the best baseline, by the interval of their difference."""
    scores, difference = findings["scores"], findings.get("difference")
    if metric not in next(iter(scores.values())) or difference is None:
        return ""
    best = best_baseline(scores, metric, sign)
    value, low, high = difference
    if not best or value is None or low is None or high is None:
        return ""
    if low == high == 0:
        return f'<div class="warning">Exactly as good as the {escape(best)}: the {HEADINGS[metric]} is the same.</div>'
    ahead, behind = sorted((sign * low, sign * high))
    size = f"{number(value, 3)} (95 % interval {number(low, 3)} to {number(high, 3)})"
    heading = HEADINGS[metric]
    if ahead > 0:
        return f"<p>Better than the best baseline, the {escape(best)}: its {heading} differs by {size}.</p>"
    if behind < 0:
        text = f"Worse than the {escape(best)}: the {heading} differs by {size}. Use the simpler model."
    else:
        text = (
            f"No better than the {escape(best)}, as far as these rows can tell: the {heading} differs by {size}. "
            "More rows or other columns would have to show what the network adds."
        )
    return f'<div class="warning">{text}</div>'
