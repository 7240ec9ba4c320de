"""Every op of tests/op_db on the largest of its samples, forward and with its gradient, under pytest-benchmark."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

import cygrad as cg

pytest.importorskip("pytest_benchmark", reason="pip install 'cygrad[bench]'")

from tests.op_db import ROWS, Row, Sample
from tests.test_ops import cg_tensor, convert, flatten, upstream_of


def largest(row: Row) -> Sample:
    """The sample with the most numbers."""
    rng = np.random.default_rng(zlib.crc32(row.name.encode()))

    def numbers(sample: Sample) -> int:
        return sum([a.size for a in flatten([*sample.args, *sample.kwargs.values()]) if isinstance(a, np.ndarray)])

    return max(row.samples(rng, row.dtypes[0]), key=numbers)


def tensors(sample: Sample) -> tuple[list[Any], dict[str, Any]]:
    return [convert(a, cg_tensor) for a in sample.args], {k: convert(v, cg_tensor) for k, v in sample.kwargs.items()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.benchmark(group="forward")
def test_forward(benchmark: Any, row: Row) -> None:
    args, kwargs = tensors(largest(row))
    with cg.no_grad():
        benchmark(row.op, *args, **kwargs)


@pytest.mark.parametrize("row", [row for row in ROWS if row.differentiable], ids=lambda row: row.name)
@pytest.mark.benchmark(group="forward and backward")
def test_forward_and_backward(benchmark: Any, row: Row) -> None:
    args, kwargs = tensors(largest(row))
    inputs = [t for t in flatten([*args, *kwargs.values()]) if getattr(t, "requires_grad", False)]
    upstream = upstream_of([output.array for output in flatten(row.op(*args, **kwargs))])

    def both() -> Any:
        pairs = [(y, dy) for y, dy in zip(flatten(row.op(*args, **kwargs)), upstream) if y.requires_grad]
        return cg.autograd.gradients([y for y, _ in pairs], inputs, [dy for _, dy in pairs], False)

    assert any([gradient is not None for gradient in benchmark(both)])
