"""Modules that change a tensor's shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cygrad.nn.options import Configured, stores_options

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["Flatten", "Unflatten"]


@stores_options
class Flatten(Configured):
    """Flatten the dimensions from start_dim to end_dim into one. As ``torch.nn.Flatten``.

    Args:
        start_dim: first dimension to flatten, default 1, which keeps the batch dimension.
        end_dim: last dimension to flatten, default −1.

    >>> cg.nn.Flatten()(cg.zeros(5, 3, 2)).shape
    (5, 6)
    """

    start_dim: int = 1
    end_dim: int = -1

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)


@stores_options
class Unflatten(Configured):
    """Split one dimension into several. As ``torch.nn.Unflatten``.

    Args:
        dim: dimension to split.
        unflattened_size: the sizes that replace it; at most one may be −1, which is inferred.

    Raises:
        IndexError: the input has no dimension ``dim``.

    >>> cg.nn.Unflatten(1, (3, 2))(cg.zeros(5, 6)).shape
    (5, 3, 2)
    """

    dim: int
    unflattened_size: Sequence[int]

    def __post_init__(self) -> None:
        self.unflattened_size = tuple(self.unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        shape = input.array.shape
        if not -len(shape) <= self.dim < len(shape):
            raise IndexError(f"Unflatten: dim {self.dim} is out of range for shape {tuple(shape)}")
        dim = self.dim % len(shape)
        return input.reshape(*shape[:dim], *self.unflattened_size, *shape[dim + 1 :])
