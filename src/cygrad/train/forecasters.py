"""The networks that the command line trains to forecast a series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cygrad import nn
from cygrad.nn import functional as F
from cygrad.tensor import Tensor

__all__ = ["NETWORKS", "Forecaster", "forecaster", "tcn_depth"]

NETWORKS = ("tcn", "gru")
KERNEL = 3
MOST_INPUTS = 1024  # of the linear part


class Forecaster(nn.Module):
    """A network beside a linear model: y = head(body(x)) + A·x + b.

    The linear part follows the level and the season of the series, so that the network learns what differs from it.
    If a window has more than 1,024 values, it sees those of the first feature, the target, only; of more than 1,024
    of these, the latest.

    Args:
        body: from windows (N, window, features) to states (N, size).
        size: of a state.
        window: steps of a window.
        horizon: steps to forecast.
        features: of a step.

    Windows (N, window, features) become forecasts (N, horizon).

    G. Lai et al. (2018), "Modeling long- and short-term temporal patterns with deep neural networks", section 3.6.
    """

    def __init__(self, body: nn.Module, size: int, window: int, horizon: int, features: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(size, horizon)
        self.sees_all = window * features <= MOST_INPUTS
        self.linear = nn.Linear(window * features if self.sees_all else min(window, MOST_INPUTS), horizon)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x)) + self.linear(self.linear_inputs(x))

    def linear_inputs(self, x: Tensor) -> Tensor:
        """What the linear part sees of windows (N, window, features): (N, inputs)."""
        return x.flatten(1) if self.sees_all else x[:, -self.linear.in_features :, 0]

    def start_from(self, model: nn.Linear) -> None:
        """Let the training start from a linear model of the same inputs: its weights, and a head that adds nothing."""
        for mine, its in zip(self.linear.parameters(), model.parameters(), strict=True):
            mine.array[...] = its.array
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)


class TCN(nn.Module):
    """Causal convolutions whose dilation doubles from block to block: (N, steps, features) to the last state
    (N, channels[-1]).

    S. Bai et al. (2018), "An empirical evaluation of generic convolutional and recurrent networks".
    """

    def __init__(self, features: int, channels: Sequence[int], dropout: float) -> None:
        super().__init__()
        sizes = [features, *channels]
        self.blocks = nn.Sequential(*(Block(sizes[i], sizes[i + 1], 2**i, dropout) for i in range(len(channels))))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x.transpose(1, 2))[:, :, -1]


class Block(nn.Module):
    """y = dropout(ReLU(conv(x))) + skip(x), (N, before, steps) to (N, after, steps). Zeros before the first step keep
    the number of steps, and no state depends on later steps."""

    def __init__(self, before: int, after: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.padding = (KERNEL - 1) * dilation
        self.conv = nn.Conv1d(before, after, KERNEL, dilation=dilation)
        self.dropout = nn.Dropout(dropout)
        self.skip = nn.Identity() if before == after else nn.Conv1d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.conv(F.pad(x, (self.padding, 0))))
        return self.dropout(y) + self.skip(x)


class LastState(nn.Module):
    """The last state of the last layer of a GRU, (N, steps, features) to (N, size)."""

    def __init__(self, features: int, size: int, layers: int, dropout: float) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0
        self.gru = nn.GRU(features, size, layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        states: Any = self.gru(x)[1]
        return self.dropout(states[-1])


def forecaster(
    kind: str, features: int, window: int, horizon: int, hidden: Sequence[int], dropout: float = 0.0
) -> Forecaster:
    """Build a network that forecasts a series, see ``Forecaster``.

    Args:
        kind: "tcn", a temporal convolutional network, or "gru", a recurrent one.
        features: of a step; the first is the target.
        window: steps to forecast from.
        horizon: steps to forecast.
        hidden: for a TCN the channels of each block, for a GRU the size of each layer.
        dropout: probability.

    Raises:
        ValueError: if the kind is unknown, there are no hidden sizes, more blocks than look back into the window, or
            layers of a GRU with different sizes.

    Example:
        >>> model = cg.train.forecaster("tcn", features=2, window=24, horizon=6, hidden=(8, 8))
        >>> model(cg.zeros(5, 24, 2)).shape
        (5, 6)
    """
    if kind not in NETWORKS:
        raise ValueError(f"forecaster: the network must be one of {', '.join(NETWORKS)}, got {kind!r}")
    if not hidden:
        raise ValueError(f"forecaster: a {kind} needs at least one hidden size")
    if kind == "gru":
        if len(set(hidden)) > 1:
            raise ValueError(f"forecaster: the layers of a gru must have one size, got {','.join(map(str, hidden))}")
        return Forecaster(LastState(features, hidden[0], len(hidden), dropout), hidden[0], window, horizon, features)
    if len(hidden) > tcn_depth(window):
        raise ValueError(
            f"forecaster: a window of {window} takes at most {tcn_depth(window)} blocks of a tcn, got {len(hidden)}"
        )
    return Forecaster(TCN(features, hidden, dropout), hidden[-1], window, horizon, features)


def tcn_depth(window: int) -> int:
    """The blocks with which a TCN's last state depends on the whole window: the first d with 1 + 2·(2ᵈ − 1) ≥ window.

    Example:
        >>> cg.train.forecasters.tcn_depth(168)
        7
    """
    depth = 1
    while 1 + (KERNEL - 1) * (2**depth - 1) < window:
        depth += 1
    return depth
