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


def commands_section(folder: str) -> str:
    """The commands, ready to copy."""
    rows = [f"<h3>{escape(what)}</h3><pre>{escape(command)}</pre>" for what, command in next_commands(folder)]
    return section("Use it", *rows)
