"""Windows and spectra of signals, as in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")
WINDOWS = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_are_pytorchs(name):
    ours, theirs = getattr(cg, name), getattr(torch, name)
    for length in (0, 1, 2, 7, 8):
        for args, options in (((), {}), ((False,), {}), ((), {"periodic": True, "dtype": "float64"})):
            found, expected = (f(length, *args, **{k: getattr(lib, v) if k == "dtype" else v for k, v in options.items()}) for f, lib in ((ours, cg), (theirs, torch)))
            assert str(found.numpy().dtype) == str(expected.numpy().dtype)
            np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-6)
    assert ours(3, requires_grad=True, device="cpu").requires_grad
    with pytest.raises(RuntimeError, match=f"{name}: window_length must not be negative, got -1"):
        ours(-1)
    with pytest.raises(RuntimeError, match=f"{name}: dtype must be a floating-point dtype"):
        ours(4, dtype=cg.int64)
    with pytest.raises(TypeError, match=f"{name}: window_length must be an integer"):
        ours(2.5)


def test_windows_with_coefficients():
    for name, args in (("hamming_window", (6, True, 0.5, 0.5)), ("kaiser_window", (6, False, 3.0))):
        np.testing.assert_allclose(getattr(cg, name)(*args).numpy(), getattr(torch, name)(*args).numpy(), atol=1e-6)


CASES = [
    {"n_fft": 8},
    {"n_fft": 7, "hop_length": 3, "center": False},
    {"n_fft": 8, "win_length": 5, "window": True, "normalized": True},
    {"n_fft": 6, "hop_length": 2, "window": True, "onesided": False, "pad_mode": "constant"},
    {"n_fft": 16, "hop_length": 5, "pad_mode": "replicate"},
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("options", CASES, ids=str)
def test_spectra_and_their_gradients_are_pytorchs(options):
    values = np.random.default_rng(0).normal(size=(2, 40))
    for signal in (values, values[0]):
        results = []
        for lib in (cg, torch):
            x = lib.tensor(signal, requires_grad=True)
            length = options.get("win_length", options["n_fft"])
            weights = lib.hann_window(length, dtype=lib.float64) if options.get("window") else None
            y = lib.stft(x, **{**options, "window": weights}, return_complex=False)
            (y * lib.arange(float(y.numel()), dtype=lib.float64).reshape(y.shape).cos()).sum().backward()
            results.append([y.detach().numpy(), x.grad.numpy()])
        for found, expected in zip(*results):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"n_fft": 4}, NotImplementedError, "return_complex=None: cygrad has no complex numbers"),
        ({"n_fft": 4, "return_complex": True}, NotImplementedError, "return_complex=False gives real"),
        ({"n_fft": 20, "center": False}, RuntimeError, "the signal has 8 elements, fewer than n_fft, 20"),
        ({"n_fft": 4, "hop_length": 0}, RuntimeError, "expected 1 ≤ win_length ≤ n_fft and a positive hop_length"),
        ({"n_fft": 4, "win_length": 5}, RuntimeError, "got 5, 4 and 1"),
        ({"n_fft": 4, "window": cg.ones(3)}, RuntimeError, r"expected a window of shape \(4,\), got \(3,\)"),
    ],
)
def test_what_does_not_fit_is_named(options, error, message):
    with pytest.raises(error, match=message):
        cg.stft(cg.ones(8), **{"return_complex": False if "n_fft" in options and len(options) > 1 else None, **options})
    with pytest.raises(RuntimeError, match="expected floats of 1 or 2 dimensions, got int64 of shape"):
        cg.stft(cg.arange(8), 4, return_complex=False)
