"""The memory that arrays of the engine come from: a pool that keeps what is freed, for the next array of about that
size, because a fresh page costs more than the kernel that fills it."""

from __future__ import annotations

from typing import NamedTuple

from cygrad import _kernels as kernels

__all__ = ["MemoryStats", "empty_cache", "memory_stats", "reset_peak_memory_stats", "set_cache_limit"]


class MemoryStats(NamedTuple):
    """Bytes in arrays now and at most, and bytes kept for reuse; requests answered from what was kept, and by the
    system."""

    in_use: int
    peak_in_use: int
    cached: int
    reused: int
    from_system: int


def memory_stats() -> MemoryStats:
    """What the pool holds, and how often it had to ask the system. Small arrays are NumPy's own and not counted.

    >>> before = cg.memory_stats().in_use
    >>> x = cg.zeros(1024, 1024)
    >>> cg.memory_stats().in_use - before >= x.nbytes
    True
    """
    return MemoryStats(**kernels.memory_stats())


def reset_peak_memory_stats() -> None:
    """Begins ``peak_in_use`` anew, at what is in use now."""
    kernels.reset_peak_memory_stats()


def empty_cache() -> None:
    """Gives the memory that is kept for reuse back to the system.

    >>> cg.empty_cache()
    >>> cg.memory_stats().cached
    0
    """
    kernels.empty_cache()


def set_cache_limit(num_bytes: int) -> None:
    """Keeps at most so many bytes for reuse; 1 GiB unless told otherwise.

    Raises ValueError below 0.
    """
    kernels.limit_cache(num_bytes)
