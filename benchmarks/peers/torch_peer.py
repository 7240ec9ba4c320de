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
    """With fused optimizers; where an optimizer or clipping stands alone, foreach if that is faster."""
    return PyTorch(torch, (FUSED, {"foreach": True}), ({}, {"foreach": True}))


def compiled() -> PyTorch:
    """The forward part and its backward compiled; clipping and the fused optimizer as they are."""

    def compile_anew(loss: Callable[..., Any]) -> Callable[..., Any]:
        torch.compiler.reset()  # or one case after the other would count as recompilations of the same code
        return torch.compile(loss, fullgraph=True, dynamic=False)

    return PyTorch(torch, (FUSED,), compile_loss=compile_anew)
