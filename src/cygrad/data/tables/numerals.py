"""Numerals as people write them: decimal points and commas, separated thousands, currency and percent signs."""

from __future__ import annotations

import re
from functools import lru_cache

from cygrad.data.parsing import parse_number

__all__ = ["exact_integer", "is_grouped", "parse_amount", "parse_numeral"]

SEPARATORS = ",. \u00a0\u2009\u202f'’"  # of thousands, apart from the decimal point
INTEGER = re.compile(r"[+-]?[0-9]+")
UNIT = r"(?:[$€£¥₹₩₽₺₴฿%‰]|R\$|(?:USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK)(?![A-Z]))"
AMOUNT = re.compile(rf"([+-]?)\s*{UNIT}?\s*([+-]?)([0-9.,].*?)\s*{UNIT}?")


@lru_cache(8)
def grouped(decimal: str) -> re.Pattern[str]:
    """Matches numerals whose groups of three digits are separated, all by the same character."""
    marks = re.escape(SEPARATORS.replace(decimal, ""))
    return re.compile(rf"[+-]?[1-9][0-9]{{0,2}}([{marks}])[0-9]{{3}}(?:\1[0-9]{{3}})*(?:{re.escape(decimal)}[0-9]*)?")


def is_grouped(text: str, decimal: str = ".") -> bool:
    """Whether a text is a numeral with separators between thousands, such as 1,250 or 12 000.5."""
    return grouped(decimal).fullmatch(text) is not None


def parse_numeral(text: str, decimal: str = ".") -> float | None:
    """The number that a text represents, or None.

    Args:
        text: without whitespace around it. Thousands may be separated by a comma or a point, whichever is not
            `decimal`, a space or an apostrophe, if three digits follow each.
        decimal: decimal point. If it is another character, a "." is none.

    >>> from cygrad.data.tables.numerals import parse_numeral
    >>> parse_numeral("1,234.5"), parse_numeral("1.234,5", ","), parse_numeral("1.5", ","), parse_numeral("1,23")
    (1234.5, 1234.5, None, None)
    """
    if decimal == ".":
        number = parse_number(text)
    else:
        number = None if "." in text else parse_number(text.replace(decimal, "."))
    if number is None and (found := grouped(decimal).fullmatch(text)):
        number = float(text.replace(found[1], "").replace(decimal, "."))
    return number


def parse_amount(text: str, decimal: str = ".") -> float | None:
    """The number in front of or behind a currency or percent sign, or None: 12.5 for "$12.50", 22 for "22%"."""
    number = parse_numeral(text, decimal)
    if number is not None:
        return number
    found = AMOUNT.fullmatch(text)
    return None if found is None or (found[1] and found[2]) else parse_numeral(found[1] + found[2] + found[3], decimal)


def exact_integer(text: str, decimal: str = ".") -> int | None:
    """The integer that a text represents without a decimal point or exponent, or None."""
    if (found := grouped(decimal).fullmatch(text)) and decimal not in text:
        text = text.replace(found[1], "")
    return int(text) if INTEGER.fullmatch(text) and len(text) <= 400 else None
