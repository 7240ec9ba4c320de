"""Spectra of the parts of a signal."""

from __future__ import annotations

import numpy as np

from cygrad.autograd.calls import requires_tensor
from cygrad.functions import stack
from cygrad.nn.functional import pad
from cygrad.tensor import Tensor

__all__ = ["stft"]


@requires_tensor
def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """Return the Fourier transform of overlapping parts of a signal, as real and imaginary parts. As
    ``torch.stft`` with ``return_complex=False``.

    X[f, t] = Σ over n of window[n]·x[t·hop_length + n]·exp(−2πi·f·n/n_fft): a product with cosines and sines, which
    can be differentiated.

    Args:
        input: signals (length) or (batch, length) of floats.
        n_fft: the number of elements of a part.
        hop_length: the step from one part to the next, n_fft // 4 by default.
        win_length: the window's length, n_fft by default; a shorter one lies in the middle of the part.
        window: the weights (win_length), 1 by default.
        center: whether the parts' centers, not their starts, lie at multiples of the step: both ends are padded.
        pad_mode: how, as for :func:`cygrad.nn.functional.pad`.
        normalized: whether the result is divided by √n_fft.
        onesided: whether only the n_fft // 2 + 1 frequencies that are not mirrored are returned, the default.
        return_complex: must be False: there are no complex numbers.
        align_to_window: accepted with ``center=False`` where `win_length` is `n_fft`.

    Returns:
        A tensor (…, frequencies, parts, 2).

    Raises:
        NotImplementedError: `return_complex` is not False.
        RuntimeError: sizes do not fit.

    >>> cg.stft(cg.ones(400), n_fft=64, hop_length=16, window=cg.hann_window(64), return_complex=False).shape
    (33, 26, 2)
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    check_signal(input, n_fft, hop, length, window, return_complex)
    if align_to_window and length != n_fft:
        raise NotImplementedError("stft: align_to_window needs a window of n_fft elements")
    if center:
        input = padded(input, n_fft // 2, pad_mode)
    if input.shape[-1] < n_fft:
        raise RuntimeError(f"stft: the signal has {input.shape[-1]} elements, fewer than n_fft, {n_fft}")
    parts = input.unfold(-1, n_fft, hop)
    left = (n_fft - length) // 2
    parts = parts[..., left : left + length]
    if window is not None:
        parts = parts * window
    count = n_fft if onesided is False else n_fft // 2 + 1
    angles = 2 * np.pi / n_fft * (np.outer(np.arange(left, left + length), np.arange(count)) % n_fft)
    scale = n_fft**-0.5 if normalized else 1.0
    waves = [Tensor((scale * wave).astype(input.array.dtype)) for wave in (np.cos(angles), -np.sin(angles))]
    return stack([(parts @ wave).transpose(-1, -2) for wave in waves], -1)


def check_signal(
    input: Tensor, n_fft: int, hop: int, length: int, window: Tensor | None, return_complex: bool | None
) -> None:
    """Raise unless the arguments fit."""
    if return_complex is not False:
        raise NotImplementedError(
            f"stft: return_complex={return_complex}: cygrad has no complex numbers; return_complex=False gives real "
            "and imaginary parts"
        )
    if input.ndim not in (1, 2) or input.array.dtype.kind != "f":
        raise RuntimeError(f"stft: expected floats of 1 or 2 dimensions, got {input.dtype} of shape {input.shape}")
    if n_fft < 1 or hop < 1 or not 1 <= length <= n_fft:
        raise RuntimeError(
            f"stft: expected 1 ≤ win_length ≤ n_fft and a positive hop_length, got {length}, {n_fft} and {hop}"
        )
    if window is not None and window.shape != (length,):
        raise RuntimeError(f"stft: expected a window of shape ({length},), got {window.shape}")


def padded(input: Tensor, width: int, mode: str) -> Tensor:
    """The signals with elements added at both ends."""
    rows = input.reshape(1, -1, input.shape[-1])
    wide = pad(rows, (width, width), mode)
    return wide.reshape(*input.shape[:-1], wide.shape[-1])
