"""Recorded steps: ``cg.compile`` records one call of a function, and from then on runs it as one program in C.

Each folder is a stage of the way there: ``record`` → ``plan`` → ``passes`` → ``program`` → ``replay``.
"""

from __future__ import annotations

from typing import Any

from cygrad.compiler.epoch import Epochs
from cygrad.compiler.function import CompiledFunction, compile
from cygrad.compiler.program import Program
from cygrad.compiler.record.recorder import Refused

__all__ = ["CompiledFunction", "Epochs", "Program", "Refused", "compile", "disable", "is_compiling"]


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Return a function as it is: what ``compile`` can't record runs in Python anyway. As ``torch.compiler.disable``.

    Args:
        fn: a function; without one, a decorator is returned.
        recursive, reason: accepted, without effect.
    """
    return fn if fn is not None else disable


def is_compiling() -> bool:
    """Return False: a step is recorded as it runs, so that no code is ever traced instead. As ``torch.compiler``."""
    return False
