"""The peers: who takes part, and how each builds a case.

A peer's function takes no arguments, imports what it needs, and returns a `Builder`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from benchmarks.cases import Case
from benchmarks.inputs import Arrays

__all__ = ["PEERS", "Builder", "Peer", "Work", "builder"]


class Work(NamedTuple):
    """A case, ready: `call` is what is timed, `results` does it too and returns the arrays on which all must agree."""

    call: Callable[[], Any]
    results: Callable[[], Arrays]


class Builder(Protocol):
    """A peer in its own process."""

    def versions(self) -> dict[str, str]:
        """What is at work, by name."""
        ...

    def build(self, case: Case, check: bool) -> Work | None:
        """The case, or None where this peer does not take part. For a check nothing is random and steps learn; for
        timing they hardly do, because samples learnt by heart leave gradients below float32's normal range."""
        ...


class Peer(NamedTuple):
    """A column of the table."""

    title: str
    function: str  # module:function, which returns the Builder
    environment: dict[str, str]  # for its process, {threads} filled in


PEERS = {
    "cygrad": Peer("cygrad", "cygrad_peer:eager", {}),
    "cygrad-compiled": Peer("cygrad compiled", "cygrad_peer:compiled", {}),
    "numpy": Peer("NumPy", "numpy_peer:by_hand", {}),
    "torch": Peer("PyTorch", "torch_peer:eager", {}),
    # Its compiler's helpers would still be at work in another peer's turn.
    "torch-compile": Peer("torch.compile", "torch_peer:compiled", {"TORCHINDUCTOR_COMPILE_THREADS": "1"}),
    "jax": Peer("JAX jit", "jax_peer:jit", {"JAX_PLATFORMS": "cpu", "NPROC": "{threads}"}),
}


def builder(peer: str) -> Builder:
    """The peer, its library imported.

    Raises ImportError where that can't be.
    """
    module, _, function = PEERS[peer].function.partition(":")
    return getattr(importlib.import_module(f"benchmarks.peers.{module}"), function)()
