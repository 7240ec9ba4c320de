"""``save`` and ``load``: state dicts in files that can hold numbers and text, and never code.

A ``.npz`` file is NumPy's own: one array a tensor, under the tensor's name. A ``.safetensors`` file is
that of the safetensors package, which PyTorch and others read and write. What is not an array, the
nesting of dicts and lists and the plain values in them, stands beside the arrays as JSON.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from cygrad._files import atomic_write
from cygrad._typing import Array
from cygrad.tensor import Tensor

__all__ = ["load", "save"]

STRUCTURE = "__structure__"  # the entry, or the metadata, that holds the JSON
PLAIN = (bool, int, float, str, type(None))


def save(obj: Any, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
    """Saves a state dict, or any nesting of dicts, lists and tuples of tensors, arrays, numbers, strings,
    booleans and None.

    `path` ends in ``.npz``, or in ``.safetensors`` where the safetensors package is installed. The file is
    replaced as a whole: a crash while saving leaves the old one. A parameter is saved as a tensor. `metadata` is text
    for the header of a ``.safetensors`` file, where other programs look for it: "format", "pt" tells those that ask
    for PyTorch's names and layout, which ours are.

    Raises TypeError for what can't be saved, and OSError where the file can't be written.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "layer.npz")
    >>> cg.save(cg.nn.Linear(3, 2).state_dict(), path)
    >>> sorted(cg.load(path))
    ['bias', 'weight']
    """
    kind = kind_of("save", path)
    notes = dict(metadata or {})
    check_metadata(notes, kind)
    arrays: dict[str, Array] = {}
    structure = encode(obj, (), arrays)
    with atomic_write("save", path) as file:
        if kind == ".npz":
            write_npz(file, arrays, structure)
        else:
            write_safetensors(file, arrays, structure, notes)


def check_metadata(metadata: dict[str, str], kind: str) -> None:
    """Raises ValueError or TypeError where the file can't hold it."""
    if metadata and kind != ".safetensors":
        raise ValueError(f"save: metadata goes into .safetensors files, not into {kind}")
    for key, value in metadata.items():
        if type(key) is not str or type(value) is not str:
            raise TypeError(f"save: metadata must be strings, got {key!r}: {type(value).__name__}")
    if STRUCTURE in metadata:
        raise ValueError(f"save: the name {STRUCTURE} in the metadata is taken")


def load(path: str | os.PathLike[str]) -> Any:
    """What ``save`` saved. A file of arrays from elsewhere, NumPy's ``savez`` or a PyTorch model's
    safetensors, becomes a dict of tensors.

    Raises ValueError for a file that is truncated, corrupt, or not of these kinds.
    """
    kind = kind_of("load", path)
    read = read_npz if kind == ".npz" else read_safetensors
    with open(path, "rb") as file:
        arrays, text = read(file, os.fspath(path))
    if text is None:
        return {name: Tensor(array) for name, array in arrays.items()}
    return decode_file(text, arrays, os.fspath(path))


def kind_of(op: str, path: str | os.PathLike[str]) -> str:
    """The ending of the file's name, one of the two known."""
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending not in (".npz", ".safetensors"):
        pickled = "; pickled files can run code, and are not read" if ending in (".pt", ".pth", ".pkl") else ""
        raise ValueError(f"{op}: the file must end in .npz or .safetensors, got {os.fspath(path)!r}{pickled}")
    return ending


# Structure


def encode(value: Any, path: tuple[str, ...], arrays: dict[str, Array]) -> Any:
    """The JSON form of a value; its tensors and arrays are added to `arrays`."""
    if isinstance(value, (Tensor, np.ndarray)):
        array = value.array if isinstance(value, Tensor) else value
        if array.dtype.hasobject or array.dtype.names:
            raise TypeError(f"save: {'.'.join(path) or 'obj'} is an array of {array.dtype}, not of numbers")
        name = free_name(plain_name("/".join(path)) or "array", arrays)
        arrays[name] = array
        return {"tensor" if isinstance(value, Tensor) else "array": name}
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) in PLAIN:
        return value
    if isinstance(value, Mapping):
        for key in value:
            if type(key) not in PLAIN:
                raise TypeError(f"save: a key must be a string or a number, got {type(key).__name__}")
        return {"dict": [[key, encode(item, (*path, str(key)), arrays)] for key, item in value.items()]}
    if type(value) in (list, tuple):
        items = [encode(item, (*path, str(i)), arrays) for i, item in enumerate(value)]
        return {type(value).__name__: items}
    raise TypeError(f"save: {'.'.join(path) or 'obj'} is a {type(value).__name__}, which can't be saved")


def plain_name(name: str) -> str:
    """`name` without what archives do not keep: they end names at a zero byte, take a backslash for a slash, and have
    no bytes for half a surrogate pair."""
    return name.replace("\0", "?").replace("\\", "?").encode("utf-8", "replace").decode()


def free_name(name: str, arrays: dict[str, Array]) -> str:
    """`name`, with a number behind it if it is taken."""
    names = [name, *(f"{name}~{number}" for number in range(1, len(arrays) + 2))]
    return next(candidate for candidate in names if candidate not in arrays and candidate != STRUCTURE)


