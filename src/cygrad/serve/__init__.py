"""A trained run as an HTTP server, in MLflow's request format. It needs the package ``uvicorn``."""

from cygrad.serve.app import Application, Limits
from cygrad.serve.server import serve

__all__ = ["Application", "Limits", "serve"]
