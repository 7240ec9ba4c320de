"""The part of Protocol Buffers' wire format that TensorBoard's messages need.

A message is the concatenation of its fields, and a field is a key, number·8 + wire type, and a value.
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

import numpy as np

from cygrad._typing import Array

__all__ = ["data", "double", "doubles", "fields", "integer", "real", "varint"]

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def varint(value: int) -> bytes:
    """Seven bits per byte, lowest first; all bytes but the last have the eighth bit set. Negative numbers are taken
    modulo 2⁶⁴.

    >>> varint(300), len(varint(-1))
    (b'\\xac\\x02', 10)
    """
    rest = value % 2**64
    result = bytearray()
    while rest > 127:
        result.append(rest & 127 | 128)
        rest >>= 7
    result.append(rest)
    return bytes(result)


def key(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def integer(number: int, value: int) -> bytes:
    """A field of type int32, int64, bool or enum."""
    return key(number, VARINT) + varint(int(value))


def real(number: int, value: float) -> bytes:
    """A field of type float; values that are too large become infinite."""
    try:
        return key(number, FIXED32) + struct.pack("<f", value)
    except OverflowError:
        return key(number, FIXED32) + struct.pack("<f", math.copysign(math.inf, value))


def double(number: int, value: float) -> bytes:
    """A field of type double."""
    return key(number, FIXED64) + struct.pack("<d", value)


def data(number: int, value: bytes | str) -> bytes:
    """A field of type bytes, string or message."""
    content = value.encode() if isinstance(value, str) else value
    return key(number, LENGTH) + varint(len(content)) + content


def doubles(number: int, values: Array) -> bytes:
    """A repeated field of doubles, packed."""
    return data(number, np.asarray(values, "<f8").tobytes())


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The numbers and values of a message's fields: an int for a varint, else bytes.

    Raises ValueError if the message is malformed.

    >>> list(fields(integer(1, 300) + data(2, "ab")))
    [(1, 300), (2, b'ab')]
    """
    offset = 0
    while offset < len(message):
        tag, offset = read_varint(message, offset)
        wire_type = tag & 7
        if wire_type == VARINT:
            value, offset = read_varint(message, offset)
            yield tag >> 3, value
            continue
        sizes = {FIXED64: 8, FIXED32: 4}
        if wire_type != LENGTH and wire_type not in sizes:
            raise ValueError(f"fields: unknown wire type {wire_type}")
        size, offset = read_varint(message, offset) if wire_type == LENGTH else (sizes[wire_type], offset)
        if offset + size > len(message):
            raise ValueError("fields: the message ends inside a field")
        yield tag >> 3, message[offset : offset + size]
        offset += size


def read_varint(message: bytes, offset: int) -> tuple[int, int]:
    """A varint, and the offset after it."""
    value = 0
    for shift in range(0, 70, 7):
        if offset >= len(message):
            break
        byte, offset = message[offset], offset + 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, offset
    raise ValueError("fields: the message ends inside a varint")
