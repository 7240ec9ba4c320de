"""The classifier."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from cygrad._typing import Array
from cygrad.sklearn.base import BaseMLP
from cygrad.sklearn.scores import accuracy
from cygrad.sklearn.training import Score
from cygrad.tensor import Tensor

__all__ = ["MLPClassifier"]


class MLPClassifier(ClassifierMixin, BaseMLP):
    """A multi-layer perceptron that predicts classes, or several labels at once:
    ``sklearn.neural_network.MLPClassifier`` with its parameters, names, defaults and attributes, which give the
    same network from the same ``random_state``. Beside them:

    - `activation` may be a sequence, one a hidden layer; beside scikit-learn's four there are leaky_relu, elu, selu,
      gelu, silu, mish, softplus and softsign.
    - `dropout`: the share of a hidden layer's outputs that is dropped in training, a number or one a layer.
    - `norm`: ``"batch"`` or ``"layer"`` puts a norm before each activation.
    - `weight_decay`: decoupled, W ← W·(1 − lr·weight_decay); `alpha` is the L2 penalty of the loss.
    - `clip` bounds the gradient: a number its norm, or ``("norm", 1.0)``, ``("value", 0.5)``, ``("adaptive", 0.01)``.
    - `class_weight`: a dict, or ``"balanced"``; a sample's weight is multiplied by that of its class.
    - `early_stopping` works with ``partial_fit`` too, and the weights of the best epoch are restored.
    - `callbacks`: see ``cygrad.train.Callback``.
    - `dtype`: ``"float32"``, faster, or ``"float64"``; that of X, as in scikit-learn, unless given.

    Attributes beside scikit-learn's: ``module_``, the network; ``history_``, a ``cygrad.train.History``;
    ``validation_loss_curve_``; ``stopped_``, whether the patience came to its end.

    The solver lbfgs goes without dropout, weight_decay, clip and early stopping.

    >>> from sklearn.datasets import load_iris
    >>> from cygrad.sklearn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16, 16), norm="batch", dropout=0.1, learning_rate_init=0.01, random_state=1)
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    >>> model.predict_proba(X[:2]).shape
    (2, 3)
    """

    class_weight: Any
    classes_: Array
    _metric = "accuracy"
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMLP._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }

    def __init__(
        self,
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
        class_weight: Any = None,
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
        classes: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        check_leakage: bool = True,
    ) -> Any:
        """One epoch on samples X (N, D) and targets y, going on where the last call or ``fit`` ended; returns self.
        The first call must be given all `classes` that will ever come, unless y are labels (N, C).

        With ``early_stopping`` the estimator has, after every call, the weights of the best epoch so far, and the
        next call goes on from the latest; ``stopped_`` says whether the patience is at its end. Validation measures
        `X_val`, `y_val`, or else what the first call held out, which later calls do not train on. `check_leakage`: see
        ``fit``.

        Raises ValueError for a class that is not among `classes`, or for other `classes` than at first.
        """
        if classes is not None and "_training" in vars(self) and not self._multilabel:
            self._demand_same(classes)
        validation = X_val, y_val, sample_weight_val, check_leakage
        return self._fit(X, y, sample_weight, validation, incremental=True, classes=classes)

    def _demand_same(self, classes: Any) -> None:
        if not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"MLPClassifier: classes must be those of the first call, {self.classes_.tolist()[:10]}, "
                f"got {np.unique(classes).tolist()[:10]}"
            )

    def predict(self, X: Any) -> Array:
        """The class of each row of X (N, D), or its labels (N, C), each 0 or 1."""
        probabilities = self.predict_proba(X)
        if self._multilabel:
            return (probabilities > 0.5).astype(np.int64)
        return self.classes_[probabilities.argmax(1)]

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, in the order of ``classes_``, or of each label: (N, C). None is 0, but at
        least the smallest normal number, so that logarithms are finite."""
        z = self._scores(X)
        if self.out_activation_ == "logistic" and not self._multilabel:
            z = Tensor(np.hstack([-z.array, z.array]))  # 1 − σ(z) = σ(−z), without cancellation
        probabilities = self._outputs(z)
        return np.maximum(probabilities, np.finfo(probabilities.dtype).tiny, out=probabilities)

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of ``predict_proba``."""
        return np.log(self.predict_proba(X))

    def _target_rule(self) -> dict[str, Any]:
        return {}

    def _learn_target(self, y: Any, incremental: bool, classes: Any) -> None:
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError("MLPClassifier: y must be classes (N), or labels (N, C) of 0 and 1, got several classes")
        if kind not in ("binary", "multiclass", "multilabel-indicator"):
            check_classification_targets(y)  # raises
        self._multilabel = kind == "multilabel-indicator"
        if self._multilabel:
            self.classes_ = np.arange(y.shape[1])
        elif incremental and classes is None:
            raise ValueError("MLPClassifier: classes must be passed on the first call to partial_fit.")
        else:
            self.classes_ = np.unique(classes if incremental else y)
        many = not self._multilabel and len(self.classes_) != 2
        self.out_activation_ = "softmax" if many else "logistic"
        self.n_outputs_ = len(self.classes_) if many or self._multilabel else 1

    def _encoded(self, y: Any, dtype: Any) -> Array:
        if self._multilabel:
            return self._encoded_labels(y, dtype)
        y = column_or_1d(y, warn=True)
        numbers = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        unseen = np.unique(y[self.classes_[numbers] != y])
        if len(unseen):
            raise ValueError(
                f"MLPClassifier: y has classes {unseen.tolist()}, which are not among the {len(self.classes_)} that "
                f"classes_ had from the first call: {self.classes_.tolist()[:10]}"
            )
        return numbers.astype(np.int64) if self.out_activation_ == "softmax" else numbers.astype(dtype)[:, None]

    def _encoded_labels(self, y: Any, dtype: Any) -> Array:
        if type_of_target(y) != "multilabel-indicator" or y.shape[1] != self.n_outputs_:
            raise ValueError(
                f"MLPClassifier: y must be labels (N, {self.n_outputs_}) of 0 and 1, as in the first call, "
                f"got shape {y.shape}"
            )
        return np.ascontiguousarray(y if isinstance(y, np.ndarray) else y.toarray(), dtype)

    def _weighted(self, y: Array, weight: Array | None, incremental: bool) -> Array | None:
        if self.class_weight is None:
            return weight
        if isinstance(self.class_weight, str) and incremental:
            raise ValueError(
                "MLPClassifier: class_weight='balanced' needs all samples at once, partial_fit sees some; pass a dict, "
                "as sklearn.utils.class_weight.compute_class_weight makes it"
            )
        if self._multilabel:
            labels = y if isinstance(y, np.ndarray) else y.toarray()
            own = compute_sample_weight(self.class_weight, labels)
        else:
            y = column_or_1d(y)
            present = np.unique(y)
            counts = compute_class_weight(self.class_weight, classes=present, y=y, sample_weight=weight)
            own = counts[np.searchsorted(present, y)]
        return own if weight is None else own * weight

    def _strata(self, y: Array) -> Array | None:
        return None if self._multilabel else y.reshape(-1)

    def _score_of_outputs(self) -> Score:
        return accuracy

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
