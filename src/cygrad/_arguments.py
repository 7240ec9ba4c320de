"""Arguments that can be given in two ways."""

from __future__ import annotations

from typing import Any

__all__ = ["shape_argument"]


def shape_argument(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The shape that ``f(2, 3)`` or ``f((2, 3))`` gives."""
    return tuple(args[0]) if len(args) == 1 and isinstance(args[0], (tuple, list)) else args
