"""The state of an estimator after ``fit``: fitted attributes, and the outputs of the network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from cygrad import nn
from cygrad._typing import Array
from cygrad.autograd import no_grad
from cygrad.autograd.arrays import check_unmasked
from cygrad.sklearn.network import OUTPUTS, linear_layers
from cygrad.sklearn.samples import contiguous, dense
from cygrad.sklearn.training import Training
from cygrad.tensor import Tensor
from cygrad.train.history import History

__all__ = ["FittedMLP"]

ROWS = 4096  # predicted at a time


def refuse_masked(estimator: Any, *arrays: Any) -> None:
    """Raise TypeError if an element of an array is masked: scikit-learn would ignore the mask."""
    for array in arrays:
        check_unmasked(type(estimator).__name__, array)


class FittedMLP:
    """The part of an estimator that is used after ``fit``."""

    out_activation_: str
    n_outputs_: int
    _metric: str
    _training: Training

    # Attributes

    def _publish(self, training: Training) -> None:
        """Sets the fitted attributes."""
        settings, history = training.settings, training.history
        early = settings.stochastic and settings.early_stopping
        validated = settings.stochastic and len(history) > 0 and f"val_{self._metric}" in history.records[-1]
        self.history_: History = history
        self.n_layers_ = len(training.weights) + 1
        self.t_ = training.samples
        self.stopped_ = training.stopped
        self.loss_ = history.records[-1]["loss"] if len(history) else math.nan
        self.loss_curve_ = [record["loss"] for record in history.records]
        self.validation_loss_curve_ = history["val_loss"] if validated else None
        self.validation_scores_ = history[f"val_{self._metric}"] if validated else None
        self.best_validation_score_ = training.patience.best if validated and early else None
        self.best_loss_ = None if early else min(self.loss_curve_, default=math.nan)

    @property
    def module_(self) -> nn.Sequential:
        """The network in evaluation mode: Linear, norm, activation and Dropout for each hidden layer, then Linear."""
        check_is_fitted(self)
        return self._training.model

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each layer, (inputs, outputs); they share memory with the network."""
        return [layer.weight.array.T for layer in self._linear_layers("coefs_")]

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each layer, (outputs); they share memory with the network."""
        return [layer.bias.array for layer in self._linear_layers("intercepts_") if layer.bias is not None]

    def _linear_layers(self, name: str) -> list[nn.Linear]:
        if "_training" not in vars(self):
            raise AttributeError(f"{type(self).__name__}: {name} is available after fit")
        return list(linear_layers(self._training.model))

    def __sklearn_is_fitted__(self) -> bool:
        return "_training" in vars(self)

    # Outputs

    def _scores(self, X: Any) -> Tensor:
        """The network's outputs (N, C) before the output activation."""
        check_is_fitted(self)
        model = self._training.model
        refuse_masked(self, X)
        X = validate_data(
            self, X, accept_sparse="csr", dtype=self._training.params[0].dtype, reset=False, ensure_min_samples=1
        )
        with no_grad():
            parts = [model(Tensor(contiguous(dense(X, slice(i, i + ROWS))))).array for i in range(0, X.shape[0], ROWS)]
        return Tensor(parts[0] if len(parts) == 1 else np.concatenate(parts))

    def _outputs(self, z: Tensor) -> Array:
        """The output activation of scores z (N, C)."""
        with no_grad():
            return OUTPUTS[self.out_activation_](z).array
