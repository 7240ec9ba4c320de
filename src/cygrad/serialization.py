"""``save`` and ``load``: state dicts in files that contain numbers and text, never code.

A ``.npz`` file is a NumPy archive with one array per tensor, under the tensor's name. A ``.safetensors`` file has the
format of the safetensors package, which PyTorch and others read and write. Everything else, the nesting of dicts and
lists and the plain values in them, is stored next to the arrays as JSON.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from cygrad._files import atomic_write, expansion_limit, one_line, open_file
from cygrad._typing import Array
from cygrad.config import follows_torch
from cygrad.device import check_device, device
from cygrad.tensor import Tensor

__all__ = ["load", "save"]

OWN = (".npz", ".safetensors")
TORCH = (".pt", ".pth", ".ckpt")  # suffixes of files in PyTorch's format
STRUCTURE = "__structure__"  # the archive entry, or metadata key, of the JSON
PLAIN = (bool, int, float, str, type(None))
FILE_LIKE = MAP_LOCATION = Any  # in annotations of programs
DEFLATE_RATIO = 1032  # it encodes at most 258 bytes in 2 bits: RFC 1951, section 3.2.5


def save(
    obj: Any,
    f: str | os.PathLike[str] | IO[bytes],
    pickle_module: object = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Save a state dict, or any nesting of dicts, lists and tuples of tensors, arrays, numbers, strings, booleans and
    None.

    The file is replaced atomically: a crash while saving leaves the old file intact. Parameters are saved as tensors.

    Args:
        obj: the object.
        f: a ``.npz`` file; a ``.safetensors`` file if the safetensors package is installed; a ``.pt``, ``.pth`` or
            ``.ckpt`` file, which ``torch.load`` reads too; or an open binary file, to be written in the last format.
        pickle_module, pickle_protocol, _use_new_zipfile_serialization: accepted, without effect.
        metadata: strings for the header of a ``.safetensors`` file. ``{"format": "pt"}`` tells other programs that
            names and layout are PyTorch's, as cygrad's are.

    Raises:
        ImportError: if the safetensors package is required but not installed.
        OSError: if the file can't be written.
        TypeError: if the object contains a value that can't be saved, or the metadata is not text.
        ValueError: if the suffix is another one, the object is nested too deeply, or metadata is given for a ``.npz``
            file.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "layer.npz")
    >>> cg.save(cg.nn.Linear(3, 2).state_dict(), path)
    >>> sorted(cg.load(path))
    ['bias', 'weight']
    """
    if not isinstance(f, (str, os.PathLike)):
        save_pt_file(obj, opened("save", f, "write"))
        return
    suffix = file_suffix("save", f)
    header = dict(metadata or {})
    check_metadata(header, suffix)
    if suffix in TORCH:
        with atomic_write("save", f) as file:
            save_pt_file(obj, file)
        return
    arrays = Arrays()
    try:
        structure = encode(obj, (), arrays)
    except RecursionError:
        raise ValueError("save: the object is nested too deeply, or contains itself") from None
    with atomic_write("save", f) as file:
        if suffix == ".npz":
            save_npz(file, arrays, structure)
        else:
            save_safetensors(file, arrays, structure, header)


def save_pt_file(obj: Any, file: IO[bytes]) -> None:
    """Write an object in PyTorch's format."""
    from cygrad._pt.writer import save_pt

    try:
        save_pt(file, obj)
    except RecursionError:
        raise ValueError("save: the object is nested too deeply, or contains itself") from None
    except TypeError:
        if not follows_torch():
            raise
        from cygrad._pt.pickled import save_pickled

        save_pickled(file, obj)


def check_metadata(metadata: dict[str, str], suffix: str) -> None:
    """Raise ValueError or TypeError if the file can't store the metadata."""
    if metadata and suffix != ".safetensors":
        raise ValueError(f"save: metadata is for .safetensors files, got {suffix}")
    for key, value in metadata.items():
        if type(key) is not str or type(value) is not str:
            raise TypeError(f"save: metadata must map strings to strings, got {key!r}: {type(value).__name__}")
    if STRUCTURE in metadata:
        raise ValueError(f"save: the metadata key {STRUCTURE} is reserved")


