"""Activations. ``inplace=True`` writes the result into the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cygrad.autograd import engine
from cygrad.ops import activation, arithmetic, pointwise
from cygrad.ops import softmax as ops

if TYPE_CHECKING:
    from cygrad.tensor import Tensor


def finished(input: Tensor, result: Any, inplace: bool) -> Any:
    return engine.rewrite(input, result) if inplace else result


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), elementwise.

    >>> cg.nn.functional.relu(cg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return finished(input, activation.relu(input), inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope·x. A. L. Maas, A. Y. Hannun, A. Y. Ng (2013)."""
    return finished(input, activation.leaky_relu(input, negative_slope), inplace)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha·(eˣ − 1). D.-A. Clevert, T. Unterthiner, S. Hochreiter (2016)."""
    return finished(input, activation.elu(input, alpha), inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507·(x where x > 0, else 1.6733·(eˣ − 1)). G. Klambauer et al. (2017), "Self-normalizing neural networks"."""
    return finished(input, activation.elu(input, 1.6732632423543772, 1.0507009873554805), inplace)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x·Φ(x), or with ``approximate="tanh"`` ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))). D. Hendrycks, K. Gimpel
    (2016)."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"gelu: approximate must be none or tanh, got {approximate!r}")
    return activation.gelu_tanh(input) if approximate == "tanh" else activation.gelu_erf(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x·σ(x), also called swish. S. Elfwing, E. Uchibe, K. Doya (2018)."""
    return finished(input, activation.silu(input), inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x·tanh(log(1 + eˣ)). D. Misra (2019), "Mish: a self regularized non-monotonic activation function"."""
    return finished(input, input * activation.tanh(activation.softplus(input)), inplace)


def sigmoid(input: Tensor) -> Tensor:
    """σ(x) = 1/(1 + e⁻ˣ)"""
    return activation.sigmoid(input)


def logsigmoid(input: Tensor) -> Tensor:
    """log σ(x) = −log(1 + e⁻ˣ)"""
    return -activation.softplus(-input, threshold=1e30)


def tanh(input: Tensor) -> Tensor:
    """tanh x"""
    return activation.tanh(input)


def softsign(input: Tensor) -> Tensor:
    """x/(1 + |x|)"""
    return input / (1 + pointwise.abs(input))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta·x))/beta, and x itself where beta·x > threshold."""
    return activation.softplus(input, beta, threshold)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x, but at least min_val and at most max_val."""
    return finished(input, arithmetic.clamp(input, min_val, max_val), inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """x, but at least 0 and at most 6."""
    return hardtanh(input, 0.0, 6.0, inplace)


def softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """eˣ/Σeˣ along dim.

    >>> cg.nn.functional.softmax(cg.zeros(1, 4), dim=1)
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """
    return ops.softmax(input, dim=implied_axis("softmax", input, dim), dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """x − log Σeˣ along dim."""
    return ops.log_softmax(input, dim=implied_axis("log_softmax", input, dim), dtype=dtype)


def implied_axis(name: str, input: Tensor, dim: int | None) -> int:
    """dim, which must be given: what PyTorch would guess depends on the number of axes."""
    if dim is None:
        raise TypeError(f"{name}: dim must be given, the axis along which the results add up to 1")
    return dim
