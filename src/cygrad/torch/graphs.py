"""``torch.fx``: names of PyTorch's graphs of Python code, which libraries use in annotations. A call of one raises."""

from __future__ import annotations

from typing import Any

from cygrad.torch.absent import Absent

__all__ = ["wrap"]


def wrap(fn_or_name: Any) -> Any:
    """Return a function, or its name, as it is: it would be a leaf of graphs."""
    return fn_or_name


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'torch.fx' has no attribute {name!r}")
    value = globals()[name] = Absent(f"torch.fx.{name}")
    return value
