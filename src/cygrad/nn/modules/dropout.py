"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad.nn import functional as F
from cygrad.nn.module import Module

if TYPE_CHECKING:
    from cygrad.generator import Generator
    from cygrad.tensor import Tensor

__all__ = ["Dropout"]


class Dropout(Module):
    """In training each element becomes 0 with probability p, and the others are divided by 1 − p; in
    evaluation nothing happens. N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov
    (2014), "Dropout: a simple way to prevent neural networks from overfitting". The mask is drawn from `generator`,
    the default one unless given."""

    def __init__(self, p: float = 0.5, inplace: bool = False, *, generator: Generator | None = None) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p must lie in [0, 1], got {p}")
        self.p = p
        self.inplace = inplace
        self.generator = generator

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace, self.generator)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
