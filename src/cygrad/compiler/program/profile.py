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
from cygrad.compiler.plan.plan import launches_of

if TYPE_CHECKING:
    from cygrad.compiler.program.program import Program

__all__ = ["Measured", "measure", "table", "trace"]


class Measured(NamedTuple):
    """One launch, chain or call: its number in the program, name, sizes, bytes of the arrays that it reads and writes,
    floating-point operations of a product (0 of anything else), and nanoseconds (NaN for a call of Python, which is
    not made)."""

    number: int
    name: str
    sizes: str
    bytes: int
    flops: int
    nanoseconds: float


def measure(program: Program, rounds: int) -> list[Measured]:
    """Every launch or chain, timed alone on the program's last inputs; everything that they write to is put back."""
    events = [event for event in program.events if launches_of(event)]
    segment = kernels.Segment(events, [False] * len(events))
    with program.replay.lock, preserved(program, events):
        times = [segment.times() for _ in range(rounds)]
    typical = iter([median(own) for own in zip(*times)])
    return [described(program, number, event, typical) for number, event in enumerate(program.events)]


def described(program: Program, number: int, event: Any, times: Iterator[float]) -> Measured:
    launches = launches_of(event)
    if not launches:
        return Measured(number, f"Python: {event.name}", "", sum([a.nbytes for a in event.arrays()]), 0, float("nan"))
    sizes = {name: launches[0].number(name) for name, kind in launches[0].fields if kind == "N"}
    flops = 2 * sizes["m"] * sizes["n"] * sizes["k"] * sizes["batch"] if launches[0].name == "gemm" else 0
    shown = " ".join([f"{name}={size}" for name, size in sizes.items() if name in SIZES])
    traffic = sum([array.nbytes * (o.read + o.written) for o, array in program.places.of(event)])
    return Measured(number, name_of(launches), shown, traffic, flops, next(times))


def name_of(launches: list[Any]) -> str:
    """The kernels of an event; a product that does the ReLU after it, or its gradient, is told from others."""
    if len(launches) == 1 and launches[0].name == "gemm":
        if launches[0].addresses("mask")[0]:
            return "gemm, relu_backward"
        return "gemm, relu" if launches[0].number("activation") else "gemm"
    return " + ".join([launch.name for launch in launches])


# The arguments that tell how large a launch is.
SIZES = (
    "m", "n", "k", "batch", "rows", "cols", "channels", "inner", "outer", "count", "tensors", "blocks", "bytes",
    "limit",
)  # fmt: skip


@contextmanager
def preserved(program: Program, events: list[Any]) -> Iterator[None]:
    """Puts back, at the end, what launches write to."""
    written = [array for event in events for operand, array in program.places.of(event) if operand.written]
    before = [(array, array.copy()) for array in written]
    try:
        yield
    finally:
        for array, copy in before:
            np.copyto(array, copy)


def table(rows: list[Measured]) -> str:
    """The launches as text, one a line."""
    wide = max([24, *[len(row.name) for row in rows]])
    lines = [f"{'#':>3}  {'kernel':<{wide}} {'sizes':<34} {'bytes':>11} {'flops':>14} {'µs':>9}"]
    for row in rows:
        flops = f"{row.flops:,}" if row.flops else ""
        time = f"{row.nanoseconds / 1e3:,.2f}" if row.nanoseconds == row.nanoseconds else ""
        lines.append(f"{row.number:>3}  {row.name:<{wide}} {row.sizes:<34} {row.bytes:>11,} {flops:>14} {time:>9}")
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
