"""Convolutions that take the number of their input channels from the first input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cygrad.nn.modules.conv import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, _Conv, _ConvNd, _ConvTransposeNd
from cygrad.nn.modules.lazy import UninitializedParameter, _Lazy, materialize

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.nn.modules.conv import Steps

__all__ = ["LazyConv1d", "LazyConv2d", "LazyConvTranspose1d", "LazyConvTranspose2d"]


class _LazyConvNd(_Lazy, _ConvNd):
    """A convolution whose ``in_channels`` come from the first input."""

    cls_to_become: ClassVar[type[_ConvNd]]

    def _forget_shapes(self, out_channels: int, bias: bool, device: object, dtype: DTypeLike | None) -> None:
        """Wait for the first input."""
        self.out_channels = out_channels
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.bias = UninitializedParameter(device=device, dtype=dtype) if bias else None

    def initialize_parameters(self, *args: Any) -> None:
        input, dims = args[0], self._dims
        name = self.cls_to_become.__name__
        if input.ndim not in (dims + 1, dims + 2):
            raise RuntimeError(f"{name}: input must have {dims + 1} or {dims + 2} dimensions, got {tuple(input.shape)}")
        channels = input.shape[-dims - 1]
        if channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"{name}: in_channels and out_channels must be divisible by groups, got {channels}, "
                f"{self.out_channels} and {self.groups}"
            )
        self.in_channels = channels
        materialize(self.weight, self._weight_shape())
        if self.bias is not None:
            materialize(self.bias, (self.out_channels,))
        self.reset_parameters()


class _LazyConv(_LazyConvNd, _Conv):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Steps,
        stride: Steps = 1,
        padding: str | Steps = 0,
        dilation: Steps = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        steps = (kernel_size, stride, padding, dilation, groups)
        _Conv.__init__(self, 0, 0, *steps, False, padding_mode, device, dtype)
        self._forget_shapes(out_channels, bias, device, dtype)


class LazyConv1d(_LazyConv):
    """A :class:`Conv1d` whose ``in_channels`` come from the first input. As ``torch.nn.LazyConv1d``.

    Args:
        out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype: as there.
    """

    cls_to_become = Conv1d
    _dims = 1


class LazyConv2d(_LazyConv):
    """A :class:`Conv2d` whose ``in_channels`` come from the first input. As ``torch.nn.LazyConv2d``.

    Args:
        out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype: as there.

    >>> layer = cg.nn.LazyConv2d(8, 3)
    >>> layer(cg.zeros(2, 3, 5, 5)).shape
    (2, 8, 3, 3)
    >>> layer
    Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))
    """

    cls_to_become = Conv2d
    _dims = 2


class _LazyConvTranspose(_LazyConvNd, _ConvTransposeNd):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Steps,
        stride: Steps = 1,
        padding: Steps = 0,
        output_padding: Steps = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Steps = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        steps = (kernel_size, stride, padding, output_padding, groups)
        _ConvTransposeNd.__init__(self, 0, 0, *steps, False, dilation, padding_mode, device, dtype)
        self._forget_shapes(out_channels, bias, device, dtype)


class LazyConvTranspose1d(_LazyConvTranspose):
    """A :class:`ConvTranspose1d` whose ``in_channels`` come from the first input. As ``torch.nn.LazyConvTranspose1d``.

    Args:
        out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation, padding_mode, device, dtype:
            as there.
    """

    cls_to_become = ConvTranspose1d
    _dims = 1


class LazyConvTranspose2d(_LazyConvTranspose):
    """A :class:`ConvTranspose2d` whose ``in_channels`` come from the first input. As ``torch.nn.LazyConvTranspose2d``.

    Args:
        out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation, padding_mode, device, dtype:
            as there.
    """

    cls_to_become = ConvTranspose2d
    _dims = 2
