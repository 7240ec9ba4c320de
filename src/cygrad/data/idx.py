"""Reader of IDX, the file format of MNIST and Fashion-MNIST.

Two zero bytes, one byte for the dtype, one for the number d of dimensions, d sizes of four bytes each, then the
elements in row-major order; all big-endian. Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import math
import os
import sys
from typing import IO, Protocol

import numpy as np

from cygrad._files import expansion_limit, open_file
from cygrad._typing import Array

__all__ = ["read_idx"]

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 32
CHUNK = 1 << 20
# Deflate encodes at most 258 bytes in 2 bits: RFC 1951, section 3.2.5.
DEFLATE_RATIO = 1032


def read_idx(path: str | os.PathLike[str]) -> Array:
    """Read an array from an IDX file, plain or compressed with gzip.

    Memory use is bounded by the size of the file, whatever its header declares.

    Args:
        path: the file; compression is detected from its content.

    Returns:
        The array, in native byte order.

    Raises:
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if the file is not an IDX file, truncated, corrupt, has trailing bytes, or expands to more than
            1 GiB and 100 times its size. The message names it.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "labels-idx1-ubyte")
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    >>> cg.data.read_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    name = os.fspath(path)
    with open_file("read_idx", path) as file:
        size = os.fstat(file.fileno()).st_size
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        return read_compressed(file, size, name) if compressed else read_plain(file, size, name)


class Readable(Protocol):
    """An open binary file."""

    def read(self, size: int, /) -> bytes:
        """Return the next `size` bytes or fewer, none at the end."""


def read_compressed(file: IO[bytes], size: int, name: str) -> Array:
    """The array of a gzip file of `size` bytes."""
    import gzip
    import zlib

    try:
        with gzip.GzipFile(fileobj=file) as plain:
            return read_plain(plain, min(DEFLATE_RATIO * size, expansion_limit(size)), name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"read_idx: {name} is a truncated or corrupt gzip file ({error})") from None


def read_plain(file: Readable, limit: int, name: str) -> Array:
    """The array of a file of at most `limit` bytes."""
    dtype, shape = read_header(file, name)
    size = math.prod(shape) * dtype.itemsize
    if size > limit:
        raise ValueError(f"read_idx: {name} is truncated or too large: shape {shape} requires {size} bytes")
    values = read_upto(file, size + 1)
    if len(values) != size:
        raise ValueError(
            f"read_idx: {name} {'is truncated' if len(values) < size else 'has trailing bytes'}: "
            f"shape {shape} requires {size} bytes"
        )
    array = np.frombuffer(values, dtype).reshape(shape)
    return array if dtype.isnative else array.byteswap(inplace=True).view(dtype.newbyteorder("="))


def read_header(file: Readable, name: str) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    """The dtype and the shape."""
    magic = read_upto(file, 4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES:
        raise ValueError(f"read_idx: {name} is not an IDX file: it starts with {bytes(magic)!r}")
    dimensions = magic[3]
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise ValueError(f"read_idx: {name} declares {dimensions} dimensions, expected 1 to {MAX_DIMENSIONS}")
    sizes = read_upto(file, 4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise ValueError(f"read_idx: {name} is truncated in its header")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    dtype: np.dtype[np.generic] = np.dtype(TYPES[magic[2]])
    # NumPy rejects shapes whose product, ignoring zeros, exceeds the address space.
    if math.prod(max(n, 1) for n in shape) * dtype.itemsize > sys.maxsize:
        raise ValueError(f"read_idx: {name} declares shape {shape}, which exceeds the address space")
    return dtype, shape


def read_upto(file: Readable, size: int) -> bytearray:
    """The next `size` bytes, or all remaining ones."""
    data = bytearray()
    while len(data) < size and (piece := file.read(min(CHUNK, size - len(data)))):
        data += piece
    return data
