"""Linear and Identity."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cygrad.nn import functional as F
from cygrad.nn import init
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import bound_of, checked_size, empty_parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.tensor import Tensor

__all__ = ["Identity", "Linear"]


class Linear(Module):
    """Apply y = x·Wᵀ + b, for x of shape (…, in_features). As ``torch.nn.Linear``.

    The parameters ``weight`` W (out_features, in_features) and ``bias`` b (out_features,) start uniform in
    ±1/√in_features, as in PyTorch: :func:`cygrad.nn.init.kaiming_uniform_` with ``a=√5``.

    Args:
        in_features: size of the input's last dimension.
        out_features: size of the output's last dimension.
        bias: whether there is a b, default True.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    >>> cg.nn.Linear(3, 2)(cg.zeros(5, 3)).shape
    (5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.in_features = checked_size("Linear", "in_features", in_features)
        self.out_features = checked_size("Linear", "out_features", out_features)
        self.weight = empty_parameter("Linear", (self.out_features, self.in_features), device, dtype)
        self.bias = empty_parameter("Linear", (self.out_features,), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize weight and bias again."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = bound_of(self.in_features)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Identity(Module):
    """Return the input unchanged. As ``torch.nn.Identity``.

    Args:
        *args: ignored, as are keyword arguments.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input
