"""Dropouts of whole channels, and those that keep mean and variance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cygrad.creation import ones
from cygrad.nn.functional.activation import written
from cygrad.nn.functional.checks import check_tensor
from cygrad.nn.functional.dropout import dropout

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"]

LIMIT = -1.7580993408473766  # of selu for x → −∞, −λ·α


def mask(name: str, input: Tensor, p: float, dims: int) -> Tensor:
    """1/(1 − p) with probability 1 − p, else 0, for each index of the first `dims` dimensions."""
    check_tensor(name, "input", input)
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: p must lie in [0, 1], got {p}")
    shape = input.shape[:dims] + (1,) * (input.ndim - dims)
    return dropout(ones(shape, dtype=input.dtype), p)


def channels(name: str, input: Tensor, p: float, training: bool, inplace: bool, batched: int) -> Tensor:
    """Drop whole channels of an input of `batched` dimensions, or one less without a batch."""
    if not training or p == 0:
        return input
    dims = 2 if input.ndim >= batched or name == "dropout2d" else 1
    return written(input, input * mask(name, input, p, dims), inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Drop whole channels of (N, C, L) or (C, L) with probability p, and divide the others by 1 − p. As
    ``torch.nn.functional.dropout1d``."""
    return channels("dropout1d", input, p, training, inplace, 3)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Drop whole channels of (N, C, H, W) with probability p, and divide the others by 1 − p. As
    ``torch.nn.functional.dropout2d``. J. Tompson et al. (2015), "Efficient object localization using convolutional
    networks"."""
    return channels("dropout2d", input, p, training, inplace, 4)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Drop whole channels of (N, C, D, H, W) or (C, D, H, W) with probability p, and divide the others by 1 − p. As
    ``torch.nn.functional.dropout3d``."""
    return channels("dropout3d", input, p, training, inplace, 5)


def alpha(name: str, input: Tensor, p: float, training: bool, inplace: bool, dims: int) -> Tensor:
    """a·(x·m + α·(1 − m)) + b, with a and b that keep mean 0 and variance 1."""
    if not training or p == 0:
        return input
    if p == 1:
        return written(input, input * 0, inplace)
    kept = mask(name, input, p, dims).detach() * (1 - p)
    a = 1 / math.sqrt((1 - p) * (1 + p * LIMIT**2))
    noise = a * LIMIT * (1 - kept) - a * p * LIMIT
    return written(input, input * (a * kept) + noise, inplace)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Set elements to the lower limit of selu with probability p, and keep mean and variance. As
    ``torch.nn.functional.alpha_dropout``. G. Klambauer et al. (2017), "Self-normalizing neural networks"."""
    return alpha("alpha_dropout", input, p, training, inplace, input.ndim)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """``alpha_dropout`` of whole channels. As ``torch.nn.functional.feature_alpha_dropout``."""
    return alpha("feature_alpha_dropout", input, p, training, inplace, min(2, input.ndim))
