"""Windows of a time series, to learn and to measure forecasts."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd.arrays import plain
from cygrad.data.dataset import Dataset
from cygrad.tensor import Tensor

__all__ = ["Windows", "seasonal_naive"]


class Windows(Dataset):
    """Pairs of a window of a series and the values of the target that follow it.

    Item i is ``(features[s : s + window], target[s + window : s + window + horizon])`` with s = ``starts[i]``. Items
    are views of the given memory.

    Args:
        features: inputs (n, k), in the order of time.
        target: the values to forecast, (n,).
        window: number of rows to forecast from.
        horizon: number of rows to forecast.
        positions: of the rows in time, in steps, ascending (n,). Windows do not cross a gap between them. By default
            there are none.

    Raises:
        ValueError: if a shape does not fit, or `window` or `horizon` is below 1.

    >>> x, y = np.arange(6.0)[:, None], np.arange(6.0)
    >>> windows = cg.data.Windows(x, y, window=2, horizon=1, positions=[0, 1, 2, 3, 7, 8])
    >>> windows.starts.tolist(), windows[1][0].tolist(), windows[1][1].tolist()
    ([0, 1], [[1.0], [2.0]], [3.0])
    """

    def __init__(self, features: Any, target: Any, window: int, horizon: int, positions: Any = None) -> None:
        x, y = (value if isinstance(value, Tensor) else Tensor(plain("Windows", value)) for value in (features, target))
        if x.ndim != 2 or y.shape != x.shape[:1]:
            got = f"{tuple(x.shape)} and {tuple(y.shape)}"
            raise ValueError(f"Windows: features must have shape (n, k) and the target (n,), got {got}")
        check_counts("Windows", window=window, horizon=horizon)
        places = np.arange(len(y), dtype=np.float64) if positions is None else np.asarray(positions, np.float64)
        if places.shape != (len(y),):
            raise ValueError(f"Windows: positions must have shape ({len(y)},), got {places.shape}")
        self.window, self.horizon = int(window), int(horizon)
        span = self.window + self.horizon - 1
        self.starts: Array = np.flatnonzero(places[span:] - places[: max(len(places) - span, 0)] == span)
        self.tensors = x, y, Tensor(self.starts)

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.starts)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return a window (window, k) and the values after it, (horizon,)."""
        start = int(self.starts[index])
        end = start + self.window
        x, y, _ = self.tensors
        return Tensor(x.array[start:end]), Tensor(y.array[end : end + self.horizon])


def check_counts(op: str, **counts: Any) -> None:
    """Raise ValueError unless each is a positive integer."""
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise ValueError(f"{op}: {name} must be an integer of at least 1, got {count!r}")


def line_of(name: str, values: Any) -> Array:
    """An argument of ``seasonal_naive``, an array or tensor of one dimension."""
    line = plain("seasonal_naive", getattr(values, "array", values))
    if line.ndim != 1:
        raise ValueError(f"seasonal_naive: {name} must have one dimension, got shape {line.shape}")
    return line


def seasonal_naive(values: Array, last: Array, horizon: int, season: int, positions: Array | None = None) -> Array:
    """Forecast that a series repeats its last season: the baseline of every forecast.

    ŷ(t + h) = y(t + h − k·season), with the smallest k for which that is known at t. Where the row is missing, the last
    one before it counts. With a season of 1 the forecast is the last value.

    Args:
        values: the series (n,).
        last: indices (m,) of the last known rows.
        horizon: number of steps to forecast.
        season: number of steps in a season.
        positions: of the rows in time, in steps, ascending (n,); by default 0 to n − 1.

    Returns:
        Forecasts (m, horizon).

    Raises:
        TypeError: if `last` does not hold integers.
        ValueError: if an array has another shape, `last` names a row that there is not, or the season before a row to
            forecast lies before the series.

    R. J. Hyndman and G. Athanasopoulos (2021), "Forecasting: principles and practice", section 5.2.

    >>> cg.data.seasonal_naive(np.array([1.0, 2.0, 3.0, 4.0]), np.array([3]), horizon=3, season=2)
    array([[3., 4., 3.]])
    """
    check_counts("seasonal_naive", horizon=horizon, season=season)
    series, known = line_of("values", values), line_of("last", last)
    places = np.arange(len(series), dtype=np.float64) if positions is None else line_of("positions", positions)
    if len(places) != len(series):
        raise ValueError(f"seasonal_naive: positions must have shape ({len(series)},), got {places.shape}")
    if known.dtype.kind not in "iu":
        raise TypeError(f"seasonal_naive: last must be integers, got {known.dtype}")
    if len(known) and not (known.min() >= 0 and known.max() < len(series)):
        got = f"{known.min()} to {known.max()}"
        raise ValueError(f"seasonal_naive: last must be rows of 0 to {len(series) - 1}, got {got}")
    ahead = np.arange(1, horizon + 1)
    wanted = places[known][:, None] + (ahead - season * -(-ahead // season))
    rows = np.searchsorted(places, wanted, "right") - 1
    if (rows < 0).any():
        raise ValueError(f"seasonal_naive: a season of {season} steps begins before the series")
    return np.asarray(series[rows])
