"""The ops by which the engine derives the histories of a base and its views after a write to one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cygrad._arguments import checked_sizes
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, engine, op
from cygrad.autograd.arrays import add_at, address
from cygrad.ops.definition import constant


@op
def view(ctx: Node, base: Array) -> Array:
    """y = the elements of base at the saved positions."""
    return base.reshape(-1)[ctx.saved[0]]


@view.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy at the positions, zeros elsewhere"""
    places, shape = ctx.saved
    dx = np.zeros(shape, dy.dtype)
    add_at(dx.reshape(-1), places, dy)
    return dx


@view.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy at the positions, zeros elsewhere"""
    places, shape = ctx.saved
    zeros = constant(np.zeros(math.prod(shape), dy.dtype))
    return zeros.scatter_add(0, constant(places.reshape(-1)), dy.reshape(-1)).reshape(shape)


@op
def write_view(ctx: Node, base: Array, values: Array) -> Array:
    """y = base with values at the saved positions."""
    y = base.copy()
    y.reshape(-1)[ctx.saved[0]] = values
    return y


@write_view.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """d base = dy with zeros at the positions, d values = dy at the positions"""
    places, dtype = ctx.saved
    dy = np.array(dy, order="C")
    values = dy.reshape(-1)[places].astype(dtype) if ctx.needs[1] else None
    dy.reshape(-1)[places] = 0
    return dy if ctx.needs[0] else None, values


@write_view.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """d base = dy with zeros at the positions, d values = dy at the positions"""
    places, dtype = ctx.saved
    line, flat = dy.reshape(-1), places.reshape(-1)
    values = line.gather(0, constant(flat)).reshape(places.shape).to(dtype) if ctx.needs[1] else None
    written = np.zeros(line.shape, bool)
    written[flat] = True
    return line.masked_fill(constant(written), 0).reshape(dy.shape) if ctx.needs[0] else None, values


@op
def as_strided(
    ctx: Node, input: Array, *, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Array:
    """Return a view of the memory that a tensor lies in.

    Args:
        input: a tensor.
        size: the shape of the view.
        stride: the step of each dimension, in elements.
        storage_offset: the position of the first element, by default that of the input.
    """
    size, stride = checked_sizes("as_strided", size), checked_sizes("as_strided", stride)
    memory = input.base if isinstance(input.base, np.ndarray) else input
    flat = memory.ravel("K")
    start = (address(input) - address(flat)) // input.itemsize if storage_offset is None else storage_offset
    last = start + sum([(n - 1) * s for n, s in zip(size, stride)])
    if len(size) != len(stride) or min([start, *stride]) < 0 or (0 not in size and last >= flat.size):
        raise RuntimeError(f"as_strided: size {tuple(size)} and stride {tuple(stride)} exceed {flat.size} elements")
    as_strided = np.lib.stride_tricks.as_strided
    y = as_strided(flat[start:], size, [s * input.itemsize for s in stride])
    if ctx.needs[0]:
        numbers = np.full(flat.size, -1)  # the position in x of each element of the memory
        own = (address(input) - address(flat)) // input.itemsize
        steps = [s // input.itemsize * numbers.itemsize for s in input.strides]
        as_strided(numbers[own:], input.shape, steps)[...] = np.arange(input.size).reshape(input.shape)
        places = as_strided(numbers[start:], size, [s * numbers.itemsize for s in stride]).copy()
        ctx.save(places, input.shape, places >= 0)
    return y


@as_strided.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy at the positions in x, zeros elsewhere"""
    places, shape, inside = ctx.saved
    dx = np.zeros(shape, dy.dtype)
    add_at(dx.reshape(-1), places[inside], dy[inside])
    return dx


@as_strided.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy at the positions in x, zeros elsewhere"""
    places, shape, inside = ctx.saved
    zeros = constant(np.zeros(math.prod(shape), dy.dtype))
    return zeros.scatter_add(0, constant(places[inside]), dy[constant(inside)]).reshape(shape)


engine.use_view_ops(view, write_view)
