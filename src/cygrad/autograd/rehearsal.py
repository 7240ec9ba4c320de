"""Communication with other processes happens once, also where a step runs twice.

The first replay of a program is compared with eager mode: the step runs eagerly, everything is restored, and the
program runs. Other processes take part in neither knowingly, so the program receives what eager mode received.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from cygrad._typing import Array

__all__ = ["answered", "communicate", "is_on", "logged"]

Log = list[list[Array]]


class State(threading.local):
    log: Log | None = None  # where copies of what is received go
    replies: deque[list[Array]] | None = None  # what is received instead of communicating


state = State()


@contextmanager
def logged() -> Iterator[Log]:
    """A block whose communication is copied to the list that it gets."""
    log: Log = []
    state.log = log
    try:
        yield log
    finally:
        state.log = None


@contextmanager
def answered(log: Log) -> Iterator[None]:
    """A block that receives what the block of `log` received, and sends nothing."""
    state.replies = deque(log)
    try:
        yield
    finally:
        state.replies = None


def is_on() -> bool:
    """Whether a step runs for the first or the second time, in order to be compared."""
    return state.log is not None or state.replies is not None


def communicate(receive: Callable[[], None], arrays: Sequence[Array]) -> None:
    """receive(), which writes what other processes have sent to `arrays`; or the reply of the first run."""
    if state.replies is not None:
        for array, reply in zip(arrays, state.replies.popleft()):
            array[...] = reply
        return
    receive()
    if state.log is not None:
        state.log.append([array.copy() for array in arrays])