def decode_file(text: str, arrays: dict[str, Array], path: str) -> Any:
    """The value of a whole file."""
    import json

    try:
        return decode(json.loads(text), arrays)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"load: {path} is corrupt: its structure can't be read ({error!r})") from None


def decode(node: Any, arrays: dict[str, Array]) -> Any:
    """The value of a JSON form."""
    if type(node) in PLAIN:
        return node
    ((kind, content),) = node.items()
    if kind == "tensor":
        return Tensor(arrays[content])
    if kind == "array":
        return arrays[content]
    if kind == "dict":
        return {key: decode(item, arrays) for key, item in content}
    items = [decode(item, arrays) for item in content]
    return {"list": list, "tuple": tuple}[kind](items)


def is_flat(structure: Any, arrays: dict[str, Array]) -> bool:
    """Whether the names of the arrays tell everything: a dict of tensors under their own names."""
    pairs = structure["dict"] if isinstance(structure, dict) and "dict" in structure else None
    return pairs is not None and pairs == [[name, {"tensor": name}] for name in arrays]


# NumPy's format


def write_npz(file: IO[bytes], arrays: dict[str, Array], structure: Any) -> None:
    import json
    import zipfile

    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        if not is_flat(structure, arrays):
            arrays = {**arrays, STRUCTURE: np.array(json.dumps(structure))}
        for name, array in arrays.items():
            # A fixed date: the same weights give the same file.
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asarray(array, order="C"), allow_pickle=False)


def read_npz(file: IO[bytes], path: str) -> tuple[dict[str, Array], str | None]:
    import struct
    import zipfile
    import zlib

    arrays = {}
    length = os.fstat(file.fileno()).st_size
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as stream:
                    # No deflated byte gives more than 1,032: RFC 1951.
                    most = min(entry.compress_size, length) * (1 if entry.compress_type == 0 else 1032)
                    name = entry.filename.removesuffix(".npy")
                    arrays[name] = read_array(stream, entry.file_size, most)
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        raise ValueError(f"load: {path} is truncated, corrupt or no file of arrays: {error}") from None
    structure = arrays.pop(STRUCTURE, None)
    return arrays, None if structure is None else str(structure)


def read_array(stream: Any, length: int, most: int) -> Array:
    """The array of one entry, said to have `length` bytes and able to hold `most`. No memory is taken
    before its size is known to agree."""
    form = np.lib.format
    version = form.read_magic(stream)
    shape, fortran, dtype = (form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0)(stream)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects, which can run code")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or stream.tell() + size != length or size > most:
        raise ValueError(f"an array of shape {shape} does not fit its {length} bytes")
    array = np.empty(shape, dtype, order="F" if fortran else "C")
    if size and stream.readinto(array.reshape(-1, order="A").view(np.uint8)) != size:
        raise ValueError("an array ends early")
    stream.read(1)  # at the end the checksum is compared
    return array


# safetensors


def write_safetensors(file: IO[bytes], arrays: dict[str, Array], structure: Any, metadata: dict[str, str]) -> None:
    import json

    package = safetensors("save")
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    try:
        file.write(package.numpy.save(contiguous, {**metadata, STRUCTURE: json.dumps(structure)}))
    except package.SafetensorError as error:
        raise TypeError(f"save: safetensors can't hold an array ({error})") from None


def read_safetensors(file: IO[bytes], path: str) -> tuple[dict[str, Array], str | None]:
    package = safetensors("load")
    try:
        with package.safe_open(path, framework="np") as opened:
            text = (opened.metadata() or {}).get(STRUCTURE)
            names = opened.keys()
            kinds = {name: opened.get_slice(name).get_dtype() for name in names}
            check_kinds(kinds, path)
            if "BF16" not in kinds.values():
                return {name: opened.get_tensor(name) for name in names}, text
        entries = package.deserialize(file.read())
    except package.SafetensorError as error:
        raise ValueError(f"load: {path} is truncated or corrupt: {error}") from None
    return {name: from_bytes(entry) for name, entry in entries}, text


# NumPy's dtypes by safetensors' names; bfloat16, which NumPy does not have, is read as bits and becomes float32.
KINDS = {
    "BOOL": "?", "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "I8": "i1", "I16": "<i2", "I32": "<i4",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<c8", "BF16": "<u2",
}  # fmt: skip


def check_kinds(kinds: dict[str, str], path: str) -> None:
    """Raises ValueError for a dtype that has no counterpart here."""
    for name, kind in kinds.items():
        if kind not in KINDS:
            raise ValueError(f"load: {path} holds {name!r} in {kind}, which NumPy does not have")


def from_bytes(entry: dict[str, Any]) -> Array:
    """A tensor of safetensors as an array."""
    array = np.frombuffer(entry["data"], KINDS[entry["dtype"]]).reshape(entry["shape"])
    return (array.astype(np.uint32) << 16).view(np.float32) if entry["dtype"] == "BF16" else array


def safetensors(op: str) -> Any:
    """The package safetensors, with its part for NumPy."""
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise ImportError(f"{op}: a .safetensors file needs the package: pip install safetensors") from None
    return safetensors
