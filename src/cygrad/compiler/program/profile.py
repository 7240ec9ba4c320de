"""The time of each launch of a program: as text, and as a trace for a viewer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from math import isnan, nan
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeVar

import numpy as np

from cygrad import _kernels as kernels
from cygrad._files import atomic_write
from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.compiler.passes.sharing import MemoryLayout
from cygrad.compiler.plan.plan import launches_of

__all__ = ["Timing", "format_timings", "measure", "write_trace"]

R = TypeVar("R")


class Timing(NamedTuple):
    """One launch, chain or call: its position in the program, name and sizes, the bytes of the arrays that it reads and
    writes, the floating-point operations of a matrix product (0 for anything else), and its nanoseconds (NaN for a
    call, which is not made)."""

    position: int
    name: str
    sizes: str
    bytes: int
    flops: int
    nanoseconds: float


def measure(events: Sequence[Any], layout: MemoryLayout, rounds: int) -> list[Timing]:
    """Time every launch and chain by itself on the latest inputs: the median of `rounds` runs. The arrays that they
    write are restored."""
    native = [event for event in events if launches_of(event)]
    segment = kernels.Segment(native, [False] * len(native))
    written = [array for event in native for operand, array in layout.of(event) if operand.written]
    rounds_of_times = restoring(written, lambda: [segment.times() for _ in range(rounds)])
    medians = iter([median(times) for times in zip(*rounds_of_times)])
    return [timing_of(index, event, layout, medians) for index, event in enumerate(events)]


def restoring(arrays: list[Array], function: Callable[[], R]) -> R:
    """function(), after which the arrays have their contents again."""
    copies = [array.copy() for array in arrays]

    def restore() -> None:
        for array, copy in zip(arrays, copies):
            np.copyto(array, copy)

    return recording.restoring(function, restore)


def timing_of(index: int, event: Any, layout: MemoryLayout, times: Iterator[float]) -> Timing:
    launches = launches_of(event)
    if not launches:
        return Timing(index, f"Python: {event.name}", "", sum([array.nbytes for array in event.arrays()]), 0, nan)
    sizes = launches[0].sizes()
    flops = 2 * sizes["m"] * sizes["n"] * sizes["k"] * sizes["batch"] if launches[0].name == "gemm" else 0
    shown = " ".join([f"{name}={size}" for name, size in sizes.items() if name in SIZES])
    traffic = sum([array.nbytes * (o.read + o.written) for o, array in layout.of(event)])
    return Timing(index, name_of(launches), shown, traffic, flops, next(times))


def name_of(launches: list[Any]) -> str:
    """The kernels of an event; a matrix product names the ReLU, or its gradient, that it computes as well."""
    if len(launches) == 1 and launches[0].name == "gemm":
        if launches[0].addresses("mask")[0]:
            return "gemm, relu_backward"
        return "gemm, relu" if launches[0].number("activation") else "gemm"
    return " + ".join([launch.name for launch in launches])


# The arguments that show how large a launch is.
SIZES = (
    "m", "n", "k", "batch", "rows", "cols", "channels", "inner", "outer", "count", "tensors", "blocks", "bytes",
    "limit",
)  # fmt: skip


def format_timings(timings: list[Timing]) -> str:
    """A table of launches, one per line."""
    width = max([24, *[len(timing.name) for timing in timings]])
    lines = [f"{'#':>3}  {'kernel':<{width}} {'sizes':<34} {'bytes':>11} {'flops':>14} {'µs':>9}"]
    for index, name, sizes, nbytes, flops, nanoseconds in timings:
        operations = f"{flops:,}" if flops else ""
        time = "" if isnan(nanoseconds) else f"{nanoseconds / 1e3:,.2f}"
        lines.append(f"{index:>3}  {name:<{width}} {sizes:<34} {nbytes:>11,} {operations:>14} {time:>9}")
    total = sum([timing.nanoseconds for timing in timings if not isnan(timing.nanoseconds)])
    lines.append(f"{len(timings)} launches and calls, {total / 1e3:,.2f} µs in kernels")
    return "\n".join(lines)


def write_trace(timings: list[Timing], name: str, path: str | Path) -> None:
    """Write the launches one after the other as a trace in the JSON of Chrome's "Trace Event Format", which Perfetto
    displays."""
    events, start = [], 0.0
    for timing in timings:
        duration = 0.0 if isnan(timing.nanoseconds) else timing.nanoseconds / 1e3
        details = {"sizes": timing.sizes, "bytes": timing.bytes, "flops": timing.flops}
        event = {"name": timing.name, "ph": "X", "pid": 1, "tid": 1, "ts": start, "dur": duration, "args": details}
        events.append(event)
        start += duration
    text = json.dumps({"traceEvents": events, "displayTimeUnit": "ns", "otherData": {"program": name}})
    with atomic_write("save_trace", path) as file:
        file.write(text.encode())
