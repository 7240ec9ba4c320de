"""Ctrl-C, delayed while files that belong together are written."""

from __future__ import annotations

import signal
import threading
from typing import Any

from cygrad.autograd import recording

__all__ = ["uninterrupted"]


class uninterrupted(recording.Block):
    """Delay KeyboardInterrupt to the end of a block.

    In threads other than the main one, which Ctrl-C does not reach, this does nothing.

    Example:
        >>> with cg.train.interrupts.uninterrupted():
        ...     pass
    """

    def __init__(self) -> None:
        self.pressed: list[int] = []
        self.before: Any = signal.getsignal(signal.SIGINT)

    def begin(self) -> None:
        """Note Ctrl-C from now on."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, lambda number, frame: self.pressed.append(number))

    def end(self) -> None:
        """Put the handler back."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_DFL if self.before is None else self.before)

    def after(self) -> None:
        """Raise what was delayed."""
        if self.pressed:
            raise KeyboardInterrupt
