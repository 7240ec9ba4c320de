"""Helpers shared by the readers of matrices and tables: numbers in text, arrays in ``.npy`` files."""

from __future__ import annotations

import numpy as np

from cygrad._files import one_line, open_file
from cygrad._npy import read_header
from cygrad._typing import Array

__all__ = ["load_npy", "parse_number"]


def parse_number(text: str) -> float | None:
    """The number that a text represents, or None. Unlike in Python, 1_000 is not a number."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def load_npy(op: str, path: str) -> Array:
    """Memory-map the array of a ``.npy`` file, without pickled objects. A mapped array can't be larger than the file,
    whatever its header declares."""
    with open_file(op, path) as file:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError(f"{op}: {path} is not a .npy file")
        file.seek(0)
        try:
            read_header(file)
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except Exception as error:  # NumPy raises many types for corrupt data
            raise ValueError(f"{op}: {path} can't be read as a numeric array ({one_line(error)})") from None
