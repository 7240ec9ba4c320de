"""cygrad, eager and compiled."""

from __future__ import annotations

import cygrad
from benchmarks.cases import Case, Kernel
from benchmarks.peers import Work, kernel_work
from benchmarks.peers.library import Library
from cygrad.bench.cases import kernel_case

__all__ = ["compiled", "eager"]


class Cygrad(Library):
    def versions(self) -> dict[str, str]:
        config = cygrad.show_config()
        return {name: str(config[name]) for name in ("cygrad", "cpu_level", "numpy")}

    def build(self, case: Case, check: bool) -> Work | None:
        """The case; kernels have no compiled form."""
        if isinstance(case, Kernel):
            return None if self.compile_step else kernel_work(kernel_case(case.kernel, case.rows, case.columns).cygrad)
        return super().build(case, check)


def eager() -> Cygrad:
    return Cygrad(cygrad)


def compiled() -> Cygrad:
    """Raises ImportError if cygrad has no `compile`."""
    if not hasattr(cygrad, "compile"):
        raise ImportError(f"cygrad {cygrad.__version__} has no compile")
    return Cygrad(cygrad, compile_step=cygrad.compile, compile_model=cygrad.compile)
