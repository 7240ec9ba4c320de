"""Dates and times as people write them, and their place in the calendar."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from cygrad._typing import Array

__all__ = ["LIKELY", "ORDERS", "SECONDS", "calendar", "date_orders", "date_text", "fits", "parse_date", "parse_dates"]

ORDERS = ("dmy", "mdy", "ymd")  # 01/02/03: 2003-02-01, 2003-01-02 or 2001-02-03
LIKELY = ORDERS[:2]  # a year of two digits comes first only where nothing else fits, or on request
DAY = 86400.0
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}  # of the units that computers count time in
MONTHS = (
    ("january", "januar", "janvier", "jänner"),
    ("february", "februar", "février", "fevrier"),
    ("march", "märz", "maerz", "mars", "mrz"),
    ("april", "avril"),
    ("may", "mai"),
    ("june", "juni", "juin"),
    ("july", "juli", "juillet"),
    ("august", "août", "aout"),
    ("september", "septembre"),
    ("october", "oktober", "octobre"),
    ("november", "novembre"),
    ("december", "dezember", "décembre", "decembre"),
)
TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>[.,]\d+)?)?"
    r"(?:\s?(?P<half>[ap])\.?m\.?)?\s?(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?(?:\s?Uhr)?"
)
YEAR = r"(?P<year>\d{4}|\d{2})"
NAME = r"(?P<name>[^\W\d_]{3,})\.?"
DATES = (
    r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
    r"(?P<year>\d{4})-(?P<month>\d{2})",
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?=T)",
    rf"(?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<last>\d{{1,2}})(?P=mark){YEAR}",
    r"(?P<year>\d{4})年(?P<month>\d{1,2})月(?P<day>\d{1,2})日",
    rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|\.)?[\s/-]?{NAME}[\s,/-]*{YEAR}",
    rf"{NAME}[\s-](?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?[\s-](?P<year>\d{{4}})",
    rf"{NAME}[\s-](?P<year>\d{{4}})",
)
DAYS = (
    *("mon", "tue", "wed", "thu", "fri", "sat", "sun", "mo", "di", "mi", "do", "fr", "sa", "so"),
    *("lun", "mar", "mer", "jeu", "ven", "sam", "dim"),
)
WEEKDAY = rf"(?:(?:{'|'.join(DAYS)})[a-z]*\.?,?\s+)?"
FORMS = [re.compile(rf"{WEEKDAY}{form}(?:(?:T|:|,?\s+){TIME})?", re.IGNORECASE) for form in DATES]
FORMS.append(re.compile(rf"{WEEKDAY}{NAME}\s+(?P<day>\d{{1,2}})\s+{TIME}\s+(?P<year>\d{{4}})", re.IGNORECASE))  # C
FORMS.append(re.compile(TIME, re.IGNORECASE))
COMPACT = re.compile(r"(\d{8}T)(\d{2})(\d{2})(\d{2})?")  # of ISO 8601, without colons


def parse_date(text: str, order: str = "") -> float | None:
    """The point in time that a text names, in seconds since 1970 in UTC, or None.

    Args:
        text: a date in ISO 8601, one with points (31.12.2024), slashes or hyphens, or with the name of the month in
            English, German or French; maybe with a time of day and a zone. A time of day alone is one on the first of
            January 1970, a year of two digits one between 1969 and 2068, as in POSIX.
        order: "dmy" or "mdy", of dates with slashes or hyphens whose year comes last, or "ymd" if all have two digits;
            else those are None. With points the day comes first.

    >>> from cygrad.data.dates import parse_date
    >>> parse_date("1970-01-02"), parse_date("2.1.1970 00:30"), parse_date("1/2/1970", "mdy"), parse_date("1/2/1970")
    (86400.0, 88200.0, 86400.0, None)
    """
    text = COMPACT.sub(lambda found: f"{found[1]}{found[2]}:{found[3]}:{found[4] or '00'}", text)
    for form in FORMS:
        if found := form.fullmatch(text):
            parts = {name: part for name, part in found.groupdict().items() if part is not None}
            days = day_number(parts, order)
            seconds = seconds_of_day(parts)
            return None if days is None or seconds is None else days * DAY + seconds
    return None


def day_number(parts: dict[str, str], order: str) -> int | None:
    """Days since 1970 of the parts of a date; 0 if it has no date, None if there is no such day."""
    if "year" not in parts:
        return 0
    if order == "ymd" and "first" in parts and parts["mark"] != ".":
        parts = in_order(parts)
    year = int(parts["year"])
    if len(parts["year"]) == 2:
        if parts.get("mark") == "." and len(parts["first"] + parts["last"]) < 4:  # such as 3.10.12, a version
            return None
        year += 1900 if year >= 69 else 2000
    month: int | None = int(parts.get("month", 1))
    day = int(parts.get("day", 1))
    if "name" in parts:
        month = month_number(parts["name"].lower())
    elif "first" in parts:
        order = "dmy" if parts["mark"] == "." else order
        if order not in LIKELY:
            return None
        day, month = [int(parts[name]) for name in (("first", "last") if order == "dmy" else ("last", "first"))]
    try:
        return None if month is None else date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        return None


def in_order(parts: dict[str, str]) -> dict[str, str]:
    """The parts of a date whose year of two digits comes first; the same parts if its year can't."""
    if any(len(parts[name]) != 2 for name in ("first", "last", "year")):
        return parts
    rest = {name: part for name, part in parts.items() if name not in ("first", "last")}
    return {**rest, "year": parts["first"], "month": parts["last"], "day": parts["year"]}


