"""Checks that several functions share."""

from __future__ import annotations

from typing import Any

from cygrad.autograd import Value

__all__ = ["check_tensor"]


def check_tensor(name: str, argument: str, value: Any) -> None:
    """Raise TypeError unless `value` is a tensor."""
    if not isinstance(value, Value):
        raise TypeError(f"{name}: {argument} must be a tensor, got {type(value).__name__}")
