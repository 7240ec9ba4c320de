"""``compile(check=True)``: every run of a program is compared with eager mode, launch by launch."""

from cygrad.compiler.check.comparison import run_beside_eager
from cygrad.compiler.check.snapshot import Snapshot

__all__ = ["Snapshot", "run_beside_eager"]
