"""The model that the command line trains."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cygrad import nn

__all__ = ["mlp"]


def mlp(sizes: Sequence[int], dropout: float = 0.0, *, flatten: bool = False) -> nn.Sequential:
    """Build a multi-layer perceptron: Linear, BatchNorm1d, ReLU and Dropout per hidden layer, then Linear.

    Weights are drawn from N(0, 2/fan_in) before a ReLU and from N(0, 1/fan_in) in the last layer; biases are 0.

    Args:
        sizes: of the input, the hidden layers and the output, for x (N, sizes[0]) and scores (N, sizes[-1]).
        dropout: probability; 0 leaves the Dropout layers out.
        flatten: whether x is (N, …) with sizes[0] elements per row.

    Raises:
        ValueError: if there are fewer than two sizes, one is below 1, or `dropout` is outside [0, 1].

    K. He et al. (2015), "Delving deep into rectifiers".

    Example:
        >>> cg.train.mlp((64, 32, 10), dropout=0.1)
        Sequential(
          (0): Linear(in_features=64, out_features=32, bias=True)
          (1): BatchNorm1d(32, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
          (2): ReLU()
          (3): Dropout(p=0.1, inplace=False)
          (4): Linear(in_features=32, out_features=10, bias=True)
        )
    """
    if len(sizes) < 2 or any(size < 1 for size in sizes):
        raise ValueError(f"mlp: sizes must be two or more numbers of at least 1, got {tuple(sizes)}")
    if not 0 <= dropout <= 1:
        raise ValueError(f"mlp: dropout must lie in [0, 1], got {dropout}")
    layers: list[nn.Module] = [nn.Flatten()] if flatten else []
    for fan_in, width in pairwise(sizes[:-1]):
        layers += [he_linear(fan_in, width, "relu"), nn.BatchNorm1d(width), nn.ReLU()]
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, he_linear(sizes[-2], sizes[-1], "linear"))


def he_linear(fan_in: int, fan_out: int, nonlinearity: str) -> nn.Linear:
    """A linear layer with weights from N(0, gain²/fan_in) and zero biases."""
    layer = nn.Linear(fan_in, fan_out)
    nn.init.kaiming_normal_(layer.weight, nonlinearity=nonlinearity)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
