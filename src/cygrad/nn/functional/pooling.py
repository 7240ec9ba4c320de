"""Pooling of sequences and images."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from cygrad import functions as f
from cygrad._attributes import ShapeError
from cygrad.creation import zeros
from cygrad.nn.functional.activation import relu
from cygrad.nn.functional.checks import check_tensor
from cygrad.ops import pooling as ops
from cygrad.ops.pooling import Windows

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "avg_pool1d",
    "avg_pool2d",
    "lp_pool1d",
    "lp_pool2d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
]

Ints = int | Sequence[int]
MOST = 2**31 - 1


def whole(name: str, argument: str, value: Any) -> int:
    """`value` as an int below 2³¹."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {argument} must be an int, got {type(value).__name__}") from None
    if not -MOST <= number <= MOST:
        raise RuntimeError(f"{name}: {argument} {number} is too large")
    return number


def each(name: str, argument: str, value: Any, axes: int, least: int) -> tuple[int, ...]:
    """One int of at least `least` for each axis, from one for all or a sequence."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(values) not in (1, axes):
        raise RuntimeError(f"{name}: {argument} must be an int or {axes} ints, got {value}")
    numbers = tuple([whole(name, argument, v) for v in values]) * (axes // len(values))
    if min(numbers) < least:
        raise RuntimeError(f"{name}: {argument} must be at least {least}, got {value}")
    return numbers


def check_planes(name: str, input: Any, axes: int) -> None:
    """The input must have the shape (N, C, *planes) or (C, *planes), of which only N may be 0."""
    check_tensor(name, "input", input)
    shape = tuple(input.array.shape)
    if len(shape) not in (axes + 1, axes + 2):
        wanted = "(N, C, H, W) or (C, H, W)" if axes == 2 else "(N, C, L) or (C, L)"
        raise ShapeError(f"{name}: input has shape {shape}, wanted {wanted}")
    if 0 in shape[-axes - 1 :]:
        raise RuntimeError(f"{name}: input has shape {shape}, in which only the batch may be empty")


def pooled_size(name: str, n: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """The number of windows along an axis of size n; with ceil_mode also the last one that begins in it or before."""
    room = n + 2 * padding - dilation * (kernel - 1) - 1
    out = (room + stride - 1 if ceil_mode else room) // stride + 1
    if ceil_mode and (out - 1) * stride >= n + padding:
        out -= 1
    if out < 1:
        raise RuntimeError(f"{name}: a kernel of size {kernel} is too large for a dimension of size {n}")
    return out


def windows_of(
    name: str,
    input: Tensor,
    axes: int,
    kernel_size: Any,
    stride: Any,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Windows:
    """The windows of the last axes, checked."""
    check_planes(name, input, axes)
    kernels = each(name, "kernel_size", kernel_size, axes, 1)
    given = stride is not None and not (isinstance(stride, (tuple, list)) and not stride)
    strides = each(name, "stride", stride, axes, 1) if given else kernels
    paddings, dilations = each(name, "padding", padding, axes, 0), each(name, "dilation", dilation, axes, 1)
    windows = []
    for n, kernel, step, pad, apart in zip(input.array.shape[-axes:], kernels, strides, paddings, dilations):
        if 2 * pad > (kernel - 1) * apart + 1:
            raise RuntimeError(
                f"{name}: padding must be at most half of the kernel, got {pad} for a kernel of {kernel}"
            )
        windows.append((pooled_size(name, n, kernel, step, pad, apart, bool(ceil_mode)), kernel, step, pad, apart))
    return tuple(windows)


def adaptive_windows(name: str, input: Tensor, axes: int, output_size: Any) -> Windows:
    """The windows that give the output sizes; None leaves a size as it is."""
    check_planes(name, input, axes)
    sizes = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * axes
    if len(sizes) != axes:
        raise RuntimeError(f"{name}: output_size must be an int or {axes} ints, got {output_size}")
    windows = []
    for n, size in zip(input.array.shape[-axes:], sizes):
        out = n if size is None else whole(name, "output_size", size)
        if out < 0:
            raise RuntimeError(f"{name}: output_size must not be negative, got {output_size}")
        even = out > 0 and n % out == 0
        windows.append((out, n // out, n // out, 0, 1) if even else (out, 0, 1, 0, 1))
    return tuple(windows)


def largest(input: Tensor, windows: Windows, return_indices: bool) -> Any:
    """The maxima of the windows, with their positions if these are wanted."""
    return ops.max_pool_indexed(input, windows) if return_indices else ops.max_pool(input, windows)


# fmt: off
@overload
def max_pool1d(input: Tensor, kernel_size: Ints, stride: Ints | None = ..., padding: Ints = ..., dilation: Ints = ..., ceil_mode: bool = ..., return_indices: Literal[False] = ...) -> Tensor: ...  # noqa: E501
@overload
def max_pool1d(input: Tensor, kernel_size: Ints, stride: Ints | None = ..., padding: Ints = ..., dilation: Ints = ..., ceil_mode: bool = ..., return_indices: bool = ...) -> Any: ...  # noqa: E501
# fmt: on
def max_pool1d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the maximum of each window of a sequence. As ``torch.nn.functional.max_pool1d``.

    Args:
        input: shape (N, C, L) or (C, L).
        kernel_size: elements of a window.
        stride: distance of windows, default None for kernel_size.
        padding: elements of −∞ at both ends, at most half of the kernel, default 0.
        dilation: distance of the elements of a window, default 1.
        ceil_mode: whether a last window may go beyond the end, default False.
        return_indices: whether to return the position of each maximum too, default False.

    Returns:
        y, shape (N, C, L') with L' = ⌊(L + 2·padding − dilation·(kernel_size − 1) − 1)/stride⌋ + 1; or (y, indices).

    Raises:
        RuntimeError: a size does not fit.

    >>> cg.nn.functional.max_pool1d(cg.tensor([[1.0, 3.0, 2.0, 4.0]]), 2)
    tensor([[3., 4.]])
    """
    windows = windows_of("max_pool1d", input, 1, kernel_size, stride, padding, dilation, ceil_mode)
    return largest(input, windows, return_indices)


