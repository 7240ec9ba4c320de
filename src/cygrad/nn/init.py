"""Initialization of weights. Every function fills a tensor in place and returns it, outside the graph.

A weight has PyTorch's layout (out, in, *kernel). Its fan in is the number of inputs of a unit, in·∏kernel; its fan out
is the number of units that an input feeds, out·∏kernel.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from cygrad._arguments import checked
from cygrad._typing import Array
from cygrad.autograd import no_grad
from cygrad.generator import Generator, normal_array, uniform_array
from cygrad.ops.index import set_values
from cygrad.tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor of the weights' standard deviation that keeps the variance through a nonlinearity: 1 for
    linear, convolutions and sigmoid, 5/3 for tanh, √2 for relu, √(2/(1 + slope²)) for leaky_relu, 3/4 for selu. As
    ``torch.nn.init.calculate_gain``.

    Args:
        nonlinearity: "linear", "conv1d", "conv2d", "conv3d", "sigmoid", "tanh", "relu", "leaky_relu" or "selu".
        param: slope of leaky_relu for x < 0, default None for 0.01.

    Raises:
        ValueError: the nonlinearity is unknown or the slope is not a number.

    >>> cg.nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"calculate_gain: the slope of leaky_relu must be a number, got {param!r}")
        return math.sqrt(2 / (1 + slope**2))
    gain = GAINS.get(nonlinearity)
    if gain is None:
        raise ValueError(
            f"calculate_gain: nonlinearity must be one of leaky_relu, {', '.join(GAINS)}, got {nonlinearity!r}"
        )
    return gain


GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


@checked
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a tensor with values uniform in [a, b). As ``torch.nn.init.uniform_``.

    Args:
        tensor: tensor of any shape, filled in place.
        a: lower bound, default 0.
        b: upper bound, default 1.
        generator: source of randomness, default the global generator.

    Raises:
        RuntimeError: a is above b.
    """
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


@checked
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a tensor with values of N(mean, std²). As ``torch.nn.init.normal_``.

    Args:
        tensor: tensor of any shape, filled in place.
        mean: mean, default 0.
        std: standard deviation, default 1.
        generator: source of randomness, default the global generator.

    Raises:
        RuntimeError: std is negative.
    """
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


@checked
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill a tensor with values of N(mean, std²) truncated to [a, b], by rejection. As
    ``torch.nn.init.trunc_normal_``.

    If [a, b] contains little of the distribution, proposals have density ∝ e^(−αx) on [α, β], the bounds in standard
    units with α nearer to zero, and x is accepted with probability e^(−(x−α)²/2). C. Robert (1995), "Simulation of
    truncated normal variables".

    Args:
        tensor: tensor of any shape, filled in place.
        mean: mean before truncation, default 0.
        std: standard deviation before truncation, default 1.
        a: lower bound, default −2.
        b: upper bound, default 2.
        generator: source of randomness, default the global generator.

    Raises:
        ValueError: std is not positive, mean or std is not finite, or a is not below b.
    """
    if not std > 0:
        raise ValueError(f"trunc_normal_: std must be positive, got {std}")
    if not math.isfinite(mean) or not math.isfinite(std):
        raise ValueError(f"trunc_normal_: mean and std must be finite, got mean={mean} and std={std}")
    if not a < b:
        raise ValueError(f"trunc_normal_: a must be below b, got a={a} and b={b}")
    alpha, beta = (a - mean) / std, (b - mean) / std
    side = -1 if beta <= 0 else 1
    if side < 0:
        alpha, beta = -beta, -alpha
    if alpha > 1e8:  # the density falls by e within 1/α: all values round to the nearer bound
        return set_values("trunc_normal_", tensor, np.full(tensor.array.shape, a if side > 0 else b))
    mass = (math.erf(beta / math.sqrt(2)) - math.erf(alpha / math.sqrt(2))) / 2
    drawn = np.empty(tensor.array.size)
    missing = np.arange(drawn.size)
    while missing.size:
        if mass > 0.05:
            values = normal_array(missing.shape, np.float64, generator)
            accepted = (values >= alpha) & (values <= beta)
        else:
            values = exponential(alpha, beta, missing.size, generator)
            tail = values - max(alpha, 0.0)
            accepted = uniform_array(missing.shape, np.float64, generator) <= np.exp(-(tail**2) / 2)
        drawn[missing[accepted]] = values[accepted]
        missing = missing[~accepted]
    values = np.clip(mean + std * side * drawn, a, b)
    return set_values("trunc_normal_", tensor, values.reshape(tensor.array.shape))


def exponential(alpha: float, beta: float, count: int, generator: Generator | None) -> Array:
    """Draw values in [α, β] with density ∝ e^(−αx), or uniform if α ≤ 0."""
    u = uniform_array((count,), np.float64, generator)
    if alpha <= 0 or alpha * (beta - alpha) < 1e-9:
        return alpha + (beta - alpha) * u
    return alpha - np.log1p(u * np.expm1(-alpha * (beta - alpha))) / alpha


