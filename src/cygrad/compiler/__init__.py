"""Recorded steps: ``cg.compile`` records one call of a function, and from then on runs it as one program in C.

Each folder is a stage of the way there: ``record`` → ``plan`` → ``passes`` → ``program`` → ``replay``.
"""

from cygrad.compiler.epoch import Epochs
from cygrad.compiler.function import CompiledFunction, compile
from cygrad.compiler.program import Program
from cygrad.compiler.record.recorder import Refused

__all__ = ["CompiledFunction", "Epochs", "Program", "Refused", "compile", "is_compiling"]


def is_compiling() -> bool:
    """Return False: a step is recorded as it runs, so that no code is ever traced instead. As ``torch.compiler``."""
    return False
