"""Rows of tables."""

from __future__ import annotations

import numpy as np

from cygrad import _kernels as kernels
from cygrad.nn import functional as F
from tests import reference
from tests.op_db.row import Bad, Row, Sample


def samples(*paddings):
    return lambda rng, dtype: tables(rng, dtype, paddings)


def tables(rng, dtype, paddings):
    for n, (rows, cols, shape) in enumerate([
        (1, 1, (1,)), (5, 3, (7,)), (10, 63, (2, 3)), (10, 64, (40,)), (3, 65, (2, 3, 4)), (4, 129, ()), (300, 17, (500,)),
        (5, 0, (3,)), (5, 3, (0,)), (2, 4096, (5,)),
    ]):  # fmt: skip
        weight = rng.standard_normal((rows, cols)).astype(dtype)
        index = np.asarray(rng.integers(0, rows, shape), [np.int64, np.int32][n % 2])
        for padding in paddings:
            yield Sample(index, weight, padding)


def meaning(index, weight, padding):
    return reference.gather_rows(weight, index)[0]


ROWS = [
    Row(
        "embedding",
        F.embedding,
        samples(None),
        torch=lambda torch: torch.nn.functional.embedding,
        reference=meaning,
        kernels=("gather_rows", "scatter_rows"),
        atol={np.float32: 1e-5, np.float64: 1e-12},
        bad=(
            Bad(lambda cg: F.embedding(cg.tensor([0, 3]), cg.ones(3, 2)), IndexError, "index 3 is not one of the 3 rows"),
            Bad(lambda cg: F.embedding(cg.tensor([-1]), cg.ones(3, 2)), IndexError, "index -1 is not one of the 3 rows"),
            Bad(lambda cg: F.embedding(cg.tensor([0]), cg.ones(0, 2)), IndexError, "index 0 is not one of the 0 rows"),
            Bad(lambda cg: F.embedding(cg.tensor([0]), cg.ones(3, 2), 3), IndexError,
                "embedding: padding_idx 3 is out of range for 3 rows"),
            Bad(lambda cg: F.embedding(cg.tensor([0.0]), cg.ones(3, 2)), TypeError,
                "index must be an array of integers, got float32"),
            *[Bad(lambda cg, shape=shape: F.embedding(cg.tensor([0]), cg.ones(shape)), RuntimeError,
                  f"embedding: weight must be a matrix, got shape {shape}".replace("(", r"\(").replace(")", r"\)"))
              for shape in [(), (3,), (3, 2, 2)]],
            Bad(lambda cg: kernels.scatter_rows(np.ones((2, 3)), np.array([0, 5]), 5), IndexError,
                "scatter_rows: index 5 is not one of the 5 rows"),
            Bad(lambda cg: kernels.scatter_rows(np.ones((2, 3)), np.array([0]), 5), ValueError,
                r"scatter_rows: gradient has shape \(2, 3\), but index has \(1,\)"),
        ),
    ),
    Row(
        "embedding_padding",
        F.embedding,
        samples(0, -1),
        torch=lambda torch: torch.nn.functional.embedding,
        reference=meaning,
        kernels=("gather_rows", "scatter_rows"),
        dtypes=(np.float32,),  # its gradient leaves one row out: no finite difference agrees
        atol={np.float32: 1e-5},
    ),
]  # fmt: skip
