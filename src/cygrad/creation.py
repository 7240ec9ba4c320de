"""Tensors from data, and from nothing but a shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._arguments import shape_argument
from cygrad.autograd import recording
from cygrad.device import check_device
from cygrad.ops.broadcast import CATEGORIES
from cygrad.tensor import Tensor

__all__ = [
    "arange",
    "as_tensor",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "tensor",
    "zeros",
    "zeros_like",
]

FLOAT32 = np.dtype(np.float32)


def checked(op: str, array: Any) -> Any:
    """An array of booleans, integers or floats, or TypeError."""
    if array.dtype.kind not in CATEGORIES:
        raise TypeError(f"{op}: a tensor holds booleans, integers or floats, got {array.dtype}")
    return array


def is_typed(data: Any) -> bool:
    """Whether data has a dtype of its own: arrays, NumPy's numbers, tensors."""
    return hasattr(data, "dtype") or hasattr(data, "__array__")


def plain(data: Any) -> Any:
    """Lists with tensors in them as lists of arrays."""
    if isinstance(data, Tensor):
        recording.reading("tensor")
        return data.array
    return [plain(item) for item in data] if isinstance(data, (list, tuple)) else data


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor with a copy of data: numbers, nested lists, an array, a tensor. Python floats become float32,
    integers int64; what has a dtype keeps it.

    Raises ValueError for ragged lists, TypeError for what is not numbers, RuntimeError where integers are to require a
    gradient.

    >>> cg.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    check_device("tensor", device)
    try:
        array = kernels.pooled(np.array, plain(data), dtype)
    except ValueError as error:
        raise ValueError(f"tensor: data is not a full grid of numbers ({error})") from None
    if dtype is None and array.dtype == np.float64 and not is_typed(data) and not holds_typed(data):
        array = kernels.pooled(array.astype, FLOAT32)
    return Tensor(checked("tensor", array), requires_grad)


def holds_typed(data: Any) -> bool:
    """Whether the first number of nested lists has a dtype of its own."""
    while isinstance(data, (list, tuple)):
        if not data:
            return False
        data = data[0]
    return is_typed(data)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """data itself where it is a tensor, over the same memory where it is an array, else a new tensor."""
    check_device("as_tensor", device)
    if isinstance(data, Tensor):
        return data if dtype is None or data.dtype == dtype else data.to(dtype)
    if isinstance(data, np.ndarray):
        return Tensor(checked("as_tensor", np.asarray(data, dtype)))
    return tensor(data, dtype=dtype)


def from_numpy(array: Any) -> Tensor:
    """A tensor over the memory of an array: a change of one is a change of the other.

    >>> a = np.zeros(2, np.float32)
    >>> t = cg.from_numpy(a)
    >>> a[0] = 1
    >>> t
    tensor([1., 0.])
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: an ndarray is needed, got {type(array).__name__}")
    return Tensor(checked("from_numpy", array))


def from_dlpack(data: Any) -> Tensor:
    """A tensor over the memory of another library's array, by the DLPack protocol."""
    return Tensor(checked("from_dlpack", np.from_dlpack(data)))


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Memory that holds anything."""
    check_device("empty", device)
    return Tensor(kernels.pooled(np.empty, shape_argument(size), FLOAT32 if dtype is None else dtype), requires_grad)


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros, float32 unless told otherwise.

    >>> cg.zeros(2)
    tensor([0., 0.])
    """
    check_device("zeros", device)
    return Tensor(kernels.pooled(np.zeros, shape_argument(size), FLOAT32 if dtype is None else dtype), requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones, float32 unless told otherwise."""
    check_device("ones", device)
    return Tensor(kernels.pooled(np.ones, shape_argument(size), FLOAT32 if dtype is None else dtype), requires_grad)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """One number everywhere; a Python float gives float32."""
    check_device("full", device)
    value = getattr(fill_value, "array", fill_value)
    kind = dtype if dtype is not None else value.dtype if is_typed(value) else None
    if kind is None:
        kind = FLOAT32 if isinstance(value, float) else np.asarray(value).dtype
    return Tensor(checked("full", kernels.pooled(np.full, size, value, kind)), requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Memory of input's shape and dtype that holds anything."""
    return empty(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def zeros_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in input's shape and dtype."""
    return zeros(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in input's shape and dtype."""
    return ones(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """One number everywhere, in input's shape and dtype."""
    return full(input.shape, fill_value, dtype=dtype or input.dtype, requires_grad=requires_grad)


def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """start, start + step, …, below end: ``arange(end)`` or ``arange(start, end, step)``. int64, or float32 where a
    float is among them.

    >>> cg.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    if end is None:
        start, end = 0, start
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: step {step} does not lead from {start} to {end}")
    kind = dtype or (FLOAT32 if any([isinstance(v, float) for v in (start, end, step)]) else np.int64)
    return Tensor(np.arange(start, end, step).astype(kind), requires_grad)


def linspace(start: float, end: float, steps: int, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """`steps` numbers from start to end, both included, evenly spaced."""
    return Tensor(np.linspace(start, end, steps).astype(dtype or FLOAT32), requires_grad)


def logspace(
    start: float, end: float, steps: int, base: float = 10.0, *, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """base to the power of evenly spaced numbers from start to end."""
    return Tensor(np.logspace(start, end, steps, base=base).astype(dtype or FLOAT32), requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of an n × m matrix, zeros elsewhere."""
    return Tensor(np.eye(n, m, dtype=dtype or FLOAT32), requires_grad)
