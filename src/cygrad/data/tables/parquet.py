"""Tables in Parquet files, which pyarrow or pandas read."""

from __future__ import annotations

import os
from typing import Any

from cygrad.data.tables.arrays import made
from cygrad.data.tables.table import Table

__all__ = ["read_parquet"]


def read_parquet(path: str | os.PathLike[str]) -> Table:
    """The table in a ``.parquet`` file, by the package pyarrow, or else by pandas.

    Raises ImportError without either of them, ValueError, naming the file, where it is corrupt or holds columns of
    lists or other things that are neither numbers nor text.
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        try:
            columns = by_pyarrow(file)
        except ImportError:
            columns = by_pandas(file)
        except (ValueError, OSError) as error:  # pyarrow raises both
            raise ValueError(f"read_parquet: {name} can't be read ({' '.join(str(error).split())})") from None
    return made("read_parquet", name, columns)


def by_pyarrow(file: Any) -> dict[str, Any]:
    import pyarrow.parquet as parquet
    import pyarrow.types as types

    table = parquet.read_table(file)
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in columns:
            raise ValueError(f"the column {name!r} stands twice")
        kind = column.type
        plain = types.is_integer(kind) or types.is_floating(kind) or types.is_temporal(kind)
        columns[name] = column.to_numpy() if plain and not types.is_time(kind) else column.to_pylist()
    return columns


def by_pandas(file: Any) -> Any:
    try:
        import pandas
    except ImportError:
        raise ImportError("read_parquet: it needs pyarrow or pandas: pip install 'cygrad[parquet]'") from None
    return pandas.read_parquet(file)
