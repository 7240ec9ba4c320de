"""The models that the command line trains."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cygrad import nn

__all__ = ["convnet", "mlp"]


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


def convnet(shape: Sequence[int], channels: Sequence[int], classes: int, dropout: float = 0.0) -> nn.Sequential:
    """Build a convolutional network for small images.

    A block is Conv2d, BatchNorm2d and ReLU, twice, then MaxPool2d and Dropout: it keeps the size of its input for 3 × 3
    patches and halves it at the end. After the blocks come Flatten and Linear. Weights are drawn as in ``mlp``.

    Args:
        shape: (channels, height, width) of an image. Inputs are rows (N, channels·height·width), as ``mlp`` takes them.
        channels: of each block.
        classes: number of scores per image.
        dropout: probability; 0 leaves the Dropout layers out.

    Raises:
        ValueError: if a size is below 1, the image is too small for so many blocks, or `dropout` is outside [0, 1].

    Example:
        >>> model = cg.train.convnet((1, 28, 28), (16, 32), 10)
        >>> model(cg.zeros(3, 784)).shape
        (3, 10)
    """
    if len(shape) != 3 or min([*shape, *channels, classes]) < 1 or not channels:
        raise ValueError(
            f"convnet: shape must be three sizes, and channels one or more, of at least 1, got {tuple(shape)} and "
            f"{tuple(channels)}"
        )
    if not 0 <= dropout <= 1:
        raise ValueError(f"convnet: dropout must lie in [0, 1], got {dropout}")
    planes, height, width = shape
    if min(height, width) >> len(channels) < 1:
        raise ValueError(f"convnet: images of {height} × {width} can't be halved {len(channels)} times")
    layers: list[nn.Module] = [nn.Unflatten(1, tuple(shape))]
    for depth in channels:
        for before in (planes, depth):
            layers += [he_conv(before, depth), nn.BatchNorm2d(depth), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        planes, height, width = depth, height // 2, width // 2
    return nn.Sequential(*layers, nn.Flatten(), he_linear(planes * height * width, classes, "linear"))


def he_conv(before: int, after: int) -> nn.Conv2d:
    """A convolution with 3 × 3 patches that keeps the size, weights from N(0, 2/fan_in), and no bias: batch norm has
    one."""
    layer = nn.Conv2d(before, after, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer


def he_linear(fan_in: int, fan_out: int, nonlinearity: str) -> nn.Linear:
    """A linear layer with weights from N(0, gain²/fan_in) and zero biases."""
    layer = nn.Linear(fan_in, fan_out)
    nn.init.kaiming_normal_(layer.weight, nonlinearity=nonlinearity)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
