"""Attention."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad import functions as f
from cygrad._attributes import AssertedError
from cygrad.autograd import recording
from cygrad.creation import zeros
from cygrad.generator import source_of
from cygrad.nn.functional.activation import softmax
from cygrad.nn.functional.checks import check_tensor
from cygrad.nn.functional.dropout import dropout
from cygrad.nn.functional.linear import linear
from cygrad.ops import attention as ops

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]


def drawing(p: float, count: int) -> tuple[int, int]:
    """The seed and offset from which dropout draws `count` counters of the global generator."""
    if p == 0:
        return 0, 0
    seed, offset = source_of("attention", None).advance(count)
    return int(seed), int(offset)


def note_draw(p: float, count: int) -> None:
    """Tell an active recorder that the last launch has drawn counters."""
    recorder = recording.recorder()
    if p > 0 and recorder is not None:
        recorder.drew(None, count)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return softmax(scale·q·kᵀ + mask)·v: for each query the mean of the values, weighted by how well their keys
    match. As ``torch.nn.functional.scaled_dot_product_attention``. A. Vaswani et al. (2017), "Attention is all you
    need". No matrix of L × S weights is kept: backward computes them again.

    Args:
        query: q, shape (N, …, H, L, E).
        key: k, shape (N, …, H, S, E).
        value: v, shape (N, …, H, S, Ev).
        attn_mask: mask that broadcasts to (N, …, H, L, S): True where a key is seen, or numbers that are added to the
            scores; default None.
        dropout_p: probability that a weight is dropped, default 0. It does not depend on any training mode.
        is_causal: whether query i sees only keys j ≤ i, default False.
        scale: factor of the scores, default None for 1/√E.
        enable_gqa: whether key and value may have fewer heads, each for several of the query, default False.

    Returns:
        y, shape (N, …, H, L, Ev); 0 for a query that sees no key.

    Raises:
        RuntimeError: shapes or dtypes do not fit, or both attn_mask and is_causal are given.
        ValueError: dropout_p does not lie in [0, 1].

    >>> x = cg.ones(1, 2, 3, 4)
    >>> cg.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True).shape
    (1, 2, 3, 4)
    """
    name = "scaled_dot_product_attention"
    check_operands(name, query, key, value, attn_mask, dropout_p, is_causal)
    lead = tuple(query.shape[:-2])
    factor = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else float(scale)
    if not enable_gqa or query.ndim < 3:
        lead = common(name, query, key, value)
    q = heads_of(name, query, lead)
    k, v = (heads_of(name, x, lead if not enable_gqa else tuple(x.shape[:-2])) for x in (key, value))
    mask = mask_of(name, attn_mask, (*lead, query.shape[-2], key.shape[-2]), q)
    if mask is not None and mask.requires_grad:
        return composed(q, k, v, mask, dropout_p, factor).reshape(*lead, query.shape[-2], value.shape[-1])
    count = kernels.attention_draws(q.shape[0] * q.shape[1], q.shape[2], k.shape[2], q.array.itemsize)
    seed, offset = drawing(dropout_p, count)
    y = ops.attention(q, k, v, mask, bool(is_causal), factor, float(dropout_p), seed, offset)
    note_draw(dropout_p, count)
    return y if query.ndim == 4 else y.reshape(*lead, query.shape[-2], value.shape[-1])


def check_operands(name: str, query: Any, key: Any, value: Any, mask: Any, p: Any, causal: Any) -> None:
    """Raise where the arguments of attention do not fit."""
    for label, x in (("query", query), ("key", key), ("value", value)):
        check_tensor(name, label, x)
        if x.ndim < 2:
            raise RuntimeError(f"{name}: {label} must have at least 2 dimensions, got shape {tuple(x.shape)}")
        if x.array.dtype != query.array.dtype:
            raise RuntimeError(f"{name}: {label} is {x.array.dtype}, but query is {query.array.dtype}")
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        shapes = [tuple(x.shape) for x in (query, key, value)]
        raise RuntimeError(f"{name}: query, key and value have the shapes {shapes}, which do not fit")
    if mask is not None:
        check_tensor(name, "attn_mask", mask)
        if causal:
            raise RuntimeError(f"{name}: attn_mask and is_causal can't both be given")
        if mask.array.dtype not in (np.bool_, query.array.dtype):
            raise RuntimeError(
                f"{name}: attn_mask must be of bool or {query.array.dtype}, as query is, got {mask.array.dtype}"
            )
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: dropout_p must lie in [0, 1], got {p}")


