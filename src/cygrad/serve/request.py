"""Requests in MLflow's formats, as rows of a table.

JSON with one of ``dataframe_split`` {"columns": […], "data": [[…], …]}, ``dataframe_records`` [{name: value}, …],
``instances`` [[…], …] or as records, ``inputs`` [[…], …] or {name: [values]}; or CSV, whose first line holds the names.
See "Serving" in MLflow's documentation, https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any, NamedTuple, NoReturn

from cygrad.serve.refusal import Refusal

__all__ = ["Request", "read_request"]

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
KINDS = ("application/json", "text/csv")


class Request(NamedTuple):
    """The rows of a table, in the order of its columns; the columns' names where they have some; and options."""

    rows: list[list[Any]]
    columns: list[str] | None
    params: dict[str, Any]


def read_request(body: bytes, content_type: str, max_rows: int) -> Request:
    """The table in a request's body. Raises Refusal with 400, 413 or 415.

    >>> read_request(b'{"dataframe_records": [{"a": 1, "b": 2.5}]}', "application/json", max_rows=10)
    Request(rows=[[1, 2.5]], columns=['a', 'b'], params={})
    """
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if kind not in KINDS:
        raise Refusal(415, f"the content type must be {' or '.join(KINDS)}, got {kind[:100] or 'none'}")
    name, _, value = parameters.partition("=")
    if parameters.strip() and (name.strip().lower() != "charset" or value.strip(' "').lower() not in ("utf-8", "utf8")):
        raise Refusal(415, f"the content type may have charset=utf-8 and nothing else, got {parameters.strip()[:100]}")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(400, f"the body is not UTF-8 at byte {error.start}") from None
    request = read_csv(text) if kind == "text/csv" else read_json(text)
    if not request.rows:
        refuse("there are no rows")
    if len(request.rows) > max_rows:
        raise Refusal(413, f"a request may have at most {max_rows} rows, got {len(request.rows)}")
    return request


def refuse(why: str) -> NoReturn:
    raise Refusal(400, why)


def shown(value: Any) -> str:
    """A value in a sentence, shortened."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# CSV


def read_csv(text: str) -> Request:
    """A table in text; its fields stay text."""
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        refuse(f"the body is no CSV ({error})")
    if not lines:
        refuse("the CSV is empty")
    columns, rows = lines[0], lines[1:]
    check_columns(columns)
    check_widths(rows, len(columns))
    return Request(rows, columns, {})


# JSON


def read_json(text: str) -> Request:
    """A table in JSON."""
    content = parse(text)
    if not isinstance(content, dict):
        refuse(f"the body must be a JSON object, got {type_name(content)}")
    found = [name for name in FORMATS if name in content]
    if len(found) != 1:
        refuse(f"the JSON object must have one of {', '.join(FORMATS)}, got {', '.join(found) or 'none of them'}")
    other = sorted(set(content) - {found[0], "params"})
    if other:
        refuse(f"the JSON object may have {found[0]} and params, but has {shown(other[0])} too")
    params = content.get("params") or {}
    if not isinstance(params, dict):
        refuse(f"params must be a JSON object, got {type_name(params)}")
    rows, columns = READERS[found[0]](content[found[0]], found[0])
    return Request(rows, columns, params)


def parse(text: str) -> Any:
    """The value of a JSON text; NaN and Infinity, which JSON does not have, are refused, and so is a name twice."""
    try:
        return json.loads(text, parse_constant=no_number, object_pairs_hook=unique_names)
    except RecursionError:
        refuse("the JSON is nested too deeply")
    except json.JSONDecodeError as error:
        refuse(f"the body is no valid JSON ({error})")
    except ValueError:  # CPython's limit of the digits of an integer
        refuse("the JSON holds an integer of too many digits")


def no_number(name: str) -> NoReturn:
    refuse(f"the body is no valid JSON ({name} is no number in JSON)")


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object."""
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        refuse(f"the name {shown(next(name for name in names if names.count(name) > 1))} stands twice in an object")
    return result