@checked
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill a tensor with one value. As ``torch.nn.init.constant_``.

    Args:
        tensor: tensor of any shape, filled in place.
        val: the value.
    """
    return set_values("constant_", tensor, np.full_like(tensor.array, val))


@checked
def ones_(tensor: Tensor) -> Tensor:
    """Fill a tensor with ones. As ``torch.nn.init.ones_``."""
    return set_values("ones_", tensor, np.ones_like(tensor.array))


@checked
def zeros_(tensor: Tensor) -> Tensor:
    """Fill a tensor with zeros. As ``torch.nn.init.zeros_``."""
    return set_values("zeros_", tensor, np.zeros_like(tensor.array))


@checked
def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity, so that a linear layer passes on as many inputs as fit. As
    ``torch.nn.init.eye_``.

    Args:
        tensor: tensor of 2 dimensions, filled in place.
    """
    shape = tensor.array.shape
    if len(shape) != 2:
        raise ValueError(f"eye_: the tensor must have 2 dimensions, got shape {shape}")
    return set_values("eye_", tensor, np.eye(*shape, dtype=tensor.array.dtype))


@checked
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight so that it passes on its channels: 1 in the middle of the kernel from input channel i
    to output channel i of each group, 0 elsewhere. As ``torch.nn.init.dirac_``.

    Args:
        tensor: tensor of 3, 4 or 5 dimensions, filled in place.
        groups: number of groups of the convolution, default 1.
    """
    shape = tensor.array.shape
    if len(shape) not in (3, 4, 5):
        raise ValueError(f"dirac_: the tensor must have 3, 4 or 5 dimensions, got shape {shape}")
    if groups < 1 or shape[0] % groups:
        raise ValueError(f"dirac_: the {shape[0]} output channels can't be split into {groups} groups")
    values = np.zeros_like(tensor.array)
    size = shape[0] // groups
    middle = tuple(n // 2 for n in shape[2:])
    for group in range(groups):
        for channel in range(min(size, shape[1])):
            values[(group * size + channel, channel, *middle)] = 1
    return set_values("dirac_", tensor, values)


def checked_spread(op: str, spread: float) -> float:
    """A bound or a standard deviation, which must be finite and not negative."""
    if not 0 <= spread < math.inf:
        raise ValueError(f"{op}: the gain must be finite and not negative, it gives values of ±{spread}")
    return spread


@checked
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a tensor with values uniform in ±gain·√6/√(fan_in + fan_out), of variance gain²·2/(fan_in + fan_out). As
    ``torch.nn.init.xavier_uniform_``.

    This keeps the variance about equal forward and backward. X. Glorot, Y. Bengio (2010), "Understanding the difficulty
    of training deep feedforward neural networks", equation 16.

    Args:
        tensor: tensor of at least 2 dimensions, filled in place.
        gain: see :func:`calculate_gain`, default 1.
        generator: source of randomness, default the global generator.

    >>> w = cg.nn.init.xavier_uniform_(cg.zeros(100, 50))
    >>> bool(abs(w.numpy()).max() <= (6 / 150) ** 0.5)
    True
    """
    bound = checked_spread("xavier_uniform_", gain * math.sqrt(6 / positive_sum("xavier_uniform_", tensor)))
    return set_values("xavier_uniform_", tensor, bound * (2 * uniform_like(tensor, generator) - 1))


@checked
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a tensor with values of N(0, gain²·2/(fan_in + fan_out)). As ``torch.nn.init.xavier_normal_``. X. Glorot,
    Y. Bengio (2010), "Understanding the difficulty of training deep feedforward neural networks", equation 12.

    Args:
        tensor: tensor of at least 2 dimensions, filled in place.
        gain: see :func:`calculate_gain`, default 1.
        generator: source of randomness, default the global generator.
    """
    std = checked_spread("xavier_normal_", gain * math.sqrt(2 / positive_sum("xavier_normal_", tensor)))
    return set_values("xavier_normal_", tensor, std * normal_like(tensor, generator))


@checked
def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill a tensor with values uniform in ±gain·√(3/fan), of variance gain²/fan; for ReLU gain² = 2. As
    ``torch.nn.init.kaiming_uniform_``. K. He, X. Zhang, S. Ren, J. Sun (2015), "Delving deep into rectifiers",
    equations 10 and 14.

    Args:
        tensor: tensor of at least 2 dimensions, filled in place.
        a: slope of leaky_relu for x < 0, default 0.
        mode: "fan_in" (default) keeps the variance of the activations, "fan_out" that of the gradients.
        nonlinearity: what follows the layer, see :func:`calculate_gain`; default "leaky_relu".
        generator: source of randomness, default the global generator.
    """
    bound = math.sqrt(3) * he_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return set_values("kaiming_uniform_", tensor, bound * (2 * uniform_like(tensor, generator) - 1))


