"""Tensors from data, or from a shape. Positional and keyword arguments are those of PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._arguments import checked, shape_argument
from cygrad._typing import Array, DType, Nested, Size
from cygrad.autograd import recording
from cygrad.autograd.arrays import plain
from cygrad.device import check_device
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


def has_dtype(data: Any) -> bool:
    """Whether data has a dtype: arrays, NumPy's scalars, tensors."""
    return hasattr(data, "dtype") or hasattr(data, "__array__")


def without_tensors(data: Any) -> Any:
    """Nested lists, with arrays in place of tensors."""
    if isinstance(data, Tensor):
        recording.reading("tensor")
        return data.array
    if isinstance(data, np.ndarray):
        return plain("tensor", data)
    return [without_tensors(item) for item in data] if isinstance(data, (list, tuple)) else data


def tensor(data: Nested, *, dtype: DType = None, device: object = None, requires_grad: bool = False) -> Tensor:
    """Create a tensor from a copy of data.

    Args:
        data: a number, nested sequences of numbers or tensors, an array, or a tensor.
        dtype: the dtype of the tensor. By default Python's floats become float32 and its integers int64; arrays,
            NumPy's scalars and tensors keep their dtype.
        device: "cpu" or None.
        requires_grad: whether the tensor requires a gradient.

    Raises:
        ValueError: the sequences are ragged.
        TypeError: data does not consist of numbers.
        RuntimeError: a tensor of integers or booleans is asked to require a gradient.

    >>> cg.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    check_device("tensor", device)
    try:
        array = kernels.pooled(np.array, without_tensors(data), dtype)
    except (ValueError, RecursionError) as error:  # the second where a list contains itself
        raise ValueError(f"tensor: data is not a rectangular array of numbers ({error})") from None
    if dtype is None and array.dtype == np.float64 and not has_dtype(data) and not contains_dtype(data):
        array = kernels.pooled(array.astype, FLOAT32)
    return Tensor(plain("tensor", array), requires_grad)


def contains_dtype(data: Any) -> bool:
    """Whether the first element of nested lists has a dtype."""
    while isinstance(data, (list, tuple)):
        if not data:
            return False
        data = data[0]
    return has_dtype(data)


def as_tensor(data: Nested, dtype: DType = None, device: object = None) -> Tensor:
    """Convert data to a tensor without a copy where possible.

    Args:
        data: a tensor, which is returned as it is; an array, whose memory the result shares; or other data, as for
            :func:`cygrad.tensor`.
        dtype: the dtype of the tensor; another one than that of data makes a copy.
        device: "cpu" or None.
    """
    check_device("as_tensor", device)
    if isinstance(data, Tensor):
        return data if dtype is None or data.dtype == dtype else data.to(dtype)
    if isinstance(data, np.ndarray):
        return Tensor(plain("as_tensor", np.asarray(plain("as_tensor", data), dtype)))
    return tensor(data, dtype=dtype)


def from_numpy(array: Array) -> Tensor:
    """Wrap an array in a tensor that shares its memory.

    Args:
        array: an ndarray of booleans, integers or floats. Only one in another byte order than the machine's is copied.

    Raises:
        TypeError: `array` is not an ndarray, or holds another dtype.

    >>> a = np.zeros(2, np.float32)
    >>> t = cg.from_numpy(a)
    >>> a[0] = 1
    >>> t
    tensor([1., 0.])
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: array must be an ndarray, got {type(array).__name__}")
    return Tensor(plain("from_numpy", array))


def from_dlpack(data: Any) -> Tensor:
    """Wrap another library's array in a tensor that shares its memory.

    Args:
        data: an object that implements the DLPack protocol, on the CPU.

    Raises:
        TypeError: `data` does not implement the protocol, or holds another dtype.
    """
    if not hasattr(data, "__dlpack__"):
        raise TypeError(f"from_dlpack: expected an object of the DLPack protocol, got {type(data).__name__}")
    try:
        return Tensor(plain("from_dlpack", np.from_dlpack(data)))
    except BufferError as error:
        raise TypeError(f"from_dlpack: {error}") from None


def empty(*size: Size, dtype: DType = None, device: object = None, requires_grad: bool = False) -> Tensor:
    """Create a tensor with uninitialized elements.

    Args:
        size: the shape, as integers or as one sequence of integers.
        dtype: the dtype, by default float32.
        device: "cpu" or None.
        requires_grad: whether the tensor requires a gradient.
    """
    return filled("empty", np.empty, size, dtype, device, requires_grad)


def zeros(*size: Size, dtype: DType = None, device: object = None, requires_grad: bool = False) -> Tensor:
    """Create a tensor of zeros.

    Args:
        size: the shape, as integers or as one sequence of integers.
        dtype: the dtype, by default float32.
        device: "cpu" or None.
        requires_grad: whether the tensor requires a gradient.

    >>> cg.zeros(2)
    tensor([0., 0.])
    """
    return filled("zeros", np.zeros, size, dtype, device, requires_grad)


