"""Activations that few networks use, as modules. Each calls the function of ``cygrad.nn.functional``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cygrad.nn import functional as F
from cygrad.nn import init
from cygrad.nn.functional import rectifiers as R
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import empty_parameter
from cygrad.nn.options import Configured, stores_options

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.tensor import Tensor

__all__ = [
    "CELU",
    "GLU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "PReLU",
    "RReLU",
    "Softmax2d",
    "Softmin",
    "Softshrink",
    "Tanhshrink",
    "Threshold",
]


@stores_options
class Hardshrink(Configured):
    """Apply x where |x| > lambd, else 0. As ``torch.nn.Hardshrink``.

    Args:
        lambd: default 0.5.
    """

    lambd: float = 0.5

    def forward(self, input: Tensor) -> Tensor:
        return R.hardshrink(input, self.lambd)


@stores_options
class Softshrink(Configured):
    """Apply x − lambd where x > lambd, x + lambd where x < −lambd, else 0. As ``torch.nn.Softshrink``.

    Args:
        lambd: not negative, default 0.5.
    """

    lambd: float = 0.5

    def forward(self, input: Tensor) -> Tensor:
        return R.softshrink(input, self.lambd)


class Tanhshrink(Configured):
    """Apply x − tanh(x). As ``torch.nn.Tanhshrink``."""

    def forward(self, input: Tensor) -> Tensor:
        return R.tanhshrink(input)


@stores_options
class Hardsigmoid(Configured):
    """Apply x/6 + ½, clamped to [0, 1]. As ``torch.nn.Hardsigmoid``.

    Args:
        inplace: whether to write the result into the input, default False.
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return R.hardsigmoid(input, self.inplace)


@stores_options
class Hardswish(Configured):
    """Apply x·hardsigmoid(x). As ``torch.nn.Hardswish``. A. Howard et al. (2019), "Searching for MobileNetV3".

    Args:
        inplace: whether to write the result into the input, default False.
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return R.hardswish(input, self.inplace)


@stores_options
class CELU(Configured):
    """Apply x where x > 0, else alpha·(e^(x/alpha) − 1). As ``torch.nn.CELU``.

    Args:
        alpha: default 1.
        inplace: whether to write the result into the input, default False.
    """

    alpha: float = 1.0
    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return R.celu(input, self.alpha, self.inplace)


@stores_options
class Threshold(Configured):
    """Apply x where x > threshold, else value. As ``torch.nn.Threshold``.

    Args:
        threshold: the threshold.
        value: the value.
        inplace: whether to write the result into the input, default False.
    """

    threshold: float
    value: float
    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return R.threshold(input, self.threshold, self.value, self.inplace)


@stores_options
class RReLU(Configured):
    """Apply x where x > 0, else a·x, a uniform in [lower, upper] in training mode, else their mean. As
    ``torch.nn.RReLU``.

    Args:
        lower: default 1/8.
        upper: default 1/3.
        inplace: whether to write the result into the input, default False.
    """

    lower: float = 1 / 8
    upper: float = 1 / 3
    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return R.rrelu(input, self.lower, self.upper, self.training, self.inplace)


@stores_options
class GLU(Configured):
    """Apply a·σ(b), a and b the halves of x along dim. As ``torch.nn.GLU``.

    Args:
        dim: default −1.
    """

    dim: int = -1

    def forward(self, input: Tensor) -> Tensor:
        return R.glu(input, self.dim)


@stores_options
class Softmin(Configured):
    """Apply softmax(−x) along dim. As ``torch.nn.Softmin``.

    Args:
        dim: must be given; with the default None a call raises TypeError.
    """

    dim: int | None = None

    def forward(self, input: Tensor) -> Tensor:
        return R.softmin(input, self.dim)


class Softmax2d(Configured):
    """Apply softmax over the channels of images, shape (N, C, H, W) or (C, H, W). As ``torch.nn.Softmax2d``.

    Raises:
        ValueError: the input has another number of dimensions.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: input must have 3 or 4 dimensions, got shape {tuple(input.shape)}")
        return F.softmax(input, -3)


class PReLU(Module):
    """Apply x where x > 0, else weight·x. As ``torch.nn.PReLU``. K. He et al. (2015), "Delving deep into rectifiers".

    Args:
        num_parameters: number of slopes, 1 (default) or the number of channels.
        init: first value of the slopes, default 0.25.
        device: only "cpu" (or None) exists.
        dtype: dtype of the slopes, float32 (default) or float64.
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: DTypeLike | None = None
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = empty_parameter("PReLU", (num_parameters,), device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set all slopes to the first value."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return R.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
