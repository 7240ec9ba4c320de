"""The measuring loop: interleaved runs on a fixed number of threads."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping
from timeit import Timer

__all__ = ["cpu_name", "limit_threads", "repetitions", "take_turns", "thread_environment", "threads_are_limited"]

# Read by cygrad, by OpenMP, and by the linear algebra libraries of NumPy when they are loaded.
THREAD_VARIABLES = (
    "CYGRAD_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables that limit every library to so many threads."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads))


def threads_are_limited(threads: int) -> bool:
    """Whether this process was started with that environment."""
    return all([os.environ.get(name) == value for name, value in thread_environment(threads).items()])


def limit_threads(threads: int) -> None:
    """Start this program again with so many threads, unless it was started so: NumPy reads the variables only once."""
    if not threads_are_limited(threads):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **thread_environment(threads)})


def repetitions(timer: Timer, seconds: float) -> int:
    """The number of calls that takes about `seconds`, at least one."""
    calls = 1
    while (elapsed := timer.timeit(calls)) < seconds / 4:
        calls *= 2
    return max(1, round(calls * seconds / elapsed))


def take_turns(functions: Mapping[str, Callable[[], object]], rounds: int, seconds: float) -> dict[str, float]:
    """The median time of a call of each function, in seconds.

    In every round each function runs for about `seconds`, one after the other; the first of a round is the second of
    the next, and so on. Garbage collection is off while a function runs.
    """
    timers = {name: Timer(function) for name, function in functions.items()}
    calls = {}
    for name, timer in timers.items():
        timer.timeit(1)
        calls[name] = repetitions(timer, seconds)
    names = list(timers)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            times[name].append(timers[name].timeit(calls[name]) / calls[name])
    return {name: statistics.median(samples) for name, samples in times.items()}


def cpu_name() -> str:
    """The processor's name, where the system reports it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
