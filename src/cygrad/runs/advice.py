"""Advice in messages, as options of the command line."""

from __future__ import annotations

import re
import shlex

__all__ = ["as_options"]

ARGUMENTS = "delimiter|encoding|decimal|header|comment|skip_rows|date_order"
LISTS = "numbers|text|categories|drop|dates"
ARGUMENT = re.compile(rf"\b({ARGUMENTS})=(?:'([^']*)'|\"([^\"]*)\"|(\d+))")
LISTED = re.compile(
    rf"(?<=\blist it in )({LISTS})(?: or ({LISTS}))?|(?<=\blist the column in )({LISTS})(?: or ({LISTS}))?"
)


def as_options(text: str) -> str:
    """A message in which arguments of functions are options of the command line, quoted for a shell.

    Example:
        >>> from cygrad.runs.advice import as_options
        >>> as_options("pass decimal=',', or list the column in text or drop")
        'pass --decimal ,, or list the column in --text or --drop'
        >>> as_options("pass comment='#'")
        "pass --comment '#'"
    """
    text = ARGUMENT.sub(
        lambda found: f"{option(found[1])} {shlex.quote(next(v for v in found.groups()[1:] if v is not None))}", text
    )
    return LISTED.sub(lambda found: " or ".join(option(name) for name in found.groups() if name), text)


def option(name: str) -> str:
    """The option of the command line that sets an argument."""
    return f"--{name.replace('_', '-')}"
