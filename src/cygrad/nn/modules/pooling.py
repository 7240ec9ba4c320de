"""Pooling of sequences and images, as modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cygrad.nn.functional import pooling
from cygrad.nn.options import Configured, stores_options

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "LPPool1d",
    "LPPool2d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxUnpool1d",
    "MaxUnpool2d",
]

Ints = int | Sequence[int]


class _Pool(Configured):
    """Options that are lists, as those of a description, become tuples; the stride is kernel_size by default."""

    kernel_size: Ints
    stride: Ints | None

    def __post_init__(self) -> None:
        for name in self._options:
            value = getattr(self, name)
            if isinstance(value, list):
                setattr(self, name, tuple(value))
        if "stride" in self._options and self.stride is None:
            self.stride = self.kernel_size


@stores_options
class _MaxPoolNd(_Pool):
    kernel_size: Ints
    stride: Ints | None = None
    padding: Ints = 0
    dilation: Ints = 1
    return_indices: bool = False
    ceil_mode: bool = False

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """Take the maximum of each window of a sequence, shape (N, C, L) or (C, L). As ``torch.nn.MaxPool1d``.

    Args:
        kernel_size: elements of a window.
        stride: distance of windows, default None for kernel_size.
        padding: elements of −∞ at both ends, at most half of the kernel, default 0.
        dilation: distance of the elements of a window, default 1.
        return_indices: whether to return the position of each maximum too, default False.
        ceil_mode: whether a last window may go beyond the end, default False.

    >>> cg.nn.MaxPool1d(2)(cg.tensor([[1.0, 3.0, 2.0, 4.0]]))
    tensor([[3., 4.]])
    """

    def forward(self, input: Tensor) -> Any:
        return pooling.max_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class MaxPool2d(_MaxPoolNd):
    """Take the maximum of each window of an image, shape (N, C, H, W) or (C, H, W). As ``torch.nn.MaxPool2d``.

    Args:
        kernel_size: height and width of a window, an int for both.
        stride: distances of windows, default None for kernel_size.
        padding: rows and columns of −∞ at all sides, at most half of the kernel, default 0.
        dilation: distances of the elements of a window, default 1.
        return_indices: whether to return the position of each maximum too, default False.
        ceil_mode: whether last windows may go beyond the ends, default False.

    >>> cg.nn.MaxPool2d(2)(cg.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """

    def forward(self, input: Tensor) -> Any:
        return pooling.max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


@stores_options
class _MaxUnpoolNd(_Pool):
    kernel_size: Ints
    stride: Ints | None = None
    padding: Ints = 0

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """Put maxima back to where :class:`MaxPool1d` found them, with zeros elsewhere. As ``torch.nn.MaxUnpool1d``.

    Args:
        kernel_size, stride, padding: as there.
    """

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return pooling.max_unpool1d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(_MaxUnpoolNd):
    """Put maxima back to where :class:`MaxPool2d` found them, with zeros elsewhere. As ``torch.nn.MaxUnpool2d``.

    Args:
        kernel_size, stride, padding: as there.
    """

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return pooling.max_unpool2d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class _AvgPoolNd(_Pool):
    padding: Ints


@stores_options
class AvgPool1d(_AvgPoolNd):
    """Take the mean of each window of a sequence, shape (N, C, L) or (C, L). As ``torch.nn.AvgPool1d``.

    Args:
        kernel_size: elements of a window.
        stride: distance of windows, default None for kernel_size.
        padding: zeros at both ends, at most half of the kernel, default 0.
        ceil_mode: whether a last window may go beyond the end, default False.
        count_include_pad: whether the zeros count in the mean, default True.
    """

    kernel_size: Ints
    stride: Ints | None = None
    padding: Ints = 0
    ceil_mode: bool = False
    count_include_pad: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("kernel_size", "stride", "padding"):
            value = getattr(self, name)
            setattr(self, name, (value,) if isinstance(value, int) else value)

    def forward(self, input: Tensor) -> Tensor:
        return pooling.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )


@stores_options
class AvgPool2d(_AvgPoolNd):
    """Take the mean of each window of an image, shape (N, C, H, W) or (C, H, W). As ``torch.nn.AvgPool2d``.

    Args:
        kernel_size: height and width of a window, an int for both.
        stride: distances of windows, default None for kernel_size.
        padding: rows and columns of zeros at all sides, at most half of the kernel, default 0.
        ceil_mode: whether last windows may go beyond the ends, default False.
        count_include_pad: whether the zeros count in the mean, default True.
        divisor_override: what the sum of a window is divided by, default None for its number of elements.
    """

    kernel_size: Ints
    stride: Ints | None = None
    padding: Ints = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None

    def forward(self, input: Tensor) -> Tensor:
        return pooling.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


@stores_options
class _LPPoolNd(_Pool):
    norm_type: float
    kernel_size: Ints
    stride: Ints | None = None
    ceil_mode: bool = False

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """Take (Σ xᵖ)^(1/p) of each window of a sequence. As ``torch.nn.LPPool1d``.

    Args:
        norm_type: p.
        kernel_size, stride, ceil_mode: as in :class:`AvgPool1d`.
    """

    def forward(self, input: Tensor) -> Tensor:
        return pooling.lp_pool1d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool2d(_LPPoolNd):
    """Take (Σ xᵖ)^(1/p) of each window of an image. As ``torch.nn.LPPool2d``.

    Args:
        norm_type: p.
        kernel_size, stride, ceil_mode: as in :class:`AvgPool2d`.
    """

    def forward(self, input: Tensor) -> Tensor:
        return pooling.lp_pool2d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


@stores_options
class _AdaptiveAvgPoolNd(_Pool):
    output_size: Any

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """Take means of a sequence over windows that cover it. As ``torch.nn.AdaptiveAvgPool1d``.

    Args:
        output_size: number of windows.
    """

    def forward(self, input: Tensor) -> Tensor:
        return pooling.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """Take means of an image over windows that cover it. As ``torch.nn.AdaptiveAvgPool2d``.

    Args:
        output_size: height and width of the result, an int for both, None for the input's; 1 is global pooling.

    >>> cg.nn.AdaptiveAvgPool2d(1)(cg.arange(16.0).reshape(1, 4, 4))
    tensor([[[7.5000]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return pooling.adaptive_avg_pool2d(input, self.output_size)


@stores_options
class _AdaptiveMaxPoolNd(_Pool):
    output_size: Any
    return_indices: bool = False

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """Take maxima of a sequence over windows that cover it. As ``torch.nn.AdaptiveMaxPool1d``.

    Args:
        output_size: number of windows.
        return_indices: whether to return the position of each maximum too, default False.
    """

    def forward(self, input: Tensor) -> Any:
        return pooling.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """Take maxima of an image over windows that cover it. As ``torch.nn.AdaptiveMaxPool2d``.

    Args:
        output_size: height and width of the result, an int for both, None for the input's.
        return_indices: whether to return the position of each maximum too, default False.
    """

    def forward(self, input: Tensor) -> Any:
        return pooling.adaptive_max_pool2d(input, self.output_size, self.return_indices)
