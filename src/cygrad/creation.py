"""Tensors from data, or from a shape. Positional and keyword arguments are those of PyTorch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._arguments import checked, checked_sizes, integer, shape_argument
from cygrad._typing import Array, DType, Nested, Size
from cygrad.autograd import recording
from cygrad.autograd.arrays import plain
from cygrad.autograd.calls import given, out_dtype
from cygrad.config import default_float
from cygrad.device import Place, check_device, check_place
from cygrad.ops.broadcast import joined
from cygrad.tensor import Tensor, without_tensors

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "arange",
    "as_tensor",
    "empty",
    "empty_like",
    "empty_strided",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "is_tensor",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "range",
    "scalar_tensor",
    "tensor",
    "to_dlpack",
    "typename",
    "zeros",
    "zeros_like",
]



def has_dtype(data: Any) -> bool:
    """Whether data has a dtype: arrays, NumPy's scalars, tensors."""
    return hasattr(data, "dtype") or hasattr(data, "__array__")


def tensor(
    data: Nested, *, dtype: DType = None, device: object = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """Create a tensor from a copy of data.

    Args:
        data: a number, nested sequences of numbers or tensors, an array, or a tensor. In a sequence, a tensor of one
            element is a number, whatever its shape.
        dtype: the dtype of the tensor. By default Python's floats become float32 and its integers int64; arrays,
            NumPy's scalars and tensors keep their dtype.
        device: "cpu" or None.
        requires_grad: whether the tensor requires a gradient.
        pin_memory: accepted, without effect.

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
        array = kernels.pooled(np.array, without_tensors("tensor", data), dtype)
    except (ValueError, RecursionError) as error:  # the second where a list contains itself
        raise ValueError(f"tensor: data is not a rectangular array of numbers ({error})") from None
    if dtype is None and array.dtype.kind == "f" and not has_dtype(data) and array.dtype != (own := inferred(data)):
        array = kernels.pooled(array.astype, own)
    return Tensor(plain("tensor", array), requires_grad)


def inferred(data: Any) -> np.dtype[Any]:
    """The dtype of nested lists: that to which their numbers, arrays and tensors promote."""
    array = getattr(data, "array", data)
    if not isinstance(array, (list, tuple)):
        return default_float() if type(array) is float else np.asarray(array).dtype
    kinds = {type(item): item for item in array}
    items = kinds.values() if kinds.keys() <= {float, int, bool} else array
    return reduce(joined, map(inferred, items)) if items else default_float()


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


class Capsule:
    """A capsule of DLPack as an object that implements its protocol: one of memory of the CPU."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


def to_dlpack(tensor: Tensor) -> Any:
    """Return a tensor's memory as a capsule of DLPack, which can be read once.

    Args:
        tensor: a tensor that needs no gradient.

    Raises:
        TypeError: `tensor` is not a tensor.

    >>> cg.from_dlpack(cg.to_dlpack(cg.ones(2)))
    tensor([1., 1.])
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"to_dlpack: expected a tensor, got {type(tensor).__name__}")
    return tensor.__dlpack__(max_version=(1, 0))


def from_dlpack(data: Any) -> Tensor:
    """Wrap another library's array in a tensor that shares its memory.

    Args:
        data: an object that implements the DLPack protocol, on the CPU; or a capsule of it, which is used up.

    Raises:
        TypeError: `data` does not implement the protocol, or holds another dtype.
    """
    if type(data).__name__ == "PyCapsule":
        data = Capsule(data)
    if not hasattr(data, "__dlpack__"):
        raise TypeError(f"from_dlpack: expected an object of the DLPack protocol, got {type(data).__name__}")
    try:
        return Tensor(plain("from_dlpack", np.from_dlpack(data)))
    except BufferError as error:
        raise TypeError(f"from_dlpack: {error}") from None


def empty(
    *shape: Size,
    size: Any = None,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Create a tensor with uninitialized elements.

    Args:
        shape: integers, or one sequence of integers.
        size: the shape, as a keyword.
        dtype: the dtype, by default float32.
        requires_grad: whether the tensor requires a gradient.
        out: a tensor to write to and return.
        place: device="cpu", and what has no effect on it.
    """
    return filled("empty", np.empty, shape if size is None else (size,), dtype, requires_grad, out, place)


def zeros(
    *shape: Size,
    size: Any = None,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Create a tensor of zeros.

    Args:
        shape: integers, or one sequence of integers.
        size: the shape, as a keyword.
        dtype: the dtype, by default float32.
        requires_grad: whether the tensor requires a gradient.
        out: a tensor to write to and return.
        place: device="cpu", and what has no effect on it.

    >>> cg.zeros(2)
    tensor([0., 0.])
    """
    return filled("zeros", np.zeros, shape if size is None else (size,), dtype, requires_grad, out, place)


def ones(
    *shape: Size,
    size: Any = None,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Create a tensor of ones.

    Args:
        shape: integers, or one sequence of integers.
        size: the shape, as a keyword.
        dtype: the dtype, by default float32.
        requires_grad: whether the tensor requires a gradient.
        out: a tensor to write to and return.
        place: device="cpu", and what has no effect on it.
    """
    return filled("ones", np.ones, shape if size is None else (size,), dtype, requires_grad, out, place)


def filled(
    op: str, function: Any, shape: tuple[Any, ...], dtype: DType, requires_grad: bool, out: Tensor | None, place: Place
) -> Tensor:
    """A tensor that one of NumPy's functions creates from a shape."""
    check_place(op, place)
    sizes = checked_sizes(op, shape_argument(shape))
    if out is not None:
        if not isinstance(out, Tensor):
            raise TypeError(f"{op}: out must be a Tensor, got {type(out).__name__}")
        return written(op, out, function(sizes, out.array.dtype))
    return Tensor(kernels.pooled(function, sizes, default_float() if dtype is None else dtype), requires_grad)


def written(op: str, out: Tensor, values: Array) -> Tensor:
    """Write values to a tensor of their shape, and return the tensor."""
    if out.array.shape != values.shape:
        raise RuntimeError(f"{op}: out has shape {tuple(out.shape)}, but the result has {values.shape}")
    return out.copy_(Tensor(values))


def full(
    size: Sequence[int],
    fill_value: Tensor | np.generic | float,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Create a tensor with the same value in each element.

    Args:
        size: the shape.
        fill_value: the value.
        dtype: the dtype, by default that of the value; a Python float gives float32.
        requires_grad: whether the tensor requires a gradient.
        out: a tensor to write to and return.
        place: device="cpu", and what has no effect on it.
    """
    check_place("full", place)
    value: Any = getattr(fill_value, "array", fill_value)
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, (int, float, complex, np.ndarray)):
        raise TypeError(f"full: fill_value must be a number, got {type(value).__name__}")
    if np.ndim(value):
        raise TypeError(f"full: fill_value must be a number, got shape {np.shape(value)}")
    value = plain("full", value) if isinstance(value, np.ndarray) else value
    if dtype is None:
        default = default_float() if isinstance(value, float) else np.asarray(value).dtype
        dtype = out_dtype("full", None, out, default)
    create: Any = recording.produced if isinstance(value, np.ndarray) else kernels.pooled
    sizes = checked_sizes("full", size)
    return given("full", Tensor(plain("full", create(np.full, sizes, value, dtype)), requires_grad), out)


@checked
def empty_like(input: Tensor, *, dtype: DType = None, requires_grad: bool = False, **place: Unpack[Place]) -> Tensor:
    """Create a tensor with uninitialized elements, in the shape and dtype of another.

    Args:
        input: the other tensor.
        dtype: another dtype.
        requires_grad: whether the new tensor requires a gradient.
        place: device="cpu", and what has no effect on it.
    """
    return empty(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad, **place)


@checked
def zeros_like(input: Tensor, *, dtype: DType = None, requires_grad: bool = False, **place: Unpack[Place]) -> Tensor:
    """Create a tensor of zeros, in the shape and dtype of another.

    Args:
        input: the other tensor.
        dtype: another dtype.
        requires_grad: whether the new tensor requires a gradient.
        place: device="cpu", and what has no effect on it.
    """
    return zeros(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad, **place)


@checked
def ones_like(input: Tensor, *, dtype: DType = None, requires_grad: bool = False, **place: Unpack[Place]) -> Tensor:
    """Create a tensor of ones, in the shape and dtype of another.

    Args:
        input: the other tensor.
        dtype: another dtype.
        requires_grad: whether the new tensor requires a gradient.
        place: device="cpu", and what has no effect on it.
    """
    return ones(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad, **place)


@checked
def full_like(
    input: Tensor,
    fill_value: Tensor | np.generic | float,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    **place: Unpack[Place],
) -> Tensor:
    """Create a tensor with the same value in each element, in the shape and dtype of another.

    Args:
        input: the other tensor.
        fill_value: the value.
        dtype: another dtype.
        requires_grad: whether the new tensor requires a gradient.
        place: device="cpu", and what has no effect on it.
    """
    return full(input.shape, fill_value, dtype=dtype or input.dtype, requires_grad=requires_grad, **place)


def arange(
    start: Any = None,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Return start, start + step, … below end: ``arange(end)`` or ``arange(start, end, step)``.

    Args:
        start: the first value, by default 0; the bound where it is given alone.
        end: the bound, which is excluded.
        step: the difference between neighbors; may be negative.
        dtype: the dtype, by default int64, or float32 if one of the three is a float.
        requires_grad: whether the tensor requires a gradient.
        out: a tensor to write to and return.

    Raises:
        RuntimeError: step is 0 or points away from end.

    >>> cg.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    check_place("arange", place)
    if end is None:
        start, end = None, start
    if end is None:
        raise TypeError("arange: no end is given")
    start, end, step = (number("arange", v) for v in (0 if start is None else start, end, step))
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: step {step} does not lead from {start} to {end}")
    if dtype is None:
        floats = any([isinstance(v, float) for v in (start, end, step)])
        dtype = out_dtype("arange", None, out, default_float() if floats else np.int64)
    values = range_of_integers(start, end, step, dtype)
    if values is None:
        try:
            values = np.arange(start, end, step)
        except (ValueError, MemoryError) as error:
            raise RuntimeError(f"arange: from {start} to {end} in steps of {step} ({error})") from None
    return given("arange", Tensor(kernels.pooled(values.astype, dtype), requires_grad), out)


def range(start: Any, end: Any, step: Any = 1, *, dtype: DType = None, **options: Any) -> Tensor:
    """Return start, start + step, … up to end, which is included, in float32 by default; see :func:`cygrad.arange`."""
    first, last, difference = [number("range", v) for v in (start, end, step)]
    if difference == 0 or (last - first) * difference < 0:
        raise RuntimeError(f"range: step {difference} does not lead from {first} to {last}")
    places = arange(math.floor((last - first) / difference) + 1, dtype=np.float64)
    return tensor((first + places.array * difference).astype(dtype or default_float()), **options)


def scalar_tensor(s: float, *, dtype: DType = None, requires_grad: bool = False, **place: Unpack[Place]) -> Tensor:
    """Create a tensor without dimensions from a number, in float32 by default."""
    return full((), number("scalar_tensor", s), dtype=dtype or default_float(), requires_grad=requires_grad, **place)


def empty_strided(
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    **place: Unpack[Place],
) -> Tensor:
    """Create a tensor with uninitialized elements, in memory with these strides.

    Args:
        size: the shape.
        stride: the step of each dimension, in elements; not negative.
        dtype: the dtype, by default float32.
        requires_grad: whether the tensor requires a gradient.
        place: device="cpu", and what has no effect on it.
    """
    if len(size) != len(stride) or min([*size, *stride, 0]) < 0:
        raise RuntimeError(f"empty_strided: size {tuple(size)} and stride {tuple(stride)} do not fit")
    memory = empty(1 + sum([max(n - 1, 0) * s for n, s in zip(size, stride)]), dtype=dtype, **place).array
    steps = [s * memory.itemsize for s in stride]
    return Tensor(np.ndarray(tuple(size), memory.dtype, memory, 0, steps), requires_grad)


def range_of_integers(start: Any, end: Any, step: Any, dtype: Any) -> Array | None:
    """The values of a range of an integer dtype that floats describe: they are cut first, as in PyTorch; the number of
    values is that of the floats, unless the dtype is int64. None for other ranges."""
    if np.dtype(dtype).kind not in "iu" or not any([isinstance(v, float) for v in (start, end, step)]):
        return None
    first, last, difference = (int(v) for v in (start, end, step))
    if np.dtype(dtype) == np.int64:
        if difference == 0:
            raise ValueError(f"arange: step {step} is 0 as an integer")
        start, end, step = first, last, difference
    return first + difference * np.arange(max(math.ceil((end - start) / step), 0))


def number(name: str, value: Any) -> Any:
    """A Python number, also from a tensor of one element; raise TypeError, naming the function, for anything else."""
    value = value.item() if isinstance(value, (Tensor, np.ndarray, np.generic)) else value
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    return value


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Return evenly spaced values from start to end, both included.

    Args:
        start: the first value.
        end: the last value.
        steps: the number of values.
        dtype: the dtype, by default float32.
        requires_grad: whether the tensor requires a gradient.
        out: a tensor to write to and return.
    """
    check_place("linspace", place)
    kind = np.dtype(out_dtype("linspace", dtype, out, default_float()))
    values = spaced("linspace", start, end, steps, kind)
    return given("linspace", Tensor(kernels.pooled(values.astype, kind), requires_grad), out)


def spaced(name: str, start: Any, end: Any, steps: int, dtype: np.dtype[Any]) -> Array:
    """Evenly spaced numbers. For integers both ends are cut first, and each half counts from its own end, as in
    PyTorch."""
    start, end, steps = number(name, start), number(name, end), integer(name, "steps", steps)
    if steps < 0:
        raise RuntimeError(f"{name}: the number of steps must not be negative, got {steps}")
    if dtype.kind not in "iu":
        return np.linspace(start, end, steps)
    first, last, place = int(start), int(end), np.arange(steps)
    step = (last - first) / max(steps - 1, 1)
    return np.where(place < steps // 2 + (steps == 1), first + step * place, last - step * (steps - 1 - place))


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Return base to the power of evenly spaced exponents, both ends included.

    Args:
        start: the first exponent.
        end: the last exponent.
        steps: the number of values.
        base: the base of the power.
        dtype: the dtype, by default float32.
        requires_grad: whether the tensor requires a gradient.
        out: a tensor to write to and return.
    """
    check_place("logspace", place)
    kind = np.dtype(out_dtype("logspace", dtype, out, default_float()))
    exponents = spaced("logspace", start, end, steps, kind)
    powers = np.power(float(base), exponents)
    return given("logspace", Tensor(kernels.pooled(powers.astype, kind), requires_grad), out)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    **place: Unpack[Place],
) -> Tensor:
    """Create a matrix with ones on its diagonal and zeros elsewhere.

    Args:
        n: the number of rows.
        m: the number of columns, by default n.
        dtype: the dtype, by default float32.
        requires_grad: whether the tensor requires a gradient.
        out: a tensor to write to and return.
    """
    check_place("eye", place)
    n, m = integer("eye", "n", n), None if m is None else integer("eye", "m", m)
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(f"eye: sizes must not be negative, got {n} and {m}")
    kind = out_dtype("eye", dtype, out, default_float())
    return given("eye", Tensor(kernels.pooled(np.eye, n, m, 0, kind), requires_grad), out)


def is_tensor(obj: object) -> bool:
    """Return whether an object is a tensor."""
    return isinstance(obj, Tensor)


def typename(obj: object) -> str:
    """Return the name of an object's type, "cygrad.FloatTensor" for a tensor of float32."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    module = getattr(kind, "__module__", "builtins")  # a class made by exec() has none
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