def load(
    f: str | os.PathLike[str] | IO[bytes],
    map_location: object = None,
    pickle_module: object = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    encoding: str = "utf-8",
) -> Any:
    """Load an object that ``save`` saved, or ``torch.save``.

    Other files of arrays, such as those of ``numpy.savez`` or the safetensors file of a PyTorch model, become a dict of
    tensors. No code in the file is executed, unless a script of PyTorch asks for it. The memory needed is that of the
    arrays; those of a compressed file may take 1 GiB, or 100 times its size if that is more.

    Args:
        f: a ``.npz``, ``.safetensors``, ``.pt``, ``.pth`` or ``.ckpt`` file; or an open binary file in PyTorch's
            format. Of the latter, state dicts, tensors and what they are nested in are read, half precision as float32;
            anything else is refused by name.
        map_location: "cpu", which tensors of any device come to.
        pickle_module: one that is given stands for ``weights_only=False``, as in PyTorch; it is not used.
        weights_only: True by default. False allows to read whole modules and other pickled objects under
            :mod:`cygrad.torch`, where ``save`` writes them. It executes the code that the file names: trust the file.
            Elsewhere without effect.
        mmap, encoding: accepted, without effect.

    Returns:
        The object, with new tensors and arrays.

    Raises:
        ImportError: if the safetensors package is required but not installed.
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if the suffix is another one, or the file is truncated or corrupt, expands to too much, or contains
            an array that a tensor can't hold.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "state.npz")
    >>> cg.save({"epoch": 3, "weight": cg.zeros(2)}, path)
    >>> cg.load(path)
    {'epoch': 3, 'weight': tensor([0., 0.])}
    """
    if isinstance(map_location, (str, device)):
        check_device("load", map_location)
    run_code = pickle_module is not None if weights_only is None else not weights_only
    if not isinstance(f, (str, os.PathLike)):
        return load_pt_file(opened("load", f, "read"), "the file", run_code)
    suffix = file_suffix("load", f)
    if suffix in TORCH:
        with open_file("load", f) as file:
            return load_pt_file(file, os.fspath(f), run_code)
    with open_file("load", f) as file:
        return load_open(file, os.fspath(f))


def load_open(file: IO[bytes], path: str) -> Any:
    """The object in an open ``.npz`` or ``.safetensors`` file; the suffix of its path tells which."""
    read = load_npz if file_suffix("load", path, OWN) == ".npz" else load_safetensors
    arrays, text = read(file, path)
    if text is None:
        return {name: to_tensor(name, array, path) for name, array in arrays.items()}
    return decode_file(text, arrays, path)


def opened(op: str, file: Any, method: str) -> IO[bytes]:
    """An open file; raise TypeError for what is neither a path nor a file."""
    if not hasattr(file, method):
        raise TypeError(f"{op}: expected a path or an open binary file, got {type(file).__name__}")
    return file


def load_pt_file(file: IO[bytes], path: str, run_code: bool) -> Any:
    """Read an object in PyTorch's format."""
    from cygrad._pt.reader import load_pt

    return load_pt(file, path, run_code and follows_torch())


def to_tensor(name: str, array: Array, path: str) -> Tensor:
    """The tensor of an array in a file."""
    try:
        return Tensor(array)
    except (TypeError, ValueError) as error:
        raise ValueError(f"load: {path} contains {name!r}, which is not a tensor ({one_line(error)})") from None


def file_suffix(op: str, path: str | os.PathLike[str], allowed: tuple[str, ...] = (*OWN, *TORCH)) -> str:
    """The suffix of a file. Raises ValueError for one that is not allowed."""
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix not in allowed:
        if follows_torch() and TORCH[0] in allowed:
            return TORCH[0]  # PyTorch reads and writes its format whatever the name
        hint = "; pickle files can execute code and are not supported" if suffix in (".pkl", ".pickle") else ""
        names = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
        raise ValueError(f"{op}: the file must end in {names}, got {os.fspath(path)!r}{hint}")
    return suffix


# Structure


