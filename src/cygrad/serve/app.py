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
from cygrad.serve.batches import Batches, noted_inputs
from cygrad.serve.limits import Limits
from cygrad.serve.load import BODIES, Deadline, Load
from cygrad.serve.openapi import openapi_of
from cygrad.serve.pages import docs_page, form_page
from cygrad.serve.refusal import Refusal
from cygrad.serve.request import Request, read_request

__all__ = ["Application"]

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = tuple[str, bytes]  # content type, body
Endpoint = Callable[[Mapping[str, str], Receive], Awaitable[Answer]]

GET = ("GET", "HEAD")
JSON, HTML = "application/json", "text/html; charset=utf-8"
LONGEST_MESSAGE = 300  # it may repeat what the request contains
ROWS_AT_ONCE = 1024  # predicted between two looks at the time
SMALL_BODY, SMALL_REQUEST = 2**14, 32  # bytes and rows, up to which a request is read at once and predicted with others
logger = logging.getLogger("cygrad.serve")


class Application:
    """A run as an ASGI application.

    ``GET /`` is a page with a form to try the model, ``/docs`` one that describes the paths, ``/openapi.json`` the same
    for programs; none of them needs a network. ``/health`` and ``/ping`` answer 200, ``/version`` cygrad's version,
    ``/metadata`` a description of the model.
    ``POST /invocations`` takes rows, see ``cygrad.serve.request``, and answers ``{"predictions": […]}``; with
    ``"params": {"proba": true}`` these are the probabilities of all classes. ``"notes"`` beside them count values that
    the training data did not have, which are treated as missing ones, and outliers. Errors have a status of 4xx or 5xx
    and the body ``{"error_code": …, "message": …}``.

    Args:
        run: as ``cygrad.runs.load`` returns it.
        limits: on requests; by default those of ``Limits()``.

    Requests of a few rows that arrive together are predicted together. Requests that would take too much memory or time
    together are answered with 503.
    """

    def __init__(self, run: Run, limits: Limits | None = None) -> None:
        self.run = run
        self.limits = limits or Limits()
        self.load = Load(self.limits.body)
        self.batches = Batches(run, ROWS_AT_ONCE)
        self.paths: dict[str, tuple[tuple[str, ...], Endpoint]] = {
            "/": (GET, self.form),
            "/docs": (GET, self.docs),
            "/openapi.json": (GET, self.openapi),
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
        if status in (408, 503):  # the rest of a slow body is not worth waiting for
            extra = [*extra, (b"connection", b"close")]
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(content)), *extra]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    def endpoint(self, path: str) -> tuple[tuple[str, ...], Endpoint]:
        """The methods that a path accepts, and the coroutine that answers."""
        if path not in self.paths:
            raise Refusal(404, f"there is no path {path[:100]}; the paths are {', '.join(self.paths)}")
        return self.paths[path]

    async def form(self, headers: Mapping[str, str], receive: Receive) -> Answer:
        """A page to try the model by hand."""
        return HTML, form_page(self.run).encode()

    async def docs(self, headers: Mapping[str, str], receive: Receive) -> Answer:
        """A page that describes the paths."""
        return HTML, docs_page(openapi_of(self.run)).encode()

    async def openapi(self, headers: Mapping[str, str], receive: Receive) -> Answer:
        """The same for programs, as OpenAPI 3.1."""
        return JSON, as_json(openapi_of(self.run))

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
        body = Body(self.load)
        try:
            await self.read_body(body, headers, receive)
            async with self.load.turn(len(body.data), self.limits.work):
                kind = headers.get("content-type", "")
                if len(body.data) <= SMALL_BODY:
                    request = self.parse(body.data, kind)
                    if len(request.rows) <= SMALL_REQUEST:
                        return JSON, await self.predict_small(request)
                return JSON, await asyncio.to_thread(self.predict, body.data, kind)
        finally:
            body.discard()

    async def predict_small(self, request: Request) -> bytes:
        """The answer to a request of a few rows, predicted together with others that wait."""
        try:
            predictions, notes = await self.batches.predict(request, wants_probabilities(request))
        except ValueError as error:
            raise refusal_of(error) from None
        return as_json({"predictions": predictions, **({"notes": notes} if notes else {})})

    def parse(self, body: bytes | bytearray, content_type: str) -> Request:
        """Parse a body."""
        return read_request(body, content_type, self.limits.rows, self.limits.values)

    def predict(self, body: bytes | bytearray, content_type: str) -> bytes:
        """The answer to the body of a request."""
        deadline = Deadline(self.limits.work)
        request = self.parse(body, content_type)
        proba = wants_probabilities(request)
        deadline.check()
        try:
            inputs, notes = noted_inputs(self.run, request)
            del request
            parts, size = [], 0
            for start in range(0, len(inputs), ROWS_AT_ONCE):
                deadline.check()
                predictions = self.run.predictions(inputs[start : start + ROWS_AT_ONCE], proba)
                parts.append(as_json(predictions)[1:-1])
                size += len(parts[-1])
                if size > BODIES * self.limits.body:
                    raise Refusal(413, f"the answer would have more than {size} bytes; send fewer rows at a time")
        except ValueError as error:
            raise refusal_of(error) from None
        told = b', "notes": ' + as_json(notes) if notes else b""
        return b'{"predictions": [' + b", ".join(parts) + b"]" + told + b"}"

    async def read_body(self, body: Body, headers: Mapping[str, str], receive: Receive) -> None:
        """Read the whole body.

        Raises:
            Refusal: with 413 if it is too large, 408 if it does not arrive in time, 415 if it is compressed, 503 if
                those of other requests take too much memory.
        """
        length = headers.get("content-length", "")
        if "expect" in headers and length.isdecimal() and (len(length) > 18 or int(length) > self.limits.body):
            raise body.too_large()  # the client waits for permission to send
        try:
            await asyncio.wait_for(body.receive(receive), self.limits.seconds)
        except (asyncio.TimeoutError, TimeoutError):
            if body.refusal is None:
                raise Refusal(408, f"the body did not arrive within {self.limits.seconds:g} seconds") from None
        if body.refusal is not None:
            raise body.refusal
        if (coding := headers.get("content-encoding", "identity").lower()) != "identity":
            raise Refusal(415, f"the body must not be compressed, got the content encoding {coding[:100]}")


class Body:
    """The body of a request. One that is refused is read to its end and discarded, because a client that is still
    writing would not see the answer."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.data = bytearray()
        self.refusal: Refusal | None = None

    async def receive(self, receive: Receive) -> None:
        """Read to the end."""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            if self.refusal is None:
                self.add(message.get("body", b""))
            more = message.get("more_body", False)

    def add(self, part: bytes) -> None:
        """Keep a part, or refuse the body."""
        try:
            if len(self.data) + len(part) > self.load.body:
                raise self.too_large()
            self.load.hold(len(part))
            self.data += part
        except Refusal as refusal:
            self.refusal = refusal
            self.discard()

    def discard(self) -> None:
        """Free the memory."""
        self.load.release(len(self.data))
        self.data = bytearray()

    def too_large(self) -> Refusal:
        return Refusal(413, f"the body may have at most {self.load.body} bytes")


def refusal_of(error: ValueError) -> Refusal:
    """The answer to a request that the run refuses."""
    text = " ".join(str(error).split())
    return Refusal(400, text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}…")


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