def common(name: str, *operands: Tensor) -> tuple[int, ...]:
    """The common shape of the dimensions before the last two."""
    try:
        return tuple(np.broadcast_shapes(*[tuple(x.shape[:-2]) for x in operands]))
    except ValueError:
        shapes = [tuple(x.shape) for x in operands]
        raise RuntimeError(f"{name}: query, key and value have the shapes {shapes}, which do not fit") from None


def heads_of(name: str, x: Tensor, lead: tuple[int, ...]) -> Tensor:
    """x as (batch, heads, length, size)."""
    rows = tuple(x.shape[-2:])
    if tuple(x.shape[:-2]) != lead:
        x = x.expand(*lead, *rows)
    if x.ndim == 4:
        return x
    if x.ndim == 3:
        return x.unsqueeze(1)
    return x.reshape(math.prod(lead[:-1]), lead[-1] if lead else 1, *rows)


def mask_of(name: str, mask: Tensor | None, shape: tuple[int, ...], q: Tensor) -> Tensor | None:
    """The mask in four dimensions that broadcast."""
    if mask is None:
        return None
    try:
        fits = tuple(np.broadcast_shapes(tuple(mask.shape), shape)) == shape
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(f"{name}: attn_mask has shape {tuple(mask.shape)}, which does not broadcast to {shape}")
    if len(shape) == 4:
        return mask
    return mask.expand(*shape).reshape(q.shape[0], q.shape[1], *shape[-2:])


def composed(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, p: float, scale: float) -> Tensor:
    """Attention whose mask has a gradient, with the matrix of weights."""
    group = q.shape[1] // k.shape[1]
    scores = f.matmul(q, ops.repeated(k, group).transpose(2, 3)) * scale + mask
    weights = dropout(softmax(scores, -1), p)
    return f.matmul(weights, ops.repeated(v, group))


def self_attention(x: Tensor, heads: int, rows_first: bool, mask: Tensor | None, p: float, causal: bool) -> Tensor:
    """Attention of query, key and value side by side in the last dimension."""
    length, batch = (x.shape[0], x.shape[1]) if rows_first else (x.shape[1], x.shape[0])
    size = x.shape[2] // (3 * heads)
    count = kernels.attention_draws(batch * heads, length, length, x.array.itemsize)
    seed, offset = drawing(p, count)
    scale = 1 / math.sqrt(max(size, 1))
    y = ops.packed_attention(x, mask, heads, rows_first, causal, scale, p, seed, offset)
    note_draw(p, count)
    return y


def additive(name: str, label: str, mask: Tensor | None, like: Tensor) -> Tensor | None:
    """A mask of bool, True for hidden keys, as numbers to add; others as they are."""
    if mask is None:
        return None
    check_tensor(name, label, mask)
    if mask.array.dtype == np.bool_:
        return zeros(*mask.shape, dtype=like.dtype).masked_fill(mask, -math.inf)
    if mask.array.dtype != like.array.dtype:
        raise RuntimeError(f"{name}: {label} must be of bool or {like.array.dtype}, got {mask.array.dtype}")
    return mask


def joint_mask(
    name: str, key_padding_mask: Tensor | None, attn_mask: Tensor | None, sizes: tuple[int, int, int, int], like: Tensor
) -> Tensor | None:
    """The sum of both masks in four dimensions that broadcast to `sizes`."""
    batch, heads, length, keys = sizes
    if attn_mask is not None:
        wanted = (length, keys) if attn_mask.ndim == 2 else (batch * heads, length, keys)
        if tuple(attn_mask.shape) != wanted or attn_mask.ndim not in (2, 3):
            raise RuntimeError(f"{name}: attn_mask has shape {tuple(attn_mask.shape)}, wanted {wanted}")
        attn_mask = attn_mask.reshape(*((1, 1) if attn_mask.ndim == 2 else (batch, heads)), length, keys)
    if key_padding_mask is None:
        return attn_mask
    if tuple(key_padding_mask.shape) != (batch, keys):
        raise RuntimeError(
            f"{name}: key_padding_mask has shape {tuple(key_padding_mask.shape)}, wanted {(batch, keys)}"
        )
    padding = key_padding_mask.reshape(batch, 1, 1, keys)
    return padding if attn_mask is None else attn_mask + padding


