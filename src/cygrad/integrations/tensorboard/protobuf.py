"""The wire format of Protocol Buffers, as far as TensorBoard's messages need it.

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
    """Seven bits a byte, the lowest first; all but the last have the eighth bit set. Negative numbers are taken
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
    """A field of type float; what is too large for it is infinite."""
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

    Raises ValueError where it is no message.

    >>> list(fields(integer(1, 300) + data(2, "ab")))
    [(1, 300), (2, b'ab')]
    """
    place = 0
    while place < len(message):
        tag, place = read_varint(message, place)
        wire_type = tag & 7
        if wire_type == VARINT:
            value, place = read_varint(message, place)
            yield tag >> 3, value
            continue
        sizes = {FIXED64: 8, FIXED32: 4}
        if wire_type != LENGTH and wire_type not in sizes:
            raise ValueError(f"fields: there is no wire type {wire_type}")
        size, place = read_varint(message, place) if wire_type == LENGTH else (sizes[wire_type], place)
        if place + size > len(message):
            raise ValueError("fields: the message ends within a field")
        yield tag >> 3, message[place : place + size]
        place += size


def read_varint(message: bytes, place: int) -> tuple[int, int]:
    """A number, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte, place = message[place], place + 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("fields: the message ends within a number")
