"""Requests in MLflow's formats, parsed to rows of a table.

JSON with one of ``dataframe_split`` {"columns": […], "data": [[…], …]}, ``dataframe_records`` [{name: value}, …],
``instances`` [[…], …] or records, ``inputs`` [[…], …] or {name: [values]}; or CSV with column names in the first
line; or Parquet, where pyarrow is installed.
See "Serving" in MLflow's documentation, https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple, NoReturn

from cygrad.serve.parquet_body import parse_parquet
from cygrad.serve.refusal import Refusal

__all__ = ["Request", "read_request"]

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
PARQUET = "application/vnd.apache.parquet"
KINDS = ("application/json", "text/csv", PARQUET)
MOST_NAMES = 100_000  # in an object
TOKEN = re.compile(r'\\.|["\[\]{}:]', re.DOTALL)


class Request(NamedTuple):
    """A parsed request.

    Args:
        rows: values in the order of the columns.
        columns: their names, or None if the request has none.
        params: options.
    """

    rows: list[list[Any]]
    columns: list[str] | None
    params: dict[str, Any]


def read_request(body: bytes | bytearray, content_type: str, max_rows: int, max_values: int = 2**21) -> Request:
    """Parse the body of a request.

    Args:
        body: its bytes.
        content_type: the header of that name.
        max_rows: limit on the rows.
        max_values: limit on the values.

    Raises:
        Refusal: with 400 if the body is malformed, 413 if it has too many rows or values, 415 for another content type.

    Example:
        >>> read_request(b'{"dataframe_records": [{"a": 1, "b": 2.5}]}', "application/json", max_rows=10)
        Request(rows=[[1, 2.5]], columns=['a', 'b'], params={})
    """
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if kind not in KINDS:
        raise Refusal(
            415, f"the content type must be {', '.join(KINDS[:-1])} or {KINDS[-1]}, got {kind[:100] or 'none'}"
        )
    if kind == PARQUET:
        return with_rows(read_parquet_body(body, max_rows, max_values), max_rows)
    name, _, value = parameters.partition("=")
    if parameters.strip() and (name.strip().lower() != "charset" or not is_utf8(value.strip(' "'))):
        raise Refusal(
            415, f"the content type may only have the parameter charset=utf-8, got {parameters.strip()[:100]}"
        )
    try:
        text = body.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Refusal(400, f"the body is not valid UTF-8 at byte {error.start}") from None
    check_size(text, kind, max_rows, max_values)
    return with_rows(parse_csv_body(text, max_rows) if kind == "text/csv" else parse_json_body(text), max_rows)


def with_rows(request: Request, max_rows: int) -> Request:
    """Return a request; refuse one without rows, or with too many."""
    if not request.rows:
        refuse("the request has no rows")
    if len(request.rows) > max_rows:
        raise Refusal(413, f"a request may have at most {max_rows} rows, got {len(request.rows)}")
    return request


def is_utf8(encoding: str) -> bool:
    """Whether a text is a spelling of UTF-8, with or without a byte order mark."""
    try:
        return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
    except (LookupError, ValueError):
        return False


def check_size(text: str, kind: str, max_rows: int, max_values: int) -> None:
    """Refuse a body, before it is parsed, that would then take much more memory than now. Every value but the first of
    a row comes after a comma; in JSON, every row is in brackets or braces and every name before a colon. Rows of CSV
    are counted while they are parsed."""
    if kind != "text/csv" and (
        text.count("[") + text.count("{") > max_rows + MOST_NAMES or text.count(":") > MOST_NAMES
    ):
        count_exactly(text, max_rows)
    if text.count(",") > max_values + max_rows:
        raise Refusal(413, f"a request may have at most {max_values} values")


def count_exactly(text: str, max_rows: int) -> None:
    """Refuse JSON with too many arrays and objects, or names in one object, without those inside of strings."""
    containers, names, inside = 0, [0], False
    for found in TOKEN.finditer(text):
        token = found[0]
        if token == '"':
            inside = not inside
        elif inside or len(token) > 1:  # an escaped character
            continue
        elif token == ":":
            names[-1] += 1
            if names[-1] > MOST_NAMES:
                raise Refusal(413, f"an object may have at most {MOST_NAMES} names")
        elif token in "[{":
            containers += 1
            names.append(0)
            if containers > max_rows + MOST_NAMES:
                raise Refusal(413, f"a request may have at most {max_rows} rows")
        elif token in "]}" and len(names) > 1:
            names.pop()


def refuse(why: str) -> NoReturn:
    raise Refusal(400, why)


def shown(value: Any) -> str:
    """A value in a message, shortened."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# Parquet


