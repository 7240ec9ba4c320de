"""PyTorch's names of NumPy's dtypes, their limits, and constants."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
float16 = half = np.dtype(np.float16)
int8 = np.dtype(np.int8)
int16 = short = np.dtype(np.int16)
int32 = int = np.dtype(np.int32)
int64 = long = np.dtype(np.int64)
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64))
bool = np.dtype(np.bool_)


class Kind(type):
    """NumPy's dtypes are instances of :class:`dtype` too, since they are what ``cg.float32`` and the others are."""

    def __instancecheck__(cls, value: object) -> Any:
        return type(value) in (cls, Absent) or isinstance(value, np.dtype)


class dtype(metaclass=Kind):
    """A dtype as PyTorch prints it; equal to NumPy's, and with its attributes. As ``torch.dtype``.

    Scripts under ``cygrad.torch`` get it from ``torch.float32`` and ``tensor.dtype``; elsewhere these are NumPy's.

    Args:
        spec: what ``np.dtype`` takes.

    >>> cg.dtype("float32").is_floating_point, cg.dtype("float32") == np.float32
    (True, True)
    """

    __slots__ = ("dtype",)  # by which NumPy recognizes it
    is_complex = False

    def __new__(cls, spec: Any) -> dtype:
        plain = np.dtype(spec)
        self: Any = DTYPES.get(plain)
        if self is None:
            self = DTYPES[plain] = object.__new__(cls)
            self.dtype = plain
        return self

    @property
    def is_floating_point(self) -> Any:
        """Whether it is a dtype of floats."""
        return self.dtype.kind == "f"

    @property
    def is_signed(self) -> Any:
        """Whether it has negative numbers."""
        return self.dtype.kind in "if"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dtype, name)

    def __repr__(self) -> str:
        return f"torch.{self.dtype.name}"

    def __eq__(self, other: object) -> Any:
        return self is other or (type(other) is not Absent and self.dtype == other)

    def __hash__(self) -> Any:
        return hash(self.dtype)

    def __reduce__(self) -> Any:
        return dtype, (self.dtype.name,)


class Absent:
    """A dtype that tensors can't have. Programs name it in their tables, and ``autocast`` accepts it.

    Args:
        name: the name.
        itemsize: bytes of an element.
        reason: why tensors can't have it.

    Attributes:
        instead: the dtype that tensors get with a warning; None, initially, to refuse it.
    """

    __slots__ = ("instead", "itemsize", "name", "reason")

    def __init__(self, name: str, itemsize: Any, reason: str) -> None:
        self.name, self.itemsize, self.reason = name, itemsize, reason
        self.instead: Any = None

    @property
    def is_floating_point(self) -> Any:
        """Whether it is a dtype of floats."""
        return "float" in self.name

    @property
    def is_complex(self) -> Any:
        """Whether it is a dtype of complex numbers."""
        return self.name.startswith("complex")

    @property
    def is_signed(self) -> Any:
        """Whether it has negative numbers."""
        return not self.name.startswith(("uint", "quint", "bits"))

    @property
    def dtype(self) -> Any:
        """Asked for by NumPy."""
        if self.instead is None:
            raise TypeError(f"{self.name}: {self.reason}")
        warnings.warn(  # at this line, so that it is shown once
            f"{self.name}: NumPy has no such dtype; tensors get {self.instead} instead", UserWarning, stacklevel=1
        )
        return self.instead

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


LIMITS = {  # of floats that NumPy does not have: largest number, distance of 1 to the next, smallest normal number
    "bfloat16": ((2 - 2**-7) * 2.0**127, 2.0**-7, 2.0**-126),
    "float8_e4m3fn": (448.0, 2.0**-3, 2.0**-6),
    "float8_e5m2": (57344.0, 2.0**-2, 2.0**-14),
}
bfloat16 = Absent("bfloat16", 2, "NumPy has no such dtype; use float16 for storage, or float32")

DTYPES: dict[np.dtype[Any], dtype] = {}

inf, nan, pi, e = np.inf, np.nan, np.pi, np.e
newaxis = None


class finfo:
    """The limits of a float dtype, as Python's numbers. As ``torch.finfo``.

    Args:
        type: the dtype.
    """

    numbers = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")

    def __init__(self, type: Any = float32) -> None:
        if isinstance(type, Absent) and type.name in LIMITS:
            largest, eps, tiny = LIMITS[type.name]
            self.bits, self.dtype = 8 * type.itemsize, type.name
            self.min, self.max, self.eps, self.smallest_normal, self.tiny = -largest, largest, eps, tiny, tiny
            self.resolution = 0.01 if type.name == "bfloat16" else 1.0
            return
        limits = np.finfo(np.dtype(type))
        self.bits, self.dtype = limits.bits, limits.dtype.name
        for name in self.numbers:
            setattr(self, name, getattr(limits, name).item())
        self.resolution = np.float64(f"1e-{limits.precision}").item()

    def __repr__(self) -> str:
        return f"finfo({', '.join([f'{name}={getattr(self, name):g}' for name in self.numbers])}, dtype={self.dtype})"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"finfo has no limit {name!r}")


class iinfo:
    """The limits of an integer dtype. As ``torch.iinfo``.

    Args:
        type: the dtype.
    """

    def __init__(self, type: Any) -> None:
        limits = np.iinfo(np.dtype(type))
        self.bits, self.min, self.max, self.dtype = limits.bits, limits.min, limits.max, limits.dtype.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


__all__ = [
    "bfloat16",
    "bool",
    "double",
    "dtype",
    "e",
    "finfo",
    "float",
    "float16",
    "float32",
    "float64",
    "half",
    "iinfo",
    "inf",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "long",
    "nan",
    "newaxis",
    "pi",
    "short",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]
