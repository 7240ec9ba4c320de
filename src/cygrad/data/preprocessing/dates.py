"""Dates as features: year, month, weekday, hour and elapsed time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from cygrad._typing import Array
from cygrad.data.dates import (
    DAY,
    LIKELY,
    ORDERS,
    SECONDS,
    calendar,
    date_orders,
    date_text,
    fits,
    parse_date,
    parse_dates,
)
from cygrad.data.preprocessing.base import FAR, NumberEncoder, clipped, missing_mask
from cygrad.data.tables.column import to_numbers

__all__ = ["Date", "date_spelling", "fit_date", "names_time"]

CYCLES = {"month": (1, 12), "weekday": (0, 7), "hour": (0, 24)}  # the first value, and the period
TEXT, DIGITS = "text", "digits"
SPELLINGS = (TEXT, DIGITS, *SECONDS)
EARLIEST, LATEST = -62135596800.0, 253402300800.0  # the years 1 to 9999
PLAUSIBLE = 1e8, 4.2e9  # 1973 to 2103, in seconds since 1970
ANYWHERE = {"datetime", "timestamp", "epoch", "unix", "unixtime"}  # words in the names of columns of dates
LAST = {"date", "ts", "at"}
UNITS = {"s", "sec", "seconds", "ms", "millis", "us", "ns", "utc"}
WORD = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*")


@dataclass(frozen=True)
class Date(NumberEncoder):
    """Encode a column of dates and times.

    The year and the elapsed time are standardized and clipped smoothly to ±3, z/√(1 + (z/3)²). Month, weekday and hour
    become points on a circle, (sin φ, cos φ), so that December is next to January. If values were missing in the
    training data, a last feature marks where, and the others are 0 there.

    Args:
        name: name of the column.
        spelling: "text"; "digits" for numbers such as 20241231; or the unit of numbers that count from 1970, "s", "ms",
            "us" or "ns".
        order: "dmy" or "mdy", where the order of day and month in text matters.
        center: mean of the training data, in seconds since 1970.
        std: standard deviation of the training data, in seconds, positive.
        kept: which of "year", "month", "weekday", "hour" and "elapsed" are features.
        marked: whether to add the last feature.

    >>> from cygrad.data.preprocessing import Date
    >>> date = Date("when", center=0.0, std=86400.0, kept=["hour", "elapsed"])
    >>> date.features
    ['when: hour (sine)', 'when: hour (cosine)', 'when: elapsed']
    >>> date.encode(np.array(["1970-01-02 06:00", "1970-01-01"], object)).round(3)
    array([[1.   , 0.   , 1.154],
           [0.   , 1.   , 0.   ]], dtype=float32)
    """

    name: str
    spelling: str = TEXT
    order: str = ""
    center: float = 0.0
    std: float = 1.0
    kept: list[str] = field(default_factory=lambda: ["elapsed"])
    marked: bool = False

    @property
    def parts(self) -> list[str]:
        """Names of the features without the one that marks missing values."""
        names = [f"{self.name}: {part}" for part in self.kept]
        cyclic = [part in CYCLES for part in self.kept]
        pairs = [[f"{n} (sine)", f"{n} (cosine)"] if c else [n] for n, c in zip(names, cyclic, strict=True)]
        return [name for pair in pairs for name in pair]

    @property
    def typical(self) -> list[float]:
        """The mean, and one standard deviation after it, in seconds since 1970."""
        return [self.center, self.center + self.std]

    def numbers(self, column: Array) -> Array:
        """Return the values in seconds since 1970, (N,) of float64; NaN where one is missing or is not a date."""
        seconds = moments(column, self.spelling, self.order)
        return np.where((seconds >= EARLIEST) & (seconds < LATEST), seconds, np.nan)

    def outliers(self, column: Array) -> Array:
        """Return a boolean mask (N,) of dates more than ten standard deviations from the mean."""
        return np.abs(self.numbers(column) - self.center) > FAR * self.std

    def scaled(self, numbers: Array) -> Array:
        """Return the features (N, k) of seconds since 1970."""
        return np.stack(self.of_calendar(numbers, np), 1)

    def of_calendar(self, seconds: Any, functions: Any) -> list[Any]:
        """Return the features of seconds since 1970, each of their shape.

        Args:
            seconds: (…) of float64, an array or a tensor.
            functions: has ``floor``, ``sin``, ``cos``, ``sqrt`` and ``clip`` for it.
        """
        found, features = calendar(seconds, functions), []
        for part in self.kept:
            if part in CYCLES:
                first, period = CYCLES[part]
                angle = (found[part] - first) * (2 * math.pi / period)
                features += [functions.sin(angle), functions.cos(angle)]
            elif part == "year":
                years = found["year"] - calendar(np.array([self.center]))["year"].item()
                features.append(clipped(years * (365.25 * DAY / self.std), functions))
            else:
                features.append(clipped((seconds - self.center) / self.std, functions))
        return features

    def refuse(self, row: int, value: Any) -> NoReturn:
        """Raise ValueError for the value in a row, which is not a date."""
        got = value[:40] if isinstance(value, str) else value
        raise ValueError(f"column {self.name!r} contains {got!r} in row {row}, expected a date")

    def is_valid(self) -> bool:
        """Whether the attributes have the right types and ranges."""
        numbers = all(type(x) in (int, float) and math.isfinite(x) for x in (self.center, self.std))
        parts = isinstance(self.kept, list) and set(map(str, self.kept)) <= {"year", "elapsed", *CYCLES}
        spelled = self.spelling in SPELLINGS and self.order in ("", *ORDERS)
        return numbers and parts and spelled and bool(self.kept) and self.std > 0 and isinstance(self.marked, bool)


def moments(column: Array, spelling: str, order: str) -> Array:
    """The values of a column in seconds since 1970; NaN for those that are not dates. Numbers may stand for dates only
    where the training data had numbers, dates in ISO 8601 everywhere."""
    if spelling == TEXT:
        return parse_dates(column.tolist(), order) if column.dtype == object else np.full(len(column), np.nan)
    numbers = to_numbers(column)
    seconds = digits_to_seconds(numbers) if spelling == DIGITS else numbers * SECONDS[spelling]
    if column.dtype != object:
        return seconds
    return np.where(np.isnan(numbers), parse_dates(column.tolist(), order), seconds)


def digits_to_seconds(numbers: Array) -> Array:
    """Seconds since 1970 of dates as numbers, such as 20241231; NaN for other numbers."""
    whole = np.where((numbers == np.floor(numbers)) & (numbers > 0) & (numbers < 1e8), numbers, 0).astype(np.int64)
    texts = [f"{n // 10000:04}-{n // 100 % 100:02}-{n % 100:02}" for n in whole.tolist()]
    return parse_dates(texts, "")


# Fitting


def names_time(name: str) -> bool:
    """Whether the name of a column says that it has dates or times, as created_at, timestamp_ms and birthDate do."""
    words = [word.lower() for word in WORD.findall(name) if word.lower() not in UNITS]
    return words == ["time"] or (bool(words) and (words[-1] in LAST or not ANYWHERE.isdisjoint(words)))


def date_spelling(name: str, column: Array, listed: bool) -> str | None:
    """How a column spells dates; None if it has none. Numbers stand for dates only if the column's name says so, or if
    it is listed, and lie in 1973 to 2103."""
    known = column[~missing_mask(column)]
    if column.dtype == object:
        possible = len(known) and bool(date_orders(known[:20].tolist()))
        return TEXT if possible and (len(known) <= 20 or date_orders(known.tolist())) else None
    if not (listed or names_time(name)) or not len(known):
        return None
    least, most = float(known.min()), float(known.max())
    if least > 1e7 and most < 1e8 and not np.isnan(digits_to_seconds(known)).any():
        return DIGITS
    for unit, size in SECONDS.items():
        if PLAUSIBLE[0] <= least * size and most * size < PLAUSIBLE[1]:
            return unit
    return None


def fit_date(name: str, column: Array, spelling: str, order: str, notes: list[str]) -> Date | None:
    """Fit to a column of the training data.

    Args:
        name: name of the column.
        column: values (N,), at least one of which is not missing.
        spelling: how they spell dates.
        order: of day and month where it is open; "" leaves such a column out, with a note that names both readings.
        notes: to add what was decided to.
    """
    mask = missing_mask(column)
    known = column[~mask]
    if spelling == TEXT:
        orders = date_orders(known.tolist())
        if order and fits(set(known.tolist()), order):
            orders = [order] if orders != [""] else orders
        if len(orders) == 2 and not order:
            text = next(t for t in known.tolist() if parse_date(t, "dmy") != parse_date(t, "mdy"))
            readings = " or ".join(f"{date_text(parse_date(text, o) or 0.0)} ({o})" for o in orders)
            choice = " or ".join(f"date_order={o!r}" for o in orders)
            notes.append(f"column {name!r} is dropped: {text!r} means {readings}; pass {choice}")
            return None
        order = orders[0] if len(orders) == 1 else order
    else:
        order = ""
    seconds = moments(known, spelling, order)
    if seconds.min() == seconds.max() and not mask.any():
        notes.append(f"column {name!r} is dropped: all its values are {known[0]!r}")
        return None
    kept = varying(seconds)
    first = known[0] if spelling == TEXT else f"{known[0]:.15g}"
    reading = date_text(seconds[0]) + (year_first(known.tolist(), order) if spelling == TEXT else "")
    notes.append(f"column {name!r} has dates, {first!r} is read as {reading}; its features are: {', '.join(kept)}")
    if mask.any():
        count = int(mask.sum())
        notes.append(f"column {name!r} has {count} missing value{'s' * (count != 1)}, marked by a feature")
    return Date(name, spelling, order, float(seconds.mean()), float(seconds.std()) or DAY, kept, bool(mask.any()))


def year_first(texts: list[Any], order: str) -> str:
    """The other reading of dates such as 24/12/31, taken for ones whose year comes last, if it fits all; else ""."""
    if order not in LIKELY or not fits(set(texts), ORDERS[2]):
        return ""
    text = next((t for t in texts if parse_date(t, order) != parse_date(t, ORDERS[2])), None)
    return "" if text is None else f", not {date_text(parse_date(texts[0], 'ymd') or 0.0)} (date_order='ymd')"


def varying(seconds: Array) -> list[str]:
    """The parts of the calendar that differ among points in time, and the elapsed time."""
    found = calendar(seconds)
    return [*(part for part, values in found.items() if (values != values[0]).any()), "elapsed"]
