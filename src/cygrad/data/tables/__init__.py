"""Tables: named columns of numbers and text, and the readers of their files."""

from cygrad.data.tables.arrays import read_npy, read_npz
from cygrad.data.tables.delimited import read_csv
from cygrad.data.tables.json_lines import read_json_lines
from cygrad.data.tables.parquet import read_parquet
from cygrad.data.tables.table import Table

__all__ = ["Table", "read_csv", "read_json_lines", "read_npy", "read_npz", "read_parquet"]
