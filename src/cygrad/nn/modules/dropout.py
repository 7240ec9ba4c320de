"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad.nn import functional as F
from cygrad.nn.options import KW_ONLY, Configured, stores_options

if TYPE_CHECKING:
    from cygrad.generator import Generator
    from cygrad.tensor import Tensor

__all__ = ["Dropout"]


@stores_options
class _DropoutNd(Configured):
    """Options of all dropouts."""

    p: float = 0.5
    inplace: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"{type(self).__name__}: p must lie in [0, 1], got {self.p}")

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


@stores_options
class Dropout(_DropoutNd):
    """Set each element to 0 with probability p and divide the others by 1 − p, in training mode only. As
    ``torch.nn.Dropout``. N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov (2014), "Dropout: a
    simple way to prevent neural networks from overfitting".

    Args:
        p: probability that an element is dropped, default 0.5.
        inplace: whether to write the result into the input, default False.
        generator: source of the mask's randomness, default the global generator.

    Raises:
        ValueError: p does not lie in [0, 1].
    """

    p: float = 0.5
    inplace: bool = False
    _: KW_ONLY
    generator: Generator | None = None

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace, self.generator)
