"""Methods of tensors that are no functions, and that few programs need."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from cygrad._arguments import checked, checked_sizes, shape_argument
from cygrad._typing import Array, Size, Tensor
from cygrad.autograd import engine
from cygrad.autograd.arrays import root
from cygrad.functions.shapes import t, transpose
from cygrad.functions.storages import Storage, UntypedStorage
from cygrad.generator import Generator, normal_array, uniform_array
from cygrad.ops import shape, view
from cygrad.ops.definition import fitted
from cygrad.ops.index import overwrite
from cygrad.sizes import sizes_of

__all__ = [
    "apply_", "as_strided_", "bernoulli", "bernoulli_", "cauchy_", "conj", "exponential_", "fill_diagonal_",
    "geometric_", "get_device", "hardshrink",
    "is_complex", "is_conj", "is_inference", "is_neg", "is_pinned", "is_same_size", "is_set_to", "is_shared",
    "is_signed", "log_normal_", "map_", "multinomial", "ndimension", "nelement", "new", "pin_memory",
    "prelu", "random_",
    "resize_", "resize_as_", "resolve_conj", "resolve_neg", "share_memory_", "squeeze_", "storage",
    "storage_offset", "storage_type", "sum_to_size", "swapaxes_", "swapdims_", "t_", "transpose_", "unfold",
    "unsqueeze_", "untyped_storage",
]  # fmt: skip


def _write(name: str, input: Any, values: Array) -> Any:
    """Write values into the tensor; what it was before receives a gradient of 0."""
    if not input.array.flags.writeable:
        raise RuntimeError(f"{name}: the tensor's memory is read-only")
    with np.errstate(all="ignore"):  # as values of another kind are cast
        return overwrite(name, input, np.asarray(values).astype(input.array.dtype))


def _seen_as(input: Any, result: Any) -> Any:
    """Give the tensor the shape and the position in the graph of a view of it."""
    engine.check_writable(input)
    input.array = result.array
    if result.node is not None:
        engine.take_position(input, result)
    return input


def squeeze_(input: Tensor, dim: Any = None) -> Tensor:
    """Remove dimensions of size 1, in place."""
    return _seen_as(input, shape.squeeze(input, dim=dim))


def unsqueeze_(input: Tensor, dim: int) -> Tensor:
    """Insert a dimension of size 1, in place."""
    return _seen_as(input, shape.unsqueeze(input, dim=dim))


def transpose_(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchange two dimensions, in place."""
    return _seen_as(input, transpose(input, dim0, dim1))


