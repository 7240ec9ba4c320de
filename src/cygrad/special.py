"""Special functions with PyTorch's names, and with gradients of every order. As ``torch.special``.

What NumPy lacks is computed in float64, to a few units of the last place, by formulas that ``cygrad._special`` cites.
"""

from __future__ import annotations

from typing import Any

from cygrad._typing import Tensor
from cygrad.functions import erf, exp2, expm1, log1p, logsumexp, round, sigmoid
from cygrad.functions import log_softmax as _log_softmax
from cygrad.functions import softmax as _softmax
from cygrad.functions.elementwise import logit, mvlgamma, polygamma, sinc
from cygrad.ops.binary import xlogy
from cygrad.ops.special import (
    digamma,
    entr,
    erfc,
    erfcx,
    erfinv,
    i0,
    i0e,
    i1,
    i1e,
    igamma,
    igammac,
    lgamma,
    log_ndtr,
    ndtr,
    ndtri,
    xlog1py,
    zeta,
)

__all__ = [
    "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammainc", "gammaincc", "gammaln",
    "i0", "i0e", "i1", "i1e", "log1p", "log_ndtr", "log_softmax", "logit", "logsumexp", "modified_bessel_i0",
    "modified_bessel_i1", "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "round", "sinc", "softmax", "xlog1py",
    "xlogy", "zeta",
]  # fmt: skip

expit, gammaln, psi, multigammaln = sigmoid, lgamma, digamma, mvlgamma
gammainc, gammaincc = igamma, igammac
modified_bessel_i0, modified_bessel_i1 = i0, i1


def softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Return e^x/Σ e^x along a dimension."""
    return _softmax(input, dim, dtype=dtype)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Return log(e^x/Σ e^x) along a dimension."""
    return _log_softmax(input, dim, dtype=dtype)
