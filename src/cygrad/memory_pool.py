"""The memory pool that large arrays are allocated from. Freed memory is cached for the next array of similar size,
because a fresh page costs more than the kernel that fills it."""

from __future__ import annotations

from typing import NamedTuple

from cygrad import _kernels as kernels

__all__ = ["MemoryStats", "empty_cache", "memory_stats", "reset_peak_memory_stats", "set_cache_limit"]


class MemoryStats(NamedTuple):
    """Statistics of the memory pool.

    Args:
        in_use: bytes in arrays.
        peak_in_use: maximum of `in_use` since the last reset.
        cached: bytes of freed memory that are kept for reuse.
        reused: number of allocations served from the cache.
        from_system: number of allocations served by the system.
    """

    in_use: int
    peak_in_use: int
    cached: int
    reused: int
    from_system: int


def memory_stats() -> MemoryStats:
    """Return statistics of the memory pool. Small arrays, which NumPy allocates itself, are not counted.

    Returns:
        A ``MemoryStats`` tuple.

    >>> before = cg.memory_stats().in_use
    >>> x = cg.zeros(1024, 1024)
    >>> cg.memory_stats().in_use - before >= x.nbytes
    True
    """
    return MemoryStats(**kernels.memory_stats())


def reset_peak_memory_stats() -> None:
    """Reset ``peak_in_use`` to the bytes in use now.

    >>> cg.reset_peak_memory_stats()
    >>> stats = cg.memory_stats()
    >>> stats.peak_in_use == stats.in_use
    True
    """
    kernels.reset_peak_memory_stats()


def empty_cache() -> None:
    """Return cached memory to the system.

    >>> cg.empty_cache()
    >>> cg.memory_stats().cached
    0
    """
    kernels.empty_cache()


def set_cache_limit(num_bytes: int) -> None:
    """Limit the memory that is cached for reuse.

    Args:
        num_bytes: the limit in bytes; initially 1 GiB.

    Raises:
        ValueError: if `num_bytes` is negative.

    >>> cg.set_cache_limit(2**30)
    """
    kernels.limit_cache(num_bytes)