def read_parquet_body(body: bytes | bytearray, max_rows: int, max_values: int) -> Request:
    """Parse Parquet, where pyarrow is installed."""
    try:
        columns, rows = parse_parquet(body, max_rows, max_values)
    except ImportError:
        raise Refusal(415, f"a body of {PARQUET} needs the package pyarrow on the server") from None
    check_columns(columns)
    return Request(check_cells(rows, "the body"), columns, {})


# CSV


def parse_csv_body(text: str, max_rows: int) -> Request:
    """Parse CSV; its values stay text."""
    lines: list[list[str]] = []
    try:
        for line in csv.reader(io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8", newline=""), strict=True):
            if line:
                lines.append(line)
            if len(lines) > max_rows + 1:
                raise Refusal(413, f"a request may have at most {max_rows} rows")
    except csv.Error as error:
        refuse(f"the body is not valid CSV ({error})")
    if not lines:
        refuse("the body is empty")
    columns, rows = lines[0], lines[1:]
    check_widths(rows, len(columns))
    if not columns[0].strip() and len(columns) > 1:  # a row index, as pandas writes it
        columns, rows = columns[1:], [row[1:] for row in rows]
    check_columns(columns)
    return Request(rows, columns, {})


# JSON


def parse_json_body(text: str) -> Request:
    """Parse JSON in one of the formats."""
    content = load_json(text)
    if not isinstance(content, dict):
        refuse(f"the body must be a JSON object, got {type_name(content)}")
    formats = [name for name in FORMATS if name in content]
    if len(formats) != 1:
        refuse(f"the JSON object must have exactly one of {', '.join(FORMATS)}, got {', '.join(formats) or 'none'}")
    name = formats[0]
    unknown = sorted(set(content) - {name, "params"})
    if unknown:
        refuse(f"the JSON object may have {name} and params, got {shown(unknown[0])}")
    params = content.get("params") or {}
    if not isinstance(params, dict):
        refuse(f"params must be a JSON object, got {type_name(params)}")
    rows, columns = PARSERS[name](content[name], name)
    return Request(rows, columns, params)


def load_json(text: str) -> Any:
    """Load JSON; refuse NaN and Infinity, which JSON does not have, and repeated names."""
    try:
        return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=unique_names)
    except RecursionError:
        refuse("the JSON is nested too deeply")
    except json.JSONDecodeError as error:
        refuse(f"the body is not valid JSON ({error})")
    except ValueError:  # CPython limits the digits of an integer
        refuse("the JSON contains an integer with too many digits")


