"""Packages that an integration needs, and servers that it talks to."""

from __future__ import annotations

import importlib
import socket
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

__all__ = ["demand_answer", "required"]

PORTS = {"http": 80, "https": 443}


def required(op: str, package: str) -> Any:
    """The package, whose name is that of the extra too. Raises ImportError, which tells how to install it.

    >>> required("MLflow", "no_such_package")
    Traceback (most recent call last):
    ...
    ImportError: MLflow: it needs the package no_such_package: pip install 'cygrad[no_such_package]'
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise ImportError(f"{op}: it needs the package {package}: pip install 'cygrad[{package}]'") from None


def demand_answer(address: str, seconds: float = 5.0) -> None:
    """Raises ConnectionError where `address` begins with http:// or https:// and nothing takes a connection there:
    clients wait for minutes before they say so. Behind a proxy that can't be told."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme not in PORTS or (parts.scheme in getproxies() and not proxy_bypass(host)):
        return
    try:
        with socket.create_connection((host, parts.port or PORTS[parts.scheme]), seconds):
            pass
    except OSError as error:
        raise ConnectionError(f"{address} does not answer: {error.strerror or error}") from None
