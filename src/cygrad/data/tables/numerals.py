"""Numerals as people write them: decimal points and commas, separated thousands, currency and percent signs."""

from __future__ import annotations

import re
from functools import lru_cache

from cygrad.data.parsing import parse_number

__all__ = ["exact_integer", "is_grouped", "parse_amount", "parse_numeral"]

SEPARATORS = ",. \u00a0\u2009\u202f'’"  # of thousands, apart from the decimal point
INTEGER = re.compile(r"[+-]?[0-9]+")
UNIT = r"(?:[$€£¥₹₩₽₺₴฿%‰]|R\$|(?:USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK)(?![A-Z]))"
AMOUNT = re.compile(rf"([+-]?)\s*{UNIT}?\s*([+-]?)([0-9.,].*?)\s*{UNIT}?\s*(-?)\s*{UNIT}?")
IN_PARENTHESES = re.compile(r"\(([^()-]*)\)")  # as bookkeepers write negative amounts
MINUS = "\u2212"  # the sign in text that people typeset


@lru_cache(8)
def grouped(decimal: str) -> re.Pattern[str]:
    """Matches numerals whose groups of three digits are separated, all by the same character; with commas, also of two
    digits in front of the last three, as in India."""
    marks = re.escape(SEPARATORS.replace(decimal, ""))
    groups = rf"[1-9][0-9]{{0,2}}([{marks}])[0-9]{{3}}(?:\1[0-9]{{3}})*"
    if decimal != ",":
        groups = rf"(?:{groups}|[1-9][0-9]?(,)(?:[0-9]{{2}},)+[0-9]{{3}})"
    return re.compile(rf"[+-]?{groups}(?:{re.escape(decimal)}[0-9]*)?")


def joined(found: re.Match[str]) -> str:
    """A numeral that ``grouped`` matched, without its separators."""
    return found[0].replace(next(filter(None, found.groups())), "")


def plain_minus(text: str) -> str:
    """A text with a plain minus in front, if it has a typeset one there."""
    return text.replace(MINUS, "-", 1) if text.startswith(MINUS) else text


def is_grouped(text: str, decimal: str = ".") -> bool:
    """Whether a text is a numeral with separators between thousands, such as 1,250 or 12 000.5."""
    return grouped(decimal).fullmatch(plain_minus(text)) is not None


def parse_numeral(text: str, decimal: str = ".") -> float | None:
    """The number that a text represents, or None.

    Args:
        text: without whitespace around it. Thousands may be separated by a comma or a point, whichever is not
            `decimal`, a space or an apostrophe, if three digits follow each, in India's way too (12,34,567).
        decimal: decimal point. If it is another character, a "." is none.

    >>> from cygrad.data.tables.numerals import parse_numeral
    >>> parse_numeral("1,234.5"), parse_numeral("1.234,5", ","), parse_numeral("1.5", ","), parse_numeral("1,23")
    (1234.5, 1234.5, None, None)
    """
    text = plain_minus(text)
    if decimal == ".":
        number = parse_number(text)
    else:
        number = None if "." in text else parse_number(text.replace(decimal, "."))
    if number is None and (found := grouped(decimal).fullmatch(text)):
        number = float(joined(found).replace(decimal, "."))
    return number


def parse_amount(text: str, decimal: str = ".") -> float | None:
    """The number in front of or behind a currency or percent sign, or None: 12.5 for "$12.50", 22 for "22%".

    A minus may stand behind the number, and parentheses may stand for one: −7 for "7-" and "($7.00)".
    """
    number = parse_numeral(text, decimal)
    if number is not None:
        return number
    if found := IN_PARENTHESES.fullmatch(text):
        number = parse_amount(found[1].strip(), decimal)
        return None if number is None else -number
    found = AMOUNT.fullmatch(text.replace(MINUS, "-"))
    if found is None or len(sign := found[1] + found[2] + found[4]) > 1:
        return None
    return parse_numeral(sign + found[3], decimal)


def exact_integer(text: str, decimal: str = ".") -> int | None:
    """The integer that a text represents without a decimal point or exponent, or None."""
    text = plain_minus(text)
    if (found := grouped(decimal).fullmatch(text)) and decimal not in text:
        text = joined(found)
    return int(text) if INTEGER.fullmatch(text) and len(text) <= 400 else None
