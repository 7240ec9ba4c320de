"""The common part of the two estimators: parameters, ``fit`` and ``partial_fit``."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor as ReferenceMLP
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, validate_data

from cygrad._typing import Array
from cygrad.generator import Generator
from cygrad.sklearn.fitted import FittedMLP, refuse_masked
from cygrad.sklearn.lbfgs import fit_lbfgs
from cygrad.sklearn.leakage import warn_of_repeated
from cygrad.sklearn.network import ACTIVATIONS, LOSSES, NORMS, build, initialize, linear_layers
from cygrad.sklearn.samples import Samples, contiguous, hold_out, row_keys, rows_besides
from cygrad.sklearn.settings import Settings
from cygrad.sklearn.training import Score, Training
from cygrad.train.callbacks import Callback

__all__ = ["BaseMLP", "Self", "ValidationData"]

Self = TypeVar("Self", bound="BaseMLP")


class ValidationData(NamedTuple):
    """A validation set as the user passed it, and whether to check it for rows of the training set."""

    X: Any
    y: Any
    weight: Any
    check_leakage: bool


@dataclass(kw_only=True, eq=False, repr=False, match_args=False)
class BaseMLP(FittedMLP, MultiOutputMixin, BaseEstimator):
    """A multi-layer perceptron as a scikit-learn estimator. Subclasses define the targets.

    The fields are the parameters: ``dataclass`` writes the constructor that scikit-learn's introspection reads.
    """

    solver: str = "adam"
    alpha: float = 0.0001
    batch_size: int | str = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: int | np.random.RandomState | None = None
    tol: float = 1e-4
    verbose: bool | int = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: float = 10
    max_fun: int = 15000
    dropout: float | Sequence[float] = 0.0
    norm: str | None = None
    weight_decay: float = 0.0
    clip: float | tuple[str, float] | None = None
    callbacks: Sequence[Callback] | None = None
    dtype: str | None = None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **{name: rule for name, rule in ReferenceMLP._parameter_constraints.items() if name != "loss"},
        "activation": [StrOptions(set(ACTIVATIONS)), "array-like"],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "norm": [StrOptions(set(NORMS)), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "clip": [Interval(Real, 0, None, closed="neither"), tuple, list, None],
        "callbacks": [tuple, list, None],
        "dtype": [StrOptions({"float32", "float64"}), None],
    }

    # Defined by subclasses

    def _target_checks(self) -> dict[str, Any]:
        """Arguments of ``validate_data`` for targets."""
        raise NotImplementedError

    def _set_outputs(self, y: Any, incremental: bool, classes: Any) -> None:
        """Sets ``out_activation_`` and ``n_outputs_`` from the first targets."""
        raise NotImplementedError

    def _encode(self, y: Any, dtype: Any) -> Array:
        """Targets in the form that the loss takes."""
        raise NotImplementedError

    def _target_weight(self, y: Array, weight: Array | None, incremental: bool) -> Array | None:
        """The weights of samples, multiplied by those of their targets."""
        raise NotImplementedError

    def _strata(self, y: Array) -> Array | None:
        """The class of each sample within which a validation set is drawn, or None to draw from all samples."""
        raise NotImplementedError

    def _score_function(self) -> Score:
        """The validation score."""
        raise NotImplementedError

    # Fitting

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
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
        """Fits the network to samples X and targets y.

        After an error the estimator is unchanged.

        Args:
            X: inputs (N, D): an array, a data frame or a sparse matrix. float32 stays float32 unless `dtype` is set;
                everything else becomes float64.
            y: targets (N) or (N, C).
            sample_weight: factors ≥ 0 of the samples' losses (N). Samples of weight 0 are left out. Default: all 1.
            X_val: inputs of a validation set, whose loss and score are measured after each epoch. With
                ``early_stopping`` and without `X_val`, a fraction `validation_fraction` of the samples is held out.
            y_val: targets of the validation set.
            sample_weight_val: weights of the validation set.
            check_leakage: warn (``cygrad.data.LeakageWarning``) if rows of the validation set, with their targets, are
                also in the training set; see ``cygrad.data.repeated_rows``.

        Returns:
            The estimator itself.

        Raises:
            ValueError: NaN or infinities, shapes or parameters that do not fit, or a loss that is no longer finite.
            cygrad.train.CallbackError: a callback raised an exception.

        Example:
            >>> from cygrad.sklearn import MLPRegressor
            >>> X = np.arange(20.0)[:, None] / 10
            >>> model = MLPRegressor(solver="lbfgs", random_state=0).fit(X, 2 * X[:, 0])
            >>> np.allclose(model.predict(X), 2 * X[:, 0], atol=0.1)
            True
        """
        validation = ValidationData(X_val, y_val, sample_weight_val, check_leakage)
        return self._fit(X, y, sample_weight, validation, incremental=False)

    def _supports_partial_fit(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError(f"{type(self).__name__}: partial_fit needs solver sgd or adam, got lbfgs")
        return True

    def _fit(
        self: Self, X: Any, y: Any, weight: Any, validation: ValidationData, incremental: bool, classes: Any = None
    ) -> Self:
        """Fits; an error leaves the estimator unchanged."""
        first = not hasattr(self, "_training") or not (incremental or self.warm_start)
        attributes = self.__dict__.copy()
        before = None if first else self._training.snapshot()
        try:
            settings = self._settings()
            samples = self._samples(X, y, weight, settings, first, incremental, classes)
            training = self._prepare(samples, settings, first, incremental)
            self.n_iter_ = self._train(training, samples, validation, incremental)
            training.require_finite_weights()
            self._publish(training)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(attributes)
            if before is not None:
                self._training.restore(before)
            raise
        return self

    def _settings(self) -> Settings:
        names = [name for name in self._parameter_constraints if name != "callbacks"]
        return Settings.from_parameters(type(self).__name__, {name: getattr(self, name) for name in names})

    def _prepare(self, samples: Samples, settings: Settings, first: bool, incremental: bool) -> Training:
        """A new training, or the one to continue; ``fit`` restarts it in any case."""
        sizes = settings.layer_sizes(samples.x.shape[1], self.n_outputs_)
        if first:
            self._training = self._new_training(settings, sizes, samples.x.dtype)
        else:
            self._check_sizes(sizes)
        if not first and not incremental:
            self._training.random = check_random_state(self.random_state)
        self._training.configure(settings)
        if first or not incremental:
            self._training.restart()
        return self._training

    def _train(self, training: Training, samples: Samples, validation: ValidationData, incremental: bool) -> int:
        """Trains, and returns the number of epochs."""
        settings, callbacks = training.settings, self.callbacks or ()
        validation_set = self._validation_set(samples, validation, settings)
        if not settings.stochastic:
            return fit_lbfgs(training, samples, callbacks)
        train, validation_set = self._split(training, samples, validation_set, incremental)
        if incremental:
            training.run(train, validation_set, 1, callbacks)
            return len(training.history)
        epochs = training.run(train, validation_set, settings.max_iter, callbacks)
        training.order = training.validation = None
        if epochs == settings.max_iter and not training.stopped:
            warnings.warn(
                f"{training.name}: training reached max_iter={epochs} epochs before the "
                f"{'score' if settings.early_stopping else 'loss'} stopped improving",
                ConvergenceWarning,
                stacklevel=5,
            )
        return epochs

    def _samples(
        self, X: Any, y: Any, weight: Any, settings: Settings, first: bool, incremental: bool, classes: Any
    ) -> Samples:
        """The checked and encoded samples, without those of weight 0."""
        dtype = (np.float64, np.float32) if settings.dtype is None else np.dtype(settings.dtype)
        X, y = self._validate(X, y, dtype, first)
        if first:
            self._set_outputs(y, incremental, classes)
        target = self._encode(y, X.dtype)
        weight = self._check_weight(weight, X, "sample_weight")
        weight = self._check_weight(self._target_weight(y, weight, incremental), X, "class_weight")
        samples = Samples(contiguous(X), target, weight)
        return samples if weight is None or weight.all() else samples.take(np.flatnonzero(weight))

    def _validate(self, X: Any, y: Any, dtype: Any, reset: bool) -> tuple[Any, Any]:
        """scikit-learn's checks of inputs and targets; with `reset` column names are stored, else compared."""
        refuse_masked(self, X, y)
        with np.errstate(over="ignore", invalid="ignore"):  # overflow in a cast gives infinity, which raises
            return validate_data(
                self, X, y, accept_sparse="csr", multi_output=True, dtype=dtype, reset=reset, **self._target_checks()
            )

    def _check_weight(self, weight: Any, X: Any, name: str) -> Array | None:
        """Weights in the dtype of X. Raises ValueError if one is negative or all are zero."""
        if weight is None:
            return None
        refuse_masked(self, weight)
        weight = _check_sample_weight(weight, X, dtype=X.dtype)
        if weight.min() < 0:
            raise ValueError(f"{type(self).__name__}: {name} must not be negative, got {weight.min()}")
        if not weight.any():
            raise ValueError(f"{type(self).__name__}: {name} is zero for all samples, at least one must be positive")
        return weight

    def _cast_target(self, y: Array, dtype: Any) -> Array:
        """Targets in the network's dtype. Raises ValueError on overflow."""
        with np.errstate(over="ignore"):
            result = np.ascontiguousarray(y, dtype)
        if not np.isfinite(result).all():
            raise ValueError(f"{type(self).__name__}: y contains values too large for {np.dtype(dtype)}")
        return result

    def _new_training(self, settings: Settings, sizes: list[int], dtype: Any) -> Training:
        """A training with a newly initialized network."""
        random = check_random_state(self.random_state)
        generator = Generator() if any(settings.dropout) else None
        model = build(sizes, settings.activation, settings.dropout, settings.norm, dtype, generator)
        initialize(model, settings.activation, random)
        if generator is not None:
            generator.manual_seed(int(random.randint(2**31)))
        return Training(model, LOSSES[self.out_activation_], self._score_function(), self._metric, random)

    def _check_sizes(self, sizes: list[int]) -> None:
        layers = list(linear_layers(self._training.model))
        built = [layers[0].in_features, *(layer.out_features for layer in layers)]
        if built != sizes:
            raise ValueError(
                f"{type(self).__name__}: training cannot continue with layer sizes {sizes}, the network has {built}"
            )

    # Validation

    def _validation_set(self, train: Samples, data: ValidationData, settings: Settings) -> Samples | None:
        """The validation set that the user passed, checked and encoded."""
        name = settings.estimator
        X, y, weight, check_leakage = data
        if X is None and y is None and weight is None:
            return None
        if X is None or y is None:
            raise ValueError(f"{name}: X_val and y_val go together, got only {'y_val' if X is None else 'X_val'}")
        if not settings.stochastic:
            raise ValueError(f"{name}: solver='lbfgs' has no epochs after which to measure X_val")
        try:
            X, y = self._validate(X, y, self._training.params[0].dtype, False)
            result = Samples(contiguous(X), self._encode(y, X.dtype), self._check_weight(weight, X, "sample_weight"))
        except ValueError as error:
            raise ValueError(f"{name}: X_val and y_val: {str(error).removeprefix(f'{name}: ')}") from error
        if check_leakage:
            warn_of_repeated(train, result, stacklevel=7)
        return result

    def _split(
        self, training: Training, samples: Samples, validation: Samples | None, incremental: bool
    ) -> tuple[Samples, Samples | None]:
        """The training set and the validation set. Later calls of ``partial_fit`` leave out rows that the first one
        held out, if they come again."""
        settings = training.settings
        if validation is not None or not settings.early_stopping:
            return samples, validation
        if incremental and training.validation is not None:
            rows = rows_besides(samples, training.validation_keys)
            if not len(rows):
                raise ValueError(
                    f"{training.name}: the first call held out all of these {len(samples)} samples for validation; "
                    "there are none to train on"
                )
            return samples.take(rows), training.validation
        train_rows, validation_rows = hold_out(
            len(samples), self._strata(samples.y), settings.validation_fraction, training.random, training.name
        )
        training.validation = samples.take(validation_rows)
        if incremental:
            training.validation_keys = Counter(row_keys(training.validation))
        return samples.take(train_rows), training.validation

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
