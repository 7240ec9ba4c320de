"""``serve``: the application on a port."""

from __future__ import annotations

import contextlib
import math
import os
import socket
from collections.abc import Callable
from typing import Any

from cygrad.runs import Run
from cygrad.serve.app import Application
from cygrad.serve.limits import Limits

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "serve"]

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 5000
CONNECTIONS = 512  # open at once; more are answered 503
GRACE = 5  # seconds beyond the limit on the work of a request that the server waits for it when it stops


def serve(
    run: Run,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    *,
    limits: Limits | None = None,
    started: Callable[[str], None] = print,
) -> None:
    """Answer requests until Ctrl-C (SIGINT) or SIGTERM, and then those in progress; see :class:`Application` for the
    paths.

    Args:
        run: as ``cygrad.runs.load`` returns it.
        host: address to listen on.
        port: 0 for any free one.
        limits: on requests; by default those of ``Limits()``.
        started: called with the server's URL when it accepts connections.

    Raises:
        OSError: if the address can't be used.
        ValueError: if the port is out of range.
        ImportError: without the package uvicorn.
    """
    uvicorn = import_uvicorn()
    from cygrad.serve.protocol import HEAD_SECONDS, Protocol

    limits = limits or Limits()
    seconds = limits.seconds + HEAD_SECONDS

    class LimitedProtocol(Protocol):
        body_seconds = seconds
        most_connections = 2 * CONNECTIONS

    with listen(host, port) as listener:
        config = uvicorn.Config(
            Application(run, limits),
            lifespan="off",
            ws="none",
            http=LimitedProtocol,
            log_level="error",  # no line for a malformed request, since a full log would block the server
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=math.ceil(limits.work) + GRACE,
        )
        started(url_of(listener))
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after its shutdown
            uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Open a socket that accepts connections."""
    if not 0 <= port < 2**16:
        raise ValueError(f"serve: port must lie in 0 to 65535, got {port}")
    try:
        family, kind, protocol, _, location = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)  # asyncio sets TCP_NODELAY if the protocol is known
    except (OSError, UnicodeError) as error:
        raise OSError(f"serve: {host}:{port} is not a valid address ({error})") from None
    try:
        if os.name != "nt":  # on Windows it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(location)
        listener.listen(CONNECTIONS)
    except OSError as error:
        listener.close()
        raise OSError(f"serve: can't listen on {host}:{port} ({error.strerror or error})") from None
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL of a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def import_uvicorn() -> Any:
    """The package uvicorn."""
    try:
        import uvicorn
    except ImportError:
        raise ImportError("serve: the server needs the package uvicorn: pip install 'cygrad[serve]'") from None
    return uvicorn