def type_name(value: Any) -> str:
    """What a value is in JSON."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def split(value: Any, name: str) -> tuple[list[list[Any]], list[str] | None]:
    """{"columns": […], "data": [[…], …]}; an "index" is passed over."""
    if not isinstance(value, dict) or "data" not in value or set(value) - {"columns", "data", "index"}:
        got = ", ".join(sorted(value)) if isinstance(value, dict) else type_name(value)
        refuse(f"{name} must be an object with data and perhaps columns and index, got {got[:100] or 'an empty one'}")
    rows, columns = value["data"], value.get("columns")
    if columns is None:
        return table(rows, f"{name}.data"), None
    if not isinstance(columns, list):
        refuse(f"{name}.columns must be an array of names, got {type_name(columns)}")
    columns = [column if isinstance(column, str) else shown(column) for column in columns]
    check_columns(columns)
    return table(rows, f"{name}.data", len(columns)), columns


def records(value: Any, name: str) -> tuple[list[list[Any]], list[str] | None]:
    """[{name: value}, …], all with the names of the first."""
    if not isinstance(value, list) or not all(isinstance(record, dict) for record in value):
        refuse(f"{name} must be an array of objects, got {type_name(value)}{' of others' * isinstance(value, list)}")
    if not value:
        return [], None
    columns = list(value[0])
    check_columns(columns)
    for number, record in enumerate(value, 1):
        if record.keys() != value[0].keys():
            odd = sorted(record.keys() ^ value[0].keys())[0]
            place = "lacks" if odd in value[0] else "has besides those of the first"
            refuse(f"record {number} of {name} {place} the column {shown(odd)}")
    return cells([[record[column] for column in columns] for record in value], name), columns


def instances(value: Any, name: str) -> tuple[list[list[Any]], list[str] | None]:
    """Rows, or records."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return records(value, name)
    return table(value, name), None


def inputs(value: Any, name: str) -> tuple[list[list[Any]], list[str] | None]:
    """Rows, or {name: [values]}."""
    if not isinstance(value, dict):
        return instances(value, name)
    columns = list(value)
    check_columns(columns)
    for column, values in value.items():
        if not isinstance(values, list):
            refuse(f"column {shown(column)} of {name} must be an array, got {type_name(values)}")
        if len(values) != len(value[columns[0]]):
            wanted = len(value[columns[0]])
            refuse(f"column {shown(column)} of {name} has {len(values)} values, the first one {wanted}")
    return cells([list(row) for row in zip(*value.values(), strict=True)], name), columns


READERS = {"dataframe_split": split, "dataframe_records": records, "instances": instances, "inputs": inputs}


def table(value: Any, name: str, width: int | None = None) -> list[list[Any]]:
    """[[…], …], rows of one length."""
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        refuse(f"{name} must be an array of rows, got {type_name(value)}{' of others' * isinstance(value, list)}")
    check_widths(value, len(value[0]) if width is None and value else width or 0)
    return cells(value, name)


def cells(rows: list[list[Any]], name: str) -> list[list[Any]]:
    """The rows, none of whose values is an array or object itself."""
    for number, row in enumerate(rows, 1):
        for value in row:
            if isinstance(value, (list, dict)):
                refuse(f"row {number} of {name} must hold numbers or text, got {type_name(value)}")
    return rows


def check_columns(columns: list[str]) -> None:
    """Refuses names that stand twice."""
    if not columns:
        refuse("there are no columns")
    if len(set(columns)) != len(columns):
        seen: set[str] = set()
        twice = next(name for name in columns if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        refuse(f"the column {shown(twice)} stands twice")


def check_widths(rows: list[list[Any]], width: int) -> None:
    """Refuses rows of other lengths."""
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            refuse(f"row {number} has {len(row)} values, where {width} are wanted")
