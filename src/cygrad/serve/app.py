"""The ASGI application: what each path answers.

ASGI's interface of applications: https://asgi.readthedocs.io/en/latest/specs/www.html.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cygrad._version import __version__
from cygrad.runs import AnyRun
from cygrad.serve.refusal import Refusal
from cygrad.serve.request import Request, read_request

__all__ = ["Application", "Limits"]

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

GET = ("GET", "HEAD")
logger = logging.getLogger("cygrad.serve")


@dataclass(frozen=True)
class Limits:
    """What a request may ask for: bytes in the body, rows in the table, seconds until the body is there."""

    body: int = 16 * 2**20
    rows: int = 100_000
    seconds: float = 60.0

    def __post_init__(self) -> None:
        for name in ("body", "rows", "seconds"):
            if not getattr(self, name) > 0:
                raise ValueError(f"serve: the limit of {name} must be above 0, got {getattr(self, name)}")


class Application:
    """A run as an ASGI application.

    ``GET /health`` and ``/ping`` answer 200, ``/version`` cygrad's version, ``/metadata`` what the model is and takes;
    ``POST /invocations`` takes rows, see ``cygrad.serve.request``, and answers ``{"predictions": […]}``, with
    ``"params": {"proba": true}`` the probabilities of all classes. What can't be answered gets a status of 4xx and
    ``{"error_code": …, "message": "one sentence"}``.
    """

    def __init__(self, run: AnyRun, limits: Limits | None = None) -> None:
        self.run = run
        self.limits = limits or Limits()
        self.paths: dict[str, tuple[tuple[str, ...], Callable[..., Awaitable[tuple[str, bytes]]]]] = {
            "/health": (GET, self.health),
            "/ping": (GET, self.health),
            "/version": (GET, self.version),
            "/metadata": (GET, self.metadata),
            "/invocations": (("POST",), self.invocations),
        }

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        status, extra = 200, []
        try:
            methods, answer = self.endpoint(scope["path"])
            if scope["method"] not in methods:
                extra = [(b"allow", ", ".join(methods).encode())]
                raise Refusal(405, f"{scope['path']} takes {' and '.join(methods)}, got {scope['method'][:20]}")
            kind, content = await answer(headers_of(scope), receive)
        except Refusal as refusal:
            status, kind, content = refusal.status, "application/json", as_json(refusal.content())
        except ConnectionError:
            return  # nobody listens
        except Exception:
            logger.exception("serve: a request failed")
            failure = Refusal(500, "the prediction failed, and the server's log says why")
            status, kind, content = 500, "application/json", as_json(failure.content())
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(content)), *extra]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    def endpoint(self, path: str) -> Any:
        """The methods of a path, and what answers."""
        if path not in self.paths:
            raise Refusal(404, f"there is no {path[:100]}, only {', '.join(self.paths)}")
        return self.paths[path]

    async def health(self, headers: Mapping[str, str], receive: Receive) -> tuple[str, bytes]:
        """The model is there, else the server would not be."""
        return "application/json", b"\n"

    async def version(self, headers: Mapping[str, str], receive: Receive) -> tuple[str, bytes]:
        """cygrad's version."""
        return "text/plain; charset=utf-8", __version__.encode()

    async def metadata(self, headers: Mapping[str, str], receive: Receive) -> tuple[str, bytes]:
        """What the model is, what it takes, and the limits."""
        limits = {"body": self.limits.body, "rows": self.limits.rows, "seconds": self.limits.seconds}
        return "application/json", as_json({**self.run.metadata(), "limits": limits})

    async def invocations(self, headers: Mapping[str, str], receive: Receive) -> tuple[str, bytes]:
        """Predictions, computed in a thread of their own."""
        body = await self.body_of(headers, receive)
        return "application/json", await asyncio.to_thread(self.predict, body, headers.get("content-type", ""))

    def predict(self, body: bytes, content_type: str) -> bytes:
        """The answer to a body."""
        request = read_request(body, content_type, self.limits.rows)
        proba = options_of(request)
        try:
            rows = self.run.numbers(request.rows, request.columns)
            predictions = self.run.predictions(rows, proba)
        except ValueError as error:
            raise Refusal(400, " ".join(str(error).split())) from None
        return as_json({"predictions": predictions})

    async def body_of(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """The whole body. Raises Refusal with 413 for one that is too large, 408 for one that does not come, 415 for
        one that is compressed."""
        body = Body(self.limits.body)
        length = headers.get("content-length", "")
        if "expect" in headers and length.isdigit() and int(length) > self.limits.body:
            raise body.refusal  # the client waits to be told whether to send
        try:
            await asyncio.wait_for(body.receive(receive), self.limits.seconds)
        except (asyncio.TimeoutError, TimeoutError):
            if body.size <= self.limits.body:
                raise Refusal(408, f"the body did not arrive within {self.limits.seconds:g} seconds") from None
        if body.size > self.limits.body:
            raise body.refusal
        if (coding := headers.get("content-encoding", "identity").lower()) != "identity":
            raise Refusal(415, f"the body must come as it is, got the content encoding {coding[:100]}")
        return b"".join(body.parts)


class Body:
    """A body as it comes in. One that is too large is read to its end and thrown away, for a client that is still
    writing would not see the answer."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.parts: list[bytes] = []
        self.refusal = Refusal(413, f"the body may have at most {limit} bytes")

    async def receive(self, receive: Receive) -> None:
        """Reads to the end."""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            part = message.get("body", b"")
            self.size += len(part)
            if self.size <= self.limit:
                self.parts.append(part)
            else:
                self.parts.clear()
            more = message.get("more_body", False)


def headers_of(scope: dict[str, Any]) -> dict[str, str]:
    """The headers, their names in small letters."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def options_of(request: Request) -> bool:
    """Whether probabilities are asked for."""
    for name, value in request.params.items():
        if name != "proba" or not isinstance(value, bool):
            raise Refusal(400, f"params may have proba, true or false, got {json.dumps({name: value})[:100]}")
    return bool(request.params.get("proba", False))


def as_json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()
