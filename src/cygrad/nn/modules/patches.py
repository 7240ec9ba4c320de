"""Patches of images as columns, and back, as modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cygrad.nn.functional import patches
from cygrad.nn.options import Configured, stores_options

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["Fold", "Unfold"]

Ints = int | Sequence[int]


class _Patches(Configured):
    def __post_init__(self) -> None:
        for name in self._options:
            value = getattr(self, name)
            setattr(self, name, tuple(value) if isinstance(value, list) else value)


@stores_options
class Unfold(_Patches):
    """Turn the patches of images (N, C, H, W) or (C, H, W) into columns. As ``torch.nn.Unfold``.

    Args:
        kernel_size: height and width of a patch, an int for both.
        dilation: distances of its elements, default 1.
        padding: rows and columns of zeros at all sides, default 0.
        stride: distances of patches, default 1.
    """

    kernel_size: Ints
    dilation: Ints = 1
    padding: Ints = 0
    stride: Ints = 1

    def forward(self, input: Tensor) -> Tensor:
        return patches.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


@stores_options
class Fold(_Patches):
    """Add columns to images, each as a patch. As ``torch.nn.Fold``.

    Args:
        output_size: height and width of the images, an int for both.
        kernel_size, dilation, padding, stride: as in :class:`Unfold`.
    """

    output_size: Ints
    kernel_size: Ints
    dilation: Ints = 1
    padding: Ints = 0
    stride: Ints = 1

    def forward(self, input: Tensor) -> Tensor:
        return patches.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)
