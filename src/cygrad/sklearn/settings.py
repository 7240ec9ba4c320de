"""The settings of one fit: an estimator's parameters, checked and in the form that the training reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import numpy as np

from cygrad.sklearn.network import ACTIVATIONS
from cygrad.train.clipping import kind_and_bound

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """The parameters of an estimator during one call of ``fit`` or ``partial_fit``.

    Fields named like a parameter of the estimator have its value and meaning; `activation` and `dropout` have one value
    per hidden layer, `clip` is a kind and a bound, or None, and `batch_size` is None for "auto". `estimator` is the
    name of the class, for messages; `parameters` holds all parameters as the user passed them, for trackers.
    """

    estimator: str
    parameters: Mapping[str, Any]
    hidden_layer_sizes: tuple[int, ...]
    activation: tuple[str, ...]
    dropout: tuple[float, ...]
    norm: str | None
    clip: tuple[str, float] | None
    solver: str
    alpha: float
    weight_decay: float
    batch_size: int | None
    shuffle: bool
    learning_rate: str
    learning_rate_init: float
    power_t: float
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    max_iter: int
    max_fun: int
    tol: float
    n_iter_no_change: float
    early_stopping: bool
    validation_fraction: float
    warm_start: bool
    verbose: bool | int
    dtype: str | None

    @classmethod
    def from_parameters(cls, estimator: str, parameters: Mapping[str, Any]) -> Settings:
        """Settings of an estimator of this class name with these parameters.

        Raises ValueError for parameters that are invalid or do not fit each other.
        """
        sizes = hidden_sizes(estimator, parameters["hidden_layer_sizes"])
        values = {field.name: parameters[field.name] for field in fields(cls) if field.name in parameters}
        values |= {
            "hidden_layer_sizes": sizes,
            "activation": activation_per_layer(estimator, parameters["activation"], len(sizes)),
            "dropout": dropout_per_layer(estimator, parameters["dropout"], len(sizes)),
            "batch_size": None if parameters["batch_size"] == "auto" else parameters["batch_size"],
            "clip": None if parameters["clip"] is None else kind_and_bound(parameters["clip"], estimator),
        }
        if parameters["solver"] == "lbfgs":
            require_deterministic(estimator, parameters)
        return cls(estimator=estimator, parameters=parameters, **values)

    @property
    def stochastic(self) -> bool:
        """Whether the solver updates the weights batch by batch."""
        return self.solver != "lbfgs"

    @property
    def schedule(self) -> str:
        """The learning rate schedule; only sgd has others than "constant"."""
        return self.learning_rate if self.solver == "sgd" else "constant"

    def layer_sizes(self, inputs: int, outputs: int) -> list[int]:
        """The sizes of all layers, from the input to the output."""
        return [inputs, *self.hidden_layer_sizes, outputs]


def hidden_sizes(estimator: str, value: Any) -> tuple[int, ...]:
    """The number of units per hidden layer, from an integer or a sequence of integers."""
    sizes = list(np.atleast_1d(np.asarray(value, dtype=object)))
    if not all(isinstance(size, (int, np.integer)) and size > 0 for size in sizes):
        raise ValueError(f"{estimator}: hidden_layer_sizes must be integers > 0, got {value!r}")
    return tuple(map(int, sizes))


def activation_per_layer(estimator: str, value: Any, layers: int) -> tuple[str, ...]:
    """The name of the activation of each hidden layer."""
    names = per_layer(estimator, "activation", value, layers)
    for name in names:
        if name not in ACTIVATIONS:
            raise ValueError(f"{estimator}: activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
    return names


def dropout_per_layer(estimator: str, value: Any, layers: int) -> tuple[float, ...]:
    """The dropout probability of each hidden layer."""
    probabilities = per_layer(estimator, "dropout", value, layers)
    for p in probabilities:
        if not (isinstance(p, (int, float, np.number)) and 0 <= p < 1):
            raise ValueError(f"{estimator}: dropout must lie in [0, 1), got {p!r}")
    return probabilities


def per_layer(estimator: str, name: str, value: Any, layers: int) -> tuple[Any, ...]:
    """One value per hidden layer, from a single value or a sequence of the right length."""
    if isinstance(value, (str, Real)):
        return (value,) * layers
    if len(value) != layers:
        raise ValueError(f"{estimator}: {name} has {len(value)} values, but there are {layers} hidden layers")
    return tuple(value)


def require_deterministic(estimator: str, parameters: Mapping[str, Any]) -> None:
    """Raises ValueError for parameters with which L-BFGS would see more than one loss, or more than one gradient, of
    the same weights."""
    for name in ("dropout", "weight_decay", "clip"):
        value = parameters[name]
        if value is not None and np.any(np.asarray(value, object) != 0):
            raise ValueError(f"{estimator}: solver='lbfgs' does not support {name}, got {value!r}")
