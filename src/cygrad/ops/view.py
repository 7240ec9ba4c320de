"""The ops by which the engine derives the histories of a base and its views after a write to one of them."""

from __future__ import annotations

import math

import numpy as np

from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, engine, op
from cygrad.autograd.arrays import add_at
from cygrad.ops.definition import constant


@op
def view(ctx: Node, base: Array) -> Array:
    """y = the elements of base at the saved positions."""
    return base.reshape(-1)[ctx.saved[0]]


@view.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy at the positions, zeros elsewhere"""
    positions, shape = ctx.saved
    dx = np.zeros(shape, dy.dtype)
    add_at(dx.reshape(-1), positions, dy)
    return dx


@view.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy at the positions, zeros elsewhere"""
    positions, shape = ctx.saved
    zeros = constant(np.zeros(math.prod(shape), dy.dtype))
    return zeros.scatter_add(0, constant(positions.reshape(-1)), dy.reshape(-1)).reshape(shape)


@op
def write_view(ctx: Node, base: Array, values: Array) -> Array:
    """y = base with values at the saved positions."""
    y = base.copy()
    y.reshape(-1)[ctx.saved[0]] = values
    return y


@write_view.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """d base = dy with zeros at the positions, d values = dy at the positions"""
    positions, dtype = ctx.saved
    dy = np.array(dy, order="C")
    values = dy.reshape(-1)[positions].astype(dtype) if ctx.needs[1] else None
    dy.reshape(-1)[positions] = 0
    return dy if ctx.needs[0] else None, values


@write_view.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """d base = dy with zeros at the positions, d values = dy at the positions"""
    positions, dtype = ctx.saved
    line, flat = dy.reshape(-1), positions.reshape(-1)
    values = line.gather(0, constant(flat)).reshape(positions.shape).to(dtype) if ctx.needs[1] else None
    written = np.zeros(line.shape, bool)
    written[flat] = True
    return line.masked_fill(constant(written), 0).reshape(dy.shape) if ctx.needs[0] else None, values


engine.use_view_ops(view, write_view)