class Arrays(dict[str, Array]):
    """Arrays by name."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[str, int] = {}  # the last one appended to each name

    def add(self, name: str, array: Array) -> str:
        """Add an array under `name`, with a number appended if that is in use; return its name."""
        free = name
        while free in self or free == STRUCTURE:
            self._numbers[name] = number = self._numbers.get(name, 0) + 1
            free = f"{name}~{number}"
        self[free] = array
        return free


def encode(value: Any, path: tuple[str, ...], arrays: Arrays) -> Any:
    """Convert a value to JSON values; its tensors and arrays are added to `arrays`."""
    if isinstance(value, (Tensor, np.ndarray)):
        array = value.array if isinstance(value, Tensor) else value
        if array.dtype.hasobject or array.dtype.names:
            raise TypeError(f"save: {'.'.join(path) or 'obj'} has dtype {array.dtype}, expected a numeric dtype")
        name = arrays.add(plain_name("/".join(path)) or "array", array)
        return {"tensor" if isinstance(value, Tensor) else "array": name}
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) in PLAIN:
        return value
    if isinstance(value, Mapping):
        for key in value:
            if type(key) not in PLAIN:
                raise TypeError(f"save: keys must be strings or numbers, got {type(key).__name__}")
        return {"dict": [[key, encode(item, (*path, str(key)), arrays)] for key, item in value.items()]}
    if type(value) in (list, tuple):
        items = [encode(item, (*path, str(i)), arrays) for i, item in enumerate(value)]
        return {type(value).__name__: items}
    raise TypeError(f"save: {'.'.join(path) or 'obj'} is a {type(value).__name__}, which can't be saved")


def plain_name(name: str) -> str:
    """`name` without characters that archives do not preserve: they truncate names at a zero byte, replace a backslash
    by a slash, and can't encode lone surrogates."""
    return name.replace("\0", "?").replace("\\", "?").encode("utf-8", "replace").decode()


def decode_file(text: str, arrays: dict[str, Array], path: str) -> Any:
    """The value saved in a file."""
    import json

    try:
        return decode(json.loads(text), arrays)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"load: {path} is corrupt: its structure can't be read ({one_line(error)})") from None


def decode(node: Any, arrays: dict[str, Array]) -> Any:
    """The inverse of ``encode``."""
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
    """Whether the value is a dict from names to tensors, which the names of the arrays describe completely."""
    pairs = structure["dict"] if isinstance(structure, dict) and "dict" in structure else None
    return pairs is not None and pairs == [[name, {"tensor": name}] for name in arrays]


# NumPy's format


def save_npz(file: IO[bytes], arrays: dict[str, Array], structure: Any) -> None:
    """Write arrays and structure as a ``.npz`` archive."""
    import json
    import zipfile

    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        if not is_flat(structure, arrays):
            arrays = {**arrays, STRUCTURE: np.array(json.dumps(structure))}
        for name, array in arrays.items():
            # With a fixed date, equal weights give equal files.
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asarray(array, order="C"), allow_pickle=False)


def load_npz(file: IO[bytes], path: str) -> tuple[dict[str, Array], str | None]:
    """The arrays of a ``.npz`` archive, and the JSON text of the structure, if there is one."""
    import zipfile

    from cygrad._npy import read_array

    arrays: dict[str, Array] = {}
    size = os.fstat(file.fileno()).st_size
    room = {zipfile.ZIP_STORED: size, zipfile.ZIP_DEFLATED: expansion_limit(size)}  # bytes that all arrays may take
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                if name in arrays or entry.compress_type not in room:
                    raise ValueError(f"{name!r} is there twice, or compressed in an unknown way")
                if entry.file_size > DEFLATE_RATIO * min(entry.compress_size, size):
                    raise ValueError(f"{name!r} can't have {entry.file_size} bytes")
                room[entry.compress_type] -= entry.file_size
                if room[entry.compress_type] < 0:
                    raise ValueError(f"its arrays expand to more than {expansion_limit(size):,} bytes")
                with archive.open(entry) as stream:
                    arrays[name] = read_array(stream, entry.file_size)
    except MemoryError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise many types for corrupt data
        raise ValueError(f"load: {path} is truncated, corrupt or not a .npz file: {error}") from None
    structure = arrays.pop(STRUCTURE, None)
    return arrays, None if structure is None else str(structure)


# safetensors


