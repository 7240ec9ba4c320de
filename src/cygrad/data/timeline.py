"""Timelines: the times of a table's rows, the step between them, and the season that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.dates import DAY

__all__ = ["Timeline", "counted", "fit_timeline", "parse_times", "time_texts"]

SPANS = ((DAY, "day"), (3600.0, "hour"), (60.0, "minute"))
UNITS = ("seconds", "months", "month ends", "numbers", "rows")
UNIX_SECONDS = 1e8, 1e11  # numbers in this range, from 1973 on, are seconds since 1970
TOLERANCE = 1e-6  # of a step, relative to it


@dataclass(frozen=True)
class Timeline:
    """Equal steps between points in time.

    Args:
        unit: "seconds"; "months" or "month ends", whose lengths differ; "numbers", for times that are no dates; or
            "rows", if the steps differ, so that only rows can be counted.
        step: between two points, in this unit.
        dates: whether times are dates, in seconds since 1970; otherwise they are numbers.

    >>> from cygrad.data.timeline import fit_timeline
    >>> hours = fit_timeline(np.array([0.0, 3600.0, 7200.0, 14400.0]), dates=True)
    >>> hours.seasons, hours.positions(np.array([0.0, 3600.0, 14400.0]))
    ((24, 168), array([0., 1., 4.]))
    """

    unit: str
    step: float
    dates: bool

    def __post_init__(self) -> None:
        number = type(self.step) in (int, float) and 0 < self.step < 1e300
        if self.unit not in UNITS or not number or type(self.dates) is not bool:
            raise ValueError(f"not a timeline: unit {self.unit!r}, step {self.step!r}, dates {self.dates!r}")

    def positions(self, times: Array) -> Array:
        """Return how many steps lie between the first time and each, (n,) of float64; not whole off the timeline."""
        if self.unit == "rows":
            return np.arange(len(times), dtype=np.float64)
        if self.unit in ("seconds", "numbers"):
            return whole((times - times[0]) / self.step)
        months, offsets = month_parts(times + self.shift)
        return np.where(offsets == offsets[0], (months - months[0]) / self.step, np.nan)

    def after(self, time: float, count: int) -> Array:
        """Return the `count` times that follow a time."""
        steps = np.arange(1, count + 1) * self.step
        if self.unit not in ("months", "month ends"):
            return time + steps
        months, offsets = month_parts(np.array([time + self.shift]))
        return month_starts(months + steps.astype(np.int64)) + offsets - self.shift

    @property
    def shift(self) -> float:
        """Seconds to add so that all times lie on the same day of a month."""
        return DAY if self.unit == "month ends" else 0.0

    @property
    def seasons(self) -> tuple[int, ...]:
        """Steps per season: of a day and a week for shorter steps that divide them, a week of days, a year of weeks or
        months; none if the step suggests none."""
        if self.unit in ("months", "month ends"):
            return (int(12 / self.step),) if self.step < 12 and 12 % self.step == 0 else ()
        if self.unit != "seconds":
            return ()
        if self.step < DAY:
            return (round(DAY / self.step), round(7 * DAY / self.step)) if DAY % self.step == 0 else ()
        return {DAY: (7,), 7 * DAY: (52,)}.get(self.step, ())

    def span(self, steps: int) -> str:
        """Describe the length of some steps, such as "7 days"."""
        length = steps * self.step
        if self.unit in ("rows", "numbers"):
            return counted(steps, "row")
        if self.unit != "seconds":
            return counted(int(length), "month")
        size, name = next(((s, n) for s, n in SPANS if length % s == 0), (1.0, "second"))
        return counted(length / size, name)


def fit_timeline(times: Array, dates: bool) -> Timeline:
    """Find the timeline on which sorted times lie, with or without gaps.

    Args:
        times: ascending (n,), at least two.
        dates: whether they are dates, in seconds since 1970.

    Returns:
        The timeline; with unit "rows" if the times do not lie on one.
    """
    step = most_common(np.diff(times))
    seconds = dates or (UNIX_SECONDS[0] <= times[0] and times[-1] < UNIX_SECONDS[1] and step >= 1)
    candidates = [Timeline("seconds" if seconds else "numbers", step, dates)]
    for unit, shift in (("months", 0.0), ("month ends", DAY)) if dates else ():
        months = np.diff(month_parts(times + shift)[0])
        candidates += [Timeline(unit, most_common(months), dates)] if months.all() else []
    for timeline in candidates:
        positions = timeline.positions(times)
        if (positions == np.rint(positions)).all():
            return timeline
    return Timeline("rows", 1.0, dates)


def most_common(steps: Array) -> float:
    """The most common value."""
    values, counts = np.unique(steps, return_counts=True)
    return float(values[counts.argmax()])


def whole(positions: Array) -> Array:
    """Positions, those that are whole but for rounding rounded."""
    rounded = np.rint(positions)
    return np.where(np.abs(positions - rounded) <= TOLERANCE * np.maximum(rounded, 1), rounded, positions)


def month_parts(seconds: Array) -> tuple[Array, Array]:
    """Months since January 1970, and seconds since the start of the month."""
    months = np.floor(seconds).astype(np.int64).astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    return months, seconds - month_starts(months)


def month_starts(months: Array) -> Array:
    """The first second of months, which are counted from January 1970."""
    return months.astype("datetime64[M]").astype("datetime64[s]").astype(np.float64)


def counted(number: float, name: str) -> str:
    """A number with a noun, such as "1 day" or "2 days"."""
    return f"{number:,g} {name}{'' if number == 1 else 's'}"


# Times in files


def parse_times(name: str, column: Array) -> Array:
    """Convert a column to points in time.

    Args:
        name: of the column.
        column: numbers, which stay as they are, or dates in ISO 8601.

    Returns:
        Numbers, or seconds since 1970, in UTC unless a date names another zone; NaN where a value is missing.

    Raises:
        ValueError: if a text is not a date; the message names the row.
    """
    if column.dtype != object:
        return column
    seconds = np.full(len(column), np.nan)
    for row, text in enumerate(column):
        try:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00")) if text is not None else None
        except ValueError:
            expected = "a number or a date such as 2026-11-24"
            raise ValueError(f"time column {name!r}, row {row + 1}: expected {expected}, got {text[:40]!r}") from None
        if moment is not None:
            seconds[row] = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    return seconds


def time_texts(times: Array, dates: bool) -> list[Any]:
    """Times as a table has them: numbers, or dates, with a time of day if one is not midnight."""
    if not dates:
        return times.tolist()
    units: tuple[tuple[Any, float], ...] = (("D", DAY), ("m", 60), ("s", 1), ("us", 0))
    precision = next(unit for unit, size in units if not size or not (times % size).any())
    stamps: Any = np.rint(times * 1e6).astype(np.int64).astype("datetime64[us]")
    return [str(text).replace("T", " ") for text in np.datetime_as_string(stamps, unit=precision)]
