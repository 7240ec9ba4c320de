"""uvicorn's HTTP/1.1, with a time limit on the head of a request."""

from __future__ import annotations

import json
from asyncio import TimerHandle
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from cygrad.serve.refusal import Refusal

__all__ = ["HEAD_SECONDS", "Protocol"]

HEAD_SECONDS = 10.0


class Protocol(H11Protocol):
    """A connection that is closed with 408 if the head of a request does not arrive in time. Without that, a hundred
    idle connections would block the server."""

    seconds = HEAD_SECONDS
    deadline: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.update_timer()

    def handle_events(self) -> None:
        super().handle_events()
        self.update_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self.cancel_timer()
        super().connection_lost(exc)

    def update_timer(self) -> None:
        """Run the timer while the connection waits for a head."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self.cancel_timer()
        elif self.deadline is None:
            self.deadline = self.loop.call_later(self.seconds, self.refuse)

    def cancel_timer(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def refuse(self) -> None:
        """Answer 408 and close the connection."""
        self.deadline = None
        answer = Refusal(408, f"the head of a request did not arrive within {self.seconds:g} seconds")
        content = json.dumps(answer.content()).encode()
        head = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\n"
        self.transport.write(head + b"content-length: %d\r\n\r\n" % len(content) + content)
        self.transport.close()
