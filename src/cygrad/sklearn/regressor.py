"""The regressor."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from cygrad._typing import Array
from cygrad.sklearn.base import BaseMLP
from cygrad.sklearn.scores import r2, r2_of_exp
from cygrad.sklearn.training import Score

__all__ = ["MLPRegressor"]


class MLPRegressor(RegressorMixin, BaseMLP):
    """A multi-layer perceptron that predicts numbers, one or several: ``sklearn.neural_network.MLPRegressor`` with
    its parameters, names, defaults and attributes, and with what is listed at :class:`MLPClassifier`.

    `loss` is ``"squared_error"``, ½(y − ŷ)² summed over the outputs, or ``"poisson"``, half the Poisson deviance of
    ŷ = eᶻ, for y ≥ 0. Validation measures R².

    >>> from sklearn.datasets import make_friedman1
    >>> from cygrad.sklearn import MLPRegressor
    >>> X, y = make_friedman1(300, random_state=0)
    >>> model = MLPRegressor(learning_rate_init=0.02, max_iter=1000, early_stopping=True, n_iter_no_change=30)
    >>> model = model.set_params(random_state=0).fit(X[:200], y[:200])
    >>> model.predict(X[200:]).shape, model.score(X[200:], y[200:]) > 0.7
    ((100,), True)
    """

    loss: str
    _metric = "r2"
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        norm: str | None = None,
        weight_decay: float = 0.0,
        clip: Any = None,
        callbacks: Any = None,
        dtype: Any = None,
    ) -> None:
        self._set(locals())

    @available_if(BaseMLP._stochastic)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        check_leakage: bool = True,
    ) -> Any:
        """One epoch on samples X (N, D) and targets y, going on where the last call or ``fit`` ended; returns self.

        With ``early_stopping`` the estimator has, after every call, the weights of the best epoch so far, and the
        next call goes on from the latest; ``stopped_`` says whether the patience is at its end. Validation measures
        `X_val`, `y_val`, or else what the first call held out, which later calls do not train on. `check_leakage`: see
        ``fit``.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val, check_leakage), incremental=True)

    def predict(self, X: Any) -> Array:
        """The predictions for X (N, D): (N), or (N, C) for several outputs."""
        outputs = self._outputs(self._scores(X))
        return outputs[:, 0] if self.n_outputs_ == 1 else outputs

    def _target_rule(self) -> dict[str, Any]:
        return {"y_numeric": True}

    def _learn_target(self, y: Any, incremental: bool, classes: Any) -> None:
        self.out_activation_ = "exp" if self.loss == "poisson" else "identity"
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]

    def _encoded(self, y: Any, dtype: Any) -> Array:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        columns = self._in_dtype(y.reshape(len(y), -1), dtype)
        if columns.shape[1] != self.n_outputs_:
            raise ValueError(f"MLPRegressor: y has {columns.shape[1]} columns, but the first had {self.n_outputs_}")
        if self.out_activation_ == "exp" and columns.min() < 0:
            raise ValueError(f"MLPRegressor: loss='poisson' needs y that is not negative, got {columns.min()}")
        return columns

    def _weighted(self, y: Array, weight: Array | None, incremental: bool) -> Array | None:
        return weight

    def _strata(self, y: Array) -> None:
        return None

    def _score_of_outputs(self) -> Score:
        return r2_of_exp if self.out_activation_ == "exp" else r2
