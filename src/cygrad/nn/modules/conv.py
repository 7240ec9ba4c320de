"""Convolutions and transposed convolutions, as modules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from cygrad.nn import init
from cygrad.nn.functional import conv as F
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import bound_of, checked_size, empty_parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.tensor import Tensor

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"]

Steps = int | Sequence[int]
MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions have: the parameters, and options with a number for each dimension."""

    padding: tuple[int, ...] | str
    _dims: ClassVar[int] = 0  # of the kernel; 0 for as many as kernel_size has numbers

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Steps,
        stride: Steps,
        padding: str | Steps,
        dilation: Steps,
        transposed: bool,
        output_padding: Steps,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.transposed = transposed
        if not self._dims:
            self._dims = len(kernel_size) if isinstance(kernel_size, (tuple, list)) else 1  # type: ignore[misc]
        self.in_channels = checked_size(name, "in_channels", in_channels)
        self.out_channels = checked_size(name, "out_channels", out_channels)
        self.groups = checked_size(name, "groups", groups, 1)
        for which, channels in ("in_channels", in_channels), ("out_channels", out_channels):
            if channels % groups:
                raise ValueError(f"{name}: {which} must be divisible by groups, got {channels} and {groups}")
        if padding_mode not in MODES or (self.transposed and padding_mode != "zeros"):
            wanted = "zeros" if self.transposed else ", ".join(MODES)
            raise ValueError(f"{name}: padding_mode must be one of {wanted}, got {padding_mode!r}")
        self.kernel_size = self._steps("kernel_size", kernel_size, 1)
        self.stride = self._steps("stride", stride, 1)
        self.dilation = self._steps("dilation", dilation, 1)
        self.output_padding = self._steps("output_padding", output_padding, 0)
        self.padding_mode = padding_mode
        if not isinstance(padding, str):
            self.padding = self._steps("padding", padding, 0)
        elif self.transposed or padding not in ("valid", "same"):
            wanted = "integers" if self.transposed else '"valid", "same" or integers'
            raise ValueError(f"{name}: padding must be {wanted}, got {padding!r}")
        elif padding == "same" and max(self.stride) > 1:
            raise ValueError(f'{name}: padding="same" needs a stride of 1, got {self.stride}')
        else:
            self.padding = padding
        self.weight = empty_parameter(name, self._weight_shape(), device, dtype)
        self.bias = empty_parameter(name, (self.out_channels,), device, dtype) if bias else None
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        return (first, second // self.groups, *self.kernel_size)

    def _steps(self, option: str, value: Any, least: int) -> tuple[int, ...]:
        """An option as one integer for each dimension."""
        name = type(self).__name__
        numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,) * self._dims
        if len(numbers) != self._dims:
            raise ValueError(f"{name}: {option} must be one integer, or {self._dims}, got {value!r}")
        return tuple([checked_size(name, option, number, least) for number in numbers])

    def reset_parameters(self) -> None:
        """Initialize weight and bias again."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = bound_of(math.prod(self.weight.shape[1:]))
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for option, usual in ("padding", 0), ("dilation", 1), ("output_padding", 0):
            value = getattr(self, option)
            if value != (usual,) * self._dims:
                text += f", {option}={value}"
        text += f", groups={self.groups}" if self.groups != 1 else ""
        text += ", bias=False" if self.bias is None else ""
        return text + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")


class _Conv(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Steps,
        stride: Steps = 1,
        padding: str | Steps = 0,
        dilation: Steps = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        sizes = (in_channels, out_channels, kernel_size, stride, padding, dilation)
        super().__init__(*sizes, False, 0, groups, bias, padding_mode, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The convolution with a weight and a bias of the caller's."""
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            from cygrad.nn.functional.resizing import pad

            input, padding = pad(input, self._reversed_padding_repeated_twice, self.padding_mode), 0
        convolve = F.conv1d if self._dims == 1 else F.conv2d
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    @property
    def _reversed_padding_repeated_twice(self) -> tuple[int, ...]:
        """The padding in the form that ``pad`` takes."""
        sizes: list[int] = []
        for i in reversed(range(self._dims)):  # the last dimension first
            reach = self.dilation[i] * (self.kernel_size[i] - 1) if self.padding == "same" else 0
            before, after = reach // 2, reach - reach // 2
            if not isinstance(self.padding, str):
                before = after = self.padding[i]
            sizes += [before, after]
        return tuple(sizes)


class Conv1d(_Conv):
    """Convolve sequences, x of shape (N, in_channels, L) or (in_channels, L): y[n, f, q] = b[f] + Σ over c, k of
    W[f, c, k]·x[n, c, q·stride + k·dilation − padding]. As ``torch.nn.Conv1d``.

    The parameters ``weight`` W (out_channels, in_channels/groups, kernel_size) and ``bias`` b (out_channels,) start
    uniform in ±1/√(in_channels/groups·kernel_size).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: elements of the kernel.
        stride: elements from one position of the kernel to the next, default 1.
        padding: elements on both sides, default 0; "valid" for none, "same" for an output as long as the input.
        dilation: elements from one element of the kernel to the next, default 1.
        groups: groups of channels that are convolved on their own, default 1.
        bias: whether there is a b, default True.
        padding_mode: what is padded: "zeros" (default), or the input's own elements, "reflect", "replicate" or
            "circular".
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    Raises:
        ValueError: an option is out of its range.

    >>> cg.nn.Conv1d(3, 8, 5, padding="same")(cg.zeros(2, 3, 100)).shape
    (2, 8, 100)
    """

    _dims = 1


