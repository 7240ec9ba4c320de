"""Rows of the activations."""

from __future__ import annotations

import numpy as np

from cygrad import reference
from cygrad.nn import functional as F
from tests.op_db.row import EDGE_SIZES, Bad, Row, Sample


def elementwise(rng, dtype):
    """Arrays of every edge size and of one to three dimensions, away from zero, where ReLU and others bend."""
    for shape in [*((n,) for n in EDGE_SIZES), (), (3, 5), (2, 3, 4), (0, 3)]:
        x = rng.uniform(0.1, 3.0, shape) * rng.choice([-1, 1], shape)
        yield Sample(np.asarray(x, dtype))


ROWS = [
    Row(
        "relu",
        F.relu,
        elementwise,
        torch=lambda torch: torch.nn.functional.relu,
        reference=reference.relu,
        kernels=("relu", "relu_backward"),
        bad=(Bad(lambda cg: F.relu(cg.tensor([1, 2])), TypeError, "relu: input must be float32 or float64, got int64"),),
    ),
]
