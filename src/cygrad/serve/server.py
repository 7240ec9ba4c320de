"""``serve``: the application on a port."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

from cygrad.runs import AnyRun
from cygrad.serve.app import Application, Limits

__all__ = ["serve"]

CONNECTIONS = 100  # at once; to more the answer is 503
LAST_REQUESTS = 5  # seconds that those in progress have after Ctrl-C


def serve(
    run: AnyRun,
    host: str = "127.0.0.1",
    port: int = 5000,
    *,
    limits: Limits | None = None,
    started: Callable[[str], None] = print,
) -> None:
    """Answers requests until Ctrl-C (SIGINT) or SIGTERM; see :class:`Application` for the paths.

    Port 0 takes a free one. `started` is given the address, once connections are taken.

    Raises OSError where the address can't be used, ValueError for a port out of range, ImportError without uvicorn.
    """
    uvicorn = package()
    from cygrad.serve.protocol import Protocol

    with listening(host, port) as listener:
        config = uvicorn.Config(
            Application(run, limits),
            lifespan="off",
            ws="none",
            http=Protocol,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=LAST_REQUESTS,
        )
        started(address(listener))
        with contextlib.suppress(KeyboardInterrupt):  # raised anew once all is shut down
            uvicorn.Server(config).run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections at the address."""
    if not 0 <= port < 2**16:
        raise ValueError(f"serve: the port must lie in 0 to 65535, got {port}")
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OSError(f"serve: {host}:{port} is no address ({error})") from None
    try:
        if os.name != "nt":  # where it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(CONNECTIONS)
    except OSError as error:
        listener.close()
        raise OSError(f"serve: {host}:{port} can't be used ({error.strerror or error})") from None
    return listener


def address(listener: socket.socket) -> str:
    """The URL of a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def package() -> Any:
    """The package uvicorn."""
    try:
        import uvicorn
    except ImportError:
        raise ImportError("serve: it needs the package uvicorn: pip install 'cygrad[serve]'") from None
    return uvicorn
