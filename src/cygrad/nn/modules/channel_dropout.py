"""Dropouts of whole channels, and those that keep mean and variance, as modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad.nn.functional import masks
from cygrad.nn.options import Configured, stores_options

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["AlphaDropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


@stores_options
class _Dropout(Configured):
    p: float = 0.5
    inplace: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"{type(self).__name__}: p must lie in [0, 1], got {self.p}")

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout1d(_Dropout):
    """Drop whole channels of (N, C, L) or (C, L) in training mode. As ``torch.nn.Dropout1d``.

    Args:
        p: probability, default 0.5.
        inplace: whether to write the result into the input, default False.
    """

    def forward(self, input: Tensor) -> Tensor:
        return masks.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """Drop whole channels of (N, C, H, W) in training mode. As ``torch.nn.Dropout2d``.

    Args:
        p: probability, default 0.5.
        inplace: whether to write the result into the input, default False.
    """

    def forward(self, input: Tensor) -> Tensor:
        return masks.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """Drop whole channels of (N, C, D, H, W) or (C, D, H, W) in training mode. As ``torch.nn.Dropout3d``.

    Args:
        p: probability, default 0.5.
        inplace: whether to write the result into the input, default False.
    """

    def forward(self, input: Tensor) -> Tensor:
        return masks.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Set elements to the lower limit of selu in training mode, and keep mean and variance. As
    ``torch.nn.AlphaDropout``.

    Args:
        p: probability, default 0.5.
        inplace: whether to write the result into the input, default False.
    """

    def forward(self, input: Tensor) -> Tensor:
        return masks.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """:class:`AlphaDropout` of whole channels. As ``torch.nn.FeatureAlphaDropout``.

    Args:
        p: probability, default 0.5.
        inplace: whether to write the result into the input, default False.
    """

    def forward(self, input: Tensor) -> Tensor:
        return masks.feature_alpha_dropout(input, self.p, self.training, self.inplace)
