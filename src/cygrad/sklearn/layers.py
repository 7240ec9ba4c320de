"""What an estimator's parameters say of its layers."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cygrad.sklearn.network import ACTIVATIONS
from cygrad.train.clipping import kind_and_bound

if TYPE_CHECKING:
    from cygrad.sklearn.base import BaseMLP

__all__ = ["Layers", "layers_of"]


class Layers(NamedTuple):
    """The sizes of all layers, with inputs and outputs; and for each hidden layer the activation and the dropout."""

    sizes: list[int]
    activations: list[str]
    dropout: list[float]


def layers_of(estimator: BaseMLP, columns: int) -> Layers:
    """The layers for inputs of so many columns. Raises ValueError where the parameters do not fit each other."""
    name = type(estimator).__name__
    hidden = list(np.atleast_1d(np.asarray(estimator.hidden_layer_sizes, dtype=object)))
    if not all(isinstance(size, (int, np.integer)) and size > 0 for size in hidden):
        raise ValueError(f"{name}: hidden_layer_sizes must be integers > 0, got {estimator.hidden_layer_sizes!r}")
    if estimator.clip is not None:
        kind_and_bound(estimator.clip, name)
    activations = per_layer(name, "activation", estimator.activation, len(hidden))
    dropout = per_layer(name, "dropout", estimator.dropout, len(hidden))
    for activation in activations:
        if activation not in ACTIVATIONS:
            raise ValueError(f"{name}: activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    for p in dropout:
        if not (isinstance(p, (int, float, np.number)) and 0 <= p < 1):
            raise ValueError(f"{name}: dropout must lie in [0, 1), got {p!r}")
    return Layers([columns, *map(int, hidden), estimator.n_outputs_], activations, dropout)


def per_layer(estimator: str, name: str, value: Any, layers: int) -> list[Any]:
    """A value for each hidden layer. Raises ValueError where there are given more or fewer."""
    if isinstance(value, (str, Real)):
        return [value] * layers
    if len(value) != layers:
        raise ValueError(f"{estimator}: {name} gives {len(value)} values, but there are {layers} hidden layers")
    return list(value)