def projected(
    inputs: tuple[Tensor, Tensor, Tensor], weight: Tensor | None, separate: tuple[Any, Any, Any], bias: Tensor | None
) -> list[Tensor]:
    """Query, key and value after their linear layers; inputs that are the same share one product."""
    query, key, value = inputs
    width = query.shape[-1]
    biases = [None] * 3 if bias is None else [bias[i * width : (i + 1) * width] for i in range(3)]
    if weight is None:
        return [linear(x, w, b) for x, w, b in zip(inputs, separate, biases)]
    if query is key and key is value:
        return list(linear(query, weight, bias).chunk(3, -1))
    if key is value:
        rest = None if bias is None else bias[width:]
        return [linear(query, weight[:width], biases[0]), *linear(key, weight[width:], rest).chunk(2, -1)]
    return [linear(x, weight[i * width : (i + 1) * width], biases[i]) for i, x in enumerate(inputs)]


def extended(mask: Tensor | None) -> Tensor | None:
    """A mask that lets one more key be seen."""
    return None if mask is None else f.cat([mask, zeros(*mask.shape[:-1], 1, dtype=mask.dtype)], -1)


def attend(
    inputs: tuple[Tensor, Tensor, Tensor],
    heads: int,
    weights: tuple[Any, Any, Any, Any],
    biases: tuple[Any, Any, Any],
    out: tuple[Tensor, Tensor | None],
    p: float,
    masks: tuple[Tensor | None, Tensor | None, bool],
    options: tuple[bool, bool, bool, bool],
    static: tuple[Tensor | None, Tensor | None] = (None, None),
) -> tuple[Tensor, Tensor | None]:
    """Multi-head attention of inputs with a batch.

    Args:
        inputs: query, key, value.
        heads: number of heads.
        weights: of the input layers: one for all or None, and three or None.
        biases: of the input layers, and rows that are added to key and value.
        out: weight and bias of the last layer.
        p: probability of dropout.
        masks: key_padding_mask, attn_mask, is_causal.
        options: batch_first, add_zero_attn, need_weights, average_attn_weights.
        static: heads in place of key and value.
    """
    name = "multi_head_attention"
    padding, mask, causal = masks
    batch_first, zero, need_weights, average = options
    query, key, _ = inputs
    rows_first = not batch_first
    length, batch = (query.shape[0], query.shape[1]) if rows_first else (query.shape[1], query.shape[0])
    padding, mask = additive(name, "key_padding_mask", padding, query), additive(name, "attn_mask", mask, query)
    same = query is key and key is inputs[2] and weights[0] is not None
    if same and not need_weights and not zero and biases[1] is None and static == (None, None):
        joint = joint_mask(name, padding, mask, (batch, heads, length, length), query)
        if joint is None or not joint.requires_grad:
            packed = linear(query, weights[0], biases[0])
            return linear(self_attention(packed, heads, rows_first, joint, p, causal), *out), None
    parts = projected(inputs, weights[0], weights[1:], biases[0])
    order = (1, 2, 0, 3) if rows_first else (0, 2, 1, 3)
    if biases[1] is not None:
        dim, shape = (0, (1, batch)) if rows_first else (1, (batch, 1))
        parts[1:] = [f.cat([x, b.expand(*shape, x.shape[-1])], dim) for x, b in zip(parts[1:], biases[1:])]
        padding, mask = extended(padding), extended(mask)
    q, k, v = (x.reshape(*x.shape[:2], heads, x.shape[2] // heads).permute(*order) for x in parts)
    if static[0] is not None:
        k = static[0].reshape(batch, heads, *static[0].shape[1:])
    if static[1] is not None:
        v = static[1].reshape(batch, heads, *static[1].shape[1:])
    if zero:
        k, v = (f.cat([x, zeros(batch, heads, 1, x.shape[-1], dtype=x.dtype)], 2) for x in (k, v))
        padding, mask = extended(padding), extended(mask)
    joint = joint_mask(name, padding, mask, (batch, heads, length, k.shape[2]), query)
    shown = None
    if need_weights:
        scores = f.matmul(q * (1 / math.sqrt(max(q.shape[-1], 1))), k.transpose(2, 3))
        shown = dropout(softmax(scores if joint is None else scores + joint, -1), p)
        y = f.matmul(shown, v)
        shown = shown.mean(1) if average else shown
    else:
        y = scaled_dot_product_attention(q, k, v, joint, p, causal and joint is None)
    back = y.permute(*((2, 0, 1, 3) if rows_first else (0, 2, 1, 3)))
    return linear(back.reshape(*back.shape[:2], heads * back.shape[3]), *out), shown


def check_sequences(query: Tensor, key: Tensor, value: Tensor, padding: Any, mask: Any, heads: int) -> bool:
    """Whether the inputs have a batch. Raises AssertionError, as PyTorch does, where numbers of dimensions differ."""
    name = "multi_head_attention"
    for label, x in (("query", query), ("key", key), ("value", value)):
        check_tensor(name, label, x)
    for label, x in (("key_padding_mask", padding), ("attn_mask", mask)):
        if x is not None:
            check_tensor(name, label, x)
    if query.ndim not in (2, 3):
        raise AssertedError(f"{name}: query must have 2 or 3 dimensions, got shape {tuple(query.shape)}")
    batched = query.ndim == 3
    if key.ndim != query.ndim or value.ndim != query.ndim:
        shapes = [tuple(x.shape) for x in (query, key, value)]
        raise AssertedError(f"{name}: query, key and value must have as many dimensions, got shapes {shapes}")
    if padding is not None and padding.ndim != query.ndim - 1:
        raise AssertedError(f"{name}: key_padding_mask must have {query.ndim - 1} dimensions, got {padding.ndim}")
    if mask is not None and mask.ndim not in (2, 3):
        raise AssertedError(f"{name}: attn_mask must have 2 or 3 dimensions, got shape {tuple(mask.shape)}")
    if not batched and mask is not None and mask.ndim == 3:
        wanted = (heads, query.shape[0], key.shape[0])
        if tuple(mask.shape) != wanted:
            raise AssertedError(f"{name}: attn_mask has shape {tuple(mask.shape)}, wanted {wanted}")
    return batched


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention of several heads, of inputs (L, N, E) or (L, E). As
    ``torch.nn.functional.multi_head_attention_forward``; see :class:`cygrad.nn.MultiheadAttention`.

    Args:
        query, key, value: sequences.
        embed_dim_to_check: E.
        num_heads: number of heads.
        in_proj_weight, in_proj_bias: of the layers of query, key and value, shapes (3·E, E) and (3·E,).
        bias_k, bias_v: rows that are added to key and value, or None.
        add_zero_attn: whether a row of zeros is added to key and value.
        dropout_p: probability that a weight is dropped in training.
        out_proj_weight, out_proj_bias: of the last layer.
        training: whether to drop weights, default True.
        key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal: as there.
        use_separate_proj_weight: whether the next three weights take the place of in_proj_weight.
        q_proj_weight, k_proj_weight, v_proj_weight: three weights, or None.
        static_k, static_v: heads (N·num_heads, S, E/num_heads) in place of those of key and value, or None.

    Returns:
        (y, weights), weights None unless they are wanted.
    """
    batched = check_sequences(query, key, value, key_padding_mask, attn_mask, num_heads)
    if query.shape[-1] != embed_dim_to_check:
        raise AssertedError(f"multi_head_attention: query has width {query.shape[-1]}, wanted {embed_dim_to_check}")
    if num_heads < 1 or embed_dim_to_check % num_heads:
        raise AssertedError(f"multi_head_attention: width {embed_dim_to_check} is not divisible by {num_heads} heads")
    causal = causal_of(is_causal, attn_mask, key_padding_mask, need_weights)
    inputs: Any = (query, key, value)
    if not batched:
        inputs = with_batch(inputs, 1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    y, weights = attend(
        inputs,
        num_heads,
        (None if use_separate_proj_weight else in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight),
        (in_proj_bias, bias_k, bias_v),
        (out_proj_weight, out_proj_bias),
        float(dropout_p) if training else 0.0,
        (key_padding_mask, None if causal else attn_mask, causal),
        (False, add_zero_attn, need_weights, average_attn_weights),
        (static_k, static_v),
    )
    if not batched:
        y, weights = y.squeeze(1), None if weights is None else weights.squeeze(0)
    return y, weights


def with_batch(inputs: tuple[Tensor, Tensor, Tensor], dim: int) -> tuple[Tensor, ...]:
    """The inputs with a batch of one; those that are the same stay so."""
    made: dict[int, Tensor] = {}
    return tuple([made.setdefault(id(x), x.unsqueeze(dim)) for x in inputs])


def causal_of(hint: bool, attn_mask: Any, padding: Any, need_weights: bool) -> bool:
    """Whether the mask is known to be causal, so that it need not be read."""
    if hint and attn_mask is None:
        raise RuntimeError("multi_head_attention: is_causal is a hint about attn_mask, which must be given too")
    return bool(hint) and padding is None and not need_weights
