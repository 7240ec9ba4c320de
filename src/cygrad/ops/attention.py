"""Attention. A. Vaswani et al. (2017), "Attention is all you need"."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, op
from cygrad.ops.definition import constant
from cygrad.ops.linear import matmul
from cygrad.ops.shape import cat
from cygrad.ops.softmax import softmax


def shared(mask: Array | None, shape: tuple[int, ...]) -> Array | None:
    """A mask as a view of the shape (batch, heads, length, keys), whose steps are whole elements, forwards."""
    if mask is None:
        return None
    whole = mask.flags.aligned and mask.dtype.isnative and not any([s < 0 or s % mask.itemsize for s in mask.strides])
    return np.broadcast_to(mask if whole else np.array(mask, mask.dtype.newbyteorder("="), order="C"), shape)


LARGE_HEADS = 1 << 20  # bytes; copies of smaller arrays stay in a second-level cache and cost little


@op
def attention(
    ctx: Node,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    /,
    causal: bool,
    scale: float,
    p: float,
    seed: int,
    offset: int,
) -> Array:
    """y = softmax(scale·q·kᵀ + mask)·v for each batch and head; with probability p a weight is dropped. The mask, which
    has no gradient, is True where a key is seen, or is added."""
    m = shared(mask, (*query.shape[:3], key.shape[-2]))
    y, lse, drawn = kernels.attention(query, key, value, m, causal, scale, p, seed, offset)
    ctx.save(query, key, value, m, y, lse, drawn, causal, scale, p)
    return y


@attention.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, Array, Array, None]:
    """With P the weights and d = Σ dy·y: dv = Pᵀ·dy, dS = P·(dy·vᵀ − d), dq = scale·dS·k, dk = scale·dSᵀ·q"""
    q, k, v, mask, y, lse, drawn, causal, scale, p = ctx.saved
    out = side_by_side(q, k, v)
    return (*kernels.attention_backward(dy, q, k, v, y, lse, mask, drawn, causal, scale, p, out), None)


def side_by_side(q: Array, k: Array, v: Array) -> Array | None:
    """A new array of three parts that lie in it as q, k and v, large and of one shape, lie in theirs; None where these
    have gaps. The gradients of the parts of one projection's output are then the parts of that output's gradient.

    That array is needed before q, k and v are freed, whose memory a copy could have: it pays for large ones.
    """
    shape, strides = (3, *q.shape), (kernels.address(k) - kernels.address(q), *q.strides)
    if q.nbytes < LARGE_HEADS or q.base is not k.base or q.base is not v.base:
        return None
    apart = kernels.address(v) - kernels.address(k)
    if apart != strides[0] or not q.shape == k.shape == v.shape or not q.strides == k.strides == v.strides:
        return None
    out = kernels.unset(shape, q.dtype, sorted(range(5), key=lambda axis: -strides[axis]))
    return out if out.strides == strides and strides[-1] == q.itemsize else None


@attention.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
    """With P the weights and d = Σ dy·y: dv = Pᵀ·dy, dS = P·(dy·vᵀ − d), dq = scale·dS·k, dk = scale·dSᵀ·q"""
    q, k, v, mask, _, _, drawn, causal, scale, p = ctx.saved
    tensors = ctx.input(0, q), ctx.input(1, k), ctx.input(2, v)
    return (*head_gradients(dy, *tensors, mask, drawn, causal, scale, p), None)


@op
def packed_attention(
    ctx: Node,
    input: Array,
    mask: Array | None,
    /,
    heads: int,
    rows_first: bool,
    causal: bool,
    scale: float,
    p: float,
    seed: int,
    offset: int,
) -> Array:
    """Self-attention of an input that holds query, key and value side by side: shape (batch, length, 3·heads·size), or
    (length, batch, …) if `rows_first`."""
    length, batch = input.shape[:2] if rows_first else input.shape[1::-1]
    m = shared(mask, (batch, heads, length, length))
    y, lse, drawn = kernels.packed_attention(input, heads, rows_first, m, causal, scale, p, seed, offset)
    ctx.save(input, m, y, lse, drawn, heads, rows_first, causal, scale, p)
    return y


@packed_attention.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None]:
    """As attention, the gradients side by side"""
    x, mask, y, lse, drawn, heads, rows_first, causal, scale, p = ctx.saved
    dx = kernels.packed_attention_backward(dy, x, heads, rows_first, y, lse, mask, drawn, causal, scale, p)
    return dx, None


@packed_attention.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor, None]:
    """As attention, the gradients side by side"""
    saved, mask, _, _, drawn, heads, rows_first, causal, scale, p = ctx.saved
    q, k, v = unpacked(ctx.input(0, saved), 3 * heads, rows_first).chunk(3, 1)
    g = unpacked(dy, heads, rows_first)
    parts = head_gradients(g, q, k, v, mask, drawn, causal, scale, p)
    order = (2, 0, 1, 3) if rows_first else (0, 2, 1, 3)
    rows = [part.permute(*order).reshape(*dy.shape) for part in parts]
    return cat(rows, 2), None


def unpacked(x: Tensor, heads: int, rows_first: bool) -> Tensor:
    """A tensor (batch, length, heads·size) as (batch, heads, length, size)."""
    first, second, width = x.shape
    parts: Any = x.reshape(first, second, heads, width // heads)
    return parts.permute(1, 2, 0, 3) if rows_first else parts.permute(0, 2, 1, 3)


def hidden_keys(shape: tuple[int, ...], mask: Array | None, causal: bool) -> Array:
    """True where a query does not see a key."""
    hidden = np.zeros(shape, np.bool_)
    if mask is not None:
        hidden |= np.logical_not(mask) if mask.dtype == np.bool_ else np.isneginf(mask)
    return np.logical_or(hidden, np.logical_not(np.tri(shape[2], shape[3]))) if causal else hidden


def weights_of(q: Tensor, k: Tensor, mask: Array | None, causal: bool, scale: float) -> Tensor:
    """softmax(scale·q·kᵀ + mask), 0 for a query that sees no key"""
    scores: Any = matmul(q, k.transpose(2, 3)) * scale
    hidden = hidden_keys(tuple(scores.shape), mask, causal)
    if mask is not None and mask.dtype != bool:
        scores = scores + constant(np.where(hidden, 0, mask).astype(mask.dtype))
    blind = hidden.all(-1, keepdims=True)
    scores = scores.masked_fill(constant(hidden & ~blind), -np.inf)
    return softmax(scores, dim=-1) * constant((~blind).astype(q.array.dtype))


@op
def kept_weights(ctx: Node, drawn: Array, /, shape: tuple[int, ...], dtype: Any, p: float) -> Array:
    """0 where attention drops a weight, else 1/(1 − p)."""
    batch, heads, length, keys = shape
    rows, width, step = kernels.attention_blocks(length, keys, dtype.itemsize)
    blocks = -(-length // rows)
    seed, offset = (int(v) for v in drawn)
    every, _ = kernels.dropout(np.ones(batch * heads * blocks * step, dtype), p, seed, offset, False)
    in_blocks = every.reshape(batch, heads, blocks, step)[..., : rows * width]
    return np.ascontiguousarray(in_blocks.reshape(batch, heads, blocks * rows, width)[:, :, :length, :keys])


def head_gradients(
    dy: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Array | None,
    drawn: Array | None,
    causal: bool,
    scale: float,
    p: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """dq, dk and dv, where several heads of q may share one of k and v."""
    batch, heads, _, _ = q.shape
    group = heads // k.shape[1]
    wide_k, wide_v = (repeated(x, group) for x in (k, v))
    weights: Any = weights_of(q, wide_k, mask, causal, scale)
    slopes: Any = matmul(dy, wide_v.transpose(2, 3))
    used = weights
    if drawn is not None:
        kept = kept_weights(constant(drawn), tuple(weights.shape), weights.array.dtype, p)
        slopes, used = slopes * kept, weights * kept
    d_scores = weights * (slopes - (weights * slopes).sum(-1, True)) * scale
    dq, dk, dv = matmul(d_scores, wide_k), matmul(d_scores.transpose(2, 3), q), matmul(used.transpose(2, 3), dy)
    if group > 1:
        dk, dv = (x.reshape(batch, k.shape[1], group, *x.shape[2:]).sum(2) for x in (dk, dv))
    return dq, dk, dv


def repeated(x: Tensor, group: int) -> Tensor:
    """Each head `group` times."""
    if group == 1:
        return x
    batch, heads, keys, size = x.shape
    wide: Any = x.reshape(batch, heads, 1, keys, size).expand(batch, heads, group, keys, size)
    return wide.reshape(batch, heads * group, keys, size)
