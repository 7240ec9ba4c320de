"""A run: check that the peers agree, then time them in interleaved rounds."""

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

# Idle threads of OpenMP and BLAS spin for a while, which would slow down the next peer.
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
    """Time cases on peers.

    Args:
        cases: what is computed.
        peers: names of the libraries; each runs in its own process.
        threads: threads of each peer.
        rounds: in each round every peer runs each case once.
        seconds: how long a peer runs a case in a round.
        pythons: interpreters of peers that do not use this one.
        with_limits: whether to measure the machine's limits.
        report: receives lines about skipped peers and failures.
        done: receives the result of each case, and the limits.

    Returns:
        The run, and a message for each case on which peers disagree, which is not timed.
    """
    measured, unmeasured = measured_limits(threads) if with_limits else ({}, {})
    results: list[CaseResult] = []
    wrong: list[str] = []
    with processes(list(peers), threads, pythons or {}) as (available, versions, absent):
        for what, why in {**unmeasured, **absent}.items():
            report(f"skipped: {what} ({why})")
        for case in cases:
            try:
                result = run_case(case, available, rounds, seconds, SETTLE if threads > 1 else 0.0)
            except Disagreement as error:
                wrong.append(str(error))
                report(f"not timed: {error}")
                continue
            results.append(result)
            for peer, why in result.failed.items():
                report(f"{case.name}: {peer} failed ({why})")
            done(result, measured)
    date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    skipped = {**unmeasured, **absent}
    return Run(date, threads, rounds, seconds, limits.machine(), measured, versions, skipped, results), wrong


def measured_limits(threads: int) -> tuple[dict[str, float], dict[str, str]]:
    """The machine's limits, or the reason why they are missing."""
    try:
        return limits.measure(threads), {}
    except limits.Unmeasured as error:
        return {}, {"limits": str(error)}


def run_case(case: Case, available: Mapping[str, Process], rounds: int, seconds: float, settle: float) -> CaseResult:
    """Check that the peers that support the case agree, and time them in interleaved rounds.

    Raises Disagreement.
    """
    result = CaseResult(case.name, case.flops, case.bytes)
    participants = prepared(case, available, result.failed)
    times: dict[str, list[float]] = {peer: [] for peer in participants}
    for number in range(rounds):
        for peer in participants[number % len(participants) :] + participants[: number % len(participants)]:
            if peer in result.failed:
                continue
            time.sleep(settle)
            try:
                times[peer] += available[peer].time(seconds)
            except Failed as error:
                result.failed[peer] = str(error)
    result.times.update({peer: Times.of(t) for peer, t in times.items() if peer not in result.failed})
    return result


def prepared(case: Case, available: Mapping[str, Process], failed: dict[str, str]) -> list[str]:
    """The peers that are ready to be timed, in agreement; the reasons why others failed are added to `failed`.

    Raises Disagreement.
    """
    arrays: dict[str, Arrays] = {}
    with tempfile.TemporaryDirectory() as folder:
        for peer, process in available.items():
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
