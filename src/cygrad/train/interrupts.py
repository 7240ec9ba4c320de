"""Ctrl-C, delayed while files that belong together are written."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

__all__ = ["uninterrupted"]


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay KeyboardInterrupt to the end of a block.

    In threads other than the main one, which Ctrl-C does not reach, this does nothing.

    Example:
        >>> with cg.train.interrupts.uninterrupted():
        ...     pass
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if pressed:
        raise KeyboardInterrupt
