"""cygrad, and its recorded steps."""

from __future__ import annotations

import cygrad
from benchmarks.peers.library import Library

__all__ = ["compiled", "eager"]


class Cygrad(Library):
    def versions(self) -> dict[str, str]:
        config = cygrad.show_config()
        return {name: str(config[name]) for name in ("cygrad", "cpu_level", "numpy")}


def eager() -> Cygrad:
    return Cygrad(cygrad)


def compiled() -> Cygrad:
    """Raises ImportError where there is no `cygrad.compile`."""
    if not hasattr(cygrad, "compile"):
        raise ImportError(f"cygrad {cygrad.__version__} has no compile")
    return Cygrad(cygrad, compile_step=cygrad.compile, compile_model=cygrad.compile)
