"""``cygrad bench``: kernels and a whole training step, timed against NumPy on this machine.

These are the cases of the project's ``benchmarks/`` that need nothing but cygrad and NumPy; that folder adds other
libraries, the machine's limits, memory and pictures. Both sides of a case get the same arrays and must agree before
they are timed in interleaved runs.
"""

from cygrad.bench.cases import KernelCase, compare, kernel_cases
from cygrad.bench.command import Timing, command, report

__all__ = ["KernelCase", "Timing", "command", "compare", "kernel_cases", "report"]
