"""Means and deviations. Positional and keyword arguments are those of PyTorch."""

from __future__ import annotations

from cygrad._typing import Dim, Tensor
from cygrad.autograd.calls import requires_tensor
from cygrad.ops import reduce

__all__ = ["std_mean", "var_mean"]


@requires_tensor
def var_mean(
    input: Tensor, dim: Dim = None, *, correction: float | None = 1, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """Return (variance, mean) over dimensions.

    Args:
        input: a float tensor.
        dim: the dimensions to reduce, all by default.
        correction: the variance is divided by n − correction.
        keepdim: whether reduced dimensions stay, with size 1.
    """
    if isinstance(dim, bool):
        correction, dim = dim, None
    variance = reduce.var(input, dim=dim, correction=correction, keepdim=keepdim)
    return variance, reduce.mean(input, dim=dim, keepdim=keepdim)


@requires_tensor
def std_mean(
    input: Tensor, dim: Dim = None, *, correction: float | None = 1, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """Return (standard deviation, mean) over dimensions.

    Args:
        input: a float tensor.
        dim: the dimensions to reduce, all by default.
        correction: the variance is divided by n − correction.
        keepdim: whether reduced dimensions stay, with size 1.
    """
    if isinstance(dim, bool):
        correction, dim = dim, None
    deviation = reduce.std(input, dim=dim, correction=correction, keepdim=keepdim)
    return deviation, reduce.mean(input, dim=dim, keepdim=keepdim)
