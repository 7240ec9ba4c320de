"""Scripts of one process: threads limited everywhere, and rounds that take turns."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable


def limit_threads(threads: int) -> None:
    """Must run before NumPy is imported: its BLAS reads these once."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ["CYGRAD_NUM_THREADS"] = str(threads)


def take_turns(functions: dict[str, Callable[[], object]], rounds: int = 15, seconds: float = 0.02) -> dict[str, float]:
    """The median seconds of each function. In every round each runs for about `seconds`, one after the other."""
    calls = {}
    for name, function in functions.items():
        function()
        begin = time.perf_counter()
        function()
        calls[name] = max(1, int(seconds / (time.perf_counter() - begin)))
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            begin = time.perf_counter()
            for _ in range(calls[name]):
                function()
            times[name].append((time.perf_counter() - begin) / calls[name])
    return {name: statistics.median(t) for name, t in times.items()}
