"""A run: agreement first, then rounds in which the peers take turns."""

from __future__ import annotations

import datetime
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import limits
from benchmarks.agreement import Disagreement, check
from benchmarks.cases import Case
from benchmarks.inputs import Arrays
from benchmarks.processes import Failed, Process, processes
from benchmarks.results import CaseResult, Run, Times

__all__ = ["measure"]

# Threads of OpenMP and BLAS that have nothing to do spin for a while, which would fall on whoever is next.
SETTLE = 0.05
Report = Callable[[str], Any]
Done = Callable[[CaseResult, dict[str, float]], Any]


def measure(
    cases: Sequence[Case],
    peers: Sequence[str],
    *,
    threads: int = 1,
    rounds: int = 3,
    seconds: float = 0.2,
    pythons: Mapping[str, str] | None = None,
    with_limits: bool = True,
    report: Report = print,
    done: Done = lambda case, limits: None,
) -> tuple[Run, list[str]]:
    """Runs the cases with the peers, each in its own process with so many threads; in each round each peer computes a
    case for about `seconds`, one after the other. `done` is given each case when it is measured, and the limits.

    Returns the run, and a sentence for each case on which peers disagree, which is not timed.
    """
    measured, unmeasured = measured_limits(threads) if with_limits else ({}, {})
    results: list[CaseResult] = []
    wrong: list[str] = []
    with processes(list(peers), threads, pythons or {}) as (present, versions, absent):
        for what, why in {**unmeasured, **absent}.items():
            report(f"left out: {what} ({why})")
        for case in cases:
            try:
                result = run_case(case, present, rounds, seconds, SETTLE if threads > 1 else 0.0)
            except Disagreement as error:
                wrong.append(str(error))
                report(f"not timed: {error}")
                continue
            results.append(result)
            for peer, why in result.failed.items():
                report(f"{case.name}: {peer} failed ({why})")
            done(result, measured)
    date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    left_out = {**unmeasured, **absent}
    return Run(date, threads, rounds, seconds, limits.machine(), measured, versions, left_out, results), wrong


def measured_limits(threads: int) -> tuple[dict[str, float], dict[str, str]]:
    """The machine's limits, or why they are left out."""
    try:
        return limits.measure(threads), {}
    except limits.Unmeasured as error:
        return {}, {"limits": str(error)}


def run_case(case: Case, present: Mapping[str, Process], rounds: int, seconds: float, settle: float) -> CaseResult:
    """Checks that all who take part agree, and times them in turns.

    Raises Disagreement.
    """
    result = CaseResult(case.name, case.flops, case.bytes)
    taking_part = prepared(case, present, result.failed)
    times: dict[str, list[float]] = {peer: [] for peer in taking_part}
    for number in range(rounds):
        for peer in taking_part[number % len(taking_part) :] + taking_part[: number % len(taking_part)]:
            if peer in result.failed:
                continue
            time.sleep(settle)
            try:
                times[peer] += present[peer].time(seconds)
            except Failed as error:
                result.failed[peer] = str(error)
    result.times.update({peer: Times.of(t) for peer, t in times.items() if peer not in result.failed})
    return result


def prepared(case: Case, present: Mapping[str, Process], failed: dict[str, str]) -> list[str]:
    """The peers that are ready for the case and have computed the same; why others failed goes to `failed`.

    Raises Disagreement.
    """
    arrays: dict[str, Arrays] = {}
    with tempfile.TemporaryDirectory() as folder:
        for peer, process in present.items():
            path = os.path.join(folder, f"{peer}.npz")
            try:
                if process.prepare(case.name, path):
                    with np.load(path) as file:
                        arrays[peer] = dict(file)
            except Failed as error:
                failed[peer] = str(error)
    if arrays:
        check(case, arrays)
    return list(arrays)
