"""The hunt: batches of cases in child processes, whose findings are grouped and shrunk."""

from __future__ import annotations

import contextlib
import importlib
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.child import Outcome, run_cases
from tests.fuzz.fuzzer import Fuzzer

ENOUGH = 20  # different findings end a hunt


@dataclass
class Finding:
    """One kind of failure: the first case that shows it, shrunk, and how many did."""

    number: int
    message: str
    program: str
    times: int = 1

    def __str__(self) -> str:
        return f"{self.message.strip()}\n{'-' * 40}\n{self.program}\n{'-' * 40}"


@dataclass
class Report:
    """The figures of a hunt."""

    name: str
    cases: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Finding] = field(default_factory=dict)

    def __str__(self) -> str:
        rate = self.cases / self.seconds if self.seconds else 0.0
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.counts.items()))
        found = sum(f.times for f in self.findings.values())
        text = f"{self.name}: {self.cases} cases, {rate:.1f} a second, {len(self.findings)} findings in {found} cases"
        return f"{text} ({kinds})" if kinds else text


def identity(message: str) -> str:
    """The first line of a message without its numbers."""
    return re.sub(r"-?\d[\d.e+_-]*", "#", message.strip().split("\n")[0])[:200]


def hunt(fuzzer: Fuzzer[Any], seed: int, first: int, cases: int, until: float, shrinking: float = 30.0) -> Report:
    """Try cases `first` to `first + cases - 1` of a seed, or as many as time allows."""
    for name in (*fuzzer.requires, *fuzzer.optional):
        with contextlib.suppress(ImportError):  # of the optional ones
            importlib.import_module(name)  # once, for all children
    report, number, last = Report(fuzzer.name), first, first + cases
    began = time.monotonic()
    while number < last and time.monotonic() < until and len(report.findings) < ENOUGH:
        start, stop = number, min(number + fuzzer.batch, last)
        outcome = run_cases(fuzzer, ((n, fuzzer.case_of(seed, n)) for n in range(start, stop)), until)
        report.cases += outcome.passed + (outcome.number is not None)
        report.counts.update(outcome.counts)
        number = stop if outcome.number is None else outcome.number + 1
        report.seconds = time.monotonic() - began
        if outcome.number is None:
            continue
        key = identity(outcome.message)
        if key in report.findings:
            report.findings[key].times += 1
            continue
        paused = time.monotonic()
        report.findings[key] = found = explain(fuzzer, seed, start, outcome, shrinking)
        began += time.monotonic() - paused  # the rate is that of trying
        print(f"{fuzzer.name}: case {outcome.number} of seed {seed}: {found}")
        print(f"again: python -m tests.fuzz {fuzzer.name} --seed {seed} --case {outcome.number}\n")
    return report


def explain(fuzzer: Fuzzer[Any], seed: int, start: int, outcome: Outcome, seconds: float) -> Finding:
    """Shrink the case that failed; one that fails only after its batch's others is shown as it is."""
    number = outcome.number
    assert number is not None
    case = fuzzer.case_of(seed, number)
    key = identity(outcome.message)
    if identity(alone(fuzzer, case)) != key:
        note = f"only after cases {start} to {number - 1} of its batch, or by chance: --case {start} --cases {number - start + 1}"
        return Finding(number, f"{outcome.message}\n{note}", fuzzer.show(case))
    case = smallest(fuzzer, case, key, time.monotonic() + seconds)
    return Finding(number, outcome.message, fuzzer.show(case))


def smallest(fuzzer: Fuzzer[Any], case: Any, key: str, until: float) -> Any:
    """Take smaller cases as long as they fail in the same way."""
    shrunk = True
    while shrunk and time.monotonic() < until:
        shrunk = False
        for candidate in fuzzer.shrink(case):
            if time.monotonic() > until:
                break
            if identity(alone(fuzzer, candidate)) == key:
                case, shrunk = candidate, True
                break
    return case


def alone(fuzzer: Fuzzer[Any], case: Any) -> str:
    """What is wrong with one case in a child of its own; empty if nothing."""
    return run_cases(fuzzer, iter([(0, case)])).message
