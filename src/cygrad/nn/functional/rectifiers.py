"""Activations that few networks use, and the in-place forms of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import functions as f
from cygrad._typing import Array
from cygrad.autograd import engine, recording
from cygrad.generator import uniform_array
from cygrad.nn.functional import activation
from cygrad.nn.functional.activation import written
from cygrad.nn.functional.checks import check_tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.tensor import Tensor

__all__ = [
    "celu",
    "celu_",
    "elu_",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh_",
    "leaky_relu_",
    "prelu",
    "relu_",
    "rrelu",
    "rrelu_",
    "selu_",
    "softmin",
    "softshrink",
    "tanhshrink",
    "threshold",
    "threshold_",
]


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x where |x| > lambd, else 0. As ``torch.nn.functional.hardshrink``."""
    check_tensor("hardshrink", "input", input)
    return f.where((input >= -lambd) & (input <= lambd), 0.0, input)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x − lambd where x > lambd, x + lambd where x < −lambd, else 0. As ``torch.nn.functional.softshrink``.

    Raises:
        RuntimeError: lambd is negative.
    """
    check_tensor("softshrink", "input", input)
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambd must not be negative, got {lambd}")
    return input - f.clamp(input, -lambd, lambd)


def tanhshrink(input: Tensor) -> Tensor:
    """Return x − tanh(x). As ``torch.nn.functional.tanhshrink``."""
    check_tensor("tanhshrink", "input", input)
    return input - f.tanh(input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x/6 + ½, clamped to [0, 1]. As ``torch.nn.functional.hardsigmoid``."""
    check_tensor("hardsigmoid", "input", input)
    return written(input, activation.relu6(input + 3) / 6, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x·hardsigmoid(x). As ``torch.nn.functional.hardswish``. A. Howard et al. (2019), "Searching for
    MobileNetV3"."""
    check_tensor("hardswish", "input", input)
    return written(input, input * activation.relu6(input + 3) / 6, inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x where x > 0, else alpha·(e^(x/alpha) − 1). As ``torch.nn.functional.celu``. J. T. Barron (2017),
    "Continuously differentiable exponential linear units".

    Raises:
        RuntimeError: alpha is 0.
    """
    if alpha == 0:
        raise RuntimeError("celu: alpha must not be 0")
    return written(input, alpha * activation.elu(input / alpha), inplace)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Return x where x > threshold, else value. As ``torch.nn.functional.threshold``."""
    check_tensor("threshold", "input", input)
    return written(input, f.where(input <= threshold, value, input), inplace)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Return a·σ(b), a and b the halves of x along dim. As ``torch.nn.functional.glu``. Y. N. Dauphin et al. (2017),
    "Language modeling with gated convolutional networks".

    Raises:
        RuntimeError: the dimension has an odd size.
    """
    check_tensor("glu", "input", input)
    if input.ndim == 0 or input.shape[dim] % 2:
        raise RuntimeError(f"glu: dimension {dim} of shape {tuple(input.shape)} must have an even size")
    a, b = f.chunk(input, 2, dim)
    return a * f.sigmoid(b)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike | None = None) -> Tensor:
    """Return softmax(−x). As ``torch.nn.functional.softmin``."""
    return activation.softmax(-input, dim, dtype=dtype)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Return x where x > 0, else weight·x. As ``torch.nn.functional.prelu``. K. He et al. (2015), "Delving deep into
    rectifiers".

    Args:
        input: tensor of any shape.
        weight: one slope, or one for each index of the second dimension.

    Raises:
        RuntimeError: the weight has another size.
    """
    check_tensor("prelu", "input", input)
    check_tensor("prelu", "weight", weight)
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        raise RuntimeError(f"prelu: weight has shape {tuple(weight.shape)}, wanted 1 or {channels} elements")
    slope = weight.reshape(1, -1, *[1] * (input.ndim - 2)) if weight.numel() > 1 else weight.reshape(())
    return f.where(input > 0, input, slope * input)


def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Return x where x > 0, else a·x, a uniform in [lower, upper] in training, else their mean. As
    ``torch.nn.functional.rrelu``. B. Xu et al. (2015), "Empirical evaluation of rectified activations in convolutional
    network"."""
    if lower > upper:
        raise RuntimeError(f"rrelu: lower must not be above upper, got {lower} and {upper}")
    if not training:
        return activation.leaky_relu(input, (lower + upper) / 2, inplace)
    slope = lower + (upper - lower) * random(input)
    return written(input, f.where(input > 0, input, slope * input), inplace)


def random(input: Tensor) -> Tensor:
    """Values uniform in [0, 1), of the input's shape and dtype; a recorded step draws them anew."""
    return engine.wrap(recording.produced(uniform_array, input.array.shape, input.array.dtype, None))


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Return softmax((x + g)/tau) with g of Gumbel's distribution: a differentiable sample of categories. As
    ``torch.nn.functional.gumbel_softmax``. E. Jang, S. Gu, B. Poole (2017), "Categorical reparameterization with
    Gumbel-softmax".

    Args:
        logits: x, floating-point tensor.
        tau: temperature, default 1.
        hard: whether the result is one-hot, with the gradient of the soft one, default False.
        eps: not used.
        dim: dimension of the categories, default −1.
    """
    check_tensor("gumbel_softmax", "logits", logits)
    noise = engine.wrap(recording.produced(gumbel, logits.array.shape, logits.array.dtype))
    soft = activation.softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    one_hot = engine.wrap(recording.produced(largest, soft.array, dim))
    return one_hot - soft.detach() + soft


def gumbel(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Draw −log(−log u), u uniform in (0, 1]."""
    u = 1 - uniform_array(shape, dtype, None)
    return np.asarray(-np.log(np.maximum(-np.log(u), np.finfo(dtype).tiny)), dtype)


def largest(x: Array, dim: int) -> Array:
    """One-hot: 1 at the largest element along dim."""
    result = np.zeros_like(x)
    np.put_along_axis(result, np.expand_dims(x.argmax(dim), dim), 1, dim)
    return result


def in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with ``inplace=True``."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs, inplace=True)

    call.__name__ = f"{function.__name__}_"
    call.__doc__ = f"``{function.__name__}`` with ``inplace=True``."
    return call


celu_ = in_place(celu)
elu_ = in_place(activation.elu)
hardtanh_ = in_place(activation.hardtanh)
leaky_relu_ = in_place(activation.leaky_relu)
relu_ = in_place(activation.relu)
rrelu_ = in_place(rrelu)
selu_ = in_place(activation.selu)
threshold_ = in_place(threshold)
