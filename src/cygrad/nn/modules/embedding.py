"""Embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad.nn import functional as F
from cygrad.nn import init
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import checked_size, empty_parameter
from cygrad.nn.parameter import Parameter
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["Embedding"]


class Embedding(Module):
    """Look up row i of a table for each index i. As ``torch.nn.Embedding``.

    The parameter ``weight`` (num_embeddings, embedding_dim) starts as N(0, 1).

    Args:
        num_embeddings: number of rows.
        embedding_dim: size of a row.
        padding_idx: row that starts as zeros and gets no gradient, default None.
        max_norm: largest norm of a row that is looked up; rows beyond it are scaled first. Default None for no limit.
        norm_type: order of that norm, default 2.
        scale_grad_by_freq: whether a row's gradient is divided by the number of its look-ups, default False.
        sparse: accepted as in PyTorch, without effect: gradients are dense.
        _weight: the table, default None for a new one.
        _freeze: whether the table is not trained, default False.
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
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
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
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self.sparse = sparse
        if _weight is None:
            self.weight = empty_parameter("Embedding", (self.num_embeddings, self.embedding_dim), device, dtype)
            self.reset_parameters()
        elif not isinstance(_weight, Tensor):
            raise TypeError(f"Embedding: _weight must be a Tensor, got {type(_weight).__name__}")
        elif tuple(_weight.shape) != (self.num_embeddings, self.embedding_dim):
            raise ValueError(f"Embedding: _weight has shape {tuple(_weight.shape)}, not that of the arguments")
        else:
            self.weight = Parameter(_weight)
        if _freeze:
            self.weight.requires_grad = False

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """Create an embedding over an existing table, whose memory it shares.

        Args:
            embeddings: the table, shape (rows, size of a row).
            freeze: whether the table is not trained, default True.
            padding_idx: row that gets no gradient, default None.
            max_norm, norm_type, scale_grad_by_freq, sparse: as in the constructor.
        """
        shape = embeddings.array.shape
        if len(shape) != 2:
            raise ValueError(f"from_pretrained: embeddings must have 2 dimensions, got shape {shape}")
        return cls(shape[0], shape[1], padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze)

    def reset_parameters(self) -> None:
        """Initialize the table again."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    def forward(self, input: Tensor) -> Tensor:
        if self.max_norm is None and not self.scale_grad_by_freq:
            return F.embedding(input, self.weight, self.padding_idx)
        options = self.max_norm, self.norm_type, self.scale_grad_by_freq
        return F.embedding(input, self.weight, self.padding_idx, *options)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
