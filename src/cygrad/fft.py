"""What of ``torch.fft`` is real: frequencies, and their order. Transforms need complex numbers, which tensors lack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad._missing import attribute_error
from cygrad.config import default_float
from cygrad.creation import as_tensor
from cygrad.device import check_device
from cygrad.functions import roll
from cygrad.tensor import Tensor

__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]


def frequencies(name: str, values: Any, dtype: Any, requires_grad: bool, device: Any) -> Tensor:
    check_device(name, device)
    return as_tensor(values, dtype=default_float() if dtype is None else dtype).requires_grad_(requires_grad)


def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return the frequencies of a discrete Fourier transform: 0, 1, …, then the negative ones, over n·d.

    Args:
        n: the number of samples.
        d: the distance of samples.
        dtype: of the result, by default float32.
        device: "cpu".
        requires_grad: whether the result requires a gradient.
    """
    return frequencies("fftfreq", np.fft.fftfreq(n, d), dtype, requires_grad, device)


def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return the frequencies of real samples, 0 to n//2 over n·d; see :func:`fftfreq`."""
    return frequencies("rfftfreq", np.fft.rfftfreq(n, d), dtype, requires_grad, device)


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Move the frequency 0 to the middle of dimensions, all by default."""
    return shifted(input, dim, lambda n: n // 2)


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Undo :func:`fftshift`."""
    return shifted(input, dim, lambda n: -(n // 2))


def shifted(input: Tensor, dim: Any, by: Any) -> Tensor:
    dims = tuple(range(input.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    return roll(input, tuple([by(input.shape[d]) for d in dims]), dims) if dims else input.clone()


if not TYPE_CHECKING:

    def __getattr__(name):
        """Say why there is no transform."""
        raise attribute_error("cygrad.fft", name)
