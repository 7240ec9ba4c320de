"""Rows of tokens changed: some dropped, swapped, replaced or inserted.

J. Wei, K. Zou (2019), "EDA: easy data augmentation techniques for boosting performance on text classification tasks".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.data.augment.transform import Transform, probability
from cygrad.generator import Generator

__all__ = ["DropTokens", "InsertTokens", "ReplaceTokens", "SwapTokens"]

Synonyms = Mapping[int, Sequence[int]]


class TokenTransform(Transform):
    """A transform of tokens: an array (N, L) of integers whose rows end in `padding`, or a list of lists of integers,
    which need none. The same comes back; labels stay as they are."""

    def __init__(self, p: float, *, padding: int = 0) -> None:
        self.p = probability(type(self).__name__, p)
        self.padding = int(padding)

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        op, rows = type(self).__name__, parts[0]
        if isinstance(rows, (list, tuple)):
            tokens, lengths = padded(op, rows, self.padding)
        else:
            tokens, lengths = demand_tokens(op, rows), lengths_of(rows, self.padding)
        seed, offset = generator.advance(kernels.token_draws(tokens))
        changed, lengths = self.tokens(tokens, lengths, seed, offset)
        if isinstance(rows, (list, tuple)):
            return [[row[:n].tolist() for row, n in zip(changed, lengths, strict=True)], *parts[1:]]
        return [changed.astype(rows.dtype, copy=False), *parts[1:]]

    def tokens(self, x: Array, lengths: Array, seed: int, offset: int) -> tuple[Array, Array]:
        """The rows changed, and their lengths."""
        raise NotImplementedError(f"{type(self).__name__}: tokens is not defined")


def demand_tokens(op: str, rows: Any) -> Array:
    """rows, which must be an array of tokens."""
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind not in "iu":
        got = f"{rows.dtype} of shape {rows.shape}" if isinstance(rows, np.ndarray) else f"a {type(rows).__name__}"
        raise TypeError(f"{op}: tokens must be integers (N, L), or a list of lists of integers, got {got}")
    return rows


def padded(op: str, rows: Sequence[Any], padding: int) -> tuple[Array, Array]:
    """Lists of tokens as an array, and their lengths."""
    lengths = np.array([len(row) for row in rows], np.int64)
    tokens = np.full((len(rows), int(lengths.max(initial=0))), padding, np.int64)
    for line, row in zip(tokens, rows, strict=True):
        if any(not isinstance(token, (int, np.integer)) for token in row):
            raise TypeError(f"{op}: tokens must be integers, got {row!r:.60}")
        try:
            line[: len(row)] = row
        except OverflowError:
            raise OverflowError(f"{op}: tokens must fit into 64 bits, got {row!r:.60}") from None
    return tokens, lengths


def lengths_of(tokens: Array, padding: int) -> Array:
    """How many tokens stand before the padding at the end of each row."""
    places = np.arange(1, tokens.shape[1] + 1)
    return np.max(np.where(tokens != padding, places, 0), axis=1, initial=0)


def table_of(op: str, synonyms: Synonyms) -> tuple[Array, Array]:
    """Where the synonyms of each token begin, and all of them in a row."""
    for token, others in synonyms.items():
        if any(not isinstance(each, (int, np.integer)) for each in (token, *others)) or token < 0:
            raise TypeError(
                f"{op}: synonyms must be lists of tokens, integers, under tokens of at least 0, got {token!r}"
            )
    counts = np.zeros(max(synonyms, default=-1) + 1, np.int64)
    for token, others in synonyms.items():
        counts[token] = len(others)
    every = [other for token in sorted(synonyms) for other in synonyms[token]]
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), np.array(every, np.int64)


class DropTokens(TokenTransform):
    """Every token is left out with probability `p`; one of a row stays in any case.

    >>> cg.data.augment.DropTokens(p=1.0)(np.array([[5, 5, 5, 0]])).tolist()
    [[5, 0, 0, 0]]
    """

    def tokens(self, x: Array, lengths: Array, seed: int, offset: int) -> tuple[Array, Array]:
        changed, kept = kernels.drop_tokens(x, lengths, self.p, seed, offset, self.padding)
        return changed, kept


class SwapTokens(TokenTransform):
    """Every token changes places with another of its row with probability `p`.

    >>> sorted(cg.data.augment.SwapTokens(p=0.5)([[3, 1, 2]])[0])
    [1, 2, 3]
    """

    def tokens(self, x: Array, lengths: Array, seed: int, offset: int) -> tuple[Array, Array]:
        return kernels.swap_tokens(x, lengths, self.p, seed, offset), lengths


class ReplaceTokens(TokenTransform):
    """Every token becomes one of its synonyms with probability `p`; one that has none stays. `synonyms` is a table from
    tokens to lists of tokens.

    >>> cg.data.augment.ReplaceTokens({3: [7]}, p=1.0)([[3, 4, 3]])
    [[7, 4, 7]]
    """

    def __init__(self, synonyms: Synonyms, p: float = 0.1, *, padding: int = 0) -> None:
        super().__init__(p, padding=padding)
        self.synonyms = synonyms
        self.table = table_of(type(self).__name__, synonyms)

    def tokens(self, x: Array, lengths: Array, seed: int, offset: int) -> tuple[Array, Array]:
        return kernels.replace_tokens(x, lengths, *self.table_for(x), self.p, seed, offset), lengths

    def table_for(self, x: Array) -> tuple[Array, Array]:
        """The table, whose synonyms must fit into the dtype of x."""
        every, limits = self.table[1], np.iinfo(x.dtype)
        if every.size and not limits.min <= every.min() <= every.max() <= limits.max:
            op, least, most = type(self).__name__, every.min(), every.max()
            raise OverflowError(f"{op}: synonyms from {least} to {most} do not fit into tokens of {x.dtype}")
        return self.table


class InsertTokens(ReplaceTokens):
    """Before every token comes, with probability `p`, a synonym of one of the row's tokens, if that has some. An
    array grows as wide as its longest row becomes, but no wider than `max_length`, at which rows are cut.

    >>> cg.data.augment.InsertTokens({3: [7]}, p=1.0)([[3, 3], [4]])
    [[7, 3, 7, 3], [4]]
    """

    def __init__(self, synonyms: Synonyms, p: float = 0.1, *, padding: int = 0, max_length: int | None = None) -> None:
        super().__init__(synonyms, p, padding=padding)
        if max_length is not None and max_length < 1:
            raise ValueError(f"InsertTokens: max_length must be at least 1, got {max_length}")
        self.max_length = max_length

    def tokens(self, x: Array, lengths: Array, seed: int, offset: int) -> tuple[Array, Array]:
        changed, kept = kernels.insert_tokens(x, lengths, *self.table_for(x), self.p, seed, offset, self.padding)
        width = max(x.shape[1], int(kept.max(initial=0)))
        width = width if self.max_length is None else min(width, self.max_length)
        return np.ascontiguousarray(changed[:, :width]), np.minimum(kept, width)
