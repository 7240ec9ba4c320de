"""Windows, by which parts of a signal are weighted before their spectrum is taken. Positional and keyword arguments are
those of PyTorch.

A periodic window of n elements is the symmetric one of n + 1 without its last element, which is what a Fourier
transform of n elements continues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad._arguments import integer
from cygrad._typing import Array, DType
from cygrad.config import default_float
from cygrad.device import Place, check_place
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def positions(op: str, window_length: int, periodic: bool, place: Any) -> Array:
    """n/N for n = 0 … window_length − 1, where N is the period, or the number of steps between the two ends.

    Raises:
        RuntimeError: the length is negative.
    """
    check_place(op, place)
    length = integer(op, "window_length", window_length)
    if length < 0:
        raise RuntimeError(f"{op}: window_length must not be negative, got {length}")
    return np.arange(length) / max(1, length if periodic else length - 1)


def window(op: str, values: Array, dtype: DType, requires_grad: bool) -> Tensor:
    """The values as a tensor; a window of one element is 1.

    Raises:
        RuntimeError: the dtype is not a floating-point one.
    """
    kind = np.dtype(default_float() if dtype is None else dtype)
    if kind.kind != "f":
        raise RuntimeError(f"{op}: dtype must be a floating-point dtype, got {kind}")
    return Tensor((np.ones(1) if len(values) == 1 else values).astype(kind), requires_grad)


def cosine_sum(x: Array, *coefficients: float) -> Array:
    """Σ (−1)ᵏ·aₖ·cos(2πk·x)"""
    return np.asarray(sum((-1) ** k * a * np.cos(2 * np.pi * k * x) for k, a in enumerate(coefficients)))


def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    **place: Unpack[Place],
) -> Tensor:
    """Return ½ − ½·cos(2πn/N) for n = 0 … window_length − 1. As ``torch.hann_window``.

    Args:
        window_length: the number of elements, n.
        periodic: whether N is n (default), for spectra, or n − 1, which makes the window symmetric.
        dtype: a floating-point dtype, float32 by default.
        requires_grad: whether the result requires a gradient.
        place: device="cpu", and what has no effect on it.

    Raises:
        RuntimeError: the length is negative, or the dtype is not a floating-point one.

    >>> cg.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    x = positions("hann_window", window_length, periodic, place)
    return window("hann_window", cosine_sum(x, 0.5, 0.5), dtype, requires_grad)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    **place: Unpack[Place],
) -> Tensor:
    """Return α − β·cos(2πn/N) for n = 0 … window_length − 1. As ``torch.hamming_window``.

    Args:
        window_length, periodic, dtype, requires_grad, place: as for :func:`hann_window`.
        alpha, beta: the coefficients.
    """
    x = positions("hamming_window", window_length, periodic, place)
    return window("hamming_window", cosine_sum(x, alpha, beta), dtype, requires_grad)


def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    **place: Unpack[Place],
) -> Tensor:
    """Return 0.42 − 0.5·cos(2πn/N) + 0.08·cos(4πn/N) for n = 0 … window_length − 1; see :func:`hann_window` for the
    arguments. As ``torch.blackman_window``."""
    x = positions("blackman_window", window_length, periodic, place)
    return window("blackman_window", cosine_sum(x, 0.42, 0.5, 0.08), dtype, requires_grad)


def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    **place: Unpack[Place],
) -> Tensor:
    """Return 1 − |2n/N − 1|, a triangle, for n = 0 … window_length − 1; see :func:`hann_window` for the arguments. As
    ``torch.bartlett_window``."""
    x = positions("bartlett_window", window_length, periodic, place)
    return window("bartlett_window", 1 - np.abs(2 * x - 1), dtype, requires_grad)


def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    **place: Unpack[Place],
) -> Tensor:
    """Return I₀(β·√(1 − (2n/N − 1)²)) / I₀(β) for n = 0 … window_length − 1, where I₀ is a modified Bessel function. As
    ``torch.kaiser_window``.

    Args:
        window_length, periodic, dtype, requires_grad, place: as for :func:`hann_window`.
        beta: how narrow the window is.
    """
    x = positions("kaiser_window", window_length, periodic, place)
    values = np.i0(beta * np.sqrt(np.maximum(0, 1 - (2 * x - 1) ** 2))) / np.i0(beta)
    return window("kaiser_window", values, dtype, requires_grad)
