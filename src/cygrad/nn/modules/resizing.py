"""Padding, resampling and shuffling, as modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from cygrad.nn.functional import resizing
from cygrad.nn.options import Configured, stores_options

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = [
    "ChannelShuffle",
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "PixelShuffle",
    "PixelUnshuffle",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Configured):
    """Padding of the last dimensions by ``padding``: one size for all sides, or two for each dimension, last first."""

    padding: int | Sequence[int]
    _dims: ClassVar[int]
    _mode: ClassVar[str] = "constant"

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        sizes = (padding,) * (2 * self._dims) if isinstance(padding, int) else tuple(padding)
        if len(sizes) != 2 * self._dims:
            raise ValueError(f"{type(self).__name__}: padding must have {2 * self._dims} sizes, got {padding}")
        self.padding = sizes

    def forward(self, input: Tensor) -> Tensor:
        return resizing.pad(input, self.padding, self._mode)  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPadNd(_Pad):
    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return resizing.pad(input, self.padding, "constant", self.value)  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Pad the last dimension with a value. As ``torch.nn.ConstantPad1d``.

    Args:
        padding: a size, or sizes (left, right).
        value: the value.
    """

    _dims = 1


class ConstantPad2d(_ConstantPadNd):
    """Pad the last two dimensions with a value. As ``torch.nn.ConstantPad2d``.

    Args:
        padding: a size, or sizes (left, right, top, bottom).
        value: the value.
    """

    _dims = 2


class ConstantPad3d(_ConstantPadNd):
    """Pad the last three dimensions with a value. As ``torch.nn.ConstantPad3d``.

    Args:
        padding: a size, or sizes (left, right, top, bottom, front, back).
        value: the value.
    """

    _dims = 3


class _ZeroPadNd(_ConstantPadNd):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPadNd):
    """Pad the last dimension with zeros. As ``torch.nn.ZeroPad1d``.

    Args:
        padding: a size, or sizes (left, right).
    """

    _dims = 1


class ZeroPad2d(_ZeroPadNd):
    """Pad the last two dimensions with zeros. As ``torch.nn.ZeroPad2d``.

    Args:
        padding: a size, or sizes (left, right, top, bottom).
    """

    _dims = 2


class ZeroPad3d(_ZeroPadNd):
    """Pad the last three dimensions with zeros. As ``torch.nn.ZeroPad3d``.

    Args:
        padding: a size, or sizes (left, right, top, bottom, front, back).
    """

    _dims = 3


class _ReflectionPadNd(_Pad):
    _mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """Pad the last dimension with its reflection, without the border. As ``torch.nn.ReflectionPad1d``.

    Args:
        padding: a size, or sizes (left, right).
    """

    _dims = 1


class ReflectionPad2d(_ReflectionPadNd):
    """Pad the last two dimensions with its reflection, without the border. As ``torch.nn.ReflectionPad2d``.

    Args:
        padding: a size, or sizes (left, right, top, bottom).
    """

    _dims = 2


class ReflectionPad3d(_ReflectionPadNd):
    """Pad the last three dimensions with its reflection, without the border. As ``torch.nn.ReflectionPad3d``.

    Args:
        padding: a size, or sizes (left, right, top, bottom, front, back).
    """

    _dims = 3


class _ReplicationPadNd(_Pad):
    _mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """Pad the last dimension with copies of the border. As ``torch.nn.ReplicationPad1d``.

    Args:
        padding: a size, or sizes (left, right).
    """

    _dims = 1


class ReplicationPad2d(_ReplicationPadNd):
    """Pad the last two dimensions with copies of the border. As ``torch.nn.ReplicationPad2d``.

    Args:
        padding: a size, or sizes (left, right, top, bottom).
    """

    _dims = 2


class ReplicationPad3d(_ReplicationPadNd):
    """Pad the last three dimensions with copies of the border. As ``torch.nn.ReplicationPad3d``.

    Args:
        padding: a size, or sizes (left, right, top, bottom, front, back).
    """

    _dims = 3


class _CircularPadNd(_Pad):
    _mode = "circular"


class CircularPad1d(_CircularPadNd):
    """Pad the last dimension with the other end. As ``torch.nn.CircularPad1d``.

    Args:
        padding: a size, or sizes (left, right).
    """

    _dims = 1


class CircularPad2d(_CircularPadNd):
    """Pad the last two dimensions with the other end. As ``torch.nn.CircularPad2d``.

    Args:
        padding: a size, or sizes (left, right, top, bottom).
    """

    _dims = 2


class CircularPad3d(_CircularPadNd):
    """Pad the last three dimensions with the other end. As ``torch.nn.CircularPad3d``.

    Args:
        padding: a size, or sizes (left, right, top, bottom, front, back).
    """

    _dims = 3


@stores_options
class PixelShuffle(Configured):
    """Turn (…, C·r², H, W) into (…, C, H·r, W·r). As ``torch.nn.PixelShuffle``.

    Args:
        upscale_factor: r.
    """

    upscale_factor: int

    def forward(self, input: Tensor) -> Tensor:
        return resizing.pixel_shuffle(input, self.upscale_factor)


@stores_options
class PixelUnshuffle(Configured):
    """Turn (…, C, H·r, W·r) into (…, C·r², H, W). As ``torch.nn.PixelUnshuffle``.

    Args:
        downscale_factor: r.
    """

    downscale_factor: int

    def forward(self, input: Tensor) -> Tensor:
        return resizing.pixel_unshuffle(input, self.downscale_factor)


@stores_options
class ChannelShuffle(Configured):
    """Interleave groups of channels. As ``torch.nn.ChannelShuffle``.

    Args:
        groups: number of groups.
    """

    groups: int

    def forward(self, input: Tensor) -> Tensor:
        return resizing.channel_shuffle(input, self.groups)


Sizes = int | Sequence[int] | None
Factors = float | Sequence[float] | None


@stores_options
class Upsample(Configured):
    """Resample the dimensions after the first two. As ``torch.nn.Upsample``.

    Args:
        size: sizes of the result, or None.
        scale_factor: its sizes relative to the input's, or None.
        mode: see :func:`cygrad.nn.functional.interpolate`, default "nearest".
        align_corners: whether the centers of the corners stay in place, default None for False.
        recompute_scale_factor: whether the scale is that of the rounded sizes, default None for False.
    """

    size: Sizes = None
    scale_factor: Factors = None
    mode: str = "nearest"
    align_corners: bool | None = None
    recompute_scale_factor: bool | None = None

    def forward(self, input: Tensor) -> Tensor:
        return resizing.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )


class UpsamplingNearest2d(Upsample):
    """:class:`Upsample` with mode "nearest". As ``torch.nn.UpsamplingNearest2d``.

    Args:
        size, scale_factor: as there.
    """

    def __init__(self, size: Sizes = None, scale_factor: Factors = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """:class:`Upsample` with mode "bilinear" and aligned corners. As ``torch.nn.UpsamplingBilinear2d``.

    Args:
        size, scale_factor: as there.
    """

    def __init__(self, size: Sizes = None, scale_factor: Factors = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)