@checked
def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill a tensor with values of N(0, gain²/fan); for ReLU N(0, 2/fan). As ``torch.nn.init.kaiming_normal_``. K. He,
    X. Zhang, S. Ren, J. Sun (2015), "Delving deep into rectifiers", equations 10 and 14.

    Args:
        tensor: tensor of at least 2 dimensions, filled in place.
        a: slope of leaky_relu for x < 0, default 0.
        mode: "fan_in" (default) keeps the variance of the activations, "fan_out" that of the gradients.
        nonlinearity: what follows the layer, see :func:`calculate_gain`; default "leaky_relu".
        generator: source of randomness, default the global generator.

    >>> w = cg.nn.init.kaiming_normal_(cg.zeros(500, 200), nonlinearity="relu")
    >>> bool(abs(w.numpy().var() - 2 / 200) < 1e-3)
    True
    """
    std = he_std("kaiming_normal_", tensor, a, mode, nonlinearity)
    return set_values("kaiming_normal_", tensor, std * normal_like(tensor, generator))


@checked
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill a tensor with a random matrix whose rows or columns, whichever are fewer, are orthogonal with norm gain. As
    ``torch.nn.init.orthogonal_``.

    The matrix is Q of the QR decomposition of a normal matrix, with signs that make it uniformly distributed. A. Saxe,
    J. McClelland, S. Ganguli (2013), "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks"; F. Mezzadri (2007), "How to generate random matrices from the classical compact groups", for the signs.

    Args:
        tensor: tensor of at least 2 dimensions, those after the first joined into one; filled in place.
        gain: norm of the rows or columns, default 1.
        generator: source of randomness, default the global generator.
    """
    shape = tensor.array.shape
    if len(shape) < 2:
        raise ValueError(f"orthogonal_: the tensor must have at least 2 dimensions, got shape {shape}")
    if tensor.array.size == 0:
        return tensor
    matrix = normal_like(tensor, generator).reshape(shape[0], -1).astype(np.float64)
    wide = matrix.shape[0] < matrix.shape[1]
    q, r = np.linalg.qr(matrix.T if wide else matrix)
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)
    return set_values("orthogonal_", tensor, gain * (q.T if wide else q).reshape(shape))


@checked
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill a matrix with values of N(0, std²), of which ⌈sparsity·rows⌉ in every column are zero. As
    ``torch.nn.init.sparse_``. J. Martens (2010), "Deep learning via Hessian-free optimization".

    Args:
        tensor: tensor of 2 dimensions, filled in place.
        sparsity: fraction of zeros in a column, in [0, 1].
        std: standard deviation of the other values, default 0.01.
        generator: source of randomness, default the global generator.
    """
    shape = tensor.array.shape
    if len(shape) != 2:
        raise ValueError(f"sparse_: the tensor must have 2 dimensions, got shape {shape}")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: sparsity must lie in [0, 1], got {sparsity}")
    if not 0 <= std < math.inf:
        raise ValueError(f"sparse_: std must be finite and not negative, got {std}")
    values = std * normal_like(tensor, generator)
    order = np.argsort(uniform_like(tensor, generator), axis=0)
    values[order < math.ceil(sparsity * shape[0])] = 0
    return set_values("sparse_", tensor, values)


def fans(op: str, tensor: Tensor) -> tuple[int, int]:
    """Return a weight's fan in and fan out."""
    shape = tensor.array.shape
    if len(shape) < 2:
        raise ValueError(f"{op}: fan in and fan out need a tensor of at least 2 dimensions, got shape {shape}")
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def positive_sum(op: str, tensor: Tensor) -> int:
    """fan_in + fan_out, or 1 for a tensor without elements."""
    return sum(fans(op, tensor)) or 1


def he_std(op: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """gain/√fan"""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{op}: mode must be fan_in or fan_out, got {mode!r}")
    fan_in, fan_out = fans(op, tensor)
    fan = fan_in if mode == "fan_in" else fan_out
    return checked_spread(op, calculate_gain(nonlinearity, a) / math.sqrt(fan or 1))


def uniform_like(tensor: Tensor, generator: Generator | None) -> Array:
    """Draw values uniform in [0, 1), of the tensor's shape and dtype."""
    return uniform_array(tensor.array.shape, tensor.array.dtype, generator)


def normal_like(tensor: Tensor, generator: Generator | None) -> Array:
    """Draw values of N(0, 1), of the tensor's shape and dtype."""
    return normal_array(tensor.array.shape, tensor.array.dtype, generator)


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    return fans("_calculate_fan_in_and_fan_out", tensor)


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"_calculate_correct_fan: mode must be fan_in or fan_out, got {mode!r}")
    return fans("_calculate_correct_fan", tensor)[mode.lower() == "fan_out"]


def _no_grad_fill_(tensor: Tensor, val: float) -> Tensor:
    return constant_(tensor, val)


def __getattr__(name: str) -> Any:
    """Find the old name of a function, without the underscore, which warns as PyTorch's does."""
    function = globals().get(f"{name}_")
    if name.startswith("_") or function is None:
        raise AttributeError(f"module 'cygrad.nn.init' has no attribute {name!r}")

    def deprecated(*args: Any, **kwargs: Any) -> Any:
        text = f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`."
        warnings.warn(text, FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    return deprecated
