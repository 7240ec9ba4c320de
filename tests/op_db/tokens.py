"""Rows for the kernels that drop, swap, replace and insert tokens, which are called directly."""

from __future__ import annotations

import numpy as np

from cygrad import _kernels as kernels
from tests import reference
from tests.op_db.row import Bad, Row, Sample, on_arrays

SHAPES = [(0, 3), (1, 1), (3, 5), (7, 8), (4, 9), (600, 33)]
STARTS, SYNONYMS = np.array([0, 2, 2, 3, 7, 7, 8]), np.array([3, 4, 9, 1, 2, 3, 0, 5])


def samples_of(with_table):
    def samples(rng, dtype):
        table = (STARTS.copy(), SYNONYMS.copy()) if with_table else ()  # some tests write to their samples
        for k, (rows, cols) in enumerate(SHAPES):
            for p in (0.0, 0.4, 1.0):
                tokens, lengths = rng.integers(-1, 8, (rows, cols)), rng.integers(0, cols + 1, rows)
                yield Sample(tokens, lengths, *table, p, [0, 7, 2**64 - 1][k % 3], [0, 16, 2**33][k % 3])

    return samples


def row(name, *bad, table=False):
    return Row(
        name,
        on_arrays(lambda *args: getattr(kernels, name)(*args)),
        samples_of(table),
        reference=getattr(reference, name),
        kernels=(name,),
        differentiable=False,
        bare=True,
        dtypes=(np.float32,),
        bad=bad,
    )


X, N = np.zeros((2, 3), int), np.array([1, 3])
ROWS = [
    row(
        "drop_tokens",
        Bad(lambda cg: kernels.drop_tokens(X, N, 1.5, 0, 0), ValueError, r"drop_tokens: p must lie in \[0, 1\], got 1.5"),
        Bad(lambda cg: kernels.drop_tokens(X[0], N, 0.5, 0, 0), TypeError, r"drop_tokens: tokens must be integers \(N, L\), got int64 of shape \(3,\)"),
        Bad(lambda cg: kernels.drop_tokens(X + 0.5, N, 0.5, 0, 0), TypeError, r"drop_tokens: tokens must be integers \(N, L\), got float64"),
        Bad(lambda cg: kernels.drop_tokens(X, N + 1, 0.5, 0, 0), ValueError, "drop_tokens: lengths must lie between 0 and 3, got 2 to 4"),
    ),
    row(
        "swap_tokens",
        Bad(lambda cg: kernels.swap_tokens(X, N[:1], 0.5, 0, 0), ValueError, r"swap_tokens: lengths must be \(2,\), got shape \(1,\)"),
    ),
    row(
        "replace_tokens",
        Bad(lambda cg: kernels.replace_tokens(X, N, STARTS, SYNONYMS[1:], 0.5, 0, 0), ValueError, "replace_tokens: starts must increase from 0 to the count of synonyms, 7"),
        table=True,
    ),
    row(
        "insert_tokens",
        Bad(lambda cg: kernels.insert_tokens(X, N, STARTS[::-1], SYNONYMS, 0.5, 0, 0), ValueError, "insert_tokens: starts must increase from 0 to the count of synonyms, 8"),
        table=True,
    ),
]  # fmt: skip