def refuse_constant(name: str) -> NoReturn:
    refuse(f"the body is not valid JSON ({name} is not a JSON number)")


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object; refuse repeated names."""
    result = dict(pairs)
    if len(result) != len(pairs):
        refuse(f"an object has the name {shown(repeated(name for name, _ in pairs))} twice")
    return result


def repeated(names: Iterable[str]) -> str:
    """The first name that was there before."""
    seen: set[str] = set()
    return next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]


def type_name(value: Any) -> str:
    """JSON's name for the type of a value."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def parse_split(value: Any, name: str) -> tuple[list[list[Any]], list[str] | None]:
    """Parse {"columns": […], "data": [[…], …]}; ignore "index"."""
    if not isinstance(value, dict) or "data" not in value or set(value) - {"columns", "data", "index"}:
        got = ", ".join(sorted(value)) if isinstance(value, dict) else type_name(value)
        refuse(f"{name} must be an object with data and optional columns and index, got {got[:100] or 'an empty one'}")
    rows, columns = value["data"], value.get("columns")
    if columns is None:
        return parse_rows(rows, f"{name}.data"), None
    if not isinstance(columns, list):
        refuse(f"{name}.columns must be an array of names, got {type_name(columns)}")
    columns = [column if isinstance(column, str) else shown(column) for column in columns]
    check_columns(columns)
    return parse_rows(rows, f"{name}.data", len(columns)), columns


def parse_records(value: Any, name: str) -> tuple[list[list[Any]], list[str] | None]:
    """Parse [{name: value}, …]; all records have the names of the first."""
    if not isinstance(value, list) or not all(isinstance(record, dict) for record in value):
        refuse(
            f"{name} must be an array of objects, got {type_name(value)}{' of other values' * isinstance(value, list)}"
        )
    if not value:
        return [], None
    columns = list(value[0])
    check_columns(columns)
    for number, record in enumerate(value, 1):
        if record.keys() != value[0].keys():
            column = sorted(record.keys() ^ value[0].keys())[0]
            problem = "lacks the column" if column in value[0] else "has a column that the first one lacks:"
            refuse(f"record {number} of {name} {problem} {shown(column)}")
    return check_cells([[record[column] for column in columns] for record in value], name), columns


def parse_instances(value: Any, name: str) -> tuple[list[list[Any]], list[str] | None]:
    """Parse rows or records."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return parse_records(value, name)
    return parse_rows(value, name), None


def parse_inputs(value: Any, name: str) -> tuple[list[list[Any]], list[str] | None]:
    """Parse rows, records, or {name: [values]}."""
    if not isinstance(value, dict):
        return parse_instances(value, name)
    columns = list(value)
    check_columns(columns)
    for column, values in value.items():
        if not isinstance(values, list):
            refuse(f"column {shown(column)} of {name} must be an array, got {type_name(values)}")
        if len(values) != len(value[columns[0]]):
            expected = len(value[columns[0]])
            refuse(f"column {shown(column)} of {name} has {len(values)} values, the first column has {expected}")
    return check_cells([list(row) for row in zip(*value.values(), strict=True)], name), columns


PARSERS = {
    "dataframe_split": parse_split,
    "dataframe_records": parse_records,
    "instances": parse_instances,
    "inputs": parse_inputs,
}


def parse_rows(value: Any, name: str, width: int | None = None) -> list[list[Any]]:
    """Parse [[…], …], rows of one length."""
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        refuse(f"{name} must be an array of rows, got {type_name(value)}{' of other values' * isinstance(value, list)}")
    check_widths(value, len(value[0]) if width is None and value else width or 0)
    return check_cells(value, name)


def check_cells(rows: list[list[Any]], name: str) -> list[list[Any]]:
    """Return the rows; refuse values that are arrays or objects."""
    for number, row in enumerate(rows, 1):
        for value in row:
            if isinstance(value, (list, dict)):
                refuse(f"row {number} of {name} must contain numbers or strings, got {type_name(value)}")
    return rows


def check_columns(columns: list[str]) -> None:
    """Refuse repeated names, and too many."""
    if not columns:
        refuse("the request has no columns")
    if len(columns) > MOST_NAMES:
        raise Refusal(413, f"a request may have at most {MOST_NAMES} columns with names")
    if len(set(columns)) != len(columns):
        refuse(f"the request has the column {shown(repeated(columns))} twice")


def check_widths(rows: list[list[Any]], width: int) -> None:
    """Refuse rows of another length."""
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            refuse(f"row {number} has {len(row)} values, expected {width}")