@lru_cache(256)
def month_number(name: str) -> int | None:
    """The month that a name, or a start of it that no other month has, stands for; None if there is none."""
    found = [number for number, names in enumerate(MONTHS, 1) if any(full.startswith(name) for full in names)]
    return found[0] if len(found) == 1 else None


def seconds_of_day(parts: dict[str, str]) -> float | None:
    """Seconds since midnight in UTC of the parts of a time; 0 if it has no time, None if there is no such time."""
    if "hour" not in parts:
        return 0.0
    hour, minute, second = int(parts["hour"]), int(parts["minute"]), int(parts.get("second", 0))
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (half in "pP")
    if hour > 23 or minute > 59 or second > 60:
        return None
    fraction = float(parts.get("fraction", "0").replace(",", "."))
    return hour * 3600 + minute * 60 + second + fraction - zone_seconds(parts.get("zone", ""))


def zone_seconds(zone: str) -> int:
    """Seconds that a zone such as +05:30 is ahead of UTC."""
    if zone[:1] not in ("+", "-"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return int(f"{zone[0]}1") * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)


def parse_dates(texts: Iterable[Any], order: str) -> Array:
    """Points in time (n,), see ``parse_date``; NaN for values that are not dates. Each distinct text is parsed once."""
    texts = list(texts)
    known = {text: parse_date(text, order) for text in set(texts) if isinstance(text, str)}
    return np.array([known.get(text) for text in texts], np.float64)


def date_orders(texts: Sequence[str]) -> list[str]:
    """The orders in which all texts are dates: none, one, both if they mean different days, or [""] if it does not
    matter.

    >>> from cygrad.data.dates import date_orders
    >>> date_orders(["2024-12-31"]), date_orders(["12/31/2024", "1/2/2024"]), date_orders(["1/2/2024"])
    ([''], ['mdy'], ['dmy', 'mdy'])
    """
    distinct = list(dict.fromkeys(texts))
    possible = [order for order in LIKELY if fits(distinct, order)] or [o for o in ORDERS[2:] if fits(distinct, o)]
    if len(possible) == 2 and all(parse_date(text, "dmy") == parse_date(text, "mdy") for text in distinct):
        return [""] if all(parse_date(text) is not None for text in distinct) else ["dmy"]
    return possible


def fits(texts: Iterable[str], order: str) -> bool:
    """Whether all texts are dates in an order of day, month and year."""
    return all(parse_date(text, order) is not None for text in texts)


def date_text(seconds: float) -> str:
    """A point in time in ISO 8601, with a time of day if it is not midnight."""
    moment = np.datetime64(round(seconds * 1e6), "us")
    return str(np.datetime_as_string(moment, unit="s" if seconds % DAY else "D")).replace("T", " ")


def calendar(seconds: Any, functions: Any = np) -> dict[str, Any]:
    """Year, month (1 to 12), weekday (0 for Monday) and hour (0 up to 24) of points in time.

    The Gregorian calendar repeats every 146,097 days. Counted from the first of March of a year divisible by 400, leap
    days end years, and 153 days are five months.

    Args:
        seconds: since 1970, (…) of float64: an array, or a tensor.
        functions: has ``floor`` for it.
    """
    floor = functions.floor
    days = floor(seconds / DAY)
    hour = (seconds - days * DAY) / 3600
    weekday = days + 3 - floor((days + 3) / 7) * 7
    shifted = days + 719468  # since the first of March of the year 0
    era = floor(shifted / 146097)
    rest = shifted - era * 146097
    year = floor((rest - floor(rest / 1460) + floor(rest / 36524) - floor(rest / 146096)) / 365)
    day = rest - (year * 365 + floor(year / 4) - floor(year / 100))
    month = floor((day * 5 + 2) / 153)
    late = floor((month + 2) / 12)  # 1 in January and February
    return {"year": year + era * 400 + late, "month": month + 3 - late * 12, "weekday": weekday, "hour": hour}
