"""Embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad.nn import functional as F
from cygrad.nn import init
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import checked_size, empty_parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.tensor import Tensor

__all__ = ["Embedding"]


class Embedding(Module):
    """Look up row i of a table for each index i. As ``torch.nn.Embedding``.

    The parameter ``weight`` (num_embeddings, embedding_dim) starts as N(0, 1).

    Args:
        num_embeddings: number of rows.
        embedding_dim: size of a row.
        padding_idx: row that starts as zeros and gets no gradient, default None.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    Raises:
        ValueError: padding_idx is out of range.

    >>> cg.nn.Embedding(10, 3)(cg.tensor([[1, 2], [0, 9]])).shape
    (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = checked_size("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = checked_size("Embedding", "embedding_dim", embedding_dim)
        if padding_idx is not None:
            if not -self.num_embeddings <= padding_idx < self.num_embeddings:
                raise ValueError(f"Embedding: padding_idx {padding_idx} is out of range for {self.num_embeddings} rows")
            padding_idx %= self.num_embeddings
        self.padding_idx = padding_idx
        self.weight = empty_parameter("Embedding", (self.num_embeddings, self.embedding_dim), device, dtype)
        self.reset_parameters()

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None) -> Embedding:
        """Create an embedding over an existing table, whose memory it shares.

        Args:
            embeddings: the table, shape (rows, size of a row).
            freeze: whether the table is not trained, default True.
            padding_idx: row that gets no gradient, default None.
        """
        shape = embeddings.array.shape
        if len(shape) != 2:
            raise ValueError(f"from_pretrained: embeddings must have 2 dimensions, got shape {shape}")
        result = cls(shape[0], shape[1], padding_idx=padding_idx, dtype=embeddings.array.dtype)
        result.weight = type(result.weight)(embeddings, requires_grad=not freeze)
        return result

    def reset_parameters(self) -> None:
        """Initialize the table again."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
