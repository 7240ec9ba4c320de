"""Reader of tables in Parquet files, with pyarrow or pandas."""

from __future__ import annotations

import os
from typing import Any

from cygrad._files import expansion_limit, open_file
from cygrad.data.tables.arrays import build_table
from cygrad.data.tables.arrow import columns_of
from cygrad.data.tables.table import Table, reads

__all__ = ["read_parquet"]


@reads(".parquet")
def read_parquet(path: str | os.PathLike[str]) -> Table:
    """Read a table from a ``.parquet`` file, with pyarrow if it is installed, else with pandas.

    Args:
        path: the file.

    Returns:
        The table.

    Raises:
        ImportError: if neither pyarrow nor pandas is installed.
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if the file is corrupt, expands to more than 1 GiB and 100 times its size, or a column contains
            values that are neither numbers nor text.
    """
    name = os.fspath(path)
    with open_file("read_parquet", name) as file:
        try:
            try:
                columns = columns_from_pyarrow(file)
            except ImportError:
                columns = columns_from_pandas(file)
        except (ImportError, MemoryError):
            raise
        except Exception as error:  # pyarrow and pandas raise many types for corrupt data
            message = " ".join(str(error).split())[:300]
            raise ValueError(f"read_parquet: {name} can't be read ({message})") from None
    return build_table("read_parquet", name, columns)


def columns_from_pyarrow(file: Any) -> dict[str, Any]:
    import pyarrow.parquet as parquet

    size = os.fstat(file.fileno()).st_size
    content = parquet.ParquetFile(file)
    description = content.metadata
    if 8 * description.num_rows * description.num_columns > expansion_limit(size):
        raise ValueError(f"{description.num_rows} rows of {description.num_columns} columns in {size} bytes")
    return columns_of(content.read())


def columns_from_pandas(file: Any) -> Any:
    try:
        import pandas
    except ImportError:
        raise ImportError("read_parquet: pyarrow or pandas is required: pip install 'cygrad[tables]'") from None
    return pandas.read_parquet(file)
