"""The network of an estimator: layers, initialization, losses and output activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from cygrad import nn
from cygrad.generator import Generator
from cygrad.nn import functional as F
from cygrad.ops import pointwise
from cygrad.tensor import Tensor
from cygrad.train.modes import evaluate

__all__ = ["ACTIVATIONS", "LOSSES", "NORMS", "OUTPUTS", "build", "evaluate", "initialize", "linear_layers"]

Loss = Callable[[Tensor, Tensor, "Tensor | None"], Tensor]

# The first four are scikit-learn's.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
}
NORMS: dict[str, Callable[..., nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


def build(
    sizes: Sequence[int],
    activations: Sequence[str],
    dropout: Sequence[float],
    norm: str | None,
    dtype: Any,
    generator: Generator | None,
) -> nn.Sequential:
    """Builds a perceptron with layers of these sizes, from the input to the output. A hidden layer is Linear, norm,
    activation and Dropout (with masks from `generator`); norm None, identity and p = 0 add no module."""
    layers: list[nn.Module] = []
    for (fan_in, width), activation, p in zip(pairwise(sizes[:-1]), activations, dropout, strict=True):
        layers.append(nn.Linear(fan_in, width, dtype=dtype))
        if norm is not None:
            layers.append(NORMS[norm](width, dtype=dtype))
        if activation != "identity":
            layers.append(ACTIVATIONS[activation]())
        if p > 0:
            layers.append(nn.Dropout(p, generator=generator))
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1], dtype=dtype))


def linear_layers(model: nn.Module) -> Iterator[nn.Linear]:
    """The linear layers, from the input to the output."""
    return (module for module in model.modules() if isinstance(module, nn.Linear))


def initialize(model: nn.Sequential, activations: Sequence[str], random: np.random.RandomState) -> None:
    """Draws weights and biases in scikit-learn's order from U(±√(c/(fan_in + fan_out))), with c = 2 for logistic layers
    and 6 for others. X. Glorot, Y. Bengio (2010), "Understanding the difficulty of training deep feedforward
    neural networks"."""
    per_layer = [*activations, activations[-1] if activations else "identity"]
    for layer, activation in zip(linear_layers(model), per_layer, strict=True):
        fan_in, fan_out = layer.in_features, layer.out_features
        bound = math.sqrt((2 if activation == "logistic" else 6) / (fan_in + fan_out))
        layer.weight.array[...] = random.uniform(-bound, bound, (fan_in, fan_out)).T
        if layer.bias is not None:
            layer.bias.array[...] = random.uniform(-bound, bound, fan_out)


# Losses of scores z (N, C): summed over the outputs, averaged over the samples. Weights, (N) with class indices and
# (N, 1) with columns, sum to 1, so that Σ w·l is the weighted mean.


def log_loss(z: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    """−log softmax(z)[y] for class indices y (N)."""
    if weight is None:
        return F.cross_entropy(z, y)
    return (F.cross_entropy(z, y, reduction="none") * weight).sum()


def binary_log_loss(z: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    """Σ −y·log σ(z) − (1 − y)·log(1 − σ(z)) for labels y (N, C), each 0 or 1."""
    if weight is None:
        mean = F.binary_cross_entropy_with_logits(z, y)
        return mean if z.shape[1] == 1 else mean * z.shape[1]
    return (F.binary_cross_entropy_with_logits(z, y, reduction="none") * weight).sum()


def squared_error(z: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    """½ Σ (z − y)²"""
    if weight is None:
        return F.mse_loss(z, y) * (0.5 * z.shape[1])
    return (F.mse_loss(z, y, reduction="none") * weight).sum() * 0.5


def poisson(z: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    """Half the Poisson deviance of the predictions eᶻ: Σ y·(log y − z) − y + eᶻ, for y ≥ 0."""
    log_y = y.clamp(min=float(np.finfo(y.dtype).tiny)).log()
    losses = z.exp() - y * (z - log_y + 1)
    return losses.sum() / z.shape[0] if weight is None else (losses * weight).sum()


LOSSES: dict[str, Loss] = {
    "softmax": log_loss,
    "logistic": binary_log_loss,
    "identity": squared_error,
    "exp": poisson,
}
OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": partial(F.softmax, dim=1),
    "logistic": F.sigmoid,
    "identity": lambda z: z,
    "exp": pointwise.exp,
}
