"""Whole training steps, and inference, under pytest-benchmark."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.cases import CASES, Case, Inference, TrainingStep
from benchmarks.peers import cygrad_peer

pytest.importorskip("pytest_benchmark", reason="pip install 'cygrad[bench]'")


STEPS = [case for case in CASES if isinstance(case, (TrainingStep, Inference))]


@pytest.mark.parametrize("case", STEPS, ids=lambda case: case.name)
def test_step(benchmark: Any, case: Case) -> None:
    work = cygrad_peer.eager().build(case, check=False)
    assert work is not None
    benchmark(work.call)
