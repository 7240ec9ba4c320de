"""The command ``cygrad bench``: a table, or JSON, of all cases on one thread."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from cygrad.bench.cases import compare, kernel_cases
from cygrad.bench.timing import cpu_name, take_turns, thread_environment, threads_are_limited
from cygrad.config import show_config

__all__ = ["Timing", "command", "report"]

SIZES = ((64, 256), (512, 2048))


class Timing(NamedTuple):
    """Medians in microseconds; ratio is NumPy's time divided by cygrad's."""

    name: str
    size: str
    cygrad_us: float
    numpy_us: float
    ratio: float


def command(*, json: bool = False, quick: bool = False) -> int:
    """Print the timings as a table, or as JSON, and return the exit code.

    Args:
        json: print JSON.
        quick: only the small size, and fewer and shorter rounds.
    """
    if not threads_are_limited(1):
        return in_new_process(json, quick)
    timings = list(measure(quick))
    machine = {**show_config(), "threads": 1, "system": platform.platform(), "cpu": cpu_name()}
    print(as_json(timings, machine) if json else report(timings, machine))
    return 0


def in_new_process(json: bool, quick: bool) -> int:
    """The same command in a process whose NumPy starts with one thread."""
    arguments = [sys.executable, "-m", "cygrad", "bench", *["--json"] * json, *["--quick"] * quick]
    return subprocess.run(arguments, env={**os.environ, **thread_environment(1)}, check=False).returncode


def measure(quick: bool) -> Iterator[Timing]:
    """Every case at every size, compared and then timed."""
    rounds, seconds = (5, 0.001) if quick else (25, 0.005)
    for rows, columns in SIZES[:1] if quick else SIZES:
        for case in kernel_cases(rows, columns):
            compare(case)
            times = take_turns({"cygrad": case.cygrad, "numpy": case.numpy}, rounds, seconds)
            ours, numpys = times["cygrad"] * 1e6, times["numpy"] * 1e6
            yield Timing(case.name, case.size, ours, numpys, numpys / ours)


def as_json(timings: list[Timing], machine: dict[str, Any]) -> str:
    return json.dumps({"machine": machine, "timings": [timing._asdict() for timing in timings]}, indent=2)


def report(timings: list[Timing], machine: dict[str, Any]) -> str:
    """The timings in columns, below a line about the machine."""
    head = (
        f"cygrad {machine['cygrad']} ({machine['cpu_level']}) and NumPy {machine['numpy']}, "
        f"float32, one thread, medians; {machine['cpu']}"
    )
    lines = [f"{'':24}{'size':>12}{'cygrad':>13}{'NumPy':>13}{'NumPy/cygrad':>14}"]
    lines += [f"{t.name:24}{t.size:>12}{t.cygrad_us:10.1f} us{t.numpy_us:10.1f} us{t.ratio:14.2f}" for t in timings]
    return "\n".join([head, "", *lines])
