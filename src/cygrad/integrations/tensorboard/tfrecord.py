"""TFRecord, the framing of event files: length, its checksum, the data, their checksum.

The checksums are CRC-32C (G. Castagnoli et al. 1993; RFC 3720, appendix B.4), rotated and added to a constant, so that
data which hold checksums of their own stay good data: https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

from __future__ import annotations

import struct

__all__ = ["crc32c", "masked", "record"]

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


def crc32c(data: bytes) -> int:
    """The CRC-32C of some bytes.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    entries, value = TABLE, 0xFFFFFFFF
    for byte in data:
        value = entries[(value ^ byte) & 255] ^ value >> 8
    return value ^ 0xFFFFFFFF


def masked(checksum: int) -> int:
    """((checksum >>> 15 or its lower bits ≪ 17) + constant) modulo 2³²"""
    return ((checksum >> 15 | checksum << 17) + MASK) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """The framed form of some data."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(crc32c(length))) + data + struct.pack("<I", masked(crc32c(data)))
