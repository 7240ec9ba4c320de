"""TFRecord, the framing of event files: length, its checksum, the data, their checksum.

The checksums are CRC-32C (G. Castagnoli et al. 1993; RFC 3720, appendix B.4), rotated and added to a constant, so that
data which hold checksums of their own stay good data: https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

from __future__ import annotations

import functools
import struct

import numpy as np

from cygrad._typing import Array

__all__ = ["crc32c", "masked", "record"]

BLOCK = 256  # bytes whose checksum NumPy computes at once
POLYNOMIAL = 0x82F63B78  # Castagnoli's, the lowest coefficient in the highest bit
MASK = 0xA282EAD8


def table() -> list[int]:
    """The checksum's change by each value of a byte."""
    result = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        result.append(value)
    return result


TABLE = table()


@functools.cache
def tables() -> Array:
    """(BLOCK, 256): what a byte of each value contributes to the checksum of a block, by its place."""
    behind = [np.array(TABLE, np.uint32)]  # by the number of bytes behind it, each of which shifts it once more
    for _ in range(BLOCK - 1):
        behind.append(behind[0][behind[-1] & 255] ^ behind[-1] >> np.uint32(8))
    return np.stack(behind[::-1])


def crc32c(data: bytes) -> int:
    """The CRC-32C of some bytes.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    entries, value, done = TABLE, 0xFFFFFFFF, 0
    if len(data) > BLOCK:
        value, done = after_blocks(value, data)
    for byte in data[done:]:
        value = entries[(value ^ byte) & 255] ^ value >> 8
    return value ^ 0xFFFFFFFF


def after_blocks(value: int, data: bytes) -> tuple[int, int]:
    """The checksum behind all whole blocks, and where they end.

    The checksum is linear: every byte contributes by its place and its value, added modulo 2, and so do the four
    bytes of the checksum so far, as if added to the first four of the block.
    """
    contributed = tables()
    blocks = np.frombuffer(data, np.uint8, len(data) // BLOCK * BLOCK).reshape(-1, BLOCK)
    sums = np.bitwise_xor.reduce(contributed[np.arange(BLOCK), blocks], axis=1)
    first, second, third, fourth = contributed[:4].tolist()
    for total in sums.tolist():
        value = total ^ first[value & 255] ^ second[value >> 8 & 255] ^ third[value >> 16 & 255] ^ fourth[value >> 24]
    return value, blocks.size


def masked(checksum: int) -> int:
    """((checksum >>> 15 or its lower bits ≪ 17) + constant) modulo 2³²"""
    return ((checksum >> 15 | checksum << 17) + MASK) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """The framed form of some data."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(crc32c(length))) + data + struct.pack("<I", masked(crc32c(data)))
