"""What a program's launches are, and how long each takes: as a table, and as a trace for a viewer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cygrad import _kernels as kernels
from cygrad._files import atomic_write
from cygrad._typing import Array
from cygrad.compiler.launches import reads_and_writes

if TYPE_CHECKING:
    from cygrad.compiler.program import Program

__all__ = ["Measured", "measure", "table", "trace"]


class Measured(NamedTuple):
    """One launch or call: its number in the program, name, sizes, bytes of the arrays that it reads and writes,
    floating-point operations of a product (0 of anything else), and nanoseconds (NaN for a call of Python, which is
    not made)."""

    number: int
    name: str
    sizes: str
    bytes: int
    flops: int
    nanoseconds: float


def measure(program: Program, rounds: int) -> list[Measured]:
    """Every launch, timed alone on the program's last inputs; everything that a launch writes to is put back."""
    launches = [event for event in program.events if isinstance(event, kernels.Launch)]
    segment = kernels.Segment(launches, [False] * len(launches))
    with program.replay.lock, preserved(program, launches):
        times = [segment.times() for _ in range(rounds)]
    typical = iter([median(own) for own in zip(*times)])
    return [described(program, number, event, typical) for number, event in enumerate(program.events)]


def described(program: Program, number: int, event: Any, times: Iterator[float]) -> Measured:
    if not isinstance(event, kernels.Launch):
        return Measured(number, f"Python: {event.name}", "", sum([a.nbytes for a in event.arrays()]), 0, float("nan"))
    sizes = {name: event.number(name) for name, kind in event.fields if kind == "N"}
    flops = 2 * sizes["m"] * sizes["n"] * sizes["k"] * sizes["batch"] if event.name == "gemm" else 0
    shown = " ".join([f"{name}={size}" for name, size in sizes.items() if name in SIZES])
    pointers = [pointer for part in reads_and_writes(event) for pointer in part]
    arrays = [program.recorder.known.find(pointer) for pointer in pointers]
    return Measured(number, event.name, shown, sum([a.nbytes for a in arrays if a is not None]), flops, next(times))


# The arguments that tell how large a launch is.
SIZES = (
    "m", "n", "k", "batch", "rows", "cols", "channels", "inner", "outer", "count", "tensors", "blocks", "bytes",
    "limit",
)  # fmt: skip


@contextmanager
def preserved(program: Program, launches: list[Any]) -> Iterator[None]:
    """Puts back, at the end, what launches write to."""
    owners: dict[int, Array] = {}
    for launch in launches:
        for pointer in reads_and_writes(launch)[1]:
            owner = program.recorder.known.find(pointer)
            if owner is not None:
                owners[id(owner)] = owner
    before = [(owner, owner.copy()) for owner in owners.values()]
    try:
        yield
    finally:
        for owner, copy in before:
            np.copyto(owner, copy)


def table(rows: list[Measured]) -> str:
    """The launches as text, one a line."""
    lines = [f"{'#':>3}  {'kernel':<24} {'sizes':<34} {'bytes':>11} {'flops':>12} {'µs':>9}"]
    for row in rows:
        flops = f"{row.flops:,}" if row.flops else ""
        time = f"{row.nanoseconds / 1e3:,.2f}" if row.nanoseconds == row.nanoseconds else ""
        lines.append(f"{row.number:>3}  {row.name:<24} {row.sizes:<34} {row.bytes:>11,} {flops:>12} {time:>9}")
    total = sum([row.nanoseconds for row in rows if row.nanoseconds == row.nanoseconds])
    lines.append(f"{len(rows)} launches and calls, {total / 1e3:,.2f} µs in kernels")
    return "\n".join(lines)


def trace(rows: list[Measured], name: str, path: str | Path) -> None:
    """Writes a trace of launches one after the other: the JSON of Chrome's "Trace Event Format", which Perfetto
    shows."""
    events, start = [], 0.0
    for row in rows:
        duration = 0.0 if row.nanoseconds != row.nanoseconds else row.nanoseconds / 1e3
        details = {"sizes": row.sizes, "bytes": row.bytes, "flops": row.flops}
        events.append({"name": row.name, "ph": "X", "pid": 1, "tid": 1, "ts": start, "dur": duration, "args": details})
        start += duration
    text = json.dumps({"traceEvents": events, "displayTimeUnit": "ns", "otherData": {"program": name}})
    with atomic_write("save_trace", path) as file:
        file.write(text.encode())
