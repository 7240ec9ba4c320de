"""TFRecord, the framing of event files: the length, its checksum, the data, their checksum.

The checksums are CRC-32C (G. Castagnoli et al. 1993; RFC 3720, appendix B.4), rotated and added to a constant, because
a CRC of data that contain CRCs is weak: https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

from __future__ import annotations

import functools
import struct

import numpy as np

from cygrad._typing import Array

__all__ = ["crc32c", "masked", "record"]

BLOCK = 256  # bytes per vectorized step
POLYNOMIAL = 0x82F63B78  # Castagnoli's, with the lowest coefficient in the highest bit
MASK = 0xA282EAD8


def build_crc_table() -> list[int]:
    """The change of the checksum by each value of a byte."""
    result = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        result.append(value)
    return result


CRC_TABLE = build_crc_table()


@functools.cache
def block_tables() -> Array:
    """The contribution of a byte to the checksum of a block, by its offset and value (BLOCK, 256)."""
    tables = [np.array(CRC_TABLE, np.uint32)]  # by the number of bytes that follow; each shifts the value once more
    for _ in range(BLOCK - 1):
        tables.append(tables[0][tables[-1] & 255] ^ tables[-1] >> np.uint32(8))
    return np.stack(tables[::-1])


def crc32c(data: bytes) -> int:
    """The CRC-32C of bytes.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    table, value, start = CRC_TABLE, 0xFFFFFFFF, 0
    if len(data) > BLOCK:
        value, start = crc_of_blocks(value, data)
    for byte in data[start:]:
        value = table[(value ^ byte) & 255] ^ value >> 8
    return value ^ 0xFFFFFFFF


def crc_of_blocks(value: int, data: bytes) -> tuple[int, int]:
    """The checksum after all complete blocks, and the offset of the rest.

    The checksum is linear: it is the sum modulo 2 of a contribution of each byte, which depends on offset and value.
    The four bytes of the previous checksum count as if added to the first four bytes of the block.
    """
    tables = block_tables()
    blocks = np.frombuffer(data, np.uint8, len(data) // BLOCK * BLOCK).reshape(-1, BLOCK)
    sums = np.bitwise_xor.reduce(tables[np.arange(BLOCK), blocks], axis=1)
    first, second, third, fourth = tables[:4].tolist()
    for total in sums.tolist():
        value = total ^ first[value & 255] ^ second[value >> 8 & 255] ^ third[value >> 16 & 255] ^ fourth[value >> 24]
    return value, blocks.size


def masked(checksum: int) -> int:
    """(checksum rotated right by 15 bits + MASK) modulo 2³²"""
    return ((checksum >> 15 | checksum << 17) + MASK) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """A framed record of data."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(crc32c(length))) + data + struct.pack("<I", masked(crc32c(data)))
