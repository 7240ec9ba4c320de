"""The functions behind the modules, under PyTorch's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad.ops import activation

if TYPE_CHECKING:
    from cygrad.tensor import Tensor


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), elementwise."""
    return activation.relu(input)
