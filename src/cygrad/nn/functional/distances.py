"""Distances and similarities of vectors, and bilinear forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cygrad import functions as f
from cygrad.nn.functional.checks import check_tensor
from cygrad.nn.functional.linear import embedding
from cygrad.ops.broadcast import result_type

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["bilinear", "cosine_similarity", "embedding_bag", "pairwise_distance", "pdist"]


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return x₁·x₂/(max(‖x₁‖, eps)·max(‖x₂‖, eps)) along dim. As ``torch.nn.functional.cosine_similarity``."""
    check_tensor("cosine_similarity", "x1", x1)
    check_tensor("cosine_similarity", "x2", x2)
    shape, dtype = np.broadcast_shapes(x1.shape, x2.shape), result_type(x1.array, x2.array)
    if dtype.kind != "f":
        raise RuntimeError(f"cosine_similarity: expected floats, got {x1.dtype} and {x2.dtype}")
    x1, x2 = x1.to(dtype), x2.to(dtype)
    unit = [x / floored(x.norm(2, dim, True), eps) for x in (x1.expand(shape), x2.expand(shape))]
    return (unit[0] * unit[1]).sum(dim)


def floored(norm: Tensor, eps: float) -> Tensor:
    """max(norm, eps), whose gradient is 1 below eps too, as PyTorch's is."""
    return norm + (f.clamp(norm, eps) - norm).detach()


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """Return ‖x₁ − x₂ + eps‖ of order p along the last dimension. As ``torch.nn.functional.pairwise_distance``."""
    check_tensor("pairwise_distance", "x1", x1)
    check_tensor("pairwise_distance", "x2", x2)
    return (x1 - x2 + eps).norm(p, -1, keepdim)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Return the distances of order p between all pairs of rows, as the upper triangle in one vector. As
    ``torch.nn.functional.pdist``."""
    check_tensor("pdist", "input", input)
    if input.ndim != 2:
        raise RuntimeError(f"pdist: input must be a matrix, got shape {tuple(input.shape)}")
    rows, columns = np.triu_indices(input.shape[0], 1)
    return (input[rows] - input[columns]).norm(p, 1)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return y_k = x₁ᵀ·W_k·x₂ + b_k. As ``torch.nn.functional.bilinear``.

    Args:
        input1: x₁, shape (…, I).
        input2: x₂, shape (…, J).
        weight: W, shape (K, I, J).
        bias: b, shape (K,), default None for 0.

    Raises:
        RuntimeError: the shapes do not match.
    """
    for name, value in (("input1", input1), ("input2", input2), ("weight", weight)):
        check_tensor("bilinear", name, value)
    shapes = [tuple(x.shape) for x in (input1, input2, weight)]
    if weight.ndim != 3 or shapes[0][-1:] + shapes[1][-1:] != shapes[2][1:] or shapes[0][:-1] != shapes[1][:-1]:
        raise RuntimeError(f"bilinear: shapes {shapes[0]} and {shapes[1]} do not fit a weight of shape {shapes[2]}")
    y = f.einsum("...i,kij,...j->...k", input1, weight, input2)
    return y if bias is None else y + bias


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Look up rows by index and reduce each bag of them to one row. As ``torch.nn.functional.embedding_bag``.

    Args:
        input: indices, shape (bags, length), or (indices,) with offsets.
        weight: the table, shape (rows, size of a row).
        offsets: where each bag starts, default None.
        max_norm, norm_type, scale_grad_by_freq, sparse: as in ``embedding``.
        mode: "sum", "mean" (default) or "max".
        per_sample_weights: factor of each row, of input's shape, with mode "sum"; default None.
        include_last_offset: whether the last offset is the number of indices, default False.
        padding_idx: row that does not count, default None.

    Raises:
        ValueError: offsets are missing or superfluous, mode is unknown, or per_sample_weights do not fit.
    """
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"embedding_bag: mode must be sum, mean or max, got {mode!r}")
    if per_sample_weights is not None and (mode != "sum" or per_sample_weights.shape != input.shape):
        raise ValueError("embedding_bag: per_sample_weights need mode sum and the shape of input")
    if input.ndim not in (1, 2) or (input.ndim == 2) != (offsets is None):
        raise ValueError("embedding_bag: input must have 2 dimensions, or 1 and offsets")
    if offsets is None:
        bags = np.repeat(np.arange(input.shape[0]), input.shape[1])
        count = input.shape[0]
    else:
        starts = offsets.array[:-1] if include_last_offset else offsets.array
        count = len(starts)
        bags = np.searchsorted(starts, np.arange(input.numel()), side="right") - 1
    indices = input.reshape(-1)
    weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    if padding_idx is not None:
        kept = np.flatnonzero(indices.array != padding_idx % weight.shape[0])
        indices, bags = indices[kept], bags[kept]
        weights = None if weights is None else weights[kept]
    rows = embedding(indices, weight, None, max_norm, norm_type, scale_grad_by_freq)
    if weights is not None:
        rows = rows * weights.reshape(-1, 1)
    if mode == "max":
        parts = [rows[np.flatnonzero(bags == bag)] for bag in range(count)]
        return f.stack([part.amax(0) if len(part) else weight[0].detach() * 0 for part in parts])
    member = np.equal.outer(np.arange(count), bags).astype(weight.array.dtype)
    if mode == "mean":
        member /= np.maximum(member.sum(1, keepdims=True), 1)
    return f.matmul(type(weight.detach())(member), rows)
