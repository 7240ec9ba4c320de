"""The linear model beside which the errors of a forecast are shown."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cygrad import _kernels as kernels
from cygrad import nn
from cygrad._typing import Array
from cygrad.data.windows import Windows
from cygrad.train.forecasters import MOST_INPUTS

__all__ = ["fit_linear_forecaster"]

WORK = 10**10  # products of inputs that are summed, at most: of many windows, some at equal distances
BLOCK = 512  # windows at a time
PENALTIES = np.logspace(-6, 1, 15)  # relative to the mean square of the inputs


def fit_linear_forecaster(train: Windows, validation: Windows) -> nn.Linear:
    """Fit a ridge regression from the rows of a window to the values that follow it.

    It minimizes Σ‖y − W·x − b‖² + λ‖W‖² over the training windows; of 15 values of λ, it has the one with the least
    squared error on the validation windows. A. E. Hoerl, R. W. Kennard (1970), "Ridge regression: biased estimation for
    nonorthogonal problems".

    Args:
        train: windows to learn from.
        validation: windows to choose λ by.

    Returns:
        A layer from ``linear_inputs`` of a ``Forecaster``, (N, inputs), to forecasts (N, horizon).

    Example:
        >>> from cygrad.train.linear_forecaster import fit_linear_forecaster
        >>> y = np.sin(np.arange(80) / 3)
        >>> windows = cg.data.Windows(y[:, None], y, window=4, horizon=2)
        >>> model = fit_linear_forecaster(windows, windows)
        >>> bool((model(windows[7][0].float().flatten()) - windows[7][1]).abs().max() < 1e-3)
        True
    """
    used = inputs_used(train.window, train.tensors[0].shape[1])
    x_mean, y_mean, gram, moments = products(train, used)
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0.0)
    projected = kernels.matmul(vectors.T, moments)
    scale = max(float(values.mean()), np.finfo(np.float64).tiny)
    candidates = [
        kernels.matmul(vectors, projected / (values + penalty * scale)[:, None]) for penalty in PENALTIES
    ]  # (inputs, horizon) each
    errors = np.zeros(len(candidates))
    for x, y in blocks(validation, used):
        errors += [float(((kernels.matmul(x - x_mean, w) + y_mean - y) ** 2).sum()) for w in candidates]
    weight = candidates[int(errors.argmin())]
    layer = nn.Linear(len(used), train.horizon)
    assert layer.bias is not None
    layer.weight.array[...] = weight.T
    layer.bias.array[...] = y_mean - x_mean @ weight
    return layer


def inputs_used(window: int, features: int) -> Array:
    """The indices among the window·features values of a window that ``Forecaster.linear_inputs`` has."""
    if window * features <= MOST_INPUTS:
        return np.arange(window * features)
    return np.arange(max(0, window - MOST_INPUTS), window) * features


def blocks(windows: Windows, used: Array, step: int = 1) -> Iterator[tuple[Array, Array]]:
    """The inputs (n, inputs) and the values to forecast (n, horizon) of every `step`-th window, in float64."""
    x, y, _ = (tensor.array for tensor in windows.tensors)
    rows = sliding_window_view(x, windows.window, axis=0)  # (starts, features, window)
    ahead = sliding_window_view(y, windows.horizon)
    starts = windows.starts[::step]
    for i in range(0, len(starts), BLOCK):
        some = starts[i : i + BLOCK]
        flat = rows[some].transpose(0, 2, 1).reshape(len(some), -1)
        yield flat[:, used].astype(np.float64), ahead[some + windows.window].astype(np.float64)


def products(windows: Windows, used: Array) -> tuple[Array, Array, Array, Array]:
    """The means of inputs x and values y, and the centered Σ x·xᵀ and Σ x·yᵀ of the windows, each divided by n."""
    step = max(1, len(windows) * len(used) ** 2 // WORK)
    gram, moments = np.zeros((len(used), len(used))), np.zeros((len(used), windows.horizon))
    x_sum, y_sum, count = np.zeros(len(used)), np.zeros(windows.horizon), 0
    for x, y in blocks(windows, used, step):
        kernels.matmul(x.T, x, gram)
        kernels.matmul(x.T, y, moments)
        x_sum, y_sum, count = x_sum + x.sum(0), y_sum + y.sum(0), count + len(x)
    x_mean, y_mean = x_sum / count, y_sum / count
    return x_mean, y_mean, gram / count - np.outer(x_mean, x_mean), moments / count - np.outer(x_mean, y_mean)
