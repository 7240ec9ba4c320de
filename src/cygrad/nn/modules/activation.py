"""Activations as modules. Each calls the function of the same name in ``cygrad.nn.functional``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad.nn import functional as F
from cygrad.nn.options import Configured, stores_options

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
]


@stores_options
class ReLU(Configured):
    """Apply max(x, 0) elementwise. As ``torch.nn.ReLU``.

    Args:
        inplace: whether to write the result into the input, default False.

    >>> cg.nn.ReLU()(cg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, self.inplace)


@stores_options
class LeakyReLU(Configured):
    """Apply x where x > 0, else negative_slope·x. As ``torch.nn.LeakyReLU``. A. L. Maas, A. Y. Hannun, A. Y. Ng (2013),
    "Rectifier nonlinearities improve neural network acoustic models".

    Args:
        negative_slope: slope for x ≤ 0, default 0.01.
        inplace: whether to write the result into the input, default False.
    """

    negative_slope: float = 0.01
    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)


@stores_options
class ELU(Configured):
    """Apply x where x > 0, else alpha·(eˣ − 1). As ``torch.nn.ELU``. D.-A. Clevert, T. Unterthiner, S. Hochreiter
    (2016), "Fast and accurate deep network learning by exponential linear units".

    Args:
        alpha: minus the limit for x → −∞, default 1.
        inplace: whether to write the result into the input, default False.
    """

    alpha: float = 1.0
    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)


@stores_options
class SELU(Configured):
    """Apply 1.0507·(x where x > 0, else 1.6733·(eˣ − 1)). As ``torch.nn.SELU``. G. Klambauer et al. (2017),
    "Self-normalizing neural networks".

    Args:
        inplace: whether to write the result into the input, default False.
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


@stores_options
class GELU(Configured):
    """Apply x·Φ(x), Φ the distribution function of N(0, 1). As ``torch.nn.GELU``. D. Hendrycks, K. Gimpel (2016),
    "Gaussian error linear units".

    Args:
        approximate: "none" for the exact function (default), "tanh" for its approximation
            ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
    """

    approximate: str = "none"

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, approximate=self.approximate)


@stores_options
class SiLU(Configured):
    """Apply x·σ(x), also called swish. As ``torch.nn.SiLU``. S. Elfwing, E. Uchibe, K. Doya (2018), "Sigmoid-weighted
    linear units for neural network function approximation in reinforcement learning".

    Args:
        inplace: whether to write the result into the input, default False.
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace)


@stores_options
class Mish(Configured):
    """Apply x·tanh(softplus(x)). As ``torch.nn.Mish``. D. Misra (2019), "Mish: a self regularized non-monotonic
    activation function".

    Args:
        inplace: whether to write the result into the input, default False.
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, self.inplace)


class Sigmoid(Configured):
    """Apply σ(x) = 1/(1 + e⁻ˣ). As ``torch.nn.Sigmoid``."""

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class LogSigmoid(Configured):
    """Apply log σ(x) = −log(1 + e⁻ˣ). As ``torch.nn.LogSigmoid``."""

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Tanh(Configured):
    """Apply tanh(x). As ``torch.nn.Tanh``."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class Softsign(Configured):
    """Apply x/(1 + |x|). As ``torch.nn.Softsign``."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


@stores_options
class Softplus(Configured):
    """Apply log(1 + e^(beta·x))/beta, a smooth ReLU. As ``torch.nn.Softplus``.

    Args:
        beta: sharpness of the bend at 0, default 1.
        threshold: value of beta·x above which the result is x itself, default 20.
    """

    beta: float = 1.0
    threshold: float = 20.0

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)


@stores_options
class Hardtanh(Configured):
    """Clamp x to [min_val, max_val]. As ``torch.nn.Hardtanh``.

    Args:
        min_val: lower bound, default −1.
        max_val: upper bound, default 1.
        inplace: whether to write the result into the input, default False.

    Raises:
        ValueError: min_val is not below max_val.
    """

    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False

    def __post_init__(self) -> None:
        if not self.min_val < self.max_val:
            raise ValueError(
                f"{type(self).__name__}: min_val must be below max_val, got {self.min_val} and {self.max_val}"
            )

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)


class ReLU6(Hardtanh):
    """Clamp x to [0, 6]. As ``torch.nn.ReLU6``.

    Args:
        inplace: whether to write the result into the input, default False.
    """

    _options = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)


@stores_options
class Softmax(Configured):
    """Compute eˣ/Σeˣ along dim. As ``torch.nn.Softmax``.

    Args:
        dim: dimension along which the results add up to 1. It must be given; the default None raises TypeError when
            the module is called.

    >>> cg.nn.Softmax(dim=1)(cg.zeros(1, 4))
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """

    dim: int | None = None

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)


@stores_options
class LogSoftmax(Configured):
    """Compute log softmax(x) = x − log Σeˣ along dim. As ``torch.nn.LogSoftmax``.

    Args:
        dim: dimension along which the probabilities add up to 1. It must be given; the default None raises TypeError
            when the module is called.
    """

    dim: int | None = None

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)
