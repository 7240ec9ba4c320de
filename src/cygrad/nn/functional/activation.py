"""Activations."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from cygrad.autograd import engine
from cygrad.config import follows_torch
from cygrad.ops import activation, arithmetic, pointwise
from cygrad.ops import softmax as ops
from cygrad.ops.broadcast import option

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.tensor import Tensor

__all__ = [
    "elu",
    "gelu",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "silu",
    "softmax",
    "softplus",
    "softsign",
]


def written(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    """Return the result, written into the input if `inplace`."""
    return engine.rewrite(input, result) if inplace else result


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return max(x, 0) elementwise. As ``torch.nn.functional.relu``.

    Args:
        input: floating-point tensor of any shape.
        inplace: whether to write the result into the input, default False.

    >>> cg.nn.functional.relu(cg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    result = activation.relu(input)
    return engine.rewrite(input, result) if inplace else result


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return x where x > 0, else negative_slope·x. As ``torch.nn.functional.leaky_relu``. A. L. Maas, A. Y. Hannun,
    A. Y. Ng (2013), "Rectifier nonlinearities improve neural network acoustic models".

    Args:
        input: floating-point tensor of any shape.
        negative_slope: slope for x ≤ 0, default 0.01.
        inplace: whether to write the result into the input, default False.
    """
    return written(input, activation.leaky_relu(input, negative_slope), inplace)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x where x > 0, else alpha·(eˣ − 1). As ``torch.nn.functional.elu``. D.-A. Clevert, T. Unterthiner,
    S. Hochreiter (2016), "Fast and accurate deep network learning by exponential linear units".

    Args:
        input: floating-point tensor of any shape.
        alpha: minus the limit for x → −∞, default 1.
        inplace: whether to write the result into the input, default False.
    """
    return written(input, activation.elu(input, alpha), inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return 1.0507·(x where x > 0, else 1.6733·(eˣ − 1)). As ``torch.nn.functional.selu``. G. Klambauer et al. (2017),
    "Self-normalizing neural networks".

    Args:
        input: floating-point tensor of any shape.
        inplace: whether to write the result into the input, default False.
    """
    return written(input, activation.elu(input, 1.6732632423543772, 1.0507009873554805), inplace)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return x·Φ(x), Φ the distribution function of N(0, 1). As ``torch.nn.functional.gelu``. D. Hendrycks, K. Gimpel
    (2016), "Gaussian error linear units".

    Args:
        input: floating-point tensor of any shape.
        approximate: "none" for the exact function (default), "tanh" for ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).

    Raises:
        RuntimeError: approximate is neither of them.
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"gelu: approximate must be none or tanh, got {approximate!r}")
    return activation.gelu_tanh(input) if approximate == "tanh" else activation.gelu_erf(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x·σ(x), also called swish. As ``torch.nn.functional.silu``. S. Elfwing, E. Uchibe, K. Doya (2018).

    Args:
        input: floating-point tensor of any shape.
        inplace: whether to write the result into the input, default False.
    """
    return written(input, activation.silu(input), inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x·tanh(log(1 + eˣ)). As ``torch.nn.functional.mish``. D. Misra (2019), "Mish: a self regularized
    non-monotonic activation function".

    Args:
        input: floating-point tensor of any shape.
        inplace: whether to write the result into the input, default False.
    """
    return written(input, activation.mish(input), inplace)


def logsigmoid(input: Tensor) -> Tensor:
    """Return log σ(x) = −log(1 + e⁻ˣ) elementwise. As ``torch.nn.functional.logsigmoid``."""
    return 0 - activation.softplus(-input, threshold=1e30)


def softsign(input: Tensor) -> Tensor:
    """Return x/(1 + |x|) elementwise. As ``torch.nn.functional.softsign``."""
    return pointwise.softsign(input)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + e^(beta·x))/beta, a smooth ReLU. As ``torch.nn.functional.softplus``.

    Args:
        input: floating-point tensor of any shape.
        beta: sharpness of the bend at 0, default 1.
        threshold: value of beta·x above which the result is x itself, default 20.
    """
    return activation.softplus(input, beta, threshold)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Clamp x to [min_val, max_val], with a gradient of 0 at both ends. As ``torch.nn.functional.hardtanh``.

    Args:
        input: floating-point tensor of any shape.
        min_val: lower bound, default −1.
        max_val: upper bound, default 1.
        inplace: whether to write the result into the input, default False.
    """
    min_val, max_val = (option("hardtanh", n, v) for n, v in (("min_val", min_val), ("max_val", max_val)))
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is above max_val {max_val}")
    return written(input, arithmetic.hardtanh(input, min_val=min_val, max_val=max_val), inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Clamp x to [0, 6], with a gradient of 0 at both ends. As ``torch.nn.functional.relu6``.

    Args:
        input: floating-point tensor of any shape.
        inplace: whether to write the result into the input, default False.
    """
    return hardtanh(input, 0.0, 6.0, inplace)


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike | None = None) -> Tensor:
    """Return eˣ/Σeˣ along dim. As ``torch.nn.functional.softmax``.

    Args:
        input: floating-point tensor of any shape.
        dim: dimension along which the results add up to 1. It must be given.
        dtype: dtype to compute in, default the input's.

    Raises:
        TypeError: dim is None.

    >>> cg.nn.functional.softmax(cg.zeros(1, 4), dim=1)
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """
    return ops.softmax(input, dim=required_dim("softmax", dim, input), dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike | None = None) -> Tensor:
    """Return log softmax(x) = x − log Σeˣ along dim. As ``torch.nn.functional.log_softmax``.

    Args:
        input: floating-point tensor of any shape.
        dim: dimension along which the probabilities add up to 1. It must be given.
        dtype: dtype to compute in, default the input's.

    Raises:
        TypeError: dim is None.
    """
    return ops.log_softmax(input, dim=required_dim("log_softmax", dim, input), dtype=dtype)


def required_dim(name: str, dim: int | None, input: Tensor) -> int:
    """Return dim, which must be given: PyTorch's guess depends on the number of dimensions. Where ``cygrad.torch``
    promises PyTorch's behavior, it is made, with its warning."""
    if dim is None and follows_torch():
        warnings.warn(
            f"Implicit dimension choice for {name} has been deprecated. "
            "Change the call to include dim=X as an argument.",
            stacklevel=3,
        )
        return 0 if input.ndim in (0, 1, 3) else 1
    if dim is None:
        raise TypeError(f"{name}: dim must be given, the dimension along which the probabilities add up to 1")
    return dim
