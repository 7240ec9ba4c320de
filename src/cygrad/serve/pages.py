"""The pages of a server: a form to try the model by hand, and what the paths answer. They need no other file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from cygrad._version import __version__
from cygrad.report.html import section
from cygrad.report.page import html_page
from cygrad.runs import ImageRun, Run, SeriesRun
from cygrad.serve.inputs import Field, fields_of, text_of
from cygrad.serve.openapi import times_of

__all__ = ["docs_page", "form_page"]

LONGEST_CHOICE = 200  # categories to choose from


def form_page(run: Run) -> str:
    """A form with a field for each column of a table, which holds a typical value; of images and series, one."""
    description = run.metadata()
    target = str(description.get("target", "class"))
    classes = [str(label) for label in description.get("classes", [])]
    fields = "".join(map(field_of, enumerate(fields_of(run)))) if has_columns(run) else csv_field(run)
    button = '<div class="whole"><button>Predict</button></div>'
    form = f"<form data-classes='{escape(json.dumps(classes), quote=True)}'>{fields}{button}</form>"
    lead = f'<p>Predicts <b>{escape(target)}</b>. <span class="muted">An empty field is a missing value.</span></p>'
    body = section(
        "Try the model", f"<style>{part('form.css')}</style>", form, '<div id="answer" aria-live="polite"></div>'
    )
    links = 'For programs: <a href="docs">what the paths answer</a>, <a href="openapi.json">OpenAPI</a>.'
    footer = f"<p>cygrad {escape(__version__)}. {links}</p><script>{part('form.js')}</script>"
    return html_page(str(description.get("task") or "model"), lead, body, footer)


def has_columns(run: Run) -> bool:
    """Whether a row is a record of named values."""
    return not isinstance(run, (ImageRun, SeriesRun))


def part(name: str) -> str:
    """The text of a file beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def field_of(numbered: tuple[int, Field]) -> str:
    """A field for a column; categories can be chosen from a list, and others typed."""
    number, field = numbered
    name, value = escape(field.name, quote=True), escape(text_of(field.typical), quote=True)
    if field.numeric:
        rest = f'data-kind="number" inputmode="decimal" type="number" step="any" value="{value}"'
        return f'<label>{name}<input data-column="{name}" {rest}></label>'
    shown = [text_of(choice) for choice in field.values[:LONGEST_CHOICE]]
    choices = "".join(f'<option value="{escape(choice, quote=True)}"></option>' for choice in shown)
    rest = f'data-kind="text" list="choices-{number}" value="{value}" autocomplete="off"'
    return (
        f'<label>{name}<input data-column="{name}" {rest}></label><datalist id="choices-{number}">{choices}</datalist>'
    )


def csv_field(run: Run) -> str:
    """A field for rows as CSV."""
    if isinstance(run, SeriesRun):
        values = [text_of(field.typical) for field in fields_of(run)]
        lines = [",".join(run.columns), *[",".join([str(time), *values]) for time in times_of(run)]]
        what = f"At least {run.config.window} rows, as CSV with a header"
    else:
        assert isinstance(run, ImageRun)
        lines = [",".join(f"pixel{i}" for i in range(run.columns)), ",".join(["0"] * run.columns)]
        what = f"Images of {run.columns} pixels, as CSV with a header"
    return f'<label class="whole">{escape(what)}<textarea name="rows">{escape(chr(10).join(lines))}</textarea></label>'


def docs_page(document: Mapping[str, Any]) -> str:
    """A page of an OpenAPI document."""
    sections = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts = [f"<p>{escape(operation['summary'])}.</p>"]
            if operation.get("description"):
                parts.append(f"<p>{escape(operation['description'])}</p>")
            parts += [content_of(kind, content) for kind, content in bodies_of(operation)]
            parts.append(answers_of(operation["responses"]))
            sections.append(section(f"{method.upper()} {path}", *parts))
    lead = f"<p>{escape(document['info']['description'])}</p>"
    footer = f'<p>cygrad {escape(__version__)}. The same for programs: <a href="openapi.json">OpenAPI</a>.</p>'
    style = f"<style>{part('form.css')}</style>"
    return html_page(document["info"]["title"], lead + style, "\n".join(sections), footer)


def bodies_of(operation: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The bodies that an operation accepts, by content type."""
    return list(operation.get("requestBody", {}).get("content", {}).items())


def content_of(kind: str, content: Mapping[str, Any]) -> str:
    """A body: its content type, its names, and an example."""
    schema = content["schema"]
    names = ", ".join(f"<code>{escape(name)}</code>" for name in schema.get("properties", {}))
    what = f"An object of one of {names}." if names else escape(schema.get("description", ""))
    example = ""
    if "example" in content:
        example = f"<pre>{escape(json.dumps(content['example'], ensure_ascii=False)[:2000])}</pre>"
    return f"<h3>{escape(kind)}</h3><p>{what}</p>{example}"


def answers_of(responses: Mapping[str, Any]) -> str:
    """The answers by status."""
    rows = "".join(
        f"<tr><th>{escape(status)}</th><td class=text>{escape(one['description'])}</td></tr>"
        for status, one in responses.items()
    )
    return f"<table>{rows}</table>"
