"""Dropouts of whole channels, and those that keep mean and variance, as modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad.nn.functional import masks
from cygrad.nn.modules.dropout import _DropoutNd

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["AlphaDropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class Dropout1d(_DropoutNd):
    """Drop whole channels of (N, C, L) or (C, L) in training mode. As ``torch.nn.Dropout1d``.

    Args:
        p: probability, default 0.5.
        inplace: whether to write the result into the input, default False.
    """

    def forward(self, input: Tensor) -> Tensor:
        return masks.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """Drop whole channels of (N, C, H, W) in training mode. As ``torch.nn.Dropout2d``.

    Args:
        p: probability, default 0.5.
        inplace: whether to write the result into the input, default False.
    """

    def forward(self, input: Tensor) -> Tensor:
        return masks.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """Drop whole channels of (N, C, D, H, W) or (C, D, H, W) in training mode. As ``torch.nn.Dropout3d``.

    Args:
        p: probability, default 0.5.
        inplace: whether to write the result into the input, default False.
    """

    def forward(self, input: Tensor) -> Tensor:
        return masks.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Set elements to the lower limit of selu in training mode, and keep mean and variance. As
    ``torch.nn.AlphaDropout``.

    Args:
        p: probability, default 0.5.
        inplace: whether to write the result into the input, default False.
    """

    def forward(self, input: Tensor) -> Tensor:
        return masks.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_DropoutNd):
    """:class:`AlphaDropout` of whole channels. As ``torch.nn.FeatureAlphaDropout``.

    Args:
        p: probability, default 0.5.
        inplace: whether to write the result into the input, default False.
    """

    def forward(self, input: Tensor) -> Tensor:
        return masks.feature_alpha_dropout(input, self.p, self.training, self.inplace)
