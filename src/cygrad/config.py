"""Thread count, and the configuration of this build."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._version import __version__
from cygrad.cores import usable_cores

__all__ = ["get_num_threads", "set_num_threads", "show_config"]


def initial_threads() -> int:
    """CYGRAD_NUM_THREADS if it is set; else the first number of OMP_NUM_THREADS, which joblib, Dask and Ray set for
    their workers; else the number of usable cores."""
    value = os.environ.get("CYGRAD_NUM_THREADS")
    if not value:
        first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
        return int(first) if first.isdecimal() and int(first) > 0 else usable_cores()
    if not value.isdigit() or int(value) < 1:
        raise ValueError(f"CYGRAD_NUM_THREADS must be an integer of at least 1, got {value!r}")
    return int(value)


def get_num_threads() -> int:
    """Return the maximum number of threads per kernel.

    >>> cg.get_num_threads() >= 1
    True
    """
    return kernels.num_threads()


def set_num_threads(threads: int) -> None:
    """Set the maximum number of threads per kernel. Results are bit-identical for any thread count.

    Args:
        threads: the thread count; initially the environment variable CYGRAD_NUM_THREADS, or OMP_NUM_THREADS, or the
            number of usable cores.

    Raises:
        ValueError: if `threads` is less than 1.

    >>> cg.set_num_threads(cg.get_num_threads())
    """
    kernels.set_num_threads(threads)


_torch = False


def follow_torch(follow: bool) -> None:
    """Accept what PyTorch accepts with a warning, as ``cygrad.torch`` promises: losses of shapes that differ, and
    ``softmax`` without ``dim``."""
    global _torch
    _torch = follow


def follows_torch() -> bool:
    """Whether PyTorch's dubious defaults are accepted."""
    return _torch


def show_config() -> dict[str, Any]:
    """Return the active configuration, for bug reports.

    Returns:
        A dict with the versions of cygrad, NumPy and Python, the active CPU level and all levels that this CPU
        supports, the thread count, and whether the GIL is enabled.

    >>> cg.show_config()["cpu_level"] in cg.show_config()["cpu_levels"]
    True
    """
    return {
        "cygrad": __version__,
        "cpu_level": kernels.cpu_level(),
        "cpu_levels": kernels.cpu_levels(),
        "threads": kernels.num_threads(),
        "numpy": np.__version__,
        "python": sys.version.split()[0],
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
    }


set_num_threads(initial_threads())


_float = np.dtype(np.float32)


def default_float() -> np.dtype[Any]:
    """The dtype of floats that are given none."""
    return _float


def set_default_float(dtype: np.dtype[Any]) -> None:
    """Set the dtype of floats that are given none: float32 or float64."""
    global _float
    _float = dtype
