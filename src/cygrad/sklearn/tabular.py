"""Estimators for tables that need no tuning: ensembles of networks with RealMLP's recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, TypeVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin, _fit_context, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from cygrad import nn
from cygrad._typing import Array
from cygrad.generator import Generator
from cygrad.sklearn.fitted import refuse_masked
from cygrad.sklearn.samples import mean_and_deviation
from cygrad.sklearn.settings import hidden_sizes
from cygrad.sklearn.tabular_features import Features, category_columns
from cygrad.tensor import Tensor
from cygrad.train.history import History
from cygrad.train.tabular.blend import blend, blended
from cygrad.train.tabular.fitting import Recipe, class_recipe, number_recipe, scores_of, train
from cygrad.train.tabular.folds import Folds
from cygrad.train.tabular.network import ACTIVATIONS, ensemble
from cygrad.train.tabular.recipe import (
    CLASSES,
    DROPOUT,
    EPOCHS,
    LABEL_SMOOTHING,
    NUMBERS,
    WEIGHT_DECAY,
    Sizes,
    embeddable,
    is_blended,
    sizes_for,
)
from cygrad.train.tabular.trial import Shape, embedded_in_trial

__all__ = ["TabularClassifier", "TabularRegressor"]

Self = TypeVar("Self", bound="BaseTabular")


@dataclass(kw_only=True, eq=False, repr=False, match_args=False)
class BaseTabular(BaseEstimator):
    """The common part of both estimators. The fields are the parameters."""

    members: int | None = None
    hidden_layer_sizes: Sequence[int] | None = None
    activation: str = CLASSES.activation
    dropout: float = DROPOUT
    weight_decay: float = WEIGHT_DECAY
    learning_rate: float = CLASSES.learning_rate
    epochs: int = EPOCHS
    batch_size: int | None = None
    validation_fraction: float = 0.2
    embeddings: bool | None = None
    linear: bool | None = None
    shared: bool = False
    categorical_features: str | Sequence[Any] | None = "from_dtype"
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "members": [Interval(Integral, 1, None, closed="left"), None],
        "hidden_layer_sizes": ["array-like", None],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "embeddings": ["boolean", None],
        "linear": ["boolean", None],
        "shared": ["boolean"],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "random_state": ["random_state"],
    }

    _weight: Tensor | None = None  # of each class in the loss

    # Defined by subclasses

    def _set_targets(self, y: Array) -> tuple[Array, int]:
        """Sets what describes the targets. Returns them as the loss takes them, and the number of outputs."""
        raise NotImplementedError

    def _strata(self, targets: Array) -> Array | None:
        """A class for each row, within which folds are drawn."""
        raise NotImplementedError

    def _recipe(self, targets: Array, batch: int) -> Recipe:
        """How to train."""
        raise NotImplementedError

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self: Self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fits the members to samples X and targets y.

        Each member is validated on a fold of its own, so that together they learn from all rows. They stop at the epoch
        with the least mean of validation: of the squared error of numbers; of the fraction of wrong classes, or of the
        log loss for fewer than 1,000 rows.

        Args:
            X: inputs (N, D): an array or a data frame; NaN, None and NA are missing values.
            y: targets (N), of the regressor also (N, C).
            groups: the group (N) of each sample, such as a patient: no member is validated on a group that it learns
                from. Default: each sample is a group of its own.

        Returns:
            The estimator itself.

        Raises:
            ValueError: infinities, shapes or parameters that do not fit, or a loss that is no longer finite.
        """
        random = check_random_state(self.random_state)
        categories = category_columns(X, self.categorical_features, type(self).__name__)
        X, y = self._validated(X, y, categories)
        if len(X) < 2:
            raise ValueError(f"{type(self).__name__}: validation needs at least 2 samples, got n_samples={len(X)}")
        targets, outputs = self._set_targets(y)
        features = Features.fitted(X, categories)
        x = features.encoded(X)
        generator = Generator().manual_seed(int(random.randint(2**31)))
        chosen = self._sizes(len(x))
        folds = self._folds(targets, groups, chosen.members, generator)
        recipe = self._recipe(targets, chosen.batch)
        shape = Shape((x.shape[1], *chosen.hidden, outputs), self.activation, self.dropout, self.shared)
        try:
            embedded = self._embedded(shape, x, targets, folds, recipe, features.numeric)
            networks = ensemble(chosen.members, *shape[:3], generator, embedded, self.shared)
            history, best = train(networks, x, targets, folds, recipe, generator)
        except ValueError as error:
            raise ValueError(f"{type(self).__name__}: {error}") from None
        self.linear_share_: float = 0.0
        model = networks
        if is_blended(len(x)) if self.linear is None else self.linear:
            mixed = blended(networks, chosen.members, x.shape[1], outputs, is_classifier(self))
            self.linear_share_ = blend(mixed.eval(), x, targets, folds, self._weight)
            model = nn.Sequential(mixed)
        self._categories = categories
        self._features = features
        self.module_: nn.Sequential = model
        self.history_: History = history
        self.n_iter_ = len(history)
        self.best_iteration_ = best
        return self

    def _folds(self, targets: Array, groups: Any, members: int, generator: Generator) -> Folds:
        """The rows of each member; the same for all members that share weights, which learn from all their rows."""
        if self.shared:
            return self._folds_of(targets, groups, 1, generator).same_for(members)
        return self._folds_of(targets, groups, members, generator)

    def _folds_of(self, targets: Array, groups: Any, members: int, generator: Generator) -> Folds:
        """The rows of each member, on a fold of its own."""
        if groups is None:
            return Folds.drawn(self._strata(targets), len(targets), members, self.validation_fraction, generator)
        name, given = type(self).__name__, np.asarray(groups)
        if given.shape != (len(targets),):
            raise ValueError(f"{name}: groups must have shape ({len(targets)},), got {given.shape}")
        codes = given.astype(str) if given.dtype == object else given
        try:
            return Folds.of_groups(codes, members, self.validation_fraction, generator)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    def _embedded(
        self, shape: Shape, x: Array, targets: Array, folds: Folds, recipe: Recipe, numeric: list[int]
    ) -> list[int]:
        """The features with an embedding."""
        if self.embeddings is not None:
            return numeric if self.embeddings else []
        return embedded_in_trial(shape, x, targets, folds, recipe, embeddable(len(x), numeric))

    def _sizes(self, rows: int) -> Sizes:
        """The sizes that were given, else those that fit the number of rows."""
        fitting, hidden = sizes_for(rows), self.hidden_layer_sizes
        return Sizes(
            self.members or fitting.members,
            fitting.hidden if hidden is None else hidden_sizes(type(self).__name__, hidden),
            self.batch_size or fitting.batch,
            fitting.criterion,
        )

    def _validated(self, X: Any, y: Any, categories: Sequence[int]) -> tuple[Array, Array]:
        refuse_masked(self, X, y)
        return validate_data(self, X, y, **self._checks(categories), **self._target_checks())

    def _checks(self, categories: Sequence[int]) -> dict[str, Any]:
        """Arguments of ``validate_data`` for inputs."""
        return {"dtype": object if categories else np.float64, "ensure_all_finite": "allow-nan"}

    def _target_checks(self) -> dict[str, Any]:
        return {}

    def _scores(self, X: Any) -> Array:
        """The outputs (K, N, C) of all members."""
        check_is_fitted(self)
        refuse_masked(self, X)
        X = validate_data(self, X, reset=False, **self._checks(self._categories))
        scores: Array = scores_of(self.module_, self._features.encoded(X))
        return scores

    def __sklearn_is_fitted__(self) -> bool:
        return "module_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


