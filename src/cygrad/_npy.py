"""Arrays in NumPy's file format, read without trust in what their headers declare."""

from __future__ import annotations

import math
import warnings
from typing import IO, Any

import numpy as np

from cygrad._typing import Array

__all__ = ["fill", "read_array", "read_header"]

CHUNK = 2**20  # bytes

Header = tuple[tuple[int, ...], bool, np.dtype[Any]]  # shape, whether in Fortran's order, dtype


def read_header(stream: IO[bytes]) -> Header:
    """Read the header of an array.

    Raises:
        ValueError: if there is none, or its dtype is none of plain values.
    """
    form = np.lib.format
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            version = form.read_magic(stream)
            read = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
            shape, fortran, dtype = read(stream)
    except Exception as error:  # the header is a literal of Python: SyntaxError, TokenError, RecursionError and others
        raise ValueError(f"the header of an array can't be read ({' '.join(str(error).split())[:200]})") from None
    check_dtype(dtype)
    if min(shape, default=0) < 0 or len(shape) > 64:
        raise ValueError(f"an array has the shape {shape}")
    return shape, fortran, dtype


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise ValueError for a dtype of objects, which are pickled, and one whose elements take no bytes, so that a file
    can declare any number of them."""
    if dtype.hasobject:
        raise ValueError("it contains pickled objects, which can execute code")
    if not dtype.itemsize:
        raise ValueError(f"it has the dtype {dtype}, whose elements take no bytes")


def read_array(stream: IO[bytes], length: int) -> Array:
    """Read an array with its header. Memory is allocated only if the shape takes the bytes that there are.

    Args:
        stream: an open file, or an entry of an archive.
        length: bytes of header and elements.

    Raises:
        ValueError: if the array is corrupt or has another length.
    """
    shape, fortran, dtype = read_header(stream)
    size = math.prod(shape) * dtype.itemsize
    if stream.tell() + size != length:
        raise ValueError(f"an array of shape {shape} does not match its {length} bytes")
    array = np.empty(shape, dtype, order="F" if fortran else "C")
    if size:
        fill(array, stream)
    stream.read(1)  # the checksum is verified at the end of the stream
    return array


def fill(array: Array, stream: IO[bytes]) -> None:
    """Read the elements of a contiguous array, a few at a time, since streams of archives copy them."""
    memory = array.reshape(-1, order="A").view(np.uint8).data
    done = 0
    while done < len(memory):
        part = stream.read(min(CHUNK, len(memory) - done))
        if not part:
            raise ValueError("an array is truncated")
        memory[done : done + len(part)] = part
        done += len(part)
