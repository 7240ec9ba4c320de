"""The networks of a tabular estimator, side by side, and how their parameters are trained.

D. Holzmüller, L. Grinsztajn, I. Steinwart (2024), "Better by default: strong pre-tuned MLPs and boosted trees on
tabular data", appendix A: RealMLP's parametrization and schedules. A weight that is multiplied by 1/√fan_in and trained
by Adam with rate η is a plain weight with rate η/√fan_in, which is what `parameter_groups` gives it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from cygrad import nn
from cygrad.generator import Generator
from cygrad.nn import init

__all__ = ["build", "flat_cosine", "parameter_groups", "rate_factor"]

ACTIVATIONS = {"selu": nn.SELU, "mish": nn.Mish, "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}
SCALE_RATE = 6.0  # learning rates relative to that of the weights
BIAS_RATE = 0.1


def build(members: int, sizes: Sequence[int], activation: str, dropout: float, generator: Generator) -> nn.Sequential:
    """Build K networks: a scaling layer, for each hidden layer Linear, activation and Dropout, then Linear.

    Weights start as N(0, 1/fan_in), biases as N(0, 1), and the last layer at zero.
    """
    layers: list[nn.Module] = [nn.EnsembleScale(members, sizes[0])]
    for fan_in, width in pairwise(sizes[:-1]):
        layers += [nn.EnsembleLinear(members, fan_in, width), ACTIVATIONS[activation]()]
        if dropout > 0:
            layers.append(nn.Dropout(dropout, generator=generator))
    last = nn.EnsembleLinear(members, sizes[-2], sizes[-1])
    for layer in layers:
        if isinstance(layer, nn.EnsembleLinear) and layer.bias is not None:
            init.normal_(layer.weight, 0, 1 / math.sqrt(max(layer.in_features, 1)), generator)
            init.normal_(layer.bias, 0, 1, generator)
    for parameter in last.parameters():
        init.zeros_(parameter)
    return nn.Sequential(*layers, last)


def parameter_groups(model: nn.Sequential, rate: float, decay: float) -> list[dict[str, Any]]:
    """Groups for AdamW, each with its learning rate; only weights decay, by rate·decay a step."""
    groups = []
    for layer in model:
        if isinstance(layer, nn.EnsembleScale):
            groups.append({"params": [layer.weight], "lr": SCALE_RATE * rate, "weight_decay": 0.0})
        elif isinstance(layer, nn.EnsembleLinear):
            root = math.sqrt(max(layer.in_features, 1))
            groups.append({"params": [layer.weight], "lr": rate / root, "weight_decay": decay * root})
            groups.append({"params": [layer.bias], "lr": BIAS_RATE * rate, "weight_decay": 0.0})
    return groups


def rate_factor(t: float) -> float:
    """The learning rate at a time t from 0 to 1, relative to the largest: ½(1 − cos(2π·log₂(1 + 15t))), four rises and
    falls, each longer than the one before."""
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t)))


def flat_cosine(t: float) -> float:
    """1 in the first half, then down to 0 along a cosine."""
    return 1.0 if t < 0.5 else 0.5 * (1 + math.cos(2 * math.pi * (t - 0.5)))