@dataclass(eq=False, repr=False, match_args=False)
class TabularClassifier(ClassifierMixin, BaseTabular):
    """An ensemble of networks for classes, with defaults that were tuned over many tables.

    The members are trained side by side as one program; their probabilities are averaged. The recipe is RealMLP's
    (D. Holzmüller, L. Grinsztajn, I. Steinwart, 2024, "Better by default"): numbers are scaled by their quartiles and
    clipped smoothly, the first layer scales each feature, learning rates depend on the kind of parameter and follow
    four cycles, weight decay and dropout fade out, labels are smoothed.

    Args:
        members: the number K of networks; default 12 for fewer than 1,000 rows, else 4.
        hidden_layer_sizes: units of each hidden layer; default three of 64 for fewer than 1,000 rows, else of 128.
        activation: selu, mish, relu, gelu or silu.
        dropout: probability to drop an output of a hidden layer, in the first half of the training.
        weight_decay: decoupled decay of weights, in the first half.
        learning_rate: the largest learning rate of a weight, times √fan_in.
        epochs: passes over the training rows.
        batch_size: rows of a batch, for each member; default 32 for fewer than 1,000 rows, else 256.
        validation_fraction: of the rows, if there is one member or weights are shared; else members have a fold each.
        embeddings: whether each number has a periodic embedding, see :class:`cygrad.nn.EnsemblePeriodicEmbedding`;
            by default, for at least 1,000 rows and at most 32 numbers, a short trial of two members decides.
        linear: whether members are blended with linear models, which get the share that fits the validation rows best;
            default for fewer than 1,000 rows.
        shared: whether the members share the weights of hidden layers, as in TabM
            (:class:`cygrad.nn.EnsembleSharedLinear`), and are validated on the same rows.
        categorical_features: columns that hold categories: "from_dtype" for those of a data frame that are not numbers,
            names, indices, a mask, or None.
        random_state: of the folds, the initialization, the order and dropout.
        class_weight: a dict or "balanced"; the factor of each class in the loss.
        label_smoothing: probability that is spread over all classes.

    Attributes:
        classes_: the classes.
        module_: the networks, a ``cygrad.nn.Sequential`` from features (N, F) to scores (K, N, C).
        history_: a ``cygrad.train.History``: loss and mean error of validation after each epoch.
        n_iter_, best_iteration_: the number of epochs, and the epoch whose weights were chosen.
        linear_share_: share of linear models in the probabilities.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from cygrad.sklearn import TabularClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = TabularClassifier(epochs=20, random_state=0).fit(X, y)
        >>> model.score(X, y) > 0.9, model.predict_proba(X[:2]).shape
        (True, (2, 3))
    """

    class_weight: Mapping[Any, float] | str | None = None
    label_smoothing: float = LABEL_SMOOTHING

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseTabular._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    def predict(self, X: Any) -> Array:
        """Predicts the class of each sample.

        Args:
            X: inputs (N, D).

        Returns:
            Classes (N).
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(1)]

    def predict_proba(self, X: Any) -> Array:
        """Predicts the probability of each class: the mean of the members'.

        Args:
            X: inputs (N, D).

        Returns:
            Probabilities (N, C) in the order of ``classes_``.
        """
        return mean_probabilities(self._scores(X))

    def _set_targets(self, y: Array) -> tuple[Array, int]:
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        self.classes_: Array
        self.classes_, indices = np.unique(y, return_inverse=True)
        self._weight = None
        if self.class_weight is not None:
            factors = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
            self._weight = Tensor(np.asarray(factors, np.float32))
        return indices.astype(np.int64), len(self.classes_)

    def _strata(self, targets: Array) -> Array:
        return targets

    def _recipe(self, targets: Array, batch: int) -> Recipe:
        weight, smoothing = self._weight, float(self.label_smoothing)

        options = (self.epochs, batch, self.learning_rate, self.weight_decay)
        return class_recipe(*options, smoothing, weight, sizes_for(len(targets)).criterion)


@dataclass(eq=False, repr=False, match_args=False)
class TabularRegressor(RegressorMixin, MultiOutputMixin, BaseTabular):
    """An ensemble of networks for numbers, with defaults that were tuned over many tables.

    Targets are scaled to mean 0 and deviation 1, and predictions do not leave the range of the training targets. See
    :class:`TabularClassifier` for the recipe, the parameters and the attributes.

    Args:
        activation: default mish.
        learning_rate: default 0.14.
        members, hidden_layer_sizes, dropout, weight_decay, epochs, batch_size, validation_fraction, embeddings, linear,
            shared, categorical_features, random_state: see :class:`TabularClassifier`.

    Example:
        >>> from sklearn.datasets import make_friedman1
        >>> from cygrad.sklearn import TabularRegressor
        >>> X, y = make_friedman1(300, random_state=0)
        >>> TabularRegressor(epochs=40, random_state=0).fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.8
        True
    """

    activation: str = NUMBERS.activation
    learning_rate: float = NUMBERS.learning_rate

    def predict(self, X: Any) -> Array:
        """Predicts the targets: the mean of the members' predictions.

        Args:
            X: inputs (N, D).

        Returns:
            Predictions (N), or (N, C) for several targets.
        """
        scores = self._scores(X).mean(0, dtype=np.float64)
        values = np.clip(scores * self._scale + self._mean, self._least, self._most)
        return values[:, 0] if self._flat else values

    def _target_checks(self) -> dict[str, Any]:
        return {"y_numeric": True, "multi_output": True}

    def _set_targets(self, y: Array) -> tuple[Array, int]:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self._flat = y.ndim == 1
        columns = y.reshape(len(y), -1).astype(np.float64)
        self._mean, self._scale = mean_and_deviation(columns)
        self._least, self._most = columns.min(0), columns.max(0)
        return ((columns - self._mean) / self._scale).astype(np.float32), columns.shape[1]

    def _strata(self, targets: Array) -> None:
        return None

    def _recipe(self, targets: Array, batch: int) -> Recipe:
        options = (self.epochs, batch, self.learning_rate, self.weight_decay)
        return number_recipe(*options, targets.min(0), targets.max(0))


def mean_probabilities(scores: Array) -> Array:
    """The mean over members of softmax(scores) for scores (K, N, C)."""
    powers = np.exp(scores - scores.max(2, keepdims=True), dtype=np.float64)
    mean: Array = (powers / powers.sum(2, keepdims=True)).mean(0)
    return mean
