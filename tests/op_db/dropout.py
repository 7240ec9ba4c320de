"""Rows of dropout at a seed and offset; PyTorch draws other numbers."""

from __future__ import annotations

import numpy as np

from cygrad.nn import functional as F
from cygrad.ops.dropout import dropout_at
from tests import reference
from tests.op_db.row import EDGE_SIZES, Bad, Row, Sample


def samples(rng, dtype):
    for n, shape in enumerate([*((n,) for n in EDGE_SIZES), (64,), (), (3, 5), (2, 3, 43), (20000,)]):
        x = np.asarray(rng.uniform(0.5, 2, shape), dtype)
        for p in (0.0, 0.1, 0.5, 1.0):
            yield Sample(x, p=p, seed=[0, 7, 2**64 - 1][n % 3], offset=[0, 16, 2**33][n % 3])


ROWS = [
    Row(
        "dropout",
        dropout_at,
        samples,
        reference=lambda *args, **kwargs: reference.dropout(*args, **kwargs)[0],
        kernels=("dropout", "dropout_backward"),
        bad=(
            Bad(lambda cg: F.dropout(cg.ones(3), 1.5), ValueError, r"dropout: p must lie in \[0, 1\], got 1.5"),
            Bad(lambda cg: F.dropout(cg.ones(3), -0.1), ValueError, r"dropout: p must lie in \[0, 1\], got -0.1"),
            Bad(
                lambda cg: F.dropout(cg.ones(3), float("nan")), ValueError, r"dropout: p must lie in \[0, 1\], got nan"
            ),
            Bad(
                lambda cg: dropout_at(cg.ones(3), p=2.0, seed=0, offset=0),
                ValueError,
                r"dropout: p must lie in \[0, 1\]",
            ),
            Bad(
                lambda cg: F.dropout(cg.tensor([1, 2])),
                TypeError,
                "dropout: input must be float32 or float64, got int64",
            ),
        ),
    ),
]