def save_safetensors(file: IO[bytes], arrays: dict[str, Array], structure: Any, metadata: dict[str, str]) -> None:
    """Write arrays, structure and metadata as a ``.safetensors`` file."""
    import json

    package = safetensors("save")
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    try:
        file.write(package.numpy.save(contiguous, {**metadata, STRUCTURE: json.dumps(structure)}))
    except package.SafetensorError as error:
        raise TypeError(f"save: safetensors can't store an array ({error})") from None


def load_safetensors(file: IO[bytes], path: str) -> tuple[dict[str, Array], str | None]:
    """The arrays of a ``.safetensors`` file, and the JSON text of the structure, if there is one."""
    package = safetensors("load")
    try:
        with package.safe_open(path, framework="np") as opened:
            text = (opened.metadata() or {}).get(STRUCTURE)
            kinds = {name: opened.get_slice(name).get_dtype() for name in opened.keys()}  # noqa: SIM118 # no dict
            check_kinds(kinds, path)
        return read_tensors(file, kinds), text
    except (package.SafetensorError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"load: {path} is truncated or corrupt: {error}") from None


def read_tensors(file: IO[bytes], kinds: dict[str, str]) -> dict[str, Array]:
    """The arrays of a file that the package has checked: eight bytes with the length of the header, the header, a JSON
    object with dtype, shape and offsets of each tensor, and the elements."""
    import json

    from cygrad._npy import fill

    start = 8 + int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(start - 8))
    arrays = {}
    for name, kind in kinds.items():
        array = np.empty(header[name]["shape"], KINDS[kind])
        file.seek(start + header[name]["data_offsets"][0])
        if array.size:
            fill(array, file)
        arrays[name] = widened(array) if kind == "BF16" else array
    return arrays


def widened(bits: Array) -> Array:
    """The float32 whose upper half are the bits of a bfloat16."""
    result = bits.astype(np.uint32)
    result <<= 16
    return result.view(np.float32)


# NumPy dtypes by safetensors name. NumPy has no bfloat16: its bits are read as uint16 and converted to float32.
KINDS = {
    "BOOL": "?", "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "I8": "i1", "I16": "<i2", "I32": "<i4",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<c8", "BF16": "<u2",
}  # fmt: skip


def check_kinds(kinds: dict[str, str], path: str) -> None:
    """Raise ValueError for a dtype without a counterpart in NumPy."""
    for name, kind in kinds.items():
        if kind not in KINDS:
            raise ValueError(f"load: {path} contains {name!r} with dtype {kind}, which NumPy does not support")


def safetensors(op: str) -> Any:
    """Import the safetensors package, with its NumPy functions."""
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise ImportError(f"{op}: .safetensors files require the package: pip install safetensors") from None
    return safetensors


# What scripts ask torch.serialization for. A file never runs code here, so there is nothing to allow.

_safe: list[Any] = []


class SourceChangeWarning(Warning):
    """The category of a warning of PyTorch, for filters: files here contain no source."""


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Note classes that ``torch.load`` would create; a file with objects of classes is refused all the same.

    Args:
        safe_globals: classes and functions.
    """
    _safe.extend(value for value in safe_globals if value not in _safe)


def get_safe_globals() -> list[Any]:
    """Return what :func:`add_safe_globals` was given."""
    return list(_safe)


def clear_safe_globals() -> None:
    """Forget what :func:`add_safe_globals` was given."""
    _safe.clear()


class safe_globals:
    """A block in which :func:`get_safe_globals` has more classes.

    Args:
        safe_globals: classes and functions.
    """

    def __init__(self, safe_globals: list[Any]) -> None:
        self.added = list(safe_globals)

    def __enter__(self) -> None:
        self.before = get_safe_globals()
        add_safe_globals(self.added)

    def __exit__(self, *error: object) -> None:
        _safe[:] = self.before


def default_restore_location(storage: Any, location: str) -> Any:
    """Return a tensor, or the storage of one, that is to come to a device: as it is.

    Args:
        storage: the tensor or storage.
        location: the device; "cpu" is the only one.
    """
    check_device("default_restore_location", location)
    return storage


def location_tag(storage: Any) -> str:
    """Return where a tensor, or the storage of one, lies: "cpu"."""
    return "cpu"
