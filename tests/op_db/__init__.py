"""The database of ops: one row an op. It drives the tests (tests/test_ops.py) and the benchmarks.

One file a family, as everywhere. A row says how an op is called here, in PyTorch and in NumPy, gives samples that
keep clear of kinks and cover the edges (sizes 0, 1, around a vector and a block, odd), and bad calls with the
message that each raises.
"""

from __future__ import annotations

from tests.op_db import (
    activation,
    arithmetic,
    attention,
    augment,
    batch_norm,
    conv,
    dropout,
    embedding,
    grad_norm,
    index,
    layer_norm,
    linear,
    loss,
    optim,
    patches,
    pointwise,
    pooling,
    recurrent,
    reduce,
    shape,
    softmax,
    tokens,
    warp,
)  # fmt: skip
from tests.op_db.row import Bad, Row, Sample

__all__ = ["ROWS", "Bad", "Row", "Sample"]

ROWS: list[Row] = [
    *activation.ROWS,
    *pointwise.ROWS,
    *arithmetic.ROWS,
    *reduce.ROWS,
    *shape.ROWS,
    *index.ROWS,
    *linear.ROWS,
    *conv.ROWS,
    *recurrent.ROWS,
    *softmax.ROWS,
    *loss.ROWS,
    *batch_norm.ROWS,
    *layer_norm.ROWS,
    *pooling.ROWS,
    *patches.ROWS,
    *attention.ROWS,
    *dropout.ROWS,
    *embedding.ROWS,
    *grad_norm.ROWS,
    *optim.ROWS,
    *warp.ROWS,
    *augment.ROWS,
    *tokens.ROWS,
]
