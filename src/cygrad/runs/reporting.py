"""The report of a run: what is measured for it, and its files, ``report.json`` and ``report.html``."""

from __future__ import annotations

import csv
import json
import os
from typing import Any

import numpy as np

from cygrad import _files
from cygrad._files import one_line
from cygrad._folders import committed
from cygrad._typing import Array
from cygrad.data import TensorDataset
from cygrad.data.preprocessing import Category, Classes, Date
from cygrad.report import Findings, page_of
from cygrad.report.alone import share_alone
from cygrad.report.findings import Alone, Estimate, Forecast
from cygrad.report.intervals import bootstrap, ends
from cygrad.report.measures import (
    calibration_bins,
    confusion_matrix,
    importance_rows,
    importances,
    sampled_points,
)
from cygrad.report.scores import MAIN, best_baseline
from cygrad.runs.folder import METRICS, load, write_text
from cygrad.runs.held import Held, held_in_folds, held_rows
from cygrad.runs.held_forecasts import HeldForecasts
from cygrad.runs.image_task import ImageTask
from cygrad.runs.protocols import Run, Task
from cygrad.runs.series_run import SeriesRun
from cygrad.runs.series_task import SeriesTask
from cygrad.runs.table_scores import class_scorer, most_frequent
from cygrad.runs.table_task import TableTask
from cygrad.runs.training import Training, bounds_of
from cygrad.train.conformal import COVERAGE
from cygrad.train.history import Record
from cygrad.train.tabular.linear import fit_linear

__all__ = ["FINDINGS", "REPORT", "findings_of", "held_of", "remake_report", "write_report"]

FINDINGS, REPORT = "report.json", "report.html"
FORMAT = 1
GROUPS = 3  # of folds, for what columns tell alone
LEAK = "LeakageWarning: "
SHOWN_STEPS = 96  # of forecasts in a picture
MOST_LINEAR = 2e9  # features times rows times classes that a linear model of images may take


def held_of(task: Task, training: Training, run: Run) -> Held | HeldForecasts:
    """The held-out rows of a task: the test set; without one, the validation set, or the folds of an ensemble."""
    if isinstance(task, SeriesTask):
        assert isinstance(run, SeriesRun)
        return task.held(run)
    assert isinstance(task, (TableTask, ImageTask))
    train = arrays_of(task.train)
    if task.test is not None:
        return held_rows("test set", run.model, arrays_of(task.test), train)
    if task.validation is not None:
        return held_rows("validation set", run.model, arrays_of(task.validation), train)
    assert training.folds is not None
    bounds = None if np.issubdtype(train[1].dtype, np.integer) else bounds_of(train[1])
    return held_in_folds(training.model, training.folds, *train, bounds)


def arrays_of(part: TensorDataset) -> tuple[Array, Array]:
    """The features and the targets of a part."""
    x, y = part.tensors
    return x.array, y.array


# Findings


def findings_of(task: Task, training: Training, run: Run, held: Held | HeldForecasts) -> Findings:
    """Measure what a report tells of a run.

    Args:
        task: the data.
        training: of the network.
        run: the trained network, with its results.
        held: held-out rows, see ``held_of``.
    """
    parts = {"training": task.train, "validation": task.validation, "test": task.test}
    findings: Findings = {
        "format": FORMAT,
        "name": task.name,
        "unit": "rows",
        "network": training.description,
        "best_epoch": run.config.results.get("best_epoch"),
        "parts": {name: len(part) for name, part in parts.items() if part is not None},
        "notes": [note for note in task.notes if not note.startswith(LEAK)],
        "leaks": [note.removeprefix(LEAK) for note in task.notes if note.startswith(LEAK)],
    }
    if isinstance(task, SeriesTask):
        assert isinstance(held, HeldForecasts)
        return {**findings, **series_findings(task, held)}
    assert isinstance(held, Held)
    findings = {**findings, "held_name": held.name, "held": len(held)}
    if isinstance(task, ImageTask):
        return {**findings, **image_findings(task, held)}
    assert isinstance(task, TableTask)
    return {**findings, **table_findings(task, held, run)}


