"""The paths of a server, as OpenAPI 3.1 describes them: https://spec.openapis.org/oas/v3.1.1.html."""

from __future__ import annotations

from typing import Any

from cygrad._version import __version__
from cygrad.data.timeline import time_texts
from cygrad.runs import ImageRun, Run, SeriesRun
from cygrad.serve.inputs import Field, fields_of

__all__ = ["openapi_of"]

Schema = dict[str, Any]
ERRORS = {
    "400": "The body is malformed, or a value is invalid; the message names column and row.",
    "408": "The body did not arrive in time.",
    "413": "The body, its rows or the answer are too large.",
    "415": "The content type or coding is not accepted.",
    "503": "The server is busy, or the request takes too long.",
}


def openapi_of(run: Run) -> dict[str, Any]:
    """Describe the server of a run.

    Args:
        run: as ``cygrad.runs.load`` returns it.

    Example:
        >>> from cygrad.serve.openapi import openapi_of
        >>> config = cg.runs.ImageConfig([4, 2], 0.0, mean=0.0, std=1.0, classes=[0, 1], version=cg.__version__)
        >>> document = openapi_of(cg.runs.ImageRun(config.network(), config))
        >>> document["openapi"], sorted(document["paths"])[:2]
        ('3.1.0', ['/', '/docs'])
    """
    description = run.metadata()
    name = str(description.get("task") or "model")
    target = description.get("target", "class")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": __version__,
            "summary": f"Predicts {target}.",
            "description": f"A model trained with cygrad. POST /invocations takes rows and returns {target} for each.",
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/": page("Try the model by hand"),
            "/docs": page("Describe the paths"),
            "/openapi.json": get("Describe the paths, for programs", {"type": "object"}),
            "/health": get("Answer while the model is loaded", {}),
            "/ping": get("The same as /health", {}),
            "/version": text("The version of cygrad"),
            "/metadata": get(
                "Describe the model, its inputs, its results and the limits on requests", {"type": "object"}
            ),
            "/invocations": {"post": invocations(run)},
        },
        "components": {"schemas": {"Row": row_schema(run), "Error": ERROR}},
    }


ERROR: Schema = {
    "type": "object",
    "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
    "required": ["error_code", "message"],
}


def operation(summary: str, kind: str, schema: Schema) -> Schema:
    """A path that is read."""
    answer = {"description": summary, "content": {kind: {"schema": schema}}}
    name = "".join(word.strip(",/").capitalize() for word in summary.split())
    return {"summary": summary, "operationId": name[:1].lower() + name[1:], "responses": {"200": answer}}


def get(summary: str, schema: Schema) -> Schema:
    return {"get": operation(summary, "application/json", schema)}


def page(summary: str) -> Schema:
    return {"get": operation(summary, "text/html", {"type": "string"})}


def text(summary: str) -> Schema:
    return {"get": operation(summary, "text/plain", {"type": "string"})}


def invocations(run: Run) -> Schema:
    """The path that predicts."""
    row = {"$ref": "#/components/schemas/Row"}
    values = {"type": "array", "items": {"type": ["number", "string", "boolean", "null"]}}
    columns = {"type": "array", "items": {"type": "string"}}
    rows = {"type": "array", "items": values, "minItems": 1}
    split = {"type": "object", "properties": {"columns": columns, "data": rows}, "required": ["data"]}
    forms = {
        "dataframe_records": {"type": "array", "items": row, "minItems": 1},
        "dataframe_split": split,
        "instances": {"anyOf": [rows, {"type": "array", "items": row, "minItems": 1}]},
        "inputs": {"anyOf": [rows, {"type": "object", "additionalProperties": values}]},
    }
    params = {"type": "object", "properties": {"proba": {"type": "boolean"}}, "additionalProperties": False}
    request = {
        "type": "object",
        "properties": {**forms, "params": params},
        "oneOf": [{"required": [name]} for name in forms],
    }
    contents: Schema = {
        "application/json": {"schema": request, "example": example_of(run)},
        "text/csv": {"schema": {"type": "string", "description": "Names of the columns in the first line."}},
        "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
    }
    answer = {"type": "object", "properties": {"predictions": predictions(run)}, "required": ["predictions"]}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "summary": "Predict",
        "operationId": "predict",
        "description": 'With "params": {"proba": true}, the probabilities of all classes.',
        "requestBody": {"required": True, "content": contents},
        "responses": {
            "200": {"description": "The predictions.", "content": {"application/json": {"schema": answer}}},
            **{status: {"description": why, "content": error} for status, why in ERRORS.items()},
        },
    }


def predictions(run: Run) -> Schema:
    """The predictions of an answer."""
    description = run.metadata()
    if description.get("kind") == "forecast":
        items: Schema = {"type": "object"}
    elif "classes" not in description:
        items = {"type": "number"}
    else:
        items = {"anyOf": [{"enum": description["classes"]}, {"type": "array", "items": {"type": "number"}}]}
    return {"type": "array", "items": items}


def row_schema(run: Run) -> Schema:
    """A row by column names."""
    fields = fields_of(run)
    return {
        "type": "object",
        "properties": {field.name: value_schema(field) for field in fields},
        "required": [field.name for field in fields],
    }


def value_schema(field: Field) -> Schema:
    """A value of a column; a category that training did not see is answered, too."""
    if field.numeric:
        return {"type": ["number", "null"], "examples": [field.typical]}
    examples = list(field.values) or [field.typical]
    return {"type": ["string", "number", "boolean", "null"], "examples": examples}


def example_of(run: Run) -> Schema:
    """A request."""
    if isinstance(run, ImageRun):
        return {"inputs": [[0.0] * run.columns]}
    if isinstance(run, SeriesRun):
        rows = [[time, *[field.typical for field in fields_of(run)]] for time in times_of(run)]
        return {"dataframe_split": {"columns": run.columns, "data": rows}}
    return {"dataframe_records": [{field.name: field.typical for field in fields_of(run)}]}


def times_of(run: SeriesRun) -> list[Any]:
    """The times of a window, such as training had."""
    timeline, count = run.timeline, run.config.window
    if timeline.unit == "rows":
        return list(range(count))
    texts: list[Any] = time_texts(timeline.after(0.0, count), timeline.dates)
    return texts
