"""Checks for the packages and servers that an integration needs."""

from __future__ import annotations

import importlib
import socket
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

__all__ = ["require_package", "require_server"]

PORTS = {"http": 80, "https": 443}


def require_package(op: str, package: str) -> Any:
    """Imports a package; the extra that installs it has the same name. Raises ImportError if it is not installed.

    >>> require_package("MLflow", "no_such_package")
    Traceback (most recent call last):
    ...
    ImportError: MLflow: the package no_such_package is not installed: pip install 'cygrad[no_such_package]'
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise ImportError(f"{op}: the package {package} is not installed: pip install 'cygrad[{package}]'") from None


def require_server(address: str, seconds: float = 5.0) -> None:
    """Raises ConnectionError if `address` is an http:// or https:// address that accepts no connection: clients would
    wait for minutes. Addresses behind a proxy are not tried."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme not in PORTS or (parts.scheme in getproxies() and not proxy_bypass(host)):
        return
    try:
        with socket.create_connection((host, parts.port or PORTS[parts.scheme]), seconds):
            pass
    except OSError as error:
        raise ConnectionError(f"{address} does not answer: {error.strerror or error}") from None
