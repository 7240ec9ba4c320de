"""uvicorn's HTTP/1.1, with time limits on whatever a client sends and reads."""

from __future__ import annotations

import contextlib
import json
import socket
from asyncio import TimerHandle
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from cygrad.serve.refusal import Refusal

__all__ = ["HEAD_SECONDS", "Protocol"]

HEAD_SECONDS = 10.0
SHUTDOWN_SECONDS = 5.0  # for a body that is arriving when the server stops


class Protocol(H11Protocol):
    """A connection that is closed if its client is too slow. Without that, a hundred idle connections would block the
    server.

    The head of a request is answered with 408 if it does not arrive in time, and its body if the application waits for
    it. Any other connection ends without an answer: while a body arrives that nobody waits for, or while the client
    does not read.
    """

    seconds = HEAD_SECONDS
    body_seconds = 70.0  # more than the application's own limit
    send_seconds = 60.0  # until all that was written is sent
    most_connections = 200
    awaited: Any = None  # the state for which the deadline holds
    deadline: TimerHandle | None = None
    send_deadline: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # so that ``pause_writing`` is called as long as anything is unsent
        with contextlib.suppress(OSError, AttributeError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > self.most_connections:
            self.refuse(Refusal(503, "the server has too many connections"), b"Service Unavailable")
        self.update_timer()

    def handle_events(self) -> None:
        try:
            super().handle_events()
        except h11.LocalProtocolError:  # a malformed request after an answer
            self.transport.abort()
        if self.transport.is_closing() and self.cycle is not None and not self.cycle.response_complete:
            # A malformed body was answered with 400. The application, which waits for the rest, learns that it is over.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.update_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self.cancel_timer()
        self.resume_writing()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        super().shutdown()
        if self.awaited is h11.SEND_BODY:
            self.start_timer(min(self.body_seconds, SHUTDOWN_SECONDS))

    # Receiving

    def update_timer(self) -> None:
        """Run the timer while the connection waits for a head or a body; bytes that arrive do not extend it."""
        state = self.conn.their_state
        if state not in (h11.IDLE, h11.SEND_BODY) or self.transport.is_closing():
            self.cancel_timer()
        elif state is not self.awaited:
            self.awaited = state
            self.start_timer(self.seconds if state is h11.IDLE else self.body_seconds)

    def start_timer(self, seconds: float) -> None:
        """Start the timer, or start it again."""
        if self.deadline is not None:
            self.deadline.cancel()
        self.deadline = self.loop.call_later(seconds, self.expire)

    def cancel_timer(self) -> None:
        self.awaited = None
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def expire(self) -> None:
        """Close the connection; answer 408 if the head of a request is late."""
        if self.awaited is h11.IDLE:
            text = f"the head of a request did not arrive within {self.seconds:g} seconds"
            self.refuse(Refusal(408, text), b"Request Timeout")
        else:
            self.transport.abort()

    def refuse(self, answer: Refusal, reason: bytes) -> None:
        """Answer and close the connection."""
        content = json.dumps(answer.content()).encode()
        head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\nconnection: close\r\n" % (answer.status, reason)
        self.transport.write(head + b"content-length: %d\r\n\r\n" % len(content) + content)
        self.transport.close()

    # Sending

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.send_deadline is None:
            self.send_deadline = self.loop.call_later(self.send_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.send_deadline is not None:
            self.send_deadline.cancel()
            self.send_deadline = None
