"""Reads PyTorch's ``.pt`` files without pickle: opcodes are interpreted here, and no code in the file is executed.

Such a file is a ZIP archive of ``data.pkl``, a pickle that describes the object, and ``data/0``, ``data/1``, …, the
bytes of the storages, uncompressed. Sources: the documentation of ``torch.save`` ("Serialization semantics"), and that
of Python's ``pickletools``.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, Any, Literal

import numpy as np

from cygrad._files import one_line
from cygrad._pt.numpy_arrays import NUMPY, ArrayType, fill_array
from cygrad._pt.pickled import ENTRY, load_pickled
from cygrad._typing import Array
from cygrad.device import device
from cygrad.tensor import Tensor

__all__ = ["load_pt"]

LARGEST_PICKLE = 2**26  # bytes
STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "|i1", "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}  # fmt: skip


class Mark:
    """A place on the stack."""


class Storage:
    """The elements of a storage; half precision is widened to float32."""

    def __init__(self, elements: Array) -> None:
        self.elements = elements


def load_pt(file: IO[bytes], path: str, run_code: bool = False) -> Any:
    """The object in a ``.pt`` file. Pickled objects, such as whole modules, are read only with `run_code`.

    Raises:
        ValueError: the file is truncated, corrupt, of another kind, or contains more than tensors, numbers, strings and
            containers.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if ENTRY not in archive.namelist():
                return Reader(archive).read()
            if not run_code:
                raise Refused("is a pickled object; weights_only=False executes the code that it names")
            return load_pickled(archive)
    except MemoryError:
        raise
    except Refused as error:
        raise ValueError(f"load: {path} {error}") from None
    except Exception as error:  # zipfile and pickletools raise many types for corrupt data
        raise ValueError(f"load: {path} is truncated, corrupt or no .pt file of PyTorch ({one_line(error)})") from None


class Refused(Exception):
    """What is valid, but not read."""


class Reader:
    """The stack machine of a pickle, as far as such files need it.

    Args:
        archive: the ZIP archive.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        (name,) = [entry for entry in archive.namelist() if entry.endswith("/data.pkl")]
        self.folder = name.removesuffix("data.pkl")
        self.storages: dict[str, Storage] = {}
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.order = "little"
        if f"{self.folder}byteorder" in archive.namelist():
            self.order = self.bytes_of(f"{self.folder}byteorder", 16).decode()
        self.pickle = self.bytes_of(name, LARGEST_PICKLE)

    def bytes_of(self, name: str, most: int) -> bytes:
        """An entry, which must not be compressed."""
        entry = self.archive.getinfo(name)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > most:
            raise ValueError(f"{name} is compressed, or larger than {most:,} bytes")
        return self.archive.read(entry)

    def read(self) -> Any:
        """The object."""
        argument: Any
        for opcode, argument, _ in pickletools.genops(self.pickle):
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            if name in VALUES:
                self.stack.append(VALUES[name](argument))
            elif name in ("PROTO", "FRAME"):
                continue
            elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
                self.memo[argument] = self.stack[-1]
            elif name == "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            elif name in ("BINGET", "LONG_BINGET", "GET"):
                self.stack.append(self.memo[argument])
            elif name in ACTIONS:
                ACTIONS[name](self)
            elif name == "GLOBAL":
                self.stack.append(Name(*argument.split(" ", 1)))
            else:
                raise Refused(f"contains the pickle opcode {name}, which is not read")
        raise ValueError("the pickle has no end")

    def since_mark(self) -> list[Any]:
        """The values above the latest mark, which are taken off."""
        start = len(self.stack) - 1
        while not isinstance(self.stack[start], Mark):
            start -= 1
            if start < 0:
                raise ValueError("a mark is missing")
        items = self.stack[start + 1 :]
        del self.stack[start:]
        return items

    def reduce(self) -> None:
        """Call one of the functions that are known."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Name) or str(function) not in FUNCTIONS or not isinstance(arguments, tuple):
            raise Refused(f"calls {function}, which is not among what is read: {', '.join(FUNCTIONS)}")
        self.stack.append(FUNCTIONS[str(function)](*arguments))

    def build(self) -> None:
        """Set attributes of an OrderedDict, such as the metadata of a state dict, or fill an array."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(state, tuple) and isinstance(target, ArrayType):
            target.set_state(state)
        elif isinstance(state, tuple) and isinstance(target, np.ndarray):
            fill_array(target, state)
        elif not isinstance(target, OrderedDict) or not isinstance(state, dict):
            raise Refused(f"sets attributes of a {type(target).__name__}, which is not read")
        elif "_metadata" in state:
            target._metadata = state["_metadata"]  # type: ignore[attr-defined]

    def storage(self) -> None:
        """The storage that a persistent id names: ("storage", type, key, location, number of elements)."""
        kind, dtype, key, _, count = self.stack.pop()
        if kind != "storage" or not isinstance(dtype, Name) or dtype.name not in STORAGES:
            raise Refused(f"contains a storage of {dtype}; there are {', '.join(STORAGES)}")
        if key not in self.storages:
            self.storages[key] = self.read_storage(str(key), STORAGES[dtype.name], int(count))
        self.stack.append(self.storages[key])

    def read_storage(self, key: str, dtype: str, count: int) -> Storage:
        name = f"{self.folder}data/{key}"
        size = 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
        if count < 0 or self.archive.getinfo(name).file_size < count * size:
            raise ValueError(f"{name} has fewer than {count} elements")
        data = self.bytes_of(name, self.archive.getinfo(name).file_size)
        order: Literal["<", ">"] = ">" if self.order == "big" else "<"
        if dtype == "bfloat16":
            bits = np.frombuffer(data, f"{order}u2", count).astype(np.uint32) << 16
            return Storage(bits.view(np.float32))
        elements = np.frombuffer(data, np.dtype(dtype).newbyteorder(order), count)
        wide = np.float32 if dtype == "<f2" else np.dtype(dtype).newbyteorder("=")
        return Storage(elements.astype(wide))


class Name:
    """A name that the file refers to."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


