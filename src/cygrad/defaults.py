"""PyTorch's global settings and memory formats, of which cygrad has one each: scripts may set and name them."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import dtypes
from cygrad.config import default_float, follows_torch, set_default_float
from cygrad.device import CPU, check_device, device

__all__ = [
    "are_deterministic_algorithms_enabled",
    "can_cast",
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "get_default_device",
    "get_default_dtype",
    "get_float32_matmul_precision",
    "is_deterministic_algorithms_warn_only_enabled",
    "layout",
    "memory_format",
    "preserve_format",
    "promote_types",
    "set_default_device",
    "set_default_dtype",
    "set_default_tensor_type",
    "set_float32_matmul_precision",
    "strided",
    "use_deterministic_algorithms",
]  # fmt: skip


class memory_format(str):
    """The name of an order of elements in memory; tensors are in C order whatever is asked for."""

    __slots__ = ()
    __repr__ = str.__str__

    def __new__(cls, name: object = "", *_: object) -> memory_format:
        if not isinstance(name, str) or not name.startswith("torch.") or _:
            raise TypeError(
                "memory_format: there are only contiguous_format, preserve_format, channels_last and channels_last_3d"
            )
        return super().__new__(cls, name)


preserve_format, contiguous_format = memory_format("torch.preserve_format"), memory_format("torch.contiguous_format")
channels_last, channels_last_3d = memory_format("torch.channels_last"), memory_format("torch.channels_last_3d")



class layout(str):
    """The name of a way to keep a tensor in memory: ``strided`` is the only one. As ``torch.layout``."""

    __slots__ = ()
    __repr__ = str.__str__


strided = layout("torch.strided")
SETTINGS = {"deterministic": False, "warn_only": False, "precision": "highest"}


def get_default_dtype() -> Any:
    """Return the dtype of floats that are given none. As ``torch.get_default_dtype``."""
    return dtypes.dtype(default_float()) if follows_torch() else default_float()


def set_default_dtype(d: Any) -> None:
    """Set the dtype of floats that are given none: new tensors, parameters of layers, quotients of integers.

    It holds for the whole process. A recorded step keeps the dtypes that it was recorded with. As
    ``torch.set_default_dtype``.

    Args:
        d: float32, which it is at first, or float64.

    Raises:
        TypeError: d is not a dtype of floats.
        NotImplementedError: d is one of floats that layers don't compute in.

    >>> cg.set_default_dtype(cg.float64)
    >>> cg.ones(2).dtype, cg.nn.Linear(2, 1).weight.dtype, (cg.tensor([1]) / 2).dtype
    (dtype('float64'), dtype('float64'), dtype('float64'))
    >>> cg.set_default_dtype(cg.float32)
    """
    dtype = np.dtype(d)
    if dtype.kind != "f":
        raise TypeError(f"set_default_dtype: the default dtype must be one of floats, got {dtype}")
    if dtype not in (np.float32, np.float64):
        raise NotImplementedError(f"set_default_dtype: expected float32 or float64, got {dtype}")
    set_default_float(dtype)


def set_default_tensor_type(t: Any) -> None:
    """Set the default dtype by a type of tensors or its name, such as ``DoubleTensor``; see ``set_default_dtype``."""
    name = t if isinstance(t, str) else getattr(t, "__name__", None)
    if not isinstance(name, str):
        raise TypeError(f"set_default_tensor_type: expected a type of tensors or its name, got {type(t).__name__}")
    set_default_dtype({"DoubleTensor": np.float64, "HalfTensor": np.float16}.get(name.rpartition(".")[2], np.float32))


def promote_types(type1: Any, type2: Any) -> Any:
    """Return the dtype of a result of two dtypes, by PyTorch's rule: the wider, and a float beside an integer."""
    first, second = np.dtype(type1), np.dtype(type2)
    floats = [d for d in (first, second) if d.kind == "f"]
    found = floats[0] if len(floats) == 1 else np.promote_types(first, second)
    return dtypes.dtype(found) if follows_torch() else found


def can_cast(from_: Any, to: Any) -> bool:
    """Return whether a conversion stays among booleans, integers or floats, or goes up in this order."""
    for given in (from_, to):
        if hasattr(given, "array") or isinstance(given, (np.ndarray, np.generic, bool, int, float)):
            raise TypeError(f"can_cast: expected dtypes, got {type(given).__name__}")
    order = "biuf"
    first, second = [min(order.index(np.dtype(d).kind), 2) + (np.dtype(d).kind == "f") for d in (from_, to)]
    return first <= second or (first, second) == (2, 1)


def get_default_device() -> device:
    """Return the device of new tensors, always the CPU. As ``torch.get_default_device``."""
    return CPU


def set_default_device(device: Any) -> None:
    """Accept the CPU, on which all tensors are. As ``torch.set_default_device``."""
    check_device("set_default_device", device)


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Note the mode; all results are deterministic in either. As ``torch.use_deterministic_algorithms``."""
    SETTINGS["deterministic"], SETTINGS["warn_only"] = bool(mode), bool(mode and warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Return the mode that :func:`use_deterministic_algorithms` was given."""
    return bool(SETTINGS["deterministic"])


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Return the ``warn_only`` that :func:`use_deterministic_algorithms` was given with True."""
    return bool(SETTINGS["warn_only"])


def set_float32_matmul_precision(precision: str) -> None:
    """Note the precision; products are computed in float32 in each. As ``torch.set_float32_matmul_precision``."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"set_float32_matmul_precision: expected highest, high or medium, got {precision!r}")
    SETTINGS["precision"] = precision


def get_float32_matmul_precision() -> str:
    """Return what :func:`set_float32_matmul_precision` was given, initially "highest"."""
    return str(SETTINGS["precision"])