def table_findings(task: TableTask, held: Held, run: Run) -> Findings:
    """What applies to tables."""
    threshold = run.config.results.get("threshold")
    kind, seed = task.target.task, run.config.seed
    scores, drawn = bootstrap(task.scorers(held, threshold), len(held), seed, task.outputs)
    findings: Findings = {
        "kind": kind,
        "target": task.target.name,
        "columns": task.profile,
        "scores": scores,
        "difference": difference(scores, drawn, kind),
        "alone": alone(task, held),
    }
    outputs, y = held.outputs(), held.targets
    if isinstance(task.target, Classes):
        labels = [str(label) for label in task.target.labels]
        findings = {**findings, **class_findings(labels, outputs, y, arrays_of(task.train)[1], threshold)}
    else:
        predicted, targets = task.decoded(outputs).reshape(-1), task.decoded(y).reshape(-1)
        findings["points"] = sampled_points(targets, predicted, seed)
    few = held.reduced(importance_rows(len(task.profile)), seed)
    findings["importance"] = importances(losses_of(task, few), few.features, few.targets, columns_of(task), seed)
    unit = "log loss" if isinstance(task.target, Classes) else f"mean absolute error of {task.target.name}"
    findings["importance_unit"] = unit
    return findings


def image_findings(task: ImageTask, held: Held) -> Findings:
    """What applies to images."""
    y, known = held.targets, arrays_of(task.train)
    outputs = held.outputs()
    models = {"network": class_scorer(outputs, y)}
    if known[0].size * task.outputs < MOST_LINEAR:
        linear = held.baseline(lambda x, targets: fit_linear(x, targets, task.outputs))
        models["linear model"] = class_scorer(linear, y)
    frequent = held.constant(lambda targets: most_frequent(targets, task.outputs))
    models["most frequent class"] = class_scorer(frequent, y)
    scores, drawn = bootstrap(models, len(held), outputs=task.outputs)
    labels = [str(label) for label in task.classes]
    return {
        "kind": "classification",
        "target": "class",
        "unit": "images",
        "scores": scores,
        "difference": difference(scores, drawn, "classification"),
        **class_findings(labels, outputs, y, known[1], None),
    }


def class_findings(
    labels: list[str], outputs: Array, targets: Array, known: Array, threshold: float | None
) -> Findings:
    """What applies to classes."""
    p = probabilities_of(outputs)
    chosen = p.argmax(1) if threshold is None else (p[:, 1] >= threshold).astype(np.int64)
    right = chosen == targets
    of_second = len(labels) == 2
    bins = calibration_bins(p[:, 1], targets == 1) if of_second else calibration_bins(p.max(1), right)
    counts = np.bincount(known, minlength=len(labels)).tolist()
    return {
        "classes": dict(zip(labels, counts, strict=True)),
        "confusion": confusion_matrix(targets, chosen, len(labels)),
        "calibration": bins,
    }


def series_findings(task: SeriesTask, held: HeldForecasts) -> Findings:
    """What applies to forecasts: the errors, also by how far ahead they look, and the last forecast."""
    scores, drawn = held.scored
    steps = {name: np.abs(found - held.actual).mean(0).tolist() for name, found in held.forecasts.items()}
    findings: Findings = {
        "kind": "forecast",
        "target": task.target.name,
        "unit": "windows",
        "held_name": "test set",
        "held": len(held),
        "block": held.block,
        "scores": scores,
        "difference": difference(scores, drawn, "forecast"),
        "steps": [
            {"ahead": i + 1, "errors": {name: errors[i] for name, errors in steps.items()}} for i in range(task.outputs)
        ],
        "forecasts": last_forecasts(task, held),
    }
    if held.widths:
        findings["coverage"], findings["coverage_wanted"] = held.coverage, COVERAGE
    return findings


