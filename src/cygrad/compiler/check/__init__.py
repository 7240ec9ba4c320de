"""Runs of a program are compared with eager mode, launch by launch: the first, or with ``compile(check=True)`` all."""

from cygrad.compiler.check.comparison import run_beside_eager
from cygrad.compiler.check.first import run_first
from cygrad.compiler.check.snapshot import Snapshot

__all__ = ["Snapshot", "run_beside_eager", "run_first"]
