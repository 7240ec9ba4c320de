"""What scripts with distributions of their own import: parameters of one shape, probabilities and their logits."""

from __future__ import annotations

from functools import cached_property as lazy_property
from typing import Any

import numpy as np

from cygrad.distributions.distribution import as_parameters, sum_last
from cygrad.functions import sigmoid, softmax
from cygrad.random import randn
from cygrad.tensor import Tensor

__all__ = ["broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits"]


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Return numbers and tensors as tensors of one shape. As ``torch.distributions.utils.broadcast_all``.

    Args:
        values: Python numbers, which take the dtype of the first tensor, and tensors.

    >>> from cygrad.distributions.utils import broadcast_all
    >>> broadcast_all(cg.zeros(2), 3.0)
    (tensor([0., 0.]), tensor([3., 3.]))
    """
    return tuple(as_parameters(*values))


def clamp_probs(probs: Tensor) -> Tensor:
    """Return probabilities clamped to [ε, 1 − ε], where ε = 2⁻²³ in float32."""
    eps = float(np.finfo(probs.array.dtype).eps)
    return probs.clamp(eps, 1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Return the logits of probabilities: log p, and log p − log(1 − p) of binary ones.

    Args:
        probs: probabilities of classes along the last dimension, or of successes.
        is_binary: whether they are of successes.

    >>> from cygrad.distributions.utils import probs_to_logits
    >>> probs_to_logits(cg.tensor([0.5]), is_binary=True)
    tensor([0.])
    """
    inside = clamp_probs(probs)
    return inside.log() - (-inside).log1p() if is_binary else inside.log()


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Return the probabilities of logits: their softmax over the last dimension, or the sigmoid of binary ones.

    >>> from cygrad.distributions.utils import logits_to_probs
    >>> logits_to_probs(cg.zeros(2))
    tensor([0.5000, 0.5000])
    """
    return sigmoid(logits) if is_binary else softmax(logits, -1)


def _standard_normal(shape: Any, dtype: Any, device: Any = None) -> Tensor:
    """Samples of the standard normal distribution."""
    return randn(*shape, dtype=dtype, device=device)


_sum_rightmost = sum_last
