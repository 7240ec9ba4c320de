"""Arrays from data, or from a shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import creation
from cygrad.device import check_device
from cygrad.ops.definition import constant
from cygrad.tensor import Tensor

__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "meshgrid",
    "ones", "ones_like", "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip

FLOAT = np.dtype(np.float32)  # the default


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """Return data as an array; ``copy=False`` raises ValueError where that needs a copy."""
    check_device("asarray", device)
    if isinstance(obj, Tensor):
        same = dtype is None or np.dtype(dtype) == obj.array.dtype
        if copy is False and not same:
            raise ValueError(f"asarray: {obj.array.dtype} as {dtype} needs a copy")
        result = obj if same else obj.to(np.dtype(dtype))
        return result.clone() if copy and same else result
    if isinstance(obj, np.ndarray) or hasattr(obj, "__dlpack__"):
        array = np.asarray(obj, dtype, copy=copy)
        return constant(array)
    if copy is False:
        raise ValueError(f"asarray: {type(obj).__name__} needs a copy")
    if isinstance(obj, (list, tuple)):
        obj = plain(obj)
    array = np.array(obj)
    if dtype is None and array.dtype.kind == "f" and not has_dtype(obj):
        dtype = FLOAT
    return constant(array if dtype is None else array.astype(dtype))


def plain(data: Any) -> Any:
    """Nested sequences with arrays in place of tensors."""
    if isinstance(data, (list, tuple)):
        return [plain(d) for d in data]
    return data.detach().numpy() if isinstance(data, Tensor) else data


def has_dtype(data: Any) -> bool:
    """Whether the first element has a dtype."""
    while isinstance(data, list) and data:
        data = data[0]
    return hasattr(data, "dtype")


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return start, start + step, …, below stop; with one number, 0, …, below it."""
    check_device("arange", device)
    if stop is None:
        start, stop = 0, start
    if dtype is None:
        dtype = np.int64 if all(isinstance(x, int) for x in (start, stop, step)) else FLOAT
    length = max(0, int(np.ceil((stop - start) / step)))
    if np.dtype(dtype).kind in "iu" and isinstance(start, int) and isinstance(step, int):
        return constant(np.array(range(start, start + length * step, step), dtype))
    return constant((start + step * np.arange(length)).astype(dtype))


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True
) -> Tensor:
    """Return evenly spaced numbers from start to stop, with or without it."""
    check_device("linspace", device)
    return constant(np.linspace(start, stop, num, endpoint=endpoint, dtype=dtype or FLOAT))


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return an array filled with a value."""
    check_device("full", device)
    if dtype is None:
        dtype = bool if isinstance(fill_value, bool) else np.int64 if isinstance(fill_value, int) else FLOAT
    return constant(np.full(shape, fill_value, dtype))


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return zeros."""
    return full(shape, 0, dtype=dtype or FLOAT, device=device)


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return ones."""
    return full(shape, 1, dtype=dtype or FLOAT, device=device)


empty = zeros


def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return an array of the shape and dtype of x, filled with a value."""
    return full(x.shape, fill_value, dtype=dtype or x.array.dtype, device=device)


def zeros_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return zeros of the shape and dtype of x."""
    return full_like(x, 0, dtype=dtype, device=device)


def ones_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return ones of the shape and dtype of x."""
    return full_like(x, 1, dtype=dtype, device=device)


empty_like = zeros_like


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Tensor:
    """Return ones on a diagonal, zeros elsewhere."""
    check_device("eye", device)
    return constant(np.eye(n_rows, n_cols, k, dtype or FLOAT))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Return an array of the DLPack protocol as a tensor that shares its memory, or has a copy of it."""
    check_device("from_dlpack", device)
    result = creation.from_dlpack(x)
    return result.clone() if copy else result


def meshgrid(*arrays: Any, indexing: str = "xy") -> list[Tensor]:
    """Return grids of coordinates."""
    from cygrad.functions import meshgrid as grids

    if len(arrays) < 2:
        return [a.clone() for a in arrays]
    return list(grids(*arrays, indexing=indexing))


def tril(x: Any, /, *, k: int = 0) -> Tensor:
    """Return the lower triangle; zeros above the k-th diagonal."""
    return x.tril(k)


def triu(x: Any, /, *, k: int = 0) -> Tensor:
    """Return the upper triangle; zeros below the k-th diagonal."""
    return x.triu(k)
