"""The results of a run, stored as JSON, from which tables and pictures are made."""

from __future__ import annotations

import json
import os
import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

from cygrad._files import atomic_write

__all__ = ["FORMAT", "CaseResult", "Run", "Times", "read", "write"]

FORMAT = 1


@dataclass(frozen=True)
class Times:
    """Microseconds per call: the median of all measurements of all rounds, and the quartiles around it."""

    median: float
    lower: float
    upper: float
    samples: int

    @classmethod
    def of(cls, seconds: list[float]) -> Times:
        lower, median, upper = statistics.quantiles([s * 1e6 for s in seconds], n=4, method="inclusive")
        return cls(median, lower, upper, len(seconds))

    @property
    def spread(self) -> float:
        """The interquartile range divided by the median."""
        return (self.upper - self.lower) / self.median


@dataclass(frozen=True)
class CaseResult:
    """A case: the least work it needs, each peer's times, and the reason where a peer failed."""

    name: str
    flops: int
    bytes: int
    times: dict[str, Times] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def ratio(self, peer: str, base: str = "cygrad") -> float | None:
        """A peer's time divided by that of `base`."""
        return self.times[peer].median / self.times[base].median if {peer, base} <= self.times.keys() else None

    def limit(self, limits: dict[str, float]) -> float | None:
        """A lower bound in microseconds: products at the peak rate, then memory traffic at full bandwidth."""
        if not {"gflops", "gbytes"} <= limits.keys():
            return None
        return (self.flops / limits["gflops"] + self.bytes / limits["gbytes"]) / 1e3


@dataclass(frozen=True)
class Run:
    """A whole run.

    `machine` maps names to text. `limits` are measured with as many threads as the peers have: gflops, GFLOP/s of fused
    multiply-adds in float32, and gbytes, GB/s of streaming.
    """

    date: str
    threads: int
    rounds: int
    seconds: float
    machine: dict[str, str]
    limits: dict[str, float]
    versions: dict[str, dict[str, str]]
    absent: dict[str, str]
    cases: list[CaseResult]


def write(run: Run, path: str | os.PathLike[str]) -> None:
    """Write a run as JSON, whole or not at all."""
    with atomic_write("benchmarks", path) as file:
        file.write(json.dumps({"format": FORMAT, **asdict(run)}, indent=1).encode() + b"\n")


def read(path: str | os.PathLike[str]) -> Run:
    """Read a run from a file.

    Raises ValueError if it has another format.
    """
    with open(path, encoding="utf-8") as file:
        content: dict[str, Any] = json.load(file)
    if content.pop("format", None) != FORMAT:
        raise ValueError(f"benchmarks: {os.fspath(path)} is not a result file of format {FORMAT}")
    cases = [
        CaseResult(**{**case, "times": {peer: Times(**times) for peer, times in case["times"].items()}})
        for case in content.pop("cases")
    ]
    return Run(**content, cases=cases)