def last_forecasts(task: SeriesTask, held: HeldForecasts) -> list[Forecast]:
    """The latest forecasts of the test set that do not overlap, at most so many that their rows fill a picture."""
    horizon, wanted = task.outputs, max(1, SHOWN_STEPS // task.outputs)
    starts, chosen = task.test.starts, [len(held) - 1]
    for window in range(len(held) - 1, -1, -1):
        if len(chosen) < wanted and starts[chosen[-1]] - starts[window] >= horizon:
            chosen.append(window)
    widths = list(held.widths)
    return [
        {
            "start": int(starts[window] - starts[chosen[-1]]),
            "actual": held.actual[window].tolist(),
            "forecast": held.network[window].tolist(),
            "half_widths": widths,
        }
        for window in reversed(chosen)
    ]


def probabilities_of(outputs: Array) -> Array:
    """The softmax of scores (n, C), in float64."""
    powers = np.exp(outputs.astype(np.float64) - outputs.max(1, keepdims=True))
    probabilities: Array = powers / powers.sum(1, keepdims=True)
    return probabilities


def losses_of(task: TableTask, held: Held) -> Any:
    """The function from features and targets to the loss of each row: −log p, or the absolute error."""

    def losses(features: Array, targets: Array) -> Array:
        outputs = held.outputs(features)
        if isinstance(task.target, Classes):
            return -np.log(np.maximum(probabilities_of(outputs)[np.arange(len(targets)), targets], 1e-12))
        return np.abs(task.decoded(outputs).reshape(-1) - task.decoded(targets).reshape(-1))

    return losses


def columns_of(task: TableTask) -> dict[str, range]:
    """The features of each column."""
    columns, start = {}, 0
    for encoder in task.preprocessor.encoders:
        columns[encoder.name] = range(start, start + len(encoder.features))
        start += len(encoder.features)
    return columns


def alone(task: TableTask, held: Held) -> list[Alone]:
    """What each column alone tells of the target, most first; over folds, the mean of three."""
    encoders = {encoder.name: encoder for encoder in task.preprocessor.encoders}
    classes = task.outputs if isinstance(task.target, Classes) else 0
    groups = list(zip(held.train, held.x, held.y, strict=True))[:GROUPS]
    found = []
    for name, indices in columns_of(task).items():
        category, date = isinstance(encoders[name], Category), isinstance(encoders[name], Date)
        features = [[index] for index in indices] if date else [list(indices)]  # the best of year, month, …
        shares = [
            [
                share_alone(x[:, f], y.reshape(-1), other[:, f], targets.reshape(-1), classes, category)
                for (x, y), other, targets in groups
            ]
            for f in features
        ]
        found.append(Alone(name=name, share=float(np.mean(shares, 1).max())))
    return sorted(found, key=lambda one: -one["share"])


def difference(scores: dict[str, dict[str, Estimate]], drawn: dict[str, list[Any]], kind: str) -> Estimate:
    """By how much the network's score is above that of the best baseline, with an interval from common draws."""
    metric, sign = MAIN[kind]
    model, best = next(iter(scores)), best_baseline(scores, metric, sign)
    own = scores[model][metric][0]
    if own is None or not best:
        return None, None, None
    pairs = [(a[metric], b[metric]) for a, b in zip(drawn[model], drawn[best], strict=True)]
    gaps = [None if a is None or b is None else a - b for a, b in pairs]
    return own - (scores[best][metric][0] or 0.0), *ends(gaps)


# Files


def write_report(folder: str, findings: Findings, records: list[Record]) -> str:
    """Write both files into the folder of a run, and return the path of the page."""
    content = {**findings, "weights_sha256": load(folder).config.weights_sha256}
    write_text(os.path.join(folder, FINDINGS), json.dumps(content, indent=1, allow_nan=False) + "\n")
    path = os.path.join(folder, REPORT)
    write_text(path, page_of(findings, records, folder))
    return path


def remake_report(folder: str) -> str:
    """Rebuild the page of a run from ``report.json`` and ``metrics.csv``; without the former, from what
    ``config.json`` says.

    Returns:
        The path of the page.

    Raises:
        FileNotFoundError: if the folder is not a complete run.
        ValueError: if a file is corrupt.
    """
    run = load(folder)
    records = read_records(committed(folder, METRICS))
    findings = read_findings(folder, run) or bare_findings(run)
    try:
        page = page_of(findings, records, folder)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise ValueError(f"report: {os.path.join(folder, FINDINGS)} is corrupt ({one_line(error)})") from None
    path = os.path.join(folder, REPORT)
    write_text(path, page)
    return path


def read_findings(folder: str, run: Run) -> Findings | None:
    """The content of ``report.json``, None if it does not exist or belongs to an earlier training in this folder."""
    path = os.path.join(folder, FINDINGS)
    if not os.path.isfile(path):
        return None
    try:
        content: Any = _files.read_json("report", path)
    except ValueError as error:
        raise ValueError(f"report: {path} is corrupt ({one_line(error)})") from None
    if not isinstance(content, dict):
        raise ValueError(f"report: {path} is corrupt (expected an object, got a {type(content).__name__})")
    found: Any = content
    return found if content.get("weights_sha256") == run.config.weights_sha256 else None


def bare_findings(run: Run) -> Findings:
    """What the configuration of a run tells."""
    description = run.metadata()
    findings: Findings = {
        "name": str(description.get("task") or "run"),
        "kind": str(description.get("kind", "")),
        "best_epoch": run.config.results.get("best_epoch"),
        "network": f"cygrad {run.config.version}",
    }
    if "target" in description:
        findings["target"] = str(description["target"])
    return findings


def read_records(path: str) -> list[Record]:
    """The epochs in ``metrics.csv``; none if it is empty."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"report: {path} is corrupt ({one_line(error)})") from None
