"""Distances and similarities, bilinear forms, and bags of embeddings, as modules."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cygrad.nn import init
from cygrad.nn.functional import distances
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import checked_size, empty_parameter
from cygrad.nn.options import Configured, stores_options

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.tensor import Tensor

__all__ = ["Bilinear", "CosineSimilarity", "EmbeddingBag", "PairwiseDistance"]


@stores_options
class CosineSimilarity(Configured):
    """Cosine of the angle between x₁ and x₂ along dim. As ``torch.nn.CosineSimilarity``.

    Args:
        dim: default 1.
        eps: floor under the norms, default 10⁻⁸.
    """

    dim: int = 1
    eps: float = 1e-8

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return distances.cosine_similarity(x1, x2, self.dim, self.eps)


@stores_options
class PairwiseDistance(Configured):
    """‖x₁ − x₂ + eps‖ of order p along the last dimension. As ``torch.nn.PairwiseDistance``.

    Args:
        p: order, default 2.
        eps: default 10⁻⁶.
        keepdim: whether the dimension stays, with size 1, default False.
    """

    p: float = 2.0
    eps: float = 1e-6
    keepdim: bool = False

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return distances.pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)


class Bilinear(Module):
    """Apply y_k = x₁ᵀ·W_k·x₂ + b_k. As ``torch.nn.Bilinear``. The parameters start uniform in ±1/√in1_features.

    Args:
        in1_features: size of x₁'s last dimension.
        in2_features: size of x₂'s last dimension.
        out_features: size of the output's last dimension.
        bias: whether there is a b, default True.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.in1_features = checked_size("Bilinear", "in1_features", in1_features, 1)
        self.in2_features = checked_size("Bilinear", "in2_features", in2_features)
        self.out_features = checked_size("Bilinear", "out_features", out_features)
        self.weight = empty_parameter("Bilinear", (out_features, in1_features, in2_features), device, dtype)
        self.bias = empty_parameter("Bilinear", (out_features,), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize the parameters again."""
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return distances.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class EmbeddingBag(Module):
    """Look up rows of a table by index, and reduce each bag of rows to one. As ``torch.nn.EmbeddingBag``.

    Args:
        num_embeddings: number of rows.
        embedding_dim: size of a row.
        max_norm, norm_type, scale_grad_by_freq, sparse: as in :class:`Embedding`.
        mode: "sum", "mean" (default) or "max".
        _weight: the table, default None for one of N(0, 1).
        include_last_offset: whether the last offset is the number of indices, default False.
        padding_idx: row that does not count, default None.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = checked_size("EmbeddingBag", "num_embeddings", num_embeddings)
        self.embedding_dim = checked_size("EmbeddingBag", "embedding_dim", embedding_dim)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"EmbeddingBag: padding_idx {padding_idx} is out of range for {num_embeddings} rows")
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self.mode, self.sparse, self.include_last_offset = mode, sparse, include_last_offset
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = empty_parameter("EmbeddingBag", (num_embeddings, embedding_dim), device, dtype)
        if _weight is None:
            self.reset_parameters()
        else:
            self.weight = type(self.weight)(_weight)

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, **options: Any) -> EmbeddingBag:
        """Create a module over an existing table, whose memory it shares.

        Args:
            embeddings: the table, shape (rows, size of a row).
            freeze: whether the table is not trained, default True.
            options: of the constructor.
        """
        rows, size = embeddings.shape
        result = cls(rows, size, **options)
        result.weight = type(result.weight)(embeddings)
        result.weight.requires_grad = not freeze
        return result

    def reset_parameters(self) -> None:
        """Initialize the table again."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return distances.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode,
            per_sample_weights=per_sample_weights, include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}, mode={self.mode!r}{padding}"