def ones(*size: Size, dtype: DType = None, device: object = None, requires_grad: bool = False) -> Tensor:
    """Create a tensor of ones.

    Args:
        size: the shape, as integers or as one sequence of integers.
        dtype: the dtype, by default float32.
        device: "cpu" or None.
        requires_grad: whether the tensor requires a gradient.
    """
    return filled("ones", np.ones, size, dtype, device, requires_grad)


def filled(op: str, function: Any, size: tuple[Size, ...], dtype: DType, device: object, requires_grad: bool) -> Tensor:
    """A tensor that one of NumPy's functions creates from a shape."""
    check_device(op, device)
    return Tensor(kernels.pooled(function, shape_argument(size), FLOAT32 if dtype is None else dtype), requires_grad)


def full(
    size: Sequence[int],
    fill_value: Tensor | np.generic | float,
    *,
    dtype: DType = None,
    device: object = None,
    requires_grad: bool = False,
) -> Tensor:
    """Create a tensor with the same value in each element.

    Args:
        size: the shape.
        fill_value: the value.
        dtype: the dtype, by default that of the value; a Python float gives float32.
        device: "cpu" or None.
        requires_grad: whether the tensor requires a gradient.
    """
    check_device("full", device)
    value: Any = getattr(fill_value, "array", fill_value)
    value = plain("full", value) if isinstance(value, np.ndarray) else value
    if dtype is None:
        dtype = FLOAT32 if isinstance(value, float) and not has_dtype(value) else np.asarray(value).dtype
    if isinstance(value, np.ndarray):
        return Tensor(plain("full", recording.produced(np.full, size, value, dtype)), requires_grad)
    return Tensor(plain("full", kernels.pooled(np.full, size, value, dtype)), requires_grad)


@checked
def empty_like(input: Tensor, *, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """Create a tensor with uninitialized elements, in the shape and dtype of another.

    Args:
        input: the other tensor.
        dtype: another dtype.
        requires_grad: whether the new tensor requires a gradient.
    """
    return empty(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


@checked
def zeros_like(input: Tensor, *, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """Create a tensor of zeros, in the shape and dtype of another.

    Args:
        input: the other tensor.
        dtype: another dtype.
        requires_grad: whether the new tensor requires a gradient.
    """
    return zeros(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


@checked
def ones_like(input: Tensor, *, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """Create a tensor of ones, in the shape and dtype of another.

    Args:
        input: the other tensor.
        dtype: another dtype.
        requires_grad: whether the new tensor requires a gradient.
    """
    return ones(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


@checked
def full_like(
    input: Tensor, fill_value: Tensor | np.generic | float, *, dtype: DType = None, requires_grad: bool = False
) -> Tensor:
    """Create a tensor with the same value in each element, in the shape and dtype of another.

    Args:
        input: the other tensor.
        fill_value: the value.
        dtype: another dtype.
        requires_grad: whether the new tensor requires a gradient.
    """
    return full(input.shape, fill_value, dtype=dtype or input.dtype, requires_grad=requires_grad)


def arange(
    start: float, end: float | None = None, step: float = 1, *, dtype: DType = None, requires_grad: bool = False
) -> Tensor:
    """Return start, start + step, … below end: ``arange(end)`` or ``arange(start, end, step)``.

    Args:
        start: the first value, 0 if only `end` is given.
        end: the bound, which is excluded.
        step: the difference between neighbors; may be negative.
        dtype: the dtype, by default int64, or float32 if one of the three is a float.
        requires_grad: whether the tensor requires a gradient.

    Raises:
        RuntimeError: step is 0 or points away from end.

    >>> cg.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    if end is None:
        start, end = 0, start
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: step {step} does not lead from {start} to {end}")
    if dtype is None:
        dtype = FLOAT32 if any([isinstance(v, float) for v in (start, end, step)]) else np.int64
    return Tensor(kernels.pooled(np.arange(start, end, step).astype, dtype), requires_grad)


def linspace(start: float, end: float, steps: int, *, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """Return evenly spaced values from start to end, both included.

    Args:
        start: the first value.
        end: the last value.
        steps: the number of values.
        dtype: the dtype, by default float32.
        requires_grad: whether the tensor requires a gradient.
    """
    return Tensor(kernels.pooled(np.linspace(start, end, steps).astype, dtype or FLOAT32), requires_grad)


def logspace(
    start: float, end: float, steps: int, base: float = 10.0, *, dtype: DType = None, requires_grad: bool = False
) -> Tensor:
    """Return base to the power of evenly spaced exponents, both ends included.

    Args:
        start: the first exponent.
        end: the last exponent.
        steps: the number of values.
        base: the base of the power.
        dtype: the dtype, by default float32.
        requires_grad: whether the tensor requires a gradient.
    """
    values = np.logspace(start, end, steps, base=base)
    return Tensor(kernels.pooled(values.astype, dtype or FLOAT32), requires_grad)


def eye(n: int, m: int | None = None, *, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """Create a matrix with ones on its diagonal and zeros elsewhere.

    Args:
        n: the number of rows.
        m: the number of columns, by default n.
        dtype: the dtype, by default float32.
        requires_grad: whether the tensor requires a gradient.
    """
    return Tensor(kernels.pooled(np.eye, n, m, 0, dtype or FLOAT32), requires_grad)
