"""Writes ``.pt`` files that ``torch.load(weights_only=True)`` reads: see ``reader.py`` for the format."""

from __future__ import annotations

import struct
import zipfile
from collections import OrderedDict
from typing import IO, Any

import numpy as np

from cygrad._pt.reader import STORAGES
from cygrad._typing import Array
from cygrad.autograd.arrays import plain
from cygrad.config import follows_torch
from cygrad.tensor import Tensor

__all__ = ["save_pt"]

NAMES = {np.dtype(dtype): name for name, dtype in STORAGES.items() if dtype != "bfloat16"}


def save_pt(file: IO[bytes], obj: Any) -> None:
    """Write an object: tensors, arrays, numbers, strings, booleans and None in dicts, lists and tuples.

    Raises:
        TypeError: the object contains something else.
    """
    writer = Writer()
    writer.value(obj, ())
    entries = {"data.pkl": b"\x80\x02" + b"".join(writer.parts) + b".", "byteorder": b"little"}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:

        def add(name: str, data: Any) -> None:
            archive.writestr(zipfile.ZipInfo(f"archive/{name}", (1980, 1, 1, 0, 0, 0)), data)

        for name, data in entries.items():
            add(name, data)
        for number, array in enumerate(writer.storages):
            add(f"data/{number}", array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        add("version", b"3\n")


class Writer:
    """Writes the pickle of an object, protocol 2, and collects the arrays."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.storages: list[Array] = []
        self.numbers: dict[int, int] = {}  # of storages, by the id of their array

    def value(self, value: Any, path: tuple[str, ...]) -> None:
        """Write any value; `path` says where it is in the object."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or value is True or value is False:
            self.parts.append({None: b"N", True: b"\x88", False: b"\x89"}[value])
        elif type(value) is int:
            self.integer(value)
        elif type(value) is float:
            self.parts.append(b"G" + struct.pack(">d", value))
        elif type(value) is str:
            self.text(value)
        elif isinstance(value, np.ndarray) and follows_torch():
            self.array(value)
        elif isinstance(value, (Tensor, np.ndarray)):
            self.tensor(value.array if isinstance(value, Tensor) else plain("save", value))
        elif isinstance(value, dict):
            self.mapping(value, path)
        elif isinstance(value, (list, tuple)):
            self.parts.append(b"](" if isinstance(value, list) else b"(")
            for i, item in enumerate(value):
                self.value(item, (*path, str(i)))
            self.parts.append(b"e" if isinstance(value, list) else b"t")
        else:
            where = f" at {'.'.join(path)}" if path else ""
            raise TypeError(f"save: a {type(value).__name__}{where} can't be saved in a .pt file")

    def integer(self, value: int) -> None:
        if -(2**31) <= value < 2**31:
            self.parts.append(b"J" + struct.pack("<i", value))
        else:
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            if len(data) > 255:
                raise TypeError("save: an integer of more than 255 bytes can't be saved")
            self.parts.append(b"\x8a" + bytes([len(data)]) + data)

    def text(self, value: str) -> None:
        data = value.encode("utf-8", "surrogatepass")
        self.parts.append(b"X" + struct.pack("<I", len(data)) + data)

    def mapping(self, value: dict[Any, Any], path: tuple[str, ...]) -> None:
        self.parts.append(b"ccollections\nOrderedDict\n)R(" if isinstance(value, OrderedDict) else b"}(")
        for key, item in value.items():
            if not isinstance(key, (str, int, float, bool, type(None), tuple)):
                raise TypeError(f"save: a key of type {type(key).__name__} can't be saved")
            self.value(key, (*path, "key"))
            self.value(item, (*path, str(key)))
        self.parts.append(b"u")

    def array(self, array: Array) -> None:
        """An array of NumPy as such: a call of _reconstruct, then its shape, dtype, order and elements."""
        if array.dtype.kind not in "?biufcSU":
            raise TypeError(f"save: a .pt file can't hold an array of {array.dtype}")
        array = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
        self.parts.append(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n")
        self.value((0,), ())
        self.bytes_as_text(b"b")
        self.parts.append(b"tR(")
        for part in (1, tuple(array.shape)):
            self.value(part, ())
        self.parts.append(b"cnumpy\ndtype\n")
        self.value((array.dtype.str[1:], False, True), ())
        self.parts.append(b"R")
        self.value(array.dtype.__reduce__()[2], ())  # with the byte order
        self.parts.append(b"b\x89")
        self.bytes_as_text(array.tobytes())
        self.parts.append(b"tb")

    def bytes_as_text(self, data: bytes) -> None:
        """Bytes, which protocol 2 has as text in Latin-1."""
        self.parts.append(b"c_codecs\nencode\n(")
        self.text(data.decode("latin1"))
        self.text("latin1")
        self.parts.append(b"tR")

    def tensor(self, array: Array) -> None:
        """A call of _rebuild_tensor_v2 with the storage, its offset, size, strides, requires_grad and no hooks."""
        if array.dtype not in NAMES:
            raise TypeError(f"save: a .pt file can't hold {array.dtype}; convert it with to()")
        number = self.numbers.get(id(array))
        if number is None:
            number = self.numbers[id(array)] = len(self.storages)
            self.storages.append(np.ascontiguousarray(array).reshape(array.shape))
        strides = [int(np.prod(array.shape[i + 1 :], dtype=np.int64)) for i in range(array.ndim)]
        self.parts.append(b"ctorch._utils\n_rebuild_tensor_v2\n((")
        self.text("storage")
        self.parts.append(b"ctorch\n" + NAMES[array.dtype].encode() + b"\n")
        for item in (str(number), "cpu"):
            self.text(item)
        self.integer(array.size)
        self.parts.append(b"tQ")
        for part in (0, tuple(array.shape), tuple(strides), False):
            self.value(part, ())
        self.parts.append(b"ccollections\nOrderedDict\n)RtR")