# fmt: off
@overload
def max_pool2d(input: Tensor, kernel_size: Ints, stride: Ints | None = ..., padding: Ints = ..., dilation: Ints = ..., ceil_mode: bool = ..., return_indices: Literal[False] = ...) -> Tensor: ...  # noqa: E501
@overload
def max_pool2d(input: Tensor, kernel_size: Ints, stride: Ints | None = ..., padding: Ints = ..., dilation: Ints = ..., ceil_mode: bool = ..., return_indices: bool = ...) -> Any: ...  # noqa: E501
# fmt: on
def max_pool2d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the maximum of each window of an image. As ``torch.nn.functional.max_pool2d``.

    Args:
        input: shape (N, C, H, W) or (C, H, W).
        kernel_size: height and width of a window, an int for both.
        stride: distances of windows, default None for kernel_size.
        padding: rows and columns of −∞ at all sides, at most half of the kernel, default 0.
        dilation: distances of the elements of a window, default 1.
        ceil_mode: whether last windows may go beyond the ends, default False.
        return_indices: whether to return the position of each maximum in its plane too, default False.

    Returns:
        y, shape (N, C, H', W') with H' = ⌊(H + 2·padding − dilation·(kernel_size − 1) − 1)/stride⌋ + 1, or (y,
        indices).

    Raises:
        RuntimeError: a size does not fit.

    >>> cg.nn.functional.max_pool2d(cg.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    windows = windows_of("max_pool2d", input, 2, kernel_size, stride, padding, dilation, ceil_mode)
    return largest(input, windows, return_indices)


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return what ``max_pool1d`` returns with indices. As ``torch.nn.functional.max_pool1d_with_indices``."""
    windows = windows_of("max_pool1d", input, 1, kernel_size, stride, padding, dilation, ceil_mode)
    return ops.max_pool_indexed(input, windows)


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return what ``max_pool2d`` returns with indices. As ``torch.nn.functional.max_pool2d_with_indices``."""
    windows = windows_of("max_pool2d", input, 2, kernel_size, stride, padding, dilation, ceil_mode)
    return ops.max_pool_indexed(input, windows)


def avg_pool1d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Return the mean of each window of a sequence. As ``torch.nn.functional.avg_pool1d``.

    Args:
        input: shape (N, C, L) or (C, L).
        kernel_size: elements of a window.
        stride: distance of windows, default None for kernel_size.
        padding: zeros at both ends, at most half of the kernel, default 0.
        ceil_mode: whether a last window may go beyond the end, default False.
        count_include_pad: whether the zeros count in the mean, default True.

    Returns:
        y, shape (N, C, L') with L' = ⌊(L + 2·padding − kernel_size)/stride⌋ + 1.

    Raises:
        RuntimeError: a size does not fit.

    >>> cg.nn.functional.avg_pool1d(cg.tensor([[1.0, 3.0, 2.0, 4.0]]), 2)
    tensor([[2., 3.]])
    """
    windows = windows_of("avg_pool1d", input, 1, kernel_size, stride, padding, 1, ceil_mode)
    return ops.avg_pool(input, windows, bool(count_include_pad), 0.0)


def avg_pool2d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of each window of an image. As ``torch.nn.functional.avg_pool2d``.

    Args:
        input: shape (N, C, H, W) or (C, H, W).
        kernel_size: height and width of a window, an int for both.
        stride: distances of windows, default None for kernel_size.
        padding: rows and columns of zeros at all sides, at most half of the kernel, default 0.
        ceil_mode: whether last windows may go beyond the ends, default False.
        count_include_pad: whether the zeros count in the mean, default True.
        divisor_override: what the sum of a window is divided by, default None for its number of elements.

    Returns:
        y, shape (N, C, H', W') with H' = ⌊(H + 2·padding − kernel_size)/stride⌋ + 1.

    Raises:
        RuntimeError: a size does not fit, or the divisor is 0.

    >>> cg.nn.functional.avg_pool2d(cg.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """
    windows = windows_of("avg_pool2d", input, 2, kernel_size, stride, padding, 1, ceil_mode)
    divisor = 0 if divisor_override is None else whole("avg_pool2d", "divisor_override", divisor_override)
    if divisor == 0 and divisor_override is not None:
        raise RuntimeError("avg_pool2d: divisor_override must not be 0")
    return ops.avg_pool(input, windows, bool(count_include_pad), float(divisor))


def adaptive_avg_pool1d(input: Tensor, output_size: Ints) -> Tensor:
    """Return means of a sequence over windows that cover it, output_size in number. As
    ``torch.nn.functional.adaptive_avg_pool1d``.

    Args:
        input: shape (N, C, L) or (C, L).
        output_size: L', the number of windows; window i is ⌊i·L/L'⌋ ≤ j < ⌈(i + 1)·L/L'⌉.

    Returns:
        y, shape (N, C, L').

    Raises:
        RuntimeError: a size does not fit.

    >>> cg.nn.functional.adaptive_avg_pool1d(cg.tensor([[1.0, 3.0, 2.0, 4.0]]), 1)
    tensor([[2.5000]])
    """
    return ops.avg_pool(input, adaptive_windows("adaptive_avg_pool1d", input, 1, output_size), True, 0.0)


def adaptive_avg_pool2d(input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
    """Return means of an image over windows that cover it. As ``torch.nn.functional.adaptive_avg_pool2d``.

    Args:
        input: shape (N, C, H, W) or (C, H, W).
        output_size: H' and W', an int for both, None for the input's; row i is the mean of the rows
            ⌊i·H/H'⌋ ≤ j < ⌈(i + 1)·H/H'⌉, and likewise for columns.

    Returns:
        y, shape (N, C, H', W').

    Raises:
        RuntimeError: a size does not fit.

    >>> cg.nn.functional.adaptive_avg_pool2d(cg.arange(16.0).reshape(1, 4, 4), 1)
    tensor([[[7.5000]]])
    """
    return ops.avg_pool(input, adaptive_windows("adaptive_avg_pool2d", input, 2, output_size), True, 0.0)


def adaptive_max_pool1d(input: Tensor, output_size: Ints, return_indices: bool = False) -> Any:
    """Return maxima of a sequence over windows that cover it. As ``torch.nn.functional.adaptive_max_pool1d``.

    Args:
        input: shape (N, C, L) or (C, L).
        output_size: number of windows, as in ``adaptive_avg_pool1d``.
        return_indices: whether to return the position of each maximum too, default False.

    Returns:
        y, shape (N, C, output_size), or (y, indices).

    Raises:
        RuntimeError: a size does not fit.
    """
    return largest(input, adaptive_windows("adaptive_max_pool1d", input, 1, output_size), return_indices)


def adaptive_max_pool2d(
    input: Tensor, output_size: int | Sequence[int | None] | None, return_indices: bool = False
) -> Any:
    """Return maxima of an image over windows that cover it. As ``torch.nn.functional.adaptive_max_pool2d``.

    Args:
        input: shape (N, C, H, W) or (C, H, W).
        output_size: sizes of the result, as in ``adaptive_avg_pool2d``.
        return_indices: whether to return the position of each maximum in its plane too, default False.

    Returns:
        y, shape (N, C, H', W'), or (y, indices).

    Raises:
        RuntimeError: a size does not fit.
    """
    return largest(input, adaptive_windows("adaptive_max_pool2d", input, 2, output_size), return_indices)


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: Ints, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Return what ``adaptive_max_pool1d`` returns with indices. As
    ``torch.nn.functional.adaptive_max_pool1d_with_indices``."""
    return ops.max_pool_indexed(input, adaptive_windows("adaptive_max_pool1d", input, 1, output_size))


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: int | Sequence[int | None] | None, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Return what ``adaptive_max_pool2d`` returns with indices. As
    ``torch.nn.functional.adaptive_max_pool2d_with_indices``."""
    return ops.max_pool_indexed(input, adaptive_windows("adaptive_max_pool2d", input, 2, output_size))


def unpool(
    name: str,
    input: Tensor,
    indices: Tensor,
    axes: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    output_size: Sequence[int] | None,
) -> Tensor:
    """Zeros with the input at the positions `indices` of planes of output_size."""
    check_planes(name, input, axes)
    check_tensor(name, "indices", indices)
    if indices.array.dtype != "int64":
        raise RuntimeError(f"{name}: indices must be int64, got {indices.array.dtype}")
    if indices.shape != input.shape:
        raise RuntimeError(f"{name}: indices have shape {tuple(indices.shape)}, but input {tuple(input.shape)}")
    kernels = each(name, "kernel_size", kernel_size, axes, 1)
    strides = each(name, "stride", stride, axes, 1) if stride is not None and stride != [] else kernels
    paddings = each(name, "padding", padding, axes, 0)
    lead, sizes = tuple(input.shape[:-axes]), input.shape[-axes:]
    default = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(sizes, strides, paddings, kernels)]
    wanted = default if output_size is None else list(output_size)[-axes:]
    if output_size is not None:
        if len(output_size) not in (axes, axes + len(lead)):
            raise ValueError(f"{name}: output_size must have {axes} or {axes + len(lead)} sizes, got {output_size}")
        for want, usual, step in zip(wanted, default, strides):
            if not usual - step < want < usual + step:
                raise ValueError(f"{name}: output_size must be near {default}, got {list(output_size)}")
    total = math.prod(wanted)
    if min(wanted) <= 0:
        raise RuntimeError(f"{name}: the result would have planes of {wanted}")
    if indices.numel() and (indices.array.min() < 0 or indices.array.max() >= total):
        raise RuntimeError(f"{name}: indices must lie in 0 to {total - 1}")
    flat = input.reshape(*lead, math.prod(sizes))
    start = zeros((*lead, total), dtype=input.dtype)
    return f.scatter(start, len(lead), indices.reshape(flat.shape), flat).reshape(*lead, *wanted)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Return the sequence from which ``max_pool1d`` would have taken its maxima, 0 elsewhere. As
    ``torch.nn.functional.max_unpool1d``.

    Args:
        input: maxima, shape (N, C, L') or (C, L').
        indices: their positions, which ``max_pool1d`` returns.
        kernel_size, stride, padding: as there.
        output_size: L, or the whole shape, default None for (L' − 1)·stride − 2·padding + kernel_size.

    Raises:
        RuntimeError: a size does not fit, or an index is out of range.
        ValueError: output_size can't be that of the pooled sequence.
    """
    return unpool("max_unpool1d", input, indices, 1, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Return the image from which ``max_pool2d`` would have taken its maxima, 0 elsewhere. As
    ``torch.nn.functional.max_unpool2d``. M. D. Zeiler, G. W. Taylor, R. Fergus (2011), "Adaptive deconvolutional
    networks for mid and high level feature learning".

    Args:
        input: maxima, shape (N, C, H', W') or (C, H', W').
        indices: their positions, which ``max_pool2d`` returns.
        kernel_size, stride, padding: as there.
        output_size: (H, W), or the whole shape, default None for (H' − 1)·stride − 2·padding + kernel_size.

    Raises:
        RuntimeError: a size does not fit, or an index is out of range.
        ValueError: output_size can't be that of the pooled image.
    """
    return unpool("max_unpool2d", input, indices, 2, kernel_size, stride, padding, output_size)


def lp(means: Tensor, norm_type: float, count: int) -> Tensor:
    """(count·means)^(1/p) of means of xᵖ, with their sign"""
    if not norm_type:
        raise RuntimeError("lp_pool: norm_type must not be 0")
    return (f.sign(means) * relu(f.abs(means)) * count) ** (1.0 / norm_type)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Ints, stride: Ints | None = None, ceil_mode: bool = False
) -> Tensor:
    """Return (Σ xᵖ)^(1/p) of each window of a sequence. As ``torch.nn.functional.lp_pool1d``.

    Args:
        input: shape (N, C, L) or (C, L).
        norm_type: p.
        kernel_size, stride, ceil_mode: as in ``avg_pool1d``.
    """
    check_tensor("lp_pool1d", "input", input)
    means = avg_pool1d(input**norm_type, kernel_size, stride, 0, ceil_mode)
    return lp(means, norm_type, each("lp_pool1d", "kernel_size", kernel_size, 1, 1)[0])


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Ints, stride: Ints | None = None, ceil_mode: bool = False
) -> Tensor:
    """Return (Σ xᵖ)^(1/p) of each window of an image. As ``torch.nn.functional.lp_pool2d``.

    Args:
        input: shape (N, C, H, W) or (C, H, W).
        norm_type: p.
        kernel_size, stride, ceil_mode: as in ``avg_pool2d``.
    """
    check_tensor("lp_pool2d", "input", input)
    means = avg_pool2d(input**norm_type, kernel_size, stride, 0, ceil_mode)
    return lp(means, norm_type, math.prod(each("lp_pool2d", "kernel_size", kernel_size, 2, 1)))