def as_strided_(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """Become a view of the memory that the tensor lies in; see :func:`cygrad.as_strided`."""
    return _seen_as(input, view.as_strided(input, size=size, stride=stride, storage_offset=storage_offset))


swapaxes_ = transpose_
swapdims_ = transpose_


def t_(input: Tensor) -> Tensor:
    """Transpose a matrix, in place."""
    return _seen_as(input, t(input))


def resize_(input: Tensor, *sizes: Size) -> Tensor:
    """Change the shape in place, keeping the elements in order; what is added is zero."""
    size = checked_sizes("resize_", shape_argument(sizes))
    if input.requires_grad:
        raise RuntimeError("resize_: a tensor that requires a gradient can't be resized")
    flat, n = input.array.reshape(-1), math.prod(size)
    input.array = (
        flat[:n] if n <= flat.size else np.resize(np.append(flat, np.zeros(n - flat.size, flat.dtype)), n)
    ).reshape(size)
    return input


@checked
def resize_as_(input: Tensor, the_template: Tensor) -> Tensor:
    """Change the shape in place to that of another tensor."""
    return resize_(input, the_template.shape)


def apply_(input: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replace each element x by callable(x)."""
    return _write("apply_", input, np.reshape([callable(v) for v in input.array.reshape(-1).tolist()], input.shape))


@checked
def map_(input: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replace each element x by callable(x, y), where y is that of another tensor, broadcast."""
    other = np.broadcast_to(tensor.array, input.shape)
    pairs = zip(input.array.reshape(-1).tolist(), other.reshape(-1).tolist())
    return _write("map_", input, np.reshape([callable(*pair) for pair in pairs], input.shape))


def fill_diagonal_(input: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Fill the main diagonal of a tensor of equal sizes, or of a matrix, which `wrap` continues below its last row."""
    if input.ndim < 2 or (input.ndim > 2 and len(set(input.shape)) > 1):
        raise RuntimeError(f"fill_diagonal_: expected a matrix, or equal sizes, got shape {input.shape}")
    values = input.array.copy()
    np.fill_diagonal(values, fill_value, wrap)
    return _write("fill_diagonal_", input, values)


def _drawn(input: Any, generator: Generator | None) -> Array:
    """Numbers from U(0, 1], for any dtype of the tensor."""
    return 1 - uniform_array(input.shape, np.dtype(np.float64), generator)


def bernoulli_(input: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1 with probability p, else 0."""
    return _write("bernoulli_", input, _drawn(input, generator) <= getattr(p, "array", p))


def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """Draw 1 with the probability that the tensor gives, or p, else 0."""
    return import_module("cygrad.random").bernoulli(input, p, generator=generator)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Draw column indices with probabilities proportional to the weights in each row."""
    return import_module("cygrad.random").multinomial(input, num_samples, replacement, generator=generator)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x where |x| > λ, else 0: as ``cygrad.nn.functional.hardshrink``."""
    return import_module("cygrad.nn.functional").hardshrink(input, lambd)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Return x where x ≥ 0, else weight·x: as ``cygrad.nn.functional.prelu``."""
    return import_module("cygrad.nn.functional").prelu(input, weight)


def exponential_(input: Tensor, lambd: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with samples of the exponential distribution, λ·e^(−λx)."""
    if lambd <= 0:
        raise RuntimeError(f"exponential_: lambd must be positive, got {lambd}")
    return _write("exponential_", input, -np.log(_drawn(input, generator)) / lambd)


def geometric_(input: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with samples of the geometric distribution, p·(1 − p)^(k−1)."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_: p must lie between 0 and 1, got {p}")
    return _write("geometric_", input, np.maximum(np.ceil(np.log(_drawn(input, generator)) / math.log1p(-p)), 1))


def log_normal_(input: Any, mean: float = 1, std: float = 2, *, generator: Generator | None = None) -> Tensor:
    """Fill with e^x, where x is N(mean, std²)."""
    if not std > 0:
        raise RuntimeError(f"log_normal_: std must be positive, got {std}")
    if not input.is_floating_point():
        raise RuntimeError(f"log_normal_: the tensor must be floating-point, got {input.dtype}")
    return _write("log_normal_", input, np.exp(mean + std * normal_array(input.shape, input.dtype, generator)))


def cauchy_(input: Tensor, median: float = 0, sigma: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with samples of the Cauchy distribution."""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_: sigma must be positive, got {sigma}")
    return _write("cauchy_", input, median + sigma * np.tan(np.pi * (_drawn(input, generator) - 0.5)))


MANTISSA = {2: 11, 4: 24, 8: 53}  # bits of a float of so many bytes


def random_(input: Tensor, *limits: int | None, generator: Generator | None = None) -> Tensor:
    """Fill with integers drawn evenly from [from, to): ``random_()``, ``random_(to)`` or ``random_(from, to)``."""
    dtype = input.dtype
    top = 2 if dtype.kind == "b" else 2 ** MANTISSA[dtype.itemsize] if dtype.kind == "f" else np.iinfo(dtype).max
    low, high = (0, limits[0]) if len(limits) == 1 else limits or (0, None)
    low, high = low or 0, top if high is None else high
    if not low < high:
        raise RuntimeError(f"random_: from must be below to, got {low} and {high}")
    return _write(
        "random_", input, low + np.minimum(np.floor((1 - _drawn(input, generator)) * (high - low)), high - low - 1)
    )


unfold = shape.unfold


def new(input: Tensor, *sizes: Any) -> Tensor:
    """Create a tensor of this one's dtype from sizes or data."""
    shape = sizes_of("new", sizes)
    if shape is None:
        return engine.wrap(np.array(getattr(sizes[0], "array", sizes[0]), input.dtype))
    return engine.wrap(np.zeros(checked_sizes("new", shape), input.dtype))


def sum_to_size(input: Tensor, *size: Size) -> Tensor:
    """Sum over the dimensions that broadcasting from `size` would repeat."""
    target = checked_sizes("sum_to_size", shape_argument(size))
    try:
        fits = np.broadcast_shapes(target, input.shape) == tuple(input.shape)
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(f"sum_to_size: size {target} does not broadcast to shape {input.shape}")
    y = input.long() if input.dtype.kind == "b" and (not target or target != input.shape) else input
    return fitted(y, (tuple(target), y.dtype))


@checked
def is_set_to(input: Tensor, tensor: Tensor) -> bool:
    """Return whether two tensors are the same view of the same memory."""
    a, b = input.array, tensor.array
    return a.__array_interface__["data"] == b.__array_interface__["data"] and (a.shape, a.strides) == (
        b.shape,
        b.strides,
    )


@checked
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Return whether the shapes are equal."""
    return input.shape == other.shape


def nelement(input: Tensor) -> int:
    """Return the number of elements."""
    return input.array.size


def ndimension(input: Tensor) -> int:
    """Return the number of dimensions."""
    return input.array.ndim


def storage_offset(input: Tensor) -> int:
    """Return the position of the first element in the memory that the tensor is a view of, in elements."""
    base = input.array.base
    if not isinstance(base, np.ndarray):
        return 0
    return (input.array.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // input.array.itemsize


def storage(input: Tensor) -> Storage:
    """Return the memory of the tensor, and of those that it is a view of, as a flat sequence of elements.

    >>> cg.arange(4)[1:].storage().tolist()
    [0, 1, 2, 3]
    """
    return Storage(root(input.array))


def untyped_storage(input: Tensor) -> UntypedStorage:
    """Return the memory of the tensor, and of those that it is a view of, as bytes."""
    return UntypedStorage(root(input.array))


def storage_type(input: Tensor) -> type[Storage]:
    """Return the class of the memory."""
    return Storage


def is_signed(input: Tensor) -> bool:
    """Return whether the dtype has negative numbers."""
    return input.dtype.kind in "if"


def get_device(input: Tensor) -> int:
    """Return −1, as for all tensors of the CPU."""
    return -1


def _itself(input: Tensor) -> Tensor:
    """Return the tensor itself."""
    return input


def _never(input: Tensor) -> bool:
    """Return False."""
    return False


conj = _itself
resolve_conj = _itself
resolve_neg = _itself
share_memory_ = _itself
pin_memory = _itself
is_conj = _never
is_neg = _never
is_complex = _never
is_shared = _never
is_pinned = _never
is_inference = _never
