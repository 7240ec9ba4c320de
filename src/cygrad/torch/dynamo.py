"""``torch._dynamo``: what libraries ask of PyTorch's compiler, where nothing is compiled by it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from cygrad.nn.module import Module

__all__ = [
    "OptimizedModule",
    "allow_in_graph",
    "config",
    "disable",
    "graph_break",
    "is_compiling",
    "mark_dynamic",
    "reset",
]

config = SimpleNamespace(suppress_errors=False, cache_size_limit=8, recompile_limit=8)


def is_compiling() -> bool:
    """Return False: Python runs as it is."""
    return False


def disable(fn: Any = None, recursive: bool = True, **options: Any) -> Any:
    """Return a function as it is; without one, a decorator that does."""
    return fn if fn is not None else lambda function: function


def allow_in_graph(fn: Any) -> Any:
    """Return a function, or a list of functions, as it is."""
    return fn


def mark_dynamic(t: Any, index: Any, **options: Any) -> None:
    """Do nothing: sizes are not compiled in."""


mark_static = mark_static_address = maybe_mark_dynamic = mark_dynamic


def graph_break(msg: str = "") -> None:
    """Do nothing: there is no graph to break."""


def reset() -> None:
    """Do nothing: nothing is cached."""


class OptimizedModule(Module):
    """The class of the modules that PyTorch's compiler returns, for programs that ask: here there are none."""
