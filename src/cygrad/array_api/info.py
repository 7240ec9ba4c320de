"""Dtypes, and what the namespace can do."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad.device import check_device
from cygrad.dtypes import finfo as _finfo
from cygrad.dtypes import iinfo as _iinfo
from cygrad.tensor import Tensor

__all__ = [
    "__array_namespace_info__", "astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type", "uint16",
    "uint32", "uint64",
]  # fmt: skip

uint16, uint32, uint64 = np.dtype(np.uint16), np.dtype(np.uint32), np.dtype(np.uint64)
KINDS = {
    "bool": "b", "signed integer": "i", "unsigned integer": "u", "integral": "iu", "real floating": "f",
    "complex floating": "c", "numeric": "iuf",
}  # fmt: skip
NAMES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]


def dtype_of(x: Any) -> Any:
    return x.array.dtype if isinstance(x, Tensor) else np.dtype(x)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Return whether a dtype is of a kind: a dtype, a name such as "real floating", or a tuple of them."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str):
        if kind not in KINDS:
            raise ValueError(f"isdtype: kind must be one of {', '.join(KINDS)}, got {kind!r}")
        return np.dtype(dtype).kind in KINDS[kind]
    return np.dtype(dtype) == np.dtype(kind)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Return whether one dtype is promoted to another without a change of values."""
    return bool(np.can_cast(dtype_of(from_), np.dtype(to)))


def result_type(*arrays_and_dtypes: Any) -> Any:
    """Return the dtype of a result of arrays, dtypes and numbers of Python."""
    given = [x if isinstance(x, (bool, int, float)) else dtype_of(x) for x in arrays_and_dtypes]
    return np.result_type(*given)


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """Return the array in another dtype; the array itself with ``copy=False`` where it has it."""
    check_device("astype", device)
    if x.array.dtype == np.dtype(dtype):
        return x.clone() if copy else x
    return x.to(np.dtype(dtype))


def finfo(type: Any, /) -> Any:
    """Return the limits of a float dtype."""
    return Limits(_finfo(dtype_of(type)), "bits eps max min smallest_normal")


def iinfo(type: Any, /) -> Any:
    """Return the limits of an integer dtype."""
    return Limits(_iinfo(dtype_of(type)), "bits max min")


class Limits:
    """The limits of a dtype, as numbers of Python."""

    def __init__(self, limits: Any, names: str) -> None:
        kind = int if "eps" not in names else float
        vars(self).update({n: kind(getattr(limits, n)) for n in names.split()}, dtype=np.dtype(limits.dtype))
        self.bits = int(limits.bits)

    def __repr__(self) -> str:
        return f"Limits({', '.join(f'{n}={v}' for n, v in vars(self).items())})"


class Info:
    """What the namespace can do."""

    def capabilities(self) -> dict[str, Any]:
        """Return what depends on the library."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Any:
        """Return the device of new arrays."""
        return Tensor(np.zeros(1)).device

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """Return the dtypes of new arrays."""
        int64 = np.dtype(np.int64)
        return {"real floating": np.dtype(np.float32), "complex floating": None, "integral": int64, "indexing": int64}

    def devices(self) -> list[Any]:
        """Return all devices."""
        return [self.default_device()]

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """Return the dtypes of a kind, by name."""
        found = {name: np.dtype(name) for name in NAMES}
        return {n: d for n, d in found.items() if kind is None or isdtype(d, kind)}


def __array_namespace_info__() -> Info:
    """Return what the namespace can do."""
    return Info()
