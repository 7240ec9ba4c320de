"""What the two estimators share: parameters, ``fit`` and ``partial_fit``."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor as ReferenceMLP
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, validate_data

from cygrad._typing import Array
from cygrad.generator import Generator
from cygrad.sklearn.fitted import FittedMLP
from cygrad.sklearn.layers import Layers, layers_of
from cygrad.sklearn.lbfgs import fit_lbfgs
from cygrad.sklearn.leakage import warn_of_repeated
from cygrad.sklearn.network import ACTIVATIONS, LOSSES, NORMS, build, initialise, linear_layers
from cygrad.sklearn.samples import Samples, contiguous, hold_out, row_keys, rows_besides
from cygrad.sklearn.training import Score, Training

__all__ = ["BaseMLP"]

Validation = tuple[Any, Any, Any, bool]  # inputs, targets, weights, and whether to look for rows that are in both parts


class BaseMLP(FittedMLP, MultiOutputMixin, BaseEstimator):
    """A multi-layer perceptron as a scikit-learn estimator. A subclass says what targets are."""

    hidden_layer_sizes: Any
    activation: Any
    solver: str
    alpha: float
    batch_size: Any
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: Any
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    dropout: Any
    norm: str | None
    weight_decay: float
    clip: Any
    callbacks: Any
    dtype: Any

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

    def _set(self, given: Mapping[str, Any]) -> None:
        """Keeps the arguments of the constructor as they are."""
        for name in self._get_param_names():
            setattr(self, name, given[name])

    # What a subclass gives

    _metric: str
    out_activation_: str
    n_outputs_: int

    def _target_rule(self) -> dict[str, Any]:
        """How ``validate_data`` is to look at targets."""
        raise NotImplementedError

    def _learn_target(self, y: Any, incremental: bool, classes: Any) -> None:
        """Sets, from the first targets, ``out_activation_`` and ``n_outputs_``."""
        raise NotImplementedError

    def _encoded(self, y: Any, dtype: Any) -> Array:
        """Targets as the loss takes them."""
        raise NotImplementedError

    def _weighted(self, y: Array, weight: Array | None, incremental: bool) -> Array | None:
        """The weights of samples, with what their targets add."""
        raise NotImplementedError

    def _strata(self, y: Array) -> Array | None:
        """What a validation part is drawn within."""
        raise NotImplementedError

    def _score_of_outputs(self) -> Score:
        """What validation measures."""
        raise NotImplementedError

    # Fitting

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
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
        """Trains on samples X (N, D), an array, a data frame or a sparse matrix, and targets y, and returns self.

        A sample's loss counts `sample_weight` times; one of weight 0 is left out. `X_val`, `y_val` and
        `sample_weight_val` are what validation measures, each epoch; with ``early_stopping`` and without them
        `validation_fraction` of the samples is held out instead. A ``LeakageWarning`` tells of rows of `X_val`
        that, with their targets, also stand in X, as ``cygrad.data.repeated_rows`` finds them; ``check_leakage=False``
        leaves that out.

        Raises ValueError for NaN and infinities, shapes that do not fit, a loss that is no longer finite.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val, check_leakage), incremental=False)

    def _stochastic(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError(f"{type(self).__name__}: partial_fit needs solver sgd or adam, got lbfgs")
        return True

    def _fit(self, X: Any, y: Any, weight: Any, validation: Validation, incremental: bool, classes: Any = None) -> Any:
        """Fits; after an error the estimator is as it was."""
        first = not hasattr(self, "_training") or not (incremental or self.warm_start)
        attributes = self.__dict__.copy()
        before = None if first else self._training.snapshot()
        try:
            samples = self._samples(X, y, weight, first, incremental, classes)
            training = self._prepared(samples, first, incremental)
            self.n_iter_ = self._train(training, samples, validation, incremental)
            self._check_weights(training)
            self._publish(training)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(attributes)
            if before is not None:
                self._training.restore(before)
            raise
        return self

    def _prepared(self, samples: Samples, first: bool, incremental: bool) -> Training:
        """A training at its start, or the one to go on with; ``fit`` begins it anew in any case."""
        layers = layers_of(self, samples.x.shape[1])
        if first:
            self._training = self._new_training(layers, samples.x.dtype)
        else:
            self._check_sizes(layers.sizes)
        if not first and not incremental:
            self._training.random = check_random_state(self.random_state)
        self._training.adopt(self)
        if first or not incremental:
            self._training.begin(self)
        return self._training

    def _train(self, training: Training, samples: Samples, validation: Validation, incremental: bool) -> int:
        """Trains, and returns the number of epochs."""
        given = self._given_validation(samples, *validation)
        if self.solver == "lbfgs":
            return fit_lbfgs(training, samples, self)
        train, held = self._parts(training, samples, given, incremental)
        if incremental:
            training.run(train, held, 1, self.callbacks or ())
            return len(training.history)
        done = training.run(train, held, self.max_iter, self.callbacks or ())
        training.order = training.held = None
        if done == self.max_iter and not training.stopped:
            warnings.warn(
                f"{type(self).__name__}: the training ended after max_iter={self.max_iter} epochs, before the "
                f"{'score' if self.early_stopping else 'loss'} stopped improving",
                ConvergenceWarning,
                stacklevel=5,
            )
        return done

    def _samples(self, X: Any, y: Any, weight: Any, first: bool, incremental: bool, classes: Any) -> Samples:
        """What is trained on; samples of weight 0 are left out."""
        X, y = self._validated(X, y, self._dtypes(), first)
        if first:
            self._learn_target(y, incremental, classes)
        target = self._encoded(y, X.dtype)
        weight = self._checked_weight(weight, X, "sample_weight")
        weight = self._checked_weight(self._weighted(y, weight, incremental), X, "class_weight")
        samples = Samples(contiguous(X), target, weight)
        return samples if weight is None or weight.all() else samples.take(np.flatnonzero(weight))

    def _validated(self, X: Any, y: Any, dtype: Any, reset: bool) -> tuple[Any, Any]:
        """Inputs and targets as scikit-learn checks them; the names of the columns are kept, or compared."""
        with np.errstate(over="ignore", invalid="ignore"):  # what a dtype can't hold is infinite, which raises
            return validate_data(
                self, X, y, accept_sparse="csr", multi_output=True, dtype=dtype, reset=reset, **self._target_rule()
            )

    def _checked_weight(self, weight: Any, X: Any, name: str) -> Array | None:
        """Weights in the dtype of X. Raises ValueError for one that is negative, or where all are zero."""
        if weight is None:
            return None
        weight = _check_sample_weight(weight, X, dtype=X.dtype)
        if weight.min() < 0:
            raise ValueError(f"{type(self).__name__}: {name} must not be negative, got {weight.min()}")
        if not weight.any():
            raise ValueError(f"{type(self).__name__}: {name} is zero for all samples, at least one must weigh more")
        return weight

    def _in_dtype(self, y: Array, dtype: Any) -> Array:
        """Targets as numbers of the network. Raises ValueError for one that is too large."""
        with np.errstate(over="ignore"):
            result = np.ascontiguousarray(y, dtype)
        if not np.isfinite(result).all():
            raise ValueError(f"{type(self).__name__}: y holds numbers that are too large for {np.dtype(dtype)}")
        return result

    def _dtypes(self) -> Any:
        """What inputs are brought to: float32 stays, all else becomes float64, unless `dtype` says."""
        return (np.float64, np.float32) if self.dtype is None else np.dtype(self.dtype)

    def _new_training(self, layers: Layers, dtype: Any) -> Training:
        """A network at its start."""
        random = check_random_state(self.random_state)
        generator = Generator() if any(layers.dropout) else None
        model = build(*layers, self.norm, dtype, generator)
        initialise(model, layers.activations, random)
        if generator is not None:
            generator.manual_seed(int(random.randint(2**31)))
        return Training(model, LOSSES[self.out_activation_], self._score_of_outputs(), self._metric, random)

    def _check_sizes(self, sizes: list[int]) -> None:
        layers = list(linear_layers(self._training.model))
        built = [layers[0].in_features, *(layer.out_features for layer in layers)]
        if built != sizes:
            raise ValueError(
                f"{type(self).__name__}: to go on with a network of sizes {built} is not to change it to {sizes}"
            )

    # Validation

    def _given_validation(self, train: Samples, X: Any, y: Any, weight: Any, check_leakage: bool) -> Samples | None:
        name = type(self).__name__
        if X is None and y is None and weight is None:
            return None
        if X is None or y is None:
            raise ValueError(f"{name}: X_val and y_val go together, got {'y_val' if X is None else 'X_val'} alone")
        if self.solver == "lbfgs":
            raise ValueError(f"{name}: solver='lbfgs' has no epochs in which to measure X_val")
        try:
            X, y = self._validated(X, y, self._training.params[0].dtype, False)
            held = Samples(contiguous(X), self._encoded(y, X.dtype), self._checked_weight(weight, X, "sample_weight"))
        except ValueError as error:
            raise ValueError(f"{name}: X_val and y_val: {str(error).removeprefix(f'{name}: ')}") from error
        if check_leakage:
            warn_of_repeated(train, held, stacklevel=7)
        return held

    def _parts(
        self, training: Training, samples: Samples, given: Samples | None, incremental: bool
    ) -> tuple[Samples, Samples | None]:
        """What is trained on, and what is held out for validation. What the first ``partial_fit`` held out is
        not trained on in those that follow, should it come again."""
        if given is not None or not self.early_stopping:
            return samples, given
        if incremental and training.held is not None:
            rows = rows_besides(samples, training.held_keys)
            if not len(rows):
                raise ValueError(
                    f"{type(self).__name__}: all of these {len(samples)} samples were held out for validation in the "
                    "first call; there is nothing to train on"
                )
            return samples.take(rows), training.held
        train, held = hold_out(
            len(samples), self._strata(samples.y), self.validation_fraction, training.random, type(self).__name__
        )
        training.held = samples.take(held)
        if incremental:
            training.held_keys = Counter(row_keys(training.held))
        return samples.take(train), training.held

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
