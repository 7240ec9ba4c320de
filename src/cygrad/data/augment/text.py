"""Transforms of token sequences: drop, swap, replace and insert tokens.

J. Wei, K. Zou (2019), "EDA: easy data augmentation techniques for boosting performance on text classification tasks".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.data.augment.arguments import as_probability
from cygrad.data.augment.transform import Transform
from cygrad.generator import Generator

__all__ = ["DropTokens", "InsertTokens", "ReplaceTokens", "SwapTokens"]

Synonyms = Mapping[int, Sequence[int]]


class TokenTransform(Transform):
    """Base class of transforms of token sequences.

    The sequences are an integer array (N, L), padded at the end of each row, or a list of lists of integers without
    padding. The result has the same form; labels stay unchanged.
    """

    def __init__(self, p: float, *, padding: int = 0) -> None:
        self.p = as_probability(type(self).__name__, p)
        self.padding = int(padding)

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        op, rows = type(self).__name__, parts[0]
        if isinstance(rows, (list, tuple)):
            tokens, lengths = pad_rows(op, rows, self.padding)
        else:
            tokens, lengths = require_tokens(op, rows), row_lengths(rows, self.padding)
        seed, offset = generator.advance(kernels.token_draws(tokens))
        changed, lengths = self.tokens(tokens, lengths, seed, offset)
        if isinstance(rows, (list, tuple)):
            return [[row[:n].tolist() for row, n in zip(changed, lengths, strict=True)], *parts[1:]]
        return [changed.astype(rows.dtype, copy=False), *parts[1:]]

    def tokens(self, x: Array, lengths: Array, seed: int, offset: int) -> tuple[Array, Array]:
        """Transform the rows of x (N, L). Returns them and their lengths (N,)."""
        raise NotImplementedError(f"{type(self).__name__}: a transform of tokens must define tokens")


def require_tokens(op: str, rows: Any) -> Array:
    """Return rows if it is an integer array (N, L)."""
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind not in "iu":
        got = f"{rows.dtype} of shape {rows.shape}" if isinstance(rows, np.ndarray) else f"a {type(rows).__name__}"
        raise TypeError(f"{op}: tokens must be an integer array (N, L) or a list of lists of integers, got {got}")
    return rows


def pad_rows(op: str, rows: Sequence[Any], padding: int) -> tuple[Array, Array]:
    """Pad lists of tokens to an int64 array (N, L). Returns it and the lengths (N,)."""
    lengths = np.array([len(row) for row in rows], np.int64)
    tokens = np.full((len(rows), int(lengths.max(initial=0))), padding, np.int64)
    for line, row in zip(tokens, rows, strict=True):
        if any(not isinstance(token, (int, np.integer)) for token in row):
            raise TypeError(f"{op}: tokens must be integers, got {row!r:.60}")
        try:
            line[: len(row)] = row
        except OverflowError:
            raise OverflowError(f"{op}: tokens must fit in 64 bits, got {row!r:.60}") from None
    return tokens, lengths


def row_lengths(tokens: Array, padding: int) -> Array:
    """Number of tokens before the trailing padding of each row."""
    positions = np.arange(1, tokens.shape[1] + 1)
    return np.max(np.where(tokens != padding, positions, 0), axis=1, initial=0)


def flatten_synonyms(op: str, synonyms: Synonyms) -> tuple[Array, Array]:
    """The synonyms of all tokens, concatenated, and the offset at which each token's begin: those of token t are
    ``every[starts[t]:starts[t + 1]]``. Returns (starts, every)."""
    if not isinstance(synonyms, Mapping):
        raise TypeError(f"{op}: synonyms must map tokens to lists of tokens, got {type(synonyms).__name__}")
    for token, others in synonyms.items():
        if any(not isinstance(each, (int, np.integer)) for each in (token, *others)) or token < 0:
            raise TypeError(
                f"{op}: synonyms must map non-negative integer tokens to lists of integers, got the key {token!r}"
            )
    counts = np.zeros(max(synonyms, default=-1) + 1, np.int64)
    for token, others in synonyms.items():
        counts[token] = len(others)
    every = [other for token in sorted(synonyms) for other in synonyms[token]]
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), np.array(every, np.int64)


class DropTokens(TokenTransform):
    """Drop each token with probability `p`; at least one token of a non-empty row remains.

    Args:
        p: probability in [0, 1].
        padding: token that pads the rows of an array.

    Raises:
        TypeError: on a call, if tokens are not integers.
        ValueError: if `p` is out of range.

    >>> cg.data.augment.DropTokens(p=1.0)(np.array([[5, 5, 5, 0]])).tolist()
    [[5, 0, 0, 0]]
    """

    def tokens(self, x: Array, lengths: Array, seed: int, offset: int) -> tuple[Array, Array]:
        changed, remaining = kernels.drop_tokens(x, lengths, self.p, seed, offset, self.padding)
        return changed, remaining


class SwapTokens(TokenTransform):
    """Swap each token with another token of its row with probability `p`.

    Args:
        p: probability in [0, 1].
        padding: token that pads the rows of an array.

    Raises:
        TypeError: on a call, if tokens are not integers.
        ValueError: if `p` is out of range.

    >>> sorted(cg.data.augment.SwapTokens(p=0.5)([[3, 1, 2]])[0])
    [1, 2, 3]
    """

    def tokens(self, x: Array, lengths: Array, seed: int, offset: int) -> tuple[Array, Array]:
        return kernels.swap_tokens(x, lengths, self.p, seed, offset), lengths


class ReplaceTokens(TokenTransform):
    """Replace each token with one of its synonyms with probability `p`; a token without synonyms stays.

    Args:
        synonyms: for each token, a list of tokens that may replace it.
        p: probability in [0, 1].
        padding: token that pads the rows of an array.

    Raises:
        OverflowError: on a call, if a synonym does not fit in the dtype of the tokens.
        TypeError: if synonyms, or, on a call, tokens, are not integers.
        ValueError: if `p` is out of range.

    >>> cg.data.augment.ReplaceTokens({3: [7]}, p=1.0)([[3, 4, 3]])
    [[7, 4, 7]]
    """

    def __init__(self, synonyms: Synonyms, p: float = 0.1, *, padding: int = 0) -> None:
        super().__init__(p, padding=padding)
        self.synonyms = synonyms
        self.table = flatten_synonyms(type(self).__name__, synonyms)

    def tokens(self, x: Array, lengths: Array, seed: int, offset: int) -> tuple[Array, Array]:
        return kernels.replace_tokens(x, lengths, *self.table_for(x), self.p, seed, offset), lengths

    def table_for(self, x: Array) -> tuple[Array, Array]:
        """The flattened synonyms, if they fit in the dtype of x."""
        every, limits = self.table[1], np.iinfo(x.dtype)
        if every.size and not limits.min <= every.min() <= every.max() <= limits.max:
            op, least, most = type(self).__name__, every.min(), every.max()
            raise OverflowError(f"{op}: synonyms from {least} to {most} do not fit in {x.dtype}, the tokens' dtype")
        return self.table


class InsertTokens(ReplaceTokens):
    """Insert a synonym of a random token of the row before each token with probability `p`.

    Nothing is inserted if the random token has no synonyms. An array is widened to its longest row.

    Args:
        synonyms: for each token, a list of tokens that may be inserted for it.
        p: probability in [0, 1].
        padding: token that pads the rows of an array.
        max_length: length at which rows are truncated; None for no limit.

    Raises:
        OverflowError: on a call, if a synonym does not fit in the dtype of the tokens.
        TypeError: if synonyms, or, on a call, tokens, are not integers.
        ValueError: if `p` or `max_length` is out of range.

    >>> cg.data.augment.InsertTokens({3: [7]}, p=1.0)([[3, 3], [4]])
    [[7, 3, 7, 3], [4]]
    """

    def __init__(self, synonyms: Synonyms, p: float = 0.1, *, padding: int = 0, max_length: int | None = None) -> None:
        super().__init__(synonyms, p, padding=padding)
        if max_length is not None and max_length < 1:
            raise ValueError(f"InsertTokens: max_length must be at least 1, got {max_length}")
        self.max_length = max_length

    def tokens(self, x: Array, lengths: Array, seed: int, offset: int) -> tuple[Array, Array]:
        changed, lengths = kernels.insert_tokens(x, lengths, *self.table_for(x), self.p, seed, offset, self.padding)
        width = max(x.shape[1], int(lengths.max(initial=0)))
        width = width if self.max_length is None else min(width, self.max_length)
        return np.ascontiguousarray(changed[:, :width]), np.minimum(lengths, width)
