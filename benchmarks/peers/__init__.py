"""The peers: the libraries that are compared, and how each builds a case.

A peer's function takes no arguments, imports what it needs, and returns a `Builder`.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from benchmarks.cases import Case
from benchmarks.inputs import Arrays

__all__ = ["PEERS", "Builder", "Peer", "Work", "builder", "kernel_work"]


class Work(NamedTuple):
    """A case, ready to run: `call` is timed; `results` also returns the arrays on which peers must agree."""

    call: Callable[[], Any]
    results: Callable[[], Arrays]


def kernel_work(side: Callable[[], Sequence[Any]]) -> Work:
    """One side of a case of `cygrad bench`."""

    def results() -> Arrays:
        names = itertools.chain(["y"], map("result{}".format, itertools.count(1)))
        return dict(zip(names, map(np.asarray, side())))

    return Work(side, results)


class Builder(Protocol):
    """A peer in its own process."""

    def versions(self) -> dict[str, str]:
        """Names and versions of the libraries in use."""
        ...

    def build(self, case: Case, check: bool) -> Work | None:
        """Build the case; None if this peer does not support it.

        For a check nothing is random, and the learning rate is useful. For timing it is tiny, because samples learned
        by heart leave gradients below float32's normal range.
        """
        ...


class Peer(NamedTuple):
    """A library, which is a column of the tables."""

    title: str
    function: str  # module:function that returns the Builder
    environment: dict[str, str]  # variables for its process; {threads} is filled in


PEERS = {
    "cygrad": Peer("cygrad", "cygrad_peer:eager", {}),
    "cygrad-compiled": Peer("cygrad compiled", "cygrad_peer:compiled", {}),
    "numpy": Peer("NumPy", "numpy_peer:by_hand", {}),
    "torch": Peer("PyTorch", "torch_peer:eager", {}),
    # Helper processes of its compiler would still run while another peer is timed.
    "torch-compile": Peer("torch.compile", "torch_peer:compiled", {"TORCHINDUCTOR_COMPILE_THREADS": "1"}),
    "jax": Peer("JAX jit", "jax_peer:jit", {"JAX_PLATFORMS": "cpu", "NPROC": "{threads}"}),
}


def builder(peer: str) -> Builder:
    """Import a peer's library and return its builder.

    Raises ImportError if that fails.
    """
    module, _, function = PEERS[peer].function.partition(":")
    return getattr(importlib.import_module(f"benchmarks.peers.{module}"), function)()
