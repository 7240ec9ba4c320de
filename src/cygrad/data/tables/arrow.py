"""Columns of Arrow tables: of Parquet files, and of data frames that offer an Arrow stream."""

from __future__ import annotations

from typing import Any

__all__ = ["columns_of", "columns_of_stream"]


def columns_of_stream(data: Any) -> dict[str, Any]:
    """The columns of an object with ``__arrow_c_stream__``, such as a data frame of polars or a relation of DuckDB.

    Raises:
        ImportError: if pyarrow is not installed.
        ValueError: if the stream fails or repeats a name.
    """
    try:
        import pyarrow
    except ImportError:
        raise ImportError(f"Table: pyarrow is required for a {type(data).__name__}: pip install pyarrow") from None
    try:
        table = pyarrow.table(data)
    except pyarrow.ArrowException as error:
        raise ValueError(f"Table: the Arrow stream of a {type(data).__name__} can't be read ({error})") from None
    return columns_of(table)


def columns_of(table: Any) -> dict[str, Any]:
    """The columns of a pyarrow table, as values that ``Table`` takes: numbers and times as arrays, others as lists.

    Raises:
        ValueError: if a name is repeated.
    """
    import pyarrow.types as types

    columns: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in columns:
            raise ValueError(f"Table: duplicate column {name!r}")
        kind = column.type
        whole = types.is_integer(kind) and not column.null_count
        plain = whole or types.is_floating(kind) or types.is_temporal(kind)
        columns[name] = column.to_numpy() if plain and not types.is_time(kind) else column.to_pylist()
    return columns
