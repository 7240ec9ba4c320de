"""Rows of tokens dropped, swapped, replaced and inserted. Token j of row i draws the four words of one counter: the
first decides, the others choose."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.dropout import philox

__all__ = ["drop_tokens", "insert_tokens", "replace_tokens", "swap_tokens", "token_draws"]


def token_draws(x: Any) -> Any:
    """The number of counters that one augmentation uses."""
    return len(x) * ((x.shape[1] + 7) // 8 * 8)


def drawn(tokens: Any, lengths: Any, p: Any, seed: Any, offset: Any) -> Any:
    """For each row, its tokens, and for each token whether it is selected, and three words."""
    per_row = token_draws(tokens) // max(len(tokens), 1)
    for i, (row, n) in enumerate(zip(tokens, lengths)):
        counters = np.arange(n, dtype=np.uint64) + np.uint64(offset + i * per_row)
        words = philox(seed, counters)
        chosen = words[0] < np.uint64(int(p * 2**32))
        yield [int(t) for t in row[:n]], chosen, [[int(w) for w in word] for word in words[1:]]


def below(word: Any, n: Any) -> Any:
    """A word as an integer below n."""
    return word * n >> 32


def padded(rows: Any, cols: Any, padding: Any) -> Any:
    """Rows of different lengths as an array, and the lengths."""
    y = np.full((len(rows), cols), padding, np.int64)
    for i, row in enumerate(rows):
        y[i, : len(row)] = row
    return y, np.array([len(row) for row in rows], np.int64)


def drop_tokens(tokens: Any, lengths: Any, p: Any, seed: Any, offset: Any, padding: Any = 0) -> Any:
    """(y, kept): each token is dropped with probability p, but at least one remains."""
    rows = []
    for row, chosen, words in drawn(tokens, lengths, p, seed, offset):
        kept = [token for token, gone in zip(row, chosen) if not gone]
        rows.append(kept or (row and [row[below(words[0][0], len(row))]]))
    return padded(rows, tokens.shape[1], padding)


def swap_tokens(tokens: Any, lengths: Any, p: Any, seed: Any, offset: Any) -> Any:
    """Each token is swapped with another of its row with probability p."""
    y = tokens.astype(np.int64)
    for i, (row, chosen, words) in enumerate(drawn(tokens, lengths, p, seed, offset)):
        for j in np.flatnonzero(chosen) if len(row) > 1 else ():
            other = below(words[0][j], len(row) - 1)
            other += other >= j
            y[i, j], y[i, other] = y[i, other], y[i, j]
    return y


def synonym(starts: Any, synonyms: Any, token: Any, word: Any) -> Any:
    """One of the token's synonyms, if it has any."""
    if not 0 <= token < len(starts) - 1 or starts[token] == starts[token + 1]:
        return None
    return int(synonyms[starts[token] + below(word, int(starts[token + 1] - starts[token]))])


def replace_tokens(tokens: Any, lengths: Any, starts: Any, synonyms: Any, p: Any, seed: Any, offset: Any) -> Any:
    """Each token is replaced by one of its synonyms with probability p."""
    y = tokens.astype(np.int64)
    for i, (row, chosen, words) in enumerate(drawn(tokens, lengths, p, seed, offset)):
        for j in np.flatnonzero(chosen):
            found = synonym(starts, synonyms, row[j], words[0][j])
            y[i, j] = row[j] if found is None else found
    return y


def insert_tokens(
    tokens: Any, lengths: Any, starts: Any, synonyms: Any, p: Any, seed: Any, offset: Any, padding: Any = 0
) -> Any:
    """(y, kept): before each token, with probability p, a synonym of one of the row's tokens is inserted."""
    rows = []
    for row, chosen, words in drawn(tokens, lengths, p, seed, offset):
        longer: list[int] = []
        for j, token in enumerate(row):
            found = synonym(starts, synonyms, row[below(words[0][j], len(row))], words[1][j])
            longer += [found] if chosen[j] and found is not None else []
            longer.append(token)
        rows.append(longer)
    return padded(rows, 2 * tokens.shape[1], padding)
