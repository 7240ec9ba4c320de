"""What to type next."""

from __future__ import annotations

import shlex
from html import escape
from typing import NamedTuple

from cygrad.report.html import section

__all__ = ["Command", "commands_section", "next_commands"]


class Command(NamedTuple):
    """A command, and what it does."""

    what: str
    command: str


def next_commands(folder: str) -> list[Command]:
    """What the run in a folder can be used for.

    Example:
        >>> from cygrad.report.commands import next_commands
        >>> next_commands("my runs/a")[0].command
        "cygrad predict 'my runs/a' new.csv"
    """
    run = shlex.quote(folder)
    return [
        Command("Predict the rows of a table", f"cygrad predict {run} new.csv"),
        Command("Try it in a browser, and serve it over HTTP", f"cygrad serve {run}"),
        Command("Export it as ONNX", f"cygrad export {run}"),
        Command("Rebuild this page", f"cygrad report {run}"),
    ]


def commands_section(folder: str, title: str = "Use it", on_its_page: bool = True) -> str:
    """The commands, ready to copy; that which rebuilds the run's page only if they are on it."""
    shown = next_commands(folder)[: None if on_its_page else -1]
    return section(title, *(f"<h3>{escape(what)}</h3><pre>{escape(command)}</pre>" for what, command in shown))
