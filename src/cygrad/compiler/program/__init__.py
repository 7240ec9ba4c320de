"""Stage 4: the events that the passes left, as a program with inputs, guards, effects, parts and results."""

from cygrad.compiler.program.build import build_program
from cygrad.compiler.program.program import Program

__all__ = ["Program", "build_program"]
