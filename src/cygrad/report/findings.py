"""What a report tells of a run, as JSON can hold it: numbers and texts, measured once, at the end of the training."""

from __future__ import annotations

from typing import TypedDict

__all__ = ["Alone", "Bin", "Column", "Estimate", "Findings", "Forecast", "Importance", "Step"]

Estimate = tuple[float | None, float | None, float | None]  # a value and the ends of its interval; None if undefined


class Column(TypedDict):
    """A column of a table, as the training set has it. Without a `reason`, it is an input of the network."""

    name: str
    kind: str  # "number", "category" or "date"
    missing: int
    outliers: int
    distinct: int
    least: float | None
    median: float | None
    most: float | None
    reason: str


class Bin(TypedDict):
    """Rows with about the same predicted probability: its mean, and the frequency of what was predicted."""

    probability: float
    frequency: Estimate
    count: int


class Importance(TypedDict):
    """How much the loss of held-out rows grows if the values of a column are shuffled."""

    name: str
    growth: Estimate


class Alone(TypedDict):
    """The share of the simplest prediction's error that a column alone removes, on held-out rows."""

    name: str
    share: float


class Step(TypedDict):
    """The mean absolute errors of a forecast a number of steps ahead, by model."""

    ahead: int
    errors: dict[str, float]


class Forecast(TypedDict):
    """A forecast of the test set beside what came, from row `start` of a picture on; `half_widths` of its prediction
    intervals, none if there are none."""

    start: int
    actual: list[float]
    forecast: list[float]
    half_widths: list[float]


class Findings(TypedDict, total=False):
    """What a report tells; what does not apply to a run is left out.

    The scores of a model are by metric, such as ``{"accuracy": (0.9, 0.85, 0.94)}``, on the `held` rows of the set
    `held_name`; intervals of windows that overlap are those of blocks of `block`. `confusion` counts rows by their
    class and the predicted one. `points` are pairs of a target and its prediction. `coverage` is the share of the test
    values within the prediction intervals, which should hold `coverage_wanted`.
    """

    format: int
    weights_sha256: str
    name: str
    kind: str  # "classification", "regression" or "forecast"
    target: str
    unit: str  # "rows", "images" or "windows"
    network: str
    best_epoch: int | None
    parts: dict[str, int]
    columns: list[Column]
    classes: dict[str, int]
    notes: list[str]
    held_name: str
    held: int
    scores: dict[str, dict[str, Estimate]]
    difference: Estimate
    confusion: list[list[int]]
    calibration: list[Bin]
    points: list[tuple[float, float]]
    importance: list[Importance]
    importance_unit: str
    alone: list[Alone]
    leaks: list[str]
    steps: list[Step]
    block: int
    forecasts: list[Forecast]
    coverage: Estimate
    coverage_wanted: float
