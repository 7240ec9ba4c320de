"""The ASGI application: what each path answers.

ASGI's application interface: https://asgi.readthedocs.io/en/latest/specs/www.html.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cygrad._version import __version__
from cygrad.runs import Run
from cygrad.serve.limits import Limits
from cygrad.serve.refusal import Refusal
from cygrad.serve.request import Request, read_request

__all__ = ["Application"]

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = tuple[str, bytes]  # content type, body
Endpoint = Callable[[Mapping[str, str], Receive], Awaitable[Answer]]

GET = ("GET", "HEAD")
JSON = "application/json"
logger = logging.getLogger("cygrad.serve")


class Application:
    """A run as an ASGI application.

    ``GET /health`` and ``/ping`` answer 200, ``/version`` cygrad's version, ``/metadata`` a description of the model.
    ``POST /invocations`` takes rows, see ``cygrad.serve.request``, and answers ``{"predictions": […]}``; with
    ``"params": {"proba": true}`` these are the probabilities of all classes. Errors have a status of 4xx or 5xx and the
    body ``{"error_code": …, "message": …}``.

    Args:
        run: as ``cygrad.runs.load`` returns it.
        limits: on requests; by default those of ``Limits()``.
    """

    def __init__(self, run: Run, limits: Limits | None = None) -> None:
        self.run = run
        self.limits = limits or Limits()
        self.paths: dict[str, tuple[tuple[str, ...], Endpoint]] = {
            "/health": (GET, self.health),
            "/ping": (GET, self.health),
            "/version": (GET, self.version),
            "/metadata": (GET, self.metadata),
            "/invocations": (("POST",), self.invocations),
        }

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        status, extra = 200, []
        try:
            methods, endpoint = self.endpoint(scope["path"])
            if scope["method"] not in methods:
                extra = [(b"allow", ", ".join(methods).encode())]
                raise Refusal(405, f"{scope['path']} accepts {' and '.join(methods)}, got {scope['method'][:20]}")
            kind, content = await endpoint(headers_of(scope), receive)
        except Refusal as refusal:
            status, kind, content = refusal.status, JSON, as_json(refusal.content())
        except ConnectionError:
            return  # the client has gone
        except Exception:
            logger.exception("serve: a request failed")
            failure = Refusal(500, "the prediction failed; the server's log has the details")
            status, kind, content = 500, JSON, as_json(failure.content())
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(content)), *extra]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    def endpoint(self, path: str) -> tuple[tuple[str, ...], Endpoint]:
        """The methods that a path accepts, and the coroutine that answers."""
        if path not in self.paths:
            raise Refusal(404, f"there is no path {path[:100]}; the paths are {', '.join(self.paths)}")
        return self.paths[path]

    async def health(self, headers: Mapping[str, str], receive: Receive) -> Answer:
        """Answer that the model is loaded; the server does not start without it."""
        return JSON, b"\n"

    async def version(self, headers: Mapping[str, str], receive: Receive) -> Answer:
        """Answer cygrad's version."""
        return "text/plain; charset=utf-8", __version__.encode()

    async def metadata(self, headers: Mapping[str, str], receive: Receive) -> Answer:
        """Describe the model, its inputs, and the limits."""
        limits = {"body": self.limits.body, "rows": self.limits.rows, "seconds": self.limits.seconds}
        return JSON, as_json({**self.run.metadata(), "limits": limits})

    async def invocations(self, headers: Mapping[str, str], receive: Receive) -> Answer:
        """Predict, in another thread."""
        body = await self.read_body(headers, receive)
        return JSON, await asyncio.to_thread(self.predict, body, headers.get("content-type", ""))

    def predict(self, body: bytes, content_type: str) -> bytes:
        """The answer to the body of a request."""
        request = read_request(body, content_type, self.limits.rows)
        proba = wants_probabilities(request)
        try:
            inputs = self.run.inputs(request.rows, request.columns)
            predictions = self.run.predictions(inputs, proba)
        except ValueError as error:
            raise Refusal(400, " ".join(str(error).split())) from None
        return as_json({"predictions": predictions})

    async def read_body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """Read the whole body.

        Raises:
            Refusal: with 413 if it is too large, 408 if it does not arrive in time, 415 if it is compressed.
        """
        body = Body(self.limits.body)
        length = headers.get("content-length", "")
        if "expect" in headers and length.isdigit() and int(length) > self.limits.body:
            raise body.refusal  # the client waits for permission to send
        try:
            await asyncio.wait_for(body.receive(receive), self.limits.seconds)
        except (asyncio.TimeoutError, TimeoutError):
            if body.size <= self.limits.body:
                raise Refusal(408, f"the body did not arrive within {self.limits.seconds:g} seconds") from None
        if body.size > self.limits.body:
            raise body.refusal
        if (coding := headers.get("content-encoding", "identity").lower()) != "identity":
            raise Refusal(415, f"the body must not be compressed, got the content encoding {coding[:100]}")
        return b"".join(body.parts)


class Body:
    """The body of a request. One that is too large is read to its end and discarded, because a client that is still
    writing would not see the answer."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.parts: list[bytes] = []
        self.refusal = Refusal(413, f"the body may have at most {limit} bytes")

    async def receive(self, receive: Receive) -> None:
        """Read to the end."""
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
    """The headers of a request, their names in lower case."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def wants_probabilities(request: Request) -> bool:
    """Whether the request's params ask for probabilities."""
    for name, value in request.params.items():
        if name != "proba" or not isinstance(value, bool):
            raise Refusal(400, f"params may contain proba, true or false, got {json.dumps({name: value})[:100]}")
    return bool(request.params.get("proba", False))


def as_json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()
