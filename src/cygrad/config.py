"""Threads, and what this build is made of."""

from __future__ import annotations

import os
import sys
from typing import Any

from cygrad import _kernels as kernels
from cygrad._version import __version__
from cygrad.cores import usable_cores

__all__ = ["get_num_threads", "set_num_threads", "show_config"]


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

    return {
        "cygrad": __version__,
        "cpu_level": kernels.cpu_level(),
        "cpu_levels": kernels.cpu_levels(),
        "threads": kernels.num_threads(),
        "numpy": numpy.__version__,
        "python": sys.version.split()[0],
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
    }


set_num_threads(threads_at_start())
