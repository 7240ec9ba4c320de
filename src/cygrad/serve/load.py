"""What the requests in progress may take together: memory for their bodies, and time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from cygrad.serve.refusal import Refusal

__all__ = ["BODIES", "Deadline", "Load"]

BODIES = 4  # of the largest size, in memory at once; also the size of an answer


class Load:
    """The bodies of all requests in progress.

    A parsed body takes up to 20 times its memory. So bodies are parsed and predicted in turn, as long as their sizes
    add up to no more than that of one largest body; small requests do not wait for each other.

    Args:
        body: largest size of a body, in bytes.
    """

    def __init__(self, body: int) -> None:
        self.body = body
        self.held = 0  # bytes of all bodies
        self.working = 0  # bytes of those that are parsed and predicted
        self._queue = asyncio.Lock()
        self._changed = asyncio.Event()

    def hold(self, size: int) -> None:
        """Count bytes of a body that arrives. Raises Refusal if all bodies together take too much."""
        if self.held + size > BODIES * self.body:
            raise Refusal(503, "the server is busy with other requests; try again later")
        self.held += size

    def release(self, size: int) -> None:
        """Count bytes that are no longer in memory."""
        self.held -= size

    @contextlib.asynccontextmanager
    async def turn(self, size: int, seconds: float) -> AsyncIterator[None]:
        """A block that starts when a body of `size` bytes may be parsed. Raises Refusal if that takes too long."""
        try:
            await asyncio.wait_for(self._wait(size), seconds)
        except (asyncio.TimeoutError, TimeoutError):
            raise Refusal(503, "the server is busy with other requests; try again later") from None
        try:
            yield
        finally:
            self.working -= size
            self._changed.set()

    async def _wait(self, size: int) -> None:
        async with self._queue:  # in the order of arrival
            while self.working and self.working + size > self.body:
                self._changed.clear()
                await self._changed.wait()
            self.working += size


class Deadline:
    """The end of the time that a request may take.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    def check(self) -> None:
        """Raise Refusal if the time is over."""
        if time.monotonic() > self.end:
            raise Refusal(503, f"the request takes more than {self.seconds:g} seconds; send fewer rows at a time")
