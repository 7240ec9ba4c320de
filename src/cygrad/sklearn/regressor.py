"""The regressor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from cygrad._typing import Array
from cygrad.sklearn.base import BaseMLP, Self, ValidationData
from cygrad.sklearn.samples import mean_and_deviation
from cygrad.sklearn.scores import r2, r2_of_exp
from cygrad.sklearn.training import Score

__all__ = ["MLPRegressor"]


@dataclass(eq=False, repr=False, match_args=False)
class MLPRegressor(RegressorMixin, BaseMLP):
    """A multi-layer perceptron for regression, with one or several outputs.

    It has the parameters, defaults and attributes of ``sklearn.neural_network.MLPRegressor``, and gives the same
    network from the same ``random_state``. Validation measures R².

    Args:
        loss: ``"squared_error"``, ½(y − ŷ)² summed over the outputs, or ``"poisson"``, half the Poisson deviance of
            ŷ = eᶻ for y ≥ 0.
        scale_target: whether the network learns (y − ȳ)/σ of each target, with ȳ and σ of the samples of the first fit.
            Losses are then of scaled targets, predictions as before. Default False, as scikit-learn does.
        hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter,
            shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping,
            validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun, dropout, norm, weight_decay, clip,
            callbacks, dtype: see :class:`MLPClassifier`.

    Attributes:
        coefs_, intercepts_, module_, history_, loss_curve_, validation_loss_curve_, stopped_, n_iter_: see
            :class:`MLPClassifier`.
        validation_scores_: R² on the validation set after each epoch, or None.
        best_validation_score_: the best of them with early stopping, else None.

    Example:
        >>> from sklearn.datasets import make_friedman1
        >>> from cygrad.sklearn import MLPRegressor
        >>> X, y = make_friedman1(300, random_state=0)
        >>> model = MLPRegressor(learning_rate_init=0.02, max_iter=1000, early_stopping=True, n_iter_no_change=30)
        >>> model = model.set_params(random_state=0).fit(X[:200], y[:200])
        >>> model.predict(X[200:]).shape, model.score(X[200:], y[200:]) > 0.7
        ((100,), True)

    https://scikit-learn.org/stable/modules/generated/sklearn.neural_network.MLPRegressor.html
    """

    loss: str = "squared_error"
    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: str | Sequence[str] = "relu"
    _: KW_ONLY
    scale_target: bool = False

    _metric = "r2"
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson"})],
        "scale_target": ["boolean"],
    }

    @available_if(BaseMLP._supports_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self: Self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        check_leakage: bool = True,
    ) -> Self:
        """Trains for one epoch, from the state after the last call of ``partial_fit`` or ``fit``.

        With ``early_stopping`` the estimator has the weights of the best epoch so far after every call, and the next
        call continues from the latest; ``stopped_`` tells whether patience has run out. Without `X_val` the first call
        holds out a validation set, which later calls do not train on.

        Args:
            X: inputs (N, D).
            y: targets (N) or (N, C).
            sample_weight: weights ≥ 0 of the samples (N).
            X_val, y_val, sample_weight_val, check_leakage: see ``fit``.

        Returns:
            The estimator itself.

        Raises:
            AttributeError: the solver is lbfgs.
            ValueError: a different number of outputs than in the first call, or anything that ``fit`` refuses.

        Example:
            >>> from cygrad.sklearn import MLPRegressor
            >>> X = np.arange(20.0)[:, None] / 10
            >>> model = MLPRegressor(random_state=0)
            >>> for epoch in range(3):
            ...     _ = model.partial_fit(X, 2 * X[:, 0])
            >>> model.n_iter_, len(model.loss_curve_)
            (3, 3)
        """
        validation = ValidationData(X_val, y_val, sample_weight_val, check_leakage)
        return self._fit(X, y, sample_weight, validation, incremental=True)

    def predict(self, X: Any) -> Array:
        """Predicts the targets.

        Args:
            X: inputs (N, D).

        Returns:
            Predictions (N), or (N, C) for several outputs.

        Raises:
            sklearn.exceptions.NotFittedError: the estimator is not fitted.
            ValueError: NaN, infinities, or a different number of columns than in ``fit``.
        """
        outputs = self._outputs(self._scores(X))
        if self._unit is not None:
            mean, deviation = self._unit
            outputs = (outputs * deviation + mean).astype(outputs.dtype)
        return outputs[:, 0] if self.n_outputs_ == 1 else outputs

    def _target_checks(self) -> dict[str, Any]:
        return {"y_numeric": True}

    def _set_outputs(self, y: Any, incremental: bool, classes: Any) -> None:
        self.out_activation_ = "exp" if self.loss == "poisson" else "identity"
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
        self._unit = self._unit_of(y.reshape(len(y), -1)) if self.scale_target else None

    def _unit_of(self, columns: Array) -> tuple[Array, Array]:
        """The mean and the deviation of each target; 1 for a constant."""
        if self.out_activation_ == "exp":
            raise ValueError("MLPRegressor: scale_target does not go with loss='poisson', whose targets must be ≥ 0")
        return mean_and_deviation(columns)

    def _encode(self, y: Any, dtype: Any) -> Array:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != self.n_outputs_:
            raise ValueError(f"MLPRegressor: y has {columns.shape[1]} columns, but {self.n_outputs_} in the first call")
        if self._unit is not None:
            mean, deviation = self._unit
            columns = (columns - mean) / deviation
        columns = self._cast_target(columns, dtype)
        if self.out_activation_ == "exp" and columns.min() < 0:
            raise ValueError(f"MLPRegressor: loss='poisson' needs y ≥ 0, got {columns.min()}")
        return columns

    def _target_weight(self, y: Array, weight: Array | None, incremental: bool) -> Array | None:
        return weight

    def _strata(self, y: Array) -> None:
        return None

    def _score_function(self) -> Score:
        return r2_of_exp if self.out_activation_ == "exp" else r2
