"""Threads, and what this build is made of."""

from __future__ import annotations

import os
import sys
from typing import Any

from cygrad import _kernels as kernels

__all__ = ["get_num_threads", "set_num_threads", "show_config"]


def usable_cores() -> int:
    """The cores that this process may use: its affinity, and its share of a container's CPU time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = container_quota()
    return max(1, cores if quota is None else min(cores, quota))


def container_quota() -> int | None:
    """Whole cores that cgroups (version 2, then 1) allow, rounded up; None where there is no limit."""
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            words = " ".join([open_text(f"/sys/fs/cgroup/{name}") for name in files]).split()
            quota, period = int(words[0]), int(words[1])
        except (OSError, ValueError, IndexError):
            continue
        if quota > 0 and period > 0:
            return -(-quota // period)
    return None


def open_text(path: str) -> str:
    with open(path) as file:
        return file.read()


def threads_at_start() -> int:
    """CYGRAD_NUM_THREADS, else the usable cores."""
    wanted = os.environ.get("CYGRAD_NUM_THREADS")
    if not wanted:
        return usable_cores()
    if not wanted.isdigit() or int(wanted) < 1:
        raise ValueError(f"CYGRAD_NUM_THREADS must be an integer of at least 1, got {wanted!r}")
    return int(wanted)


def get_num_threads() -> int:
    """How many threads a kernel may use."""
    return kernels.num_threads()


def set_num_threads(threads: int) -> None:
    """Lets a kernel use `threads` threads. No result depends on it.

    Raises ValueError below 1.
    """
    kernels.set_num_threads(threads)


def show_config() -> dict[str, Any]:
    """What is active: version, CPU level and those that could be, threads, NumPy.

    >>> cg.show_config()["cpu_level"] in cg.show_config()["cpu_levels"]
    True
    """
    import numpy

    import cygrad

    return {
        "cygrad": cygrad.__version__,
        "cpu_level": kernels.cpu_level(),
        "cpu_levels": kernels.cpu_levels(),
        "threads": kernels.num_threads(),
        "numpy": numpy.__version__,
        "python": sys.version.split()[0],
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
    }


set_num_threads(threads_at_start())
