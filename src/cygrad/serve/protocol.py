"""uvicorn's HTTP/1.1, for clients that send the head of a request and never come to its end."""

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
    """A connection, closed with 408 where the head of its first request, or of its next, is not there in time: else a
    hundred of them would keep everybody out."""

    seconds = HEAD_SECONDS
    deadline: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.watch()

    def handle_events(self) -> None:
        super().handle_events()
        self.watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self.unwatch()
        super().connection_lost(exc)

    def watch(self) -> None:
        """Counts the seconds while a head is waited for."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self.unwatch()
        elif self.deadline is None:
            self.deadline = self.loop.call_later(self.seconds, self.refuse)

    def unwatch(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def refuse(self) -> None:
        """Answers, and closes the connection."""
        self.deadline = None
        answer = Refusal(408, f"the head of a request did not arrive within {self.seconds:g} seconds")
        content = json.dumps(answer.content()).encode()
        head = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\n"
        self.transport.write(head + b"content-length: %d\r\n\r\n" % len(content) + content)
        self.transport.close()
