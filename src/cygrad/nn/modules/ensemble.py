"""Layers of several networks side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cygrad.nn import functional as F
from cygrad.nn import init
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import bound_of, checked_size, empty_parameter
from cygrad.ops.reduce import logsumexp

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.tensor import Tensor

__all__ = ["EnsembleLinear", "EnsembleMean", "EnsembleScale"]


class EnsembleLinear(Module):
    """Apply the linear layers of K members, yₖ = xₖ·Wₖᵀ + bₖ, as one batched product.

    The parameters are those of K :class:`Linear` layers, stacked: ``weight`` W (K, out_features, in_features) and
    ``bias`` b (K, out_features). The input has shape (K, N, in_features), or (N, in_features) for all members; the
    output (K, N, out_features). :func:`cygrad.func.stack_modules` makes such layers of trained or new networks.

    Args:
        members: K.
        in_features: size of the input's last dimension.
        out_features: size of the output's last dimension.
        bias: whether there is a b, default True.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    >>> cg.nn.EnsembleLinear(10, 3, 2)(cg.zeros(5, 3)).shape
    (10, 5, 2)
    """

    def __init__(
        self,
        members: int,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.members = checked_size("EnsembleLinear", "members", members, least=1)
        self.in_features = checked_size("EnsembleLinear", "in_features", in_features)
        self.out_features = checked_size("EnsembleLinear", "out_features", out_features)
        weight = (self.members, self.out_features, self.in_features)
        self.weight = empty_parameter("EnsembleLinear", weight, device, dtype)
        self.bias = empty_parameter("EnsembleLinear", weight[:2], device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize weight and bias again, uniform in ±1/√in_features as in :class:`Linear`."""
        bound = bound_of(self.in_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.ensemble_linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        sizes = f"members={self.members}, in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class EnsembleMean(Module):
    """Average the outputs of K members: (K, N, C) to (N, C).

    With ``of="outputs"``, y = Σₖ xₖ/K. With ``of="probabilities"`` the inputs are scores of classes, and the output is
    the logarithm of the mean probability, y = log Σₖ softmax(xₖ)/K, whose softmax are the mean probabilities.

    Args:
        of: "outputs" (default) or "probabilities".

    Raises:
        ValueError: if `of` is another value, or the input does not have 3 dimensions.

    >>> scores = cg.tensor([[[2.0, 0.0]], [[0.0, 0.0]]])
    >>> cg.nn.EnsembleMean("probabilities")(scores).exp()
    tensor([[0.6904, 0.3096]])
    """

    def __init__(self, of: str = "outputs") -> None:
        super().__init__()
        if of not in ("outputs", "probabilities"):
            raise ValueError(f"EnsembleMean: of must be outputs or probabilities, got {of!r}")
        self.of = of

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim != 3:
            raise ValueError(f"EnsembleMean: the input must have shape (K, N, C), got {tuple(input.shape)}")
        if self.of == "outputs":
            return input.mean(0)
        return logsumexp(F.log_softmax(input, -1), 0) - math.log(input.shape[0])

    def extra_repr(self) -> str:
        return f"of={self.of!r}"


class EnsembleScale(Module):
    """Multiply each feature by a factor of its own, for K members: yₖ = xₖ·sₖ.

    A network that starts with it learns which features matter. The parameter ``weight`` s (K, features) starts at 1.
    The input has shape (K, N, features), or (N, features) for all members; the output (K, N, features).
    D. Holzmüller, L. Grinsztajn, I. Steinwart (2024), "Better by default".

    Args:
        members: K.
        features: size of the input's last dimension.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameter, float32 (default) or float64.

    >>> cg.nn.EnsembleScale(10, 3)(cg.ones(5, 3)).shape
    (10, 5, 3)
    """

    def __init__(self, members: int, features: int, device: object = None, dtype: DTypeLike | None = None) -> None:
        super().__init__()
        self.members = checked_size("EnsembleScale", "members", members, least=1)
        self.features = checked_size("EnsembleScale", "features", features)
        self.weight = empty_parameter("EnsembleScale", (self.members, self.features), device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set all factors to 1."""
        init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return input * self.weight.unsqueeze(1)

    def extra_repr(self) -> str:
        return f"members={self.members}, features={self.features}"
