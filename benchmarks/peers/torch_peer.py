"""PyTorch, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.peers.library import Library

__all__ = ["compiled", "eager"]

FUSED = {"fused": True}


class PyTorch(Library):
    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}


def eager() -> PyTorch:
    """With fused optimizers; an optimizer or clipping alone uses foreach if that is faster."""
    return PyTorch(torch, (FUSED, {"foreach": True}), ({}, {"foreach": True}))


def compiled() -> PyTorch:
    """Forward and backward are compiled; clipping and the fused optimizer are not."""

    def compile_afresh(loss: Callable[..., Any]) -> Callable[..., Any]:
        torch.compiler.reset()  # otherwise successive cases count as recompilations of the same code
        return torch.compile(loss, fullgraph=True, dynamic=False)

    return PyTorch(torch, (FUSED,), compile_loss=compile_afresh)
