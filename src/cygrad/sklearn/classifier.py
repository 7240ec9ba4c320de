"""The classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from cygrad._typing import Array
from cygrad.sklearn.base import BaseMLP, Self, ValidationData
from cygrad.sklearn.scores import accuracy
from cygrad.sklearn.training import Score
from cygrad.tensor import Tensor

__all__ = ["MLPClassifier"]


@dataclass(eq=False, repr=False, match_args=False)
class MLPClassifier(ClassifierMixin, BaseMLP):
    """A multi-layer perceptron for classification, with one class or several labels per sample.

    It has the parameters, defaults and attributes of ``sklearn.neural_network.MLPClassifier``, and gives the same
    network from the same ``random_state``. A hidden layer is Linear, norm, activation, Dropout; the loss is the cross
    entropy, plus ½·alpha·‖W‖²/n for the weights W and n samples in a batch.

    Args:
        hidden_layer_sizes: units per hidden layer, an integer or a sequence.
        activation: ``"identity"``, ``"logistic"``, ``"tanh"``, ``"relu"``, ``"leaky_relu"``, ``"elu"``, ``"selu"``,
            ``"gelu"``, ``"silu"``, ``"mish"``, ``"softplus"`` or ``"softsign"``, for all hidden layers or one for each.
        solver: ``"adam"``, ``"sgd"``, or ``"lbfgs"``, which uses all samples in every step and supports neither
            `dropout`, `weight_decay`, `clip` nor validation.
        alpha: factor of the L2 penalty in the loss.
        batch_size: samples per batch; ``"auto"`` is min(200, n).
        learning_rate: schedule of sgd: ``"constant"``; ``"invscaling"``, lr = learning_rate_init/(t + 1)^power_t after
            t samples; ``"adaptive"``, which divides the rate by 5 when patience runs out.
        learning_rate_init: initial learning rate.
        power_t: exponent of ``"invscaling"``.
        max_iter: maximum number of epochs; with lbfgs, of iterations.
        shuffle: draw a new order of the samples in each epoch.
        random_state: seed of the initialization, the order of samples, dropout and the held-out validation set.
        tol: smallest change of loss or score that counts as an improvement.
        verbose: print a line per epoch.
        warm_start: let ``fit`` continue from the current weights.
        momentum: momentum of sgd.
        nesterovs_momentum: use Nesterov's momentum.
        early_stopping: stop when the validation score no longer improves, and restore the weights of the best epoch.
            Works with ``partial_fit`` too.
        validation_fraction: fraction of the samples held out for early stopping, unless ``fit`` gets `X_val`.
        beta_1: Adam's decay rate of the first moment.
        beta_2: Adam's decay rate of the second moment.
        epsilon: Adam's ε, added to √v̂.
        n_iter_no_change: epochs without improvement before training stops.
        max_fun: maximum number of loss evaluations of lbfgs.
        dropout: probability to drop an output of a hidden layer in training, for all hidden layers or one for each.
        norm: ``"batch"`` or ``"layer"`` normalizes before each activation; None does not.
        weight_decay: decoupled decay, W ← W·(1 − lr·weight_decay).
        clip: largest norm of the gradient; or ``("norm", c)``, ``("value", c)``, ``("adaptive", λ)``.
        class_weight: factors of the sample weights, a dict from class to factor, or ``"balanced"``: n/(classes·nᵢ) for
            the nᵢ samples of class i. Default: all 1.
        callbacks: list of ``cygrad.train.Callback``, such as trackers.
        dtype: ``"float32"`` (faster) or ``"float64"``. Default: the dtype of X, as in scikit-learn.

    Attributes:
        classes_: the class labels, sorted.
        coefs_: the weights of each layer, (inputs, outputs), in the memory of ``module_``.
        intercepts_: the biases of each layer.
        module_: the network, a ``cygrad.nn.Sequential`` in evaluation mode.
        history_: the record of each epoch, a ``cygrad.train.History``.
        loss_curve_: the training loss of each epoch.
        validation_loss_curve_: the validation loss of each epoch, or None.
        validation_scores_: the accuracy on the validation set after each epoch, or None.
        best_validation_score_: the best of them with early stopping, else None.
        stopped_: whether patience ran out or a callback stopped the training.
        n_iter_: the number of epochs.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from cygrad.sklearn import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier((16, 16), norm="batch", dropout=0.1, learning_rate_init=0.01, random_state=1)
        >>> model.fit(X, y).score(X, y) > 0.95
        True
        >>> model.predict_proba(X[:2]).shape
        (2, 3)

    https://scikit-learn.org/stable/modules/generated/sklearn.neural_network.MLPClassifier.html
    """

    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: str | Sequence[str] = "relu"
    _: KW_ONLY
    class_weight: Mapping[Any, float] | Sequence[Mapping[Any, float]] | str | None = None

    _metric = "accuracy"
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMLP._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }

    @available_if(BaseMLP._supports_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self: Self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
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
            y: classes (N), or labels (N, C), each 0 or 1.
            sample_weight: weights ≥ 0 of the samples (N).
            classes: all classes that can occur. Required in the first call, unless y holds labels (N, C).
            X_val, y_val, sample_weight_val, check_leakage: see ``fit``.

        Returns:
            The estimator itself.

        Raises:
            AttributeError: the solver is lbfgs.
            ValueError: a class outside `classes`, other `classes` than in the first call, or anything that ``fit``
                refuses.

        Example:
            >>> from cygrad.sklearn import MLPClassifier
            >>> X, y = np.eye(3), np.array(["a", "b", "c"])
            >>> model = MLPClassifier(learning_rate_init=0.1, random_state=0)
            >>> for epoch in range(20):
            ...     _ = model.partial_fit(X, y, classes=["a", "b", "c"])
            >>> model.n_iter_, model.predict(X).tolist()
            (20, ['a', 'b', 'c'])
        """
        if classes is not None and "_training" in vars(self) and not self._multilabel:
            self._require_same_classes(classes)
        validation = ValidationData(X_val, y_val, sample_weight_val, check_leakage)
        return self._fit(X, y, sample_weight, validation, incremental=True, classes=classes)

    def _require_same_classes(self, classes: Any) -> None:
        if not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"MLPClassifier: classes must be those of the first call, {self.classes_.tolist()[:10]}, "
                f"got {np.unique(classes).tolist()[:10]}"
            )

    def predict(self, X: Any) -> Array:
        """Predicts the class of each sample.

        Args:
            X: inputs (N, D).

        Returns:
            Classes (N), or labels (N, C), each 0 or 1.

        Raises:
            sklearn.exceptions.NotFittedError: the estimator is not fitted.
            ValueError: NaN, infinities, or a different number of columns than in ``fit``.
        """
        probabilities = self.predict_proba(X)
        if self._multilabel:
            return (probabilities > 0.5).astype(np.int64)
        return self.classes_[probabilities.argmax(1)]

    def predict_proba(self, X: Any) -> Array:
        """Predicts the probability of each class or label.

        Args:
            X: inputs (N, D).

        Returns:
            Probabilities (N, C): of classes in the order of ``classes_``, or of labels. None is below the smallest
            normal number, so that logarithms are finite.

        Raises:
            sklearn.exceptions.NotFittedError: the estimator is not fitted.
            ValueError: NaN, infinities, or a different number of columns than in ``fit``.
        """
        z = self._scores(X)
        if self.out_activation_ == "logistic" and not self._multilabel:
            z = Tensor(np.hstack([-z.array, z.array]))  # 1 − σ(z) = σ(−z), without cancellation
        probabilities = self._outputs(z)
        return np.maximum(probabilities, np.finfo(probabilities.dtype).tiny, out=probabilities)

    def predict_log_proba(self, X: Any) -> Array:
        """Returns the logarithm of ``predict_proba(X)``, (N, C)."""
        return np.log(self.predict_proba(X))

    def _target_checks(self) -> dict[str, Any]:
        return {}

    def _set_outputs(self, y: Any, incremental: bool, classes: Any) -> None:
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "MLPClassifier: y must be classes (N) or labels (N, C) of 0 and 1, got several columns of classes"
            )
        if kind not in ("binary", "multiclass", "multilabel-indicator"):
            check_classification_targets(y)  # raises
        self._multilabel = kind == "multilabel-indicator"
        self.classes_: Array
        if self._multilabel:
            self.classes_ = np.arange(y.shape[1])
        elif incremental and classes is None:
            raise ValueError("MLPClassifier: classes must be passed on the first call to partial_fit.")
        else:
            self.classes_ = np.unique(classes if incremental else y)
        many = not self._multilabel and len(self.classes_) != 2
        self.out_activation_ = "softmax" if many else "logistic"
        self.n_outputs_ = len(self.classes_) if many or self._multilabel else 1

    def _encode(self, y: Any, dtype: Any) -> Array:
        if self._multilabel:
            return self._encode_labels(y, dtype)
        y = column_or_1d(y, warn=True)
        indices = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        unseen = np.unique(y[self.classes_[indices] != y])
        if len(unseen):
            raise ValueError(
                f"MLPClassifier: y has classes {unseen.tolist()}, which are not among the {len(self.classes_)} classes "
                f"of the first call: {self.classes_.tolist()[:10]}"
            )
        return indices.astype(np.int64) if self.out_activation_ == "softmax" else indices.astype(dtype)[:, None]

    def _encode_labels(self, y: Any, dtype: Any) -> Array:
        if type_of_target(y) != "multilabel-indicator" or y.shape[1] != self.n_outputs_:
            raise ValueError(
                f"MLPClassifier: y must be labels (N, {self.n_outputs_}) of 0 and 1, as in the first call, "
                f"got shape {y.shape}"
            )
        return np.ascontiguousarray(y if isinstance(y, np.ndarray) else y.toarray(), dtype)

    def _target_weight(self, y: Array, weight: Array | None, incremental: bool) -> Array | None:
        if self.class_weight is None:
            return weight
        if isinstance(self.class_weight, str) and incremental:
            raise ValueError(
                "MLPClassifier: class_weight='balanced' needs all samples at once, but partial_fit gets a part; pass a "
                "dict, for example from sklearn.utils.class_weight.compute_class_weight"
            )
        if self._multilabel:
            labels = y if isinstance(y, np.ndarray) else y.toarray()
            factors = compute_sample_weight(self.class_weight, labels)
        else:
            y = column_or_1d(y)
            classes = np.unique(y)
            per_class = compute_class_weight(self.class_weight, classes=classes, y=y, sample_weight=weight)
            factors = per_class[np.searchsorted(classes, y)]
        return factors if weight is None else factors * weight

    def _strata(self, y: Array) -> Array | None:
        return None if self._multilabel else y.reshape(-1)

    def _score_function(self) -> Score:
        return accuracy

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
