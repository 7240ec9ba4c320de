"""Request bodies in Parquet. A small file can expand to any size, so sizes are checked before texts are."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

from cygrad.serve.refusal import Refusal

__all__ = ["parse_parquet"]

BYTES = 32  # of text, for each value that a request may have
Value = float | int | str | None


def parse_parquet(body: bytes | bytearray, max_rows: int, max_values: int) -> tuple[list[str], list[list[Any]]]:
    """The columns' names, and rows of numbers, text and None; dates and times are text as ISO 8601 spells it.

    Raises:
        ImportError: without pyarrow.
        Refusal: with 400 if the body can't be read, 413 if it is too large.
    """
    import pyarrow
    import pyarrow.parquet as parquet
    import pyarrow.types as types

    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(bytes(body)))
        names, rows = list(file.schema_arrow.names), file.metadata.num_rows
        if rows > max_rows:
            raise Refusal(413, f"a request may have at most {max_rows} rows, got {rows}")
        if rows * len(names) > max_values:
            raise Refusal(413, f"a request may have at most {max_values} values")
        for field in file.schema_arrow:
            if types.is_nested(field.type) or types.is_binary(field.type) or types.is_large_binary(field.type):
                raise Refusal(
                    400, f"column {field.name[:60]!r} must contain numbers or text, got {str(field.type)[:60]}"
                )
        texts = [field.name for field in file.schema_arrow if types.is_string(field.type)]
        options = {"read_dictionary": texts} if texts else {}
        table = parquet.ParquetFile(pyarrow.BufferReader(bytes(body)), **options).read()
        if sum(text_bytes(column) for column in table.columns) > BYTES * max_values:
            raise Refusal(413, f"the texts of a request may have at most {BYTES * max_values} bytes")
        columns = [[plain(value) for value in column.to_pylist()] for column in table.columns]
    except (Refusal, MemoryError):
        raise
    except Exception as error:  # pyarrow raises many types for corrupt data
        raise Refusal(400, f"the body is not valid Parquet ({' '.join(str(error).split())[:200]})") from None
    return names, [list(row) for row in zip(*columns, strict=True)]


def text_bytes(column: Any) -> int:
    """The bytes of all texts of a column, each as often as it occurs; 0 for numbers."""
    import pyarrow.compute as compute
    import pyarrow.types as types

    if not types.is_dictionary(column.type):
        return int(column.nbytes) if types.is_large_string(column.type) else 0
    total = 0
    for chunk in column.chunks:
        lengths = compute.binary_length(chunk.dictionary)
        total += compute.sum(lengths.take(chunk.indices)).as_py() or 0
    return total


def plain(value: Any) -> Value:
    """A value as JSON can hold it."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bool, str, int, float)) or value is None:
        return value
    return str(value)
