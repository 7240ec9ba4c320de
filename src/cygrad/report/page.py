"""The page of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from cygrad._version import __version__
from cygrad.charts import STYLE
from cygrad.report import commands, data, learning, predictions, scores
from cygrad.report.findings import Findings
from cygrad.report.influence import influence_section, suspects_section

__all__ = ["html_page", "page_of", "style"]


def style() -> str:
    """The style of pages, in the colors of a light or a dark screen."""
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8") + STYLE


def html_page(title: str, lead: str, body: str, footer: str) -> str:
    """A page that needs no other file.

    Args:
        title: text.
        lead, body, footer: HTML.
    """
    template = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    return template.substitute(title=escape(title), style=style(), lead=lead, body=body, footer=footer)


def page_of(findings: Findings, records: Sequence[Mapping[str, float]], folder: str) -> str:
    """The page that tells what a training found.

    Args:
        findings: of the run.
        records: of the epochs, see ``cygrad.train.History``.
        folder: of the run, for the commands.

    Returns:
        HTML in one file.

    Example:
        >>> from cygrad.report import page_of
        >>> page = page_of({"name": "irises", "kind": "classification"}, [{"epoch": 1, "loss": 0.5}], "runs/irises")
        >>> page.count("<svg"), "http" in page.replace("http://www.w3.org", "")
        (1, False)
    """
    sections = [
        scores.scores_section(findings),
        suspects_section(findings),
        predictions.predictions_section(findings),
        influence_section(findings),
        learning.learning_section(findings, records),
        data.data_section(findings),
        commands.commands_section(folder),
    ]
    footer = f"<p>Written by cygrad {escape(__version__)}. The page needs no network.</p>"
    return html_page(findings.get("name", "run"), lead_of(findings), "\n".join(filter(None, sections)), footer)


def lead_of(findings: Findings) -> str:
    """What was learned, and by which network."""
    target = findings.get("target")
    what = f"Predicts <b>{escape(target)}</b> ({escape(findings.get('kind', ''))})." if target else ""
    network = escape(findings.get("network", ""))
    return f'<p>{what} <span class="muted">{network}</span></p>'
