"""A trained run as an HTTP server, in MLflow's request formats. The server needs the package ``uvicorn``."""

from cygrad.serve.app import Application
from cygrad.serve.limits import Limits
from cygrad.serve.server import DEFAULT_HOST, DEFAULT_PORT, serve

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "Application", "Limits", "serve"]
