"""Recorded steps: ``cg.compile`` runs a function once under a recorder, and from then on as one program in C."""

from cygrad.compiler.epoch import Epochs
from cygrad.compiler.function import CompiledFunction, compile
from cygrad.compiler.program.program import Program
from cygrad.compiler.record.recorder import Refused

__all__ = ["CompiledFunction", "Epochs", "Program", "Refused", "compile"]
