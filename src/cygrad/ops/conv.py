"""Convolution, its transpose, and the gradient of its weight: three maps, each linear in both operands, whose gradients
are the other two.

With x[n, c, p] an image of channels c, w[f, c, k] a weight and y[n, f, q] a result, where p, q and k are pixels of one
or two dimensions, and p = q·stride + k·dilation − padding:

    convolution             y[n, f, q] = Σ over c, k of w[f, c, k]·x[n, c, p]
    transposed convolution  x[n, c, p] = Σ over f, k of w[f, c, k]·y[n, f, q]
    gradient of the weight  w[f, c, k] = Σ over n, q of y[n, f, q]·x[n, c, p]

V. Dumoulin, F. Visin (2016), "A guide to convolution arithmetic for deep learning"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, op

__all__: list[str] = []

Steps = tuple[int, ...]
Options = tuple[Steps, Steps, Steps, int]  # stride, padding, dilation, groups


@op
def convolution(
    ctx: Node,
    input: Array,
    weight: Array,
    bias: Array | None,
    /,
    stride: Steps,
    padding: Steps,
    dilation: Steps,
    groups: int,
    size: Steps,
) -> Array:
    """y[n, f, q] = Σ w[f, c, k]·x[n, c, q·stride + k·dilation − padding] + b[f], of the given size; x is 0 outside."""
    ctx.save(input if ctx.needs[1] else None, weight, input.shape[2:], (stride, padding, dilation, groups))
    if are_integers(input, weight, bias):
        return convolution_of_integers(input, weight, bias, stride, padding, dilation, groups, size)
    return kernels.conv(input, weight, bias, stride, padding, dilation, groups, size)


@convolution.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
    """dx: the transposed convolution of dy; dw[f, c, k] = Σ dy[n, f, q]·x[n, c, p], db[f] = Σ dy[n, f, q]"""
    x, weight, size, saved = ctx.saved
    steps: Options = saved
    want_x, want_weight, want_bias = ctx.needs
    dx = kernels.conv_transpose(dy, weight, None, *steps, size) if want_x else None
    if not want_weight:
        return dx, None, kernels.channel_sums(dy) if want_bias else None
    return dx, *kernels.conv_weight(dy, x, weight.shape[2:], *steps, True, want_bias)


@convolution.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """dx: the transposed convolution of dy; dw[f, c, k] = Σ dy[n, f, q]·x[n, c, p], db[f] = Σ dy[n, f, q]"""
    x, weight, size, saved = ctx.saved
    steps: Options = saved
    want_x, want_weight, want_bias = ctx.needs
    return (
        transposed_convolution(dy, ctx.input(1, weight), None, *steps, size) if want_x else None,
        convolution_weight(dy, ctx.input(0, x), *steps, weight.shape[2:]) if want_weight else None,
        channel_sums(dy) if want_bias else None,
    )


@op
def transposed_convolution(
    ctx: Node,
    input: Array,
    weight: Array,
    bias: Array | None,
    /,
    stride: Steps,
    padding: Steps,
    dilation: Steps,
    groups: int,
    size: Steps,
) -> Array:
    """y[n, c, q·stride + k·dilation − padding] = Σ w[f, c, k]·x[n, f, q] + b[c], of the given size."""
    ctx.save(input if ctx.needs[1] else None, weight, input.shape[2:], (stride, padding, dilation, groups))
    if are_integers(input, weight, bias):
        return transpose_of_integers(input, weight, bias, stride, padding, dilation, groups, size)
    return kernels.conv_transpose(input, weight, bias, stride, padding, dilation, groups, size)


@transposed_convolution.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
    """dx: the convolution of dy; dw[f, c, k] = Σ x[n, f, q]·dy[n, c, p], db[c] = Σ dy[n, c, p]"""
    x, weight, size, saved = ctx.saved
    steps: Options = saved
    want_x, want_weight, want_bias = ctx.needs
    return (
        kernels.conv(dy, weight, None, *steps, size) if want_x else None,
        kernels.conv_weight(x, dy, weight.shape[2:], *steps, True, False)[0] if want_weight else None,
        kernels.channel_sums(dy) if want_bias else None,
    )


@transposed_convolution.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """dx: the convolution of dy; dw[f, c, k] = Σ x[n, f, q]·dy[n, c, p], db[c] = Σ dy[n, c, p]"""
    x, weight, size, saved = ctx.saved
    steps: Options = saved
    want_x, want_weight, want_bias = ctx.needs
    return (
        convolution(dy, ctx.input(1, weight), None, *steps, size) if want_x else None,
        convolution_weight(ctx.input(0, x), dy, *steps, weight.shape[2:]) if want_weight else None,
        channel_sums(dy) if want_bias else None,
    )


@op
def convolution_weight(
    ctx: Node, dy: Array, input: Array, /, stride: Steps, padding: Steps, dilation: Steps, groups: int, size: Steps
) -> Array:
    """w[f, c, k] = Σ dy[n, f, q]·x[n, c, q·stride + k·dilation − padding], of kernels of the given size."""
    ctx.save(dy, input, (stride, padding, dilation, groups))
    gradients: Any = kernels.conv_weight(dy, input, size, stride, padding, dilation, groups, True, False)
    dw: Array = gradients[0]
    return dw


@convolution_weight.gradient
def _(ctx: Node, dw: Array) -> tuple[Array | None, Array | None]:
    """d(dy): the convolution of x with dw; dx: the transposed convolution of dy with dw"""
    dy, x, saved = ctx.saved
    steps: Options = saved
    return (
        kernels.conv(x, dw, None, *steps, dy.shape[2:]) if ctx.needs[0] else None,
        kernels.conv_transpose(dy, dw, None, *steps, x.shape[2:]) if ctx.needs[1] else None,
    )


@convolution_weight.definition
def _(ctx: Node, dw: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """d(dy): the convolution of x with dw; dx: the transposed convolution of dy with dw"""
    dy, x, saved = ctx.saved
    steps: Options = saved
    return (
        convolution(ctx.input(1, x), dw, None, *steps, dy.shape[2:]) if ctx.needs[0] else None,
        transposed_convolution(ctx.input(0, dy), dw, None, *steps, x.shape[2:]) if ctx.needs[1] else None,
    )


def channel_sums(dy: Tensor) -> Tensor:
    """Σ over all dimensions but the channels."""
    total: Tensor = dy.sum((0, *range(2, dy.ndim)))
    return total


# Integers, which no kernel takes: a sum over the elements of the kernel, in NumPy.


def are_integers(*operands: Array | None) -> bool:
    """Whether all are integers of one dtype."""
    kinds = {x.dtype for x in operands if x is not None}
    return len(kinds) == 1 and next(iter(kinds)).kind in "iu"


def meetings(
    kernel: Steps, image: Steps, result: Steps, stride: Steps, padding: Steps, dilation: Steps
) -> Iterator[tuple[Any, Any, Any]]:
    """For each element k of a kernel, the results q for which it is inside of the image, and the pixels p there."""
    for k in np.ndindex(*kernel):
        results, pixels = [], []
        for i, n, m, s, pad, d in zip(k, image, result, stride, padding, dilation):
            shift = i * d - pad
            first, last = max(0, -(shift // s)), min(m, (n - 1 - shift) // s + 1)
            results.append(slice(first, max(first, last)))
            pixels.append(slice(first * s + shift, max(first, last) * s + shift, s))
        yield k, tuple(results), tuple(pixels)


def in_groups(x: Array, axis: int, groups: int) -> Array:
    """x with an axis of groups in front of that of its channels."""
    return x.reshape(*x.shape[:axis], groups, -1, *x.shape[axis + 1 :])


def convolution_of_integers(
    x: Array, w: Array, b: Array | None, stride: Steps, padding: Steps, dilation: Steps, groups: int, size: Steps
) -> Array:
    """:func:`convolution` of integers."""
    y = np.zeros((len(x), groups, len(w) // groups, *size), x.dtype)
    images, weights = in_groups(x, 1, groups), in_groups(w, 0, groups)
    for k, q, p in meetings(w.shape[2:], x.shape[2:], size, stride, padding, dilation):
        y[(..., *q)] += np.einsum("gfc,ngc...->ngf...", weights[(..., *k)], images[(..., *p)])
    return with_bias(y.reshape(len(x), len(w), *size), b)


def transpose_of_integers(
    x: Array, w: Array, b: Array | None, stride: Steps, padding: Steps, dilation: Steps, groups: int, size: Steps
) -> Array:
    """:func:`transposed_convolution` of integers."""
    y = np.zeros((len(x), groups, w.shape[1], *size), x.dtype)
    images, weights = in_groups(x, 1, groups), in_groups(w, 0, groups)
    for k, q, p in meetings(w.shape[2:], size, x.shape[2:], stride, padding, dilation):
        y[(..., *p)] += np.einsum("gfc,ngf...->ngc...", weights[(..., *k)], images[(..., *q)])
    return with_bias(y.reshape(len(x), groups * w.shape[1], *size), b)


def with_bias(y: Array, b: Array | None) -> Array:
    """y + b, one element for each channel."""
    return y if b is None else y + b.reshape(-1, *[1] * (y.ndim - 2))