def tensor(storage: Any, offset: int, size: Any, stride: Any, requires_grad: bool = False, *_: Any) -> Tensor:
    """A tensor over a storage; the last element must lie in it."""
    elements = storage.elements
    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    empty = 0 in size
    last = int(offset) + sum((n - 1) * s for n, s in zip(size, stride))
    if len(size) != len(stride) or len(size) > 64 or min((*size, *stride, int(offset)), default=0) < 0:
        raise ValueError(f"a tensor of size {size} and strides {stride} is impossible")
    if not empty and last >= len(elements):
        raise ValueError(f"a tensor of size {size} is larger than its storage of {len(elements)} elements")
    start = elements[: 0 if empty else None][int(offset) if not empty else 0 :]
    view = np.lib.stride_tricks.as_strided(start, size, [0 if empty else s * elements.itemsize for s in stride])
    return Tensor(np.array(view) if empty else view, bool(requires_grad) and elements.dtype.kind == "f")


def parameter(data: Tensor, requires_grad: bool = True, *_: Any) -> Tensor:
    """A parameter, as a tensor."""
    if not isinstance(data, Tensor):
        raise ValueError("a parameter is not a tensor")
    return data.detach().requires_grad_(bool(requires_grad))


def ordered(items: Any = ()) -> OrderedDict[Any, Any]:
    return OrderedDict(items)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor_v2": tensor,
    "torch._utils._rebuild_tensor": tensor,
    "torch._utils._rebuild_parameter": parameter,
    "collections.OrderedDict": ordered,
    "torch.Size": tuple,
    "torch.device": device,
    **NUMPY,
}
AS_THEY_ARE = (
    "BINUNICODE SHORT_BINUNICODE BINUNICODE8 UNICODE BININT BININT1 BININT2 INT LONG LONG1 LONG4 BINFLOAT FLOAT "
    "BINBYTES SHORT_BINBYTES BINSTRING SHORT_BINSTRING STRING"
)
VALUES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(AS_THEY_ARE.split(), lambda value: value),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "MARK": lambda _: Mark(),
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
}


def set_items(reader: Reader, items: list[Any]) -> None:
    """Put keys and values into the dict on top of the stack."""
    target = reader.stack[-1]
    if not isinstance(target, dict) or len(items) % 2:
        raise ValueError("items are set of something else than a dict")
    target.update(zip(items[::2], items[1::2]))


def extend(reader: Reader, items: list[Any]) -> None:
    """Append to the list on top of the stack."""
    target = reader.stack[-1]
    if not isinstance(target, list):
        raise ValueError("items are appended to something else than a list")
    target += items


def popped(reader: Reader, count: int) -> list[Any]:
    """The values on top of the stack, which are taken off."""
    if len(reader.stack) < count:
        raise ValueError("values are missing")
    items = reader.stack[len(reader.stack) - count :]
    del reader.stack[len(reader.stack) - count :]
    return items


def push(reader: Reader, value: Any) -> None:
    reader.stack.append(value)


ACTIONS: dict[str, Callable[[Reader], None]] = {
    "TUPLE": lambda r: push(r, tuple(r.since_mark())),
    "TUPLE1": lambda r: push(r, tuple(popped(r, 1))),
    "TUPLE2": lambda r: push(r, tuple(popped(r, 2))),
    "TUPLE3": lambda r: push(r, tuple(popped(r, 3))),
    "LIST": lambda r: push(r, r.since_mark()),
    "SETITEM": lambda r: set_items(r, popped(r, 2)),
    "SETITEMS": lambda r: set_items(r, r.since_mark()),
    "APPEND": lambda r: extend(r, popped(r, 1)),
    "APPENDS": lambda r: extend(r, r.since_mark()),
    "STACK_GLOBAL": lambda r: push(r, Name(*map(str, popped(r, 2)))),
    "REDUCE": Reader.reduce,
    "BUILD": Reader.build,
    "BINPERSID": Reader.storage,
}
