"""Layer norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cygrad.nn import functional as F
from cygrad.nn import init
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import checked_size, empty_parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.tensor import Tensor

__all__ = ["LayerNorm"]


class LayerNorm(Module):
    """Normalize the last dimensions of each sample: y = (x − mean)/√(var + eps)·weight + bias. As
    ``torch.nn.LayerNorm``. J. L. Ba, J. R. Kiros, G. E. Hinton (2016), "Layer normalization".

    Args:
        normalized_shape: sizes of the last dimensions, over which mean and variance are taken; an int means one
            dimension.
        eps: added to the variance, default 10⁻⁵.
        elementwise_affine: whether there is a weight, which starts as ones, default True.
        bias: whether there is a bias as well, which starts as zeros, default True.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    Raises:
        ValueError: normalized_shape is empty, or eps is negative.

    >>> cg.nn.LayerNorm(4)
    LayerNorm((4,), eps=1e-05, elementwise_affine=True, bias=True)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        sizes = (normalized_shape,) if isinstance(normalized_shape, (int, np.integer)) else normalized_shape
        self.normalized_shape = tuple([checked_size("LayerNorm", "normalized_shape", size) for size in sizes])
        if not self.normalized_shape:
            raise ValueError("LayerNorm: normalized_shape must have at least one dimension, got ()")
        if not eps >= 0:
            raise ValueError(f"LayerNorm: eps must not be negative, got {eps}")
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = self.bias = None
        if elementwise_affine:
            self.weight = empty_parameter("LayerNorm", self.normalized_shape, device, dtype)
            self.bias = empty_parameter("LayerNorm", self.normalized_shape, device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to ones and the bias to zeros."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )
