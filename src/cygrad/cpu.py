"""``torch.cpu`` for programs that ask: the one device that there is. Every result is complete when its function
returns, so streams and events order nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cygrad import amp as amp
from cygrad.accelerator import synchronize as synchronize
from cygrad.device import check_device

__all__ = [
    "Event",
    "Stream",
    "current_device",
    "current_stream",
    "device_count",
    "is_available",
    "is_initialized",
    "set_device",
    "stream",
    "synchronize",
]


class Stream:
    """A queue of operations, of which there is one.

    Args:
        priority: accepted, without effect.
    """

    def __init__(self, priority: int = -1) -> None:
        self.priority = priority

    def wait_stream(self, stream: object) -> None:
        """Do nothing: what came before is complete."""

    def record_event(self) -> Event:
        """Return a new event, which has happened."""
        return Event()

    def wait_event(self, event: object) -> None:
        """Do nothing: the event has happened."""


class Event:
    """A moment in a stream, which has passed when it is recorded."""

    def record(self, stream: object = None) -> None:
        """Do nothing."""

    def query(self) -> bool:
        """Return True: everything before it is complete."""
        return True

    def wait(self, stream: object = None) -> None:
        """Do nothing."""

    def synchronize(self) -> None:
        """Do nothing."""


_current = Stream()


def is_available() -> bool:
    """Return True."""
    return True


is_initialized = is_available


def device_count() -> int:
    """Return 1."""
    return 1


def current_device() -> str:
    """Return "cpu"."""
    return "cpu"


def set_device(device: object) -> None:
    """Do nothing for the CPU.

    Raises:
        ValueError: it is another device.
    """
    check_device("set_device", device)


def current_stream(device: object = None) -> Stream:
    """Return the one stream."""
    return _current


@contextmanager
def stream(stream: Stream | None) -> Iterator[None]:
    """A context in which operations belong to a stream: it changes nothing."""
    yield
