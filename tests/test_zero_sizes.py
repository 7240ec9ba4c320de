"""An op whose operand has an axis of size 0 gives a result with gradients, or raises an error: it never ends the process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cygrad import Tensor
from tests.op_db import ROWS
from tests.op_db.row import Row, Sample

ROOT = Path(__file__).parents[1]
SAMPLES = 6  # of each row


def emptied(sample: Sample) -> Iterator[tuple[Any, ...]]:
    """The arguments of a sample with each axis of each array in turn of size 0, and with the axes of one size together."""
    arrays = [i for i, x in enumerate(sample.args) if isinstance(x, np.ndarray)]
    cuts = [{i: {axis}} for i in arrays for axis in range(sample.args[i].ndim)]
    for size in sorted({n for i in arrays for n in sample.args[i].shape}):
        cuts.append({i: {axis for axis, n in enumerate(sample.args[i].shape) if n == size} for i in arrays})
    for cut in cuts:
        args = list(sample.args)
        for i, axes in cut.items():
            args[i] = args[i][tuple(slice(0) if axis in axes else slice(None) for axis in range(args[i].ndim))].copy()
        yield tuple(args)


def run(row: Row, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    tensors = [
        Tensor(x, requires_grad=row.differentiable and x.dtype.kind == "f") if isinstance(x, np.ndarray) else x for x in args
    ]
    try:
        result = row.op(*tensors, **kwargs)
        for y in result if isinstance(result, tuple | list) else [result]:
            if isinstance(y, Tensor) and y.requires_grad:
                y.sum().backward()
    except (ValueError, TypeError, RuntimeError, IndexError, NotImplementedError, ZeroDivisionError, OverflowError):
        pass


def main() -> None:
    """Run all cases, each written before it runs."""
    for row in ROWS:
        for sample in islice(row.samples(np.random.default_rng(0), row.dtypes[0]), SAMPLES):
            for args in emptied(sample):
                print(row.name, Sample(*args, **sample.kwargs), flush=True)
                run(row, args, sample.kwargs)
    print("done")


def test_no_op_ends_the_process_on_an_axis_of_size_0() -> None:
    code = "from tests.test_zero_sizes import main; main()"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0 and lines[-1] == "done", f"{lines[-1]}\n{ended.stderr[-2000:]}"
    assert len(lines) > 2000