class Conv2d(_Conv):
    """Convolve images, x of shape (N, in_channels, H, W) or (in_channels, H, W), as :class:`Conv1d` does sequences. As
    ``torch.nn.Conv2d``. Y. LeCun et al. (1998), "Gradient-based learning applied to document recognition".

    The parameters ``weight`` W (out_channels, in_channels/groups, kernel height, kernel width) and ``bias`` b
    (out_channels,) start uniform in ±1/√(number of inputs of a unit).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: height and width of the kernel, one number or two, as all below.
        stride: pixels from one position of the kernel to the next, default 1.
        padding: pixels on both sides of each dimension, default 0; "valid" for none, "same" for an output as large as
            the input.
        dilation: pixels from one element of the kernel to the next, default 1.
        groups: groups of channels that are convolved on their own, default 1; in_channels for a depthwise convolution.
        bias: whether there is a b, default True.
        padding_mode: what is padded: "zeros" (default), or the input's own pixels, "reflect", "replicate" or
            "circular".
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    Raises:
        ValueError: an option is out of its range.

    >>> cg.nn.Conv2d(3, 8, 3, stride=2, padding=1)(cg.zeros(2, 3, 32, 32)).shape
    (2, 8, 16, 16)
    """

    _dims = 2


class _ConvTransposeNd(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Steps,
        stride: Steps = 1,
        padding: Steps = 0,
        output_padding: Steps = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Steps = 1,
        padding_mode: str = "zeros",
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        sizes = (in_channels, out_channels, kernel_size, stride, padding, dilation)
        super().__init__(*sizes, True, output_padding, groups, bias, padding_mode, device, dtype)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        padding: Any = self.padding
        extras = self.output_padding if output_size is None else self._extras(input, output_size)
        transpose = F.conv_transpose1d if self._dims == 1 else F.conv_transpose2d
        return transpose(input, self.weight, self.bias, self.stride, padding, extras, self.groups, self.dilation)

    def _extras(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """The output padding for an output of the given size, of its last dimensions or of all."""
        name, dims, wanted = type(self).__name__, self._dims, tuple(output_size)
        if len(wanted) not in (dims, input.ndim):
            raise ValueError(f"{name}: output_size must have {dims} or {input.ndim} numbers, got {wanted}")
        wanted, extras = wanted[-dims:], []
        for i, size in enumerate(input.shape[-dims:]):
            reach, padding = self.dilation[i] * (self.kernel_size[i] - 1), self.padding[i]
            least = (size - 1) * self.stride[i] - 2 * int(padding) + reach + 1
            extras.append(wanted[i] - least)
            if not 0 <= extras[-1] < self.stride[i]:
                raise ValueError(
                    f"{name}: dimension {i} of output_size must lie in {least} to {least + self.stride[i] - 1}, got "
                    f"{wanted}"
                )
        return tuple(extras)


class ConvTranspose1d(_ConvTransposeNd):
    """Transpose a convolution of sequences, for x of shape (N, in_channels, L) or (in_channels, L):
    y[n, c, q·stride + k·dilation − padding] = b[c] + Σ over f, k of W[f, c, k]·x[n, f, q]. As
    ``torch.nn.ConvTranspose1d``.

    The parameters are ``weight`` W (in_channels, out_channels/groups, kernel_size) and ``bias`` b (out_channels,).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: elements of the kernel.
        stride: of the convolution, default 1.
        padding: of the convolution, default 0: so much is missing on both sides.
        output_padding: elements that are added at the end, default 0; less than stride or dilation.
        groups: groups of channels, default 1.
        bias: whether there is a b, default True.
        dilation: of the convolution, default 1.
        padding_mode: only "zeros".
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    A call takes an ``output_size`` too, from which the output padding follows.

    Raises:
        ValueError: an option is out of its range.

    >>> cg.nn.ConvTranspose1d(3, 8, 4, stride=2, padding=1)(cg.zeros(2, 3, 10)).shape
    (2, 8, 20)
    """

    _dims = 1


class ConvTranspose2d(_ConvTransposeNd):
    """Transpose a convolution of images, x of shape (N, in_channels, H, W) or (in_channels, H, W), as
    :class:`ConvTranspose1d` does one of sequences. As ``torch.nn.ConvTranspose2d``.

    The parameters are ``weight`` W (in_channels, out_channels/groups, kernel height, kernel width) and ``bias`` b
    (out_channels,).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: height and width of the kernel, one number or two, as all below.
        stride: of the convolution, default 1.
        padding: of the convolution, default 0: so much is missing on both sides of each dimension.
        output_padding: pixels that are added at the end of each dimension, default 0; less than stride or dilation.
        groups: groups of channels, default 1.
        bias: whether there is a b, default True.
        dilation: of the convolution, default 1.
        padding_mode: only "zeros".
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    A call takes an ``output_size`` too, from which the output padding follows.

    Raises:
        ValueError: an option is out of its range.

    >>> cg.nn.ConvTranspose2d(3, 8, 2, stride=2)(cg.zeros(2, 3, 5, 5)).shape
    (2, 8, 10, 10)
    """

    _dims = 2
