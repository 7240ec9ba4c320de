"""What tests measure of a block: the memory that it allocates."""

from __future__ import annotations

import contextlib
import tracemalloc


@contextlib.contextmanager
def allocated():
    """Give a function that returns the most bytes that the block had allocated at once, NumPy's arrays included."""
    tracemalloc.start()
    peak = 0
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        yield lambda: peak
    finally:
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
