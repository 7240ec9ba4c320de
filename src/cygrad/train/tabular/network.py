"""The networks of an ensemble for tables, side by side, and the learning rates of their parameters.

A weight that RealMLP multiplies by 1/√fan_in and trains by Adam with rate η is a plain weight with rate η/√fan_in,
which is what `parameter_groups` gives it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from cygrad import nn
from cygrad.generator import Generator
from cygrad.nn import init

__all__ = ["ACTIVATIONS", "BETAS", "ensemble", "flattened", "parameter_groups"]

ACTIVATIONS = {"selu": nn.SELU, "mish": nn.Mish, "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}
SCALE_RATE = 6.0  # learning rates relative to that of the weights
BIAS_RATE = 0.1
EMBEDDING_RATE = 0.1
FACTOR_RATE = 0.1  # of the factors by which members differ that share weights
BETAS = (0.9, 0.95)  # of AdamW


def ensemble(
    members: int,
    sizes: Sequence[int],
    activation: str,
    dropout: float,
    generator: Generator | None = None,
    embedded: Sequence[int] = (),
    shared: bool = False,
) -> nn.Sequential:
    """Build K networks: a periodic embedding of some features, a scaling layer, for each hidden layer Linear,
    activation and Dropout, then Linear.

    Weights start as N(0, 1/fan_in), biases as N(0, 1), and the last layer at zero. If members share the weights of
    hidden layers, the factors of the first one's inputs start as ±1, by which the members differ.

    Args:
        members: K.
        sizes: of the input, the hidden layers and the output.
        activation: a name in ``ACTIVATIONS``.
        dropout: probability; 0 leaves the Dropout layers out.
        generator: of the weights and of dropout; the default generator if None.
        embedded: indices of the features with an embedding; without any there is no such layer.
        shared: whether members share the weights of hidden layers, see :class:`cygrad.nn.EnsembleSharedLinear`.

    Returns:
        A network from features (N, sizes[0]), or (K, N, sizes[0]), to scores (K, N, sizes[-1]).
    """
    layers: list[nn.Module] = []
    features = sizes[0]
    if embedded:
        embedding = nn.EnsemblePeriodicEmbedding(members, embedded)
        embedding.reset_parameters(generator)
        layers.append(embedding)
        features += len(embedded) * embedding.size
    layers.append(nn.EnsembleScale(members, features))
    kind = nn.EnsembleSharedLinear if shared else nn.EnsembleLinear
    for fan_in, width in pairwise([features, *sizes[1:-1]]):
        layers += [kind(members, fan_in, width), ACTIVATIONS[activation]()]
        if dropout > 0:
            layers.append(nn.Dropout(dropout, generator=generator))
    last = nn.EnsembleLinear(members, sizes[-2] if len(sizes) > 2 else features, sizes[-1])
    hidden = [layer for layer in layers if isinstance(layer, (nn.EnsembleLinear, nn.EnsembleSharedLinear))]
    for layer in hidden:
        assert layer.bias is not None
        init.normal_(layer.weight, 0, 1 / math.sqrt(max(layer.in_features, 1)), generator)
        init.normal_(layer.bias, 0, 1, generator)
    if hidden and isinstance(hidden[0], nn.EnsembleSharedLinear):
        factors = init.uniform_(hidden[0].input_scale, -1, 1, generator).array
        factors[...] = np.where(factors < 0, -1, 1)
    for parameter in last.parameters():
        init.zeros_(parameter)
    return nn.Sequential(*layers, last)


def flattened(networks: Iterable[nn.Module], members: int) -> nn.Sequential:
    """The same networks for batches (K·B, F) of rows of all members in turn, with scores (K·B, C): what a training loop
    with its loss and metrics expects. Its ``members`` tell ranks how to cut a batch."""
    model = nn.Sequential(nn.Unflatten(0, (members, -1)), *networks, nn.Flatten(0, 1))
    model.members = members
    return model


def parameter_groups(model: nn.Module, rate: float, decay: float) -> list[dict[str, Any]]:
    """Groups for AdamW, each with its learning rate; only weights decay, by rate·decay a step. The first one has an
    ``lr_scale``, by which a ``Trainer`` divides the rate that it shows."""
    groups: list[dict[str, Any]] = []
    for layer in model.modules():
        if isinstance(layer, nn.EnsembleScale):
            groups.append({"params": [layer.weight], "lr": SCALE_RATE * rate, "weight_decay": 0.0})
        elif isinstance(layer, nn.EnsemblePeriodicEmbedding):
            groups.append({"params": list(layer.parameters()), "lr": EMBEDDING_RATE * rate, "weight_decay": 0.0})
        elif isinstance(layer, (nn.EnsembleLinear, nn.EnsembleSharedLinear)):
            root = math.sqrt(max(layer.in_features, 1))
            groups.append({"params": [layer.weight], "lr": rate / root, "weight_decay": decay * root})
            groups.append({"params": [layer.bias], "lr": BIAS_RATE * rate, "weight_decay": 0.0})
        if isinstance(layer, nn.EnsembleSharedLinear):
            factors = [layer.input_scale, layer.output_scale]
            groups.append({"params": factors, "lr": FACTOR_RATE * rate, "weight_decay": 0.0})
    groups[0]["lr_scale"] = groups[0]["lr"] / rate
    return groups
