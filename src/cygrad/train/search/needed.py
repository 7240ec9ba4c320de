"""Optuna, imported when it is first used."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["optuna"]


@cache
def optuna() -> Any:
    """The package; raises ImportError, which says how to install it."""
    try:
        import optuna as package
    except ImportError:
        raise ImportError("sweep: a search needs Optuna: pip install 'cygrad[sweep]'") from None
    return package
