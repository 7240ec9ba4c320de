"""Convolutions and transposed convolutions, of sequences and images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad._attributes import ShapeError
from cygrad.nn.functional.checks import check_tensor
from cygrad.ops.conv import convolution, transposed_convolution

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"]

Steps = int | Sequence[int]


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Steps = 1,
    padding: str | Steps = 0,
    dilation: Steps = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve sequences: y[n, f, q] = b[f] + Σ over c, k of W[f, c, k]·x[n, c, q·stride + k·dilation − padding]. As
    ``torch.nn.functional.conv1d``.

    Args:
        input: x, shape (N, in_channels, L) or (in_channels, L).
        weight: W, shape (out_channels, in_channels/groups, kernel size), of the same dtype.
        bias: b, shape (out_channels,), default None.
        stride: elements from one position of the kernel to the next, default 1.
        padding: zeros on both sides, default 0; "valid" for none, "same" for a result as long as the input.
        dilation: elements from one element of the kernel to the next, default 1.
        groups: groups of channels that are convolved on their own, default 1.

    Returns:
        y, shape (N, out_channels, L') with L' = ⌊(L + 2·padding − dilation·(kernel size − 1) − 1)/stride⌋ + 1, or
        without N as the input.

    Raises:
        RuntimeError: the shapes or dtypes do not fit, or an option is out of its range.
        TypeError: an option is not an integer.

    >>> cg.nn.functional.conv1d(cg.tensor([[1.0, 2.0, 4.0]]), cg.tensor([[[1.0, -1.0]]]))
    tensor([[-1., -2.]])
    """
    return convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Steps = 1,
    padding: str | Steps = 0,
    dilation: Steps = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve images, as :func:`conv1d` does sequences. As ``torch.nn.functional.conv2d``.

    Args:
        input: x, shape (N, in_channels, H, W) or (in_channels, H, W).
        weight: W, shape (out_channels, in_channels/groups, kernel height, kernel width), of the same dtype.
        bias: b, shape (out_channels,), default None.
        stride: pixels from one position of the kernel to the next, one number or two, default 1.
        padding: zeros on both sides of each dimension, default 0; "valid" for none, "same" for a result as large as the
            input.
        dilation: pixels from one element of the kernel to the next, default 1.
        groups: groups of channels that are convolved on their own, default 1.

    Returns:
        y, shape (N, out_channels, H', W'), each size as in :func:`conv1d`, or without N as the input.

    Raises:
        RuntimeError: the shapes or dtypes do not fit, or an option is out of its range.
        TypeError: an option is not an integer.

    >>> cg.nn.functional.conv2d(cg.ones(1, 3, 5, 5), cg.ones(2, 3, 3, 3), padding=1, stride=2).shape
    (1, 2, 3, 3)
    """
    return convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Steps = 1,
    padding: Steps = 0,
    output_padding: Steps = 0,
    groups: int = 1,
    dilation: Steps = 1,
) -> Tensor:
    """Transpose a convolution of sequences: y[n, c, q·stride + k·dilation − padding] = b[c] + Σ over f, k of
    W[f, c, k]·x[n, f, q]. As ``torch.nn.functional.conv_transpose1d``.

    Args:
        input: x, shape (N, in_channels, L) or (in_channels, L).
        weight: W, shape (in_channels, out_channels/groups, kernel size), of the same dtype.
        bias: b, shape (out_channels,), default None.
        stride: of the convolution, default 1.
        padding: of the convolution, default 0: so much is missing on both sides.
        output_padding: elements that are added at the end, default 0; less than stride or dilation.
        groups: groups of channels, default 1.
        dilation: of the convolution, default 1.

    Returns:
        y, shape (N, out_channels, L') with L' = (L − 1)·stride − 2·padding + dilation·(kernel size − 1) +
        output_padding + 1, or without N as the input.

    Raises:
        RuntimeError: the shapes or dtypes do not fit, or an option is out of its range.
        TypeError: an option is not an integer.

    >>> cg.nn.functional.conv_transpose1d(cg.tensor([[1.0, 2.0]]), cg.tensor([[[1.0, 10.0]]]), stride=2)
    tensor([[ 1., 10.,  2., 20.]])
    """
    return transpose("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Steps = 1,
    padding: Steps = 0,
    output_padding: Steps = 0,
    groups: int = 1,
    dilation: Steps = 1,
) -> Tensor:
    """Transpose a convolution of images, as :func:`conv_transpose1d` does one of sequences. As
    ``torch.nn.functional.conv_transpose2d``.

    Args:
        input: x, shape (N, in_channels, H, W) or (in_channels, H, W).
        weight: W, shape (in_channels, out_channels/groups, kernel height, kernel width), of the same dtype.
        bias: b, shape (out_channels,), default None.
        stride: of the convolution, one number or two, default 1.
        padding: of the convolution, default 0: so much is missing on both sides of each dimension.
        output_padding: pixels that are added at the end of each dimension, default 0; less than stride or dilation.
        groups: groups of channels, default 1.
        dilation: of the convolution, default 1.

    Returns:
        y, shape (N, out_channels, H', W'), each size as in :func:`conv_transpose1d`, or without N as the input.

    Raises:
        RuntimeError: the shapes or dtypes do not fit, or an option is out of its range.
        TypeError: an option is not an integer.

    >>> cg.nn.functional.conv_transpose2d(cg.ones(1, 4, 5, 5), cg.ones(4, 2, 2, 2), stride=2).shape
    (1, 2, 10, 10)
    """
    return transpose("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def convolve(
    name: str,
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Steps,
    padding: str | Steps,
    dilation: Steps,
    groups: int,
) -> Tensor:
    """A convolution of `dims` dimensions."""
    check_operands(name, dims, input, weight, bias)
    strides, dilations = steps(name, "stride", stride, dims, 1), steps(name, "dilation", dilation, dims, 1)
    groups = steps(name, "groups", groups, 1, 1)[0]
    image, kernel = input.shape[-dims:], weight.shape[2:]
    check_channels(name, input, weight, groups, dims, weight.shape[1] * groups)
    reaches = [d * (k - 1) for d, k in zip(dilations, kernel)]
    if isinstance(padding, str):
        first, both = pads_named(name, padding, strides, reaches)
    else:
        first = steps(name, "padding", padding, dims, 0)
        both = tuple([2 * p for p in first])
    size = tuple([(n + p - r - 1) // s + 1 for n, p, r, s in zip(image, both, reaches, strides)])
    if min(size) < 1:
        raise ShapeError(
            f"{name}: a kernel that reaches over {tuple([r + 1 for r in reaches])} elements is larger than the padded "
            f"input, {tuple([n + p for n, p in zip(image, both)])}"
        )
    x = input if input.ndim == dims + 2 else input.unsqueeze(0)
    y: Tensor = convolution(x, weight, bias, strides, first, dilations, groups, size)
    return y if x is input else y.squeeze(0)


def transpose(
    name: str,
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Steps,
    padding: Steps,
    output_padding: Steps,
    groups: int,
    dilation: Steps,
) -> Tensor:
    """A transposed convolution of `dims` dimensions."""
    check_operands(name, dims, input, weight, bias)
    strides, dilations = steps(name, "stride", stride, dims, 1), steps(name, "dilation", dilation, dims, 1)
    pads, extras = steps(name, "padding", padding, dims, 0), steps(name, "output_padding", output_padding, dims, 0)
    groups = steps(name, "groups", groups, 1, 1)[0]
    check_channels(name, input, weight, groups, dims, weight.shape[0])
    if any(e >= max(s, d) for e, s, d in zip(extras, strides, dilations)):
        raise ShapeError(
            f"{name}: output_padding must be less than stride or dilation, got {extras} for {strides} and {dilations}"
        )
    image, kernel = input.shape[-dims:], weight.shape[2:]
    size = tuple([
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(image, strides, pads, dilations, kernel, extras)
    ])  # fmt: skip
    if min(size) < 1:
        raise ShapeError(f"{name}: padding {pads} leaves nothing of a result of size {size}")
    x = input if input.ndim == dims + 2 else input.unsqueeze(0)
    y: Tensor = transposed_convolution(x, weight, bias, strides, pads, dilations, groups, size)
    return y if x is input else y.squeeze(0)


def steps(name: str, option: str, value: Any, dims: int, least: int) -> tuple[int, ...]:
    """An option as one integer for each dimension; one stands for all."""
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
            raise TypeError(f"{name}: {option} must be an integer, or one for each dimension, got {value!r}")
    if len(numbers) not in (1, dims):
        raise ShapeError(f"{name}: {option} must be one integer, or {dims}, got {value!r}")
    if min(numbers) < least:
        raise ShapeError(f"{name}: {option} must be at least {least}, got {value!r}")
    return tuple([int(number) for number in numbers]) * (dims // len(numbers))


def pads_named(
    name: str, padding: str, strides: tuple[int, ...], reaches: list[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The zeros of padding="valid" or "same" in front of each dimension, and on both sides of it."""
    if padding == "valid":
        return (0,) * len(strides), (0,) * len(strides)
    if padding != "same":
        raise ShapeError(f'{name}: padding must be "valid", "same" or integers, got {padding!r}')
    if max(strides) > 1:
        raise ShapeError(f'{name}: padding="same" needs a stride of 1, got {strides}')
    return tuple([r // 2 for r in reaches]), tuple(reaches)


def check_operands(name: str, dims: int, input: Any, weight: Any, bias: Any) -> None:
    """Raise an error unless the operands are tensors of the right number of dimensions."""
    check_tensor(name, "input", input)
    check_tensor(name, "weight", weight)
    if bias is not None:
        check_tensor(name, "bias", bias)
    sizes = "(N, C, L) or (C, L)" if dims == 1 else "(N, C, H, W) or (C, H, W)"
    if input.ndim not in (dims + 1, dims + 2):
        raise ShapeError(f"{name}: input must have shape {sizes}, got {tuple(input.shape)}")
    if weight.ndim != dims + 2:
        raise ShapeError(f"{name}: weight must have {dims + 2} dimensions, got shape {tuple(weight.shape)}")
    for operand, tensor in ("weight", weight), ("bias", bias):
        if tensor is not None and tensor.dtype != input.dtype:
            raise RuntimeError(f"{name}: {operand} is {tensor.dtype}, but input is {input.dtype}")


def check_channels(name: str, input: Tensor, weight: Tensor, groups: int, dims: int, channels: int) -> None:
    """Raise an error unless the channels fit, and no image or kernel is empty."""
    shape = tuple(weight.shape)
    if shape[0] < groups or shape[0] % groups:
        wanted = f"must be a positive multiple of groups, {groups}"
        raise ShapeError(f"{name}: the first size of weight, of shape {shape}, {wanted}")
    if 0 in shape[2:]:
        raise ShapeError(f"{name}: kernels must not be empty, got a weight of shape {shape}")
    if input.shape[-dims - 1] != channels:
        raise ShapeError(
            f"{name}: input has shape {tuple(input.shape)}, but a weight of shape {shape} with {groups} groups takes "
            f"{channels} channels"
        )
    if 0 in input.shape[-dims:]:
        raise ShapeError(f"{name}: images must not be empty, got shape {tuple(input.shape)}")
