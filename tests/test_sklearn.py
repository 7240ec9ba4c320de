"""The estimators: scikit-learn's own checks, its results at equal settings, and the additional features."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn.neural_network as theirs
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, make_friedman1, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import parametrize_with_checks

import cygrad as cg
import cygrad.sklearn as ours
from cygrad import nn
from cygrad.compiler import Epochs
from cygrad.sklearn import MLPClassifier, MLPRegressor
from cygrad.sklearn.patience import Patience
from cygrad.sklearn.samples import Samples, hold_out, row_keys, rows_besides
from cygrad.sklearn.scores import accuracy, r2

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DIGITS = (load_digits().data[:600] / 16, load_digits().target[:600])
CANCER = (scale(load_breast_cancer().data), load_breast_cancer().target)
NUMBERS = make_friedman1(400, random_state=0)
LABELS = make_multilabel_classification(300, n_classes=4, random_state=0)
SMALL, CLASSES = np.random.default_rng(0).standard_normal((60, 5)), np.arange(60) % 3
TARGET = 2 * SMALL[:, 0]
WEIGHT = np.random.default_rng(1).uniform(0.5, 1.5, 1000)
EMPTY = SimpleNamespace(state={})
SHORT = {"max_iter": 3, "random_state": 0}


def with_checks(*estimators):
    """``parametrize_with_checks`` with its checks in a list: pytest wants one, older versions of scikit-learn give none."""
    mark = parametrize_with_checks(list(estimators))
    names, checks = mark.args
    return pytest.mark.parametrize(names, list(checks), **mark.kwargs)


@with_checks(MLPClassifier(), MLPRegressor())
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


VARIANTS = [
    MLPClassifier(dropout=0.2, norm="batch", clip=1.0, weight_decay=0.01),
    MLPClassifier((20, 20), ("gelu", "tanh"), norm="layer", solver="sgd", learning_rate_init=0.1),
    MLPClassifier(solver="lbfgs"),
    MLPRegressor(norm="layer", learning_rate_init=0.01),
    MLPRegressor(solver="lbfgs"),
]


@with_checks(*VARIANTS)
def test_the_checks_pass_with_additional_parameters(estimator, check):
    name = getattr(check, "func", check).__name__
    if name.startswith("check_sample_weight_equivalence") and estimator.norm == "batch":
        pytest.skip("the statistics of batch norm are unweighted, and dropout draws a mask per row")
    if name.endswith("multilabel_output_format_predict_proba") and estimator.solver == "lbfgs":
        pytest.skip("the loss goes to 0 and probabilities to 1, which the check wants below 1")
    check(estimator)


# scikit-learn's results


def alike(kind, tolerance, data, weight=None, **settings):
    return pytest.param(kind, tolerance, data, weight, settings, id=" ".join([kind, *map(str, settings.values())]))


# Here Adam adds ε to √v̂, in scikit-learn to √v: the two forms of the paper.
ADAM = 5e-4
EXACT = 1e-9


@pytest.mark.parametrize(
    ("kind", "tolerance", "data", "weight", "settings"),
    [
        alike("MLPClassifier", ADAM, DIGITS),
        alike("MLPClassifier", EXACT, DIGITS, solver="sgd", learning_rate_init=0.1),
        alike("MLPClassifier", EXACT, DIGITS, solver="sgd", learning_rate="invscaling", learning_rate_init=0.5),
        alike(
            "MLPClassifier",
            EXACT,
            DIGITS,
            solver="sgd",
            learning_rate="adaptive",
            learning_rate_init=0.5,
            tol=0.3,
            n_iter_no_change=1,
        ),
        alike(
            "MLPClassifier", EXACT, DIGITS, solver="sgd", nesterovs_momentum=False, alpha=10.0, learning_rate_init=0.05
        ),
        alike(
            "MLPClassifier",
            EXACT,
            DIGITS,
            solver="sgd",
            momentum=0,
            shuffle=False,
            batch_size=17,
            learning_rate_init=0.05,
        ),
        alike(
            "MLPClassifier",
            EXACT,
            CANCER,
            solver="sgd",
            early_stopping=True,
            n_iter_no_change=2,
            learning_rate_init=0.2,
        ),
        alike("MLPClassifier", ADAM, CANCER, hidden_layer_sizes=(20, 30), activation="tanh"),
        alike("MLPClassifier", ADAM, CANCER, hidden_layer_sizes=(20, 30), activation="logistic"),
        alike("MLPClassifier", EXACT, CANCER, hidden_layer_sizes=(), solver="lbfgs"),
        alike("MLPClassifier", EXACT, CANCER, WEIGHT, solver="lbfgs", alpha=1.0),
        alike("MLPClassifier", EXACT, CANCER, WEIGHT, solver="sgd", batch_size=569, alpha=1.0),
        alike("MLPClassifier", EXACT, LABELS, solver="sgd"),
        alike("MLPRegressor", ADAM, NUMBERS, beta_1=0.8, beta_2=0.99),
        alike("MLPRegressor", EXACT, NUMBERS, solver="lbfgs", activation="identity"),
        alike("MLPRegressor", EXACT, NUMBERS, loss="poisson", solver="sgd", learning_rate_init=1e-4),
        alike("MLPRegressor", EXACT, NUMBERS, WEIGHT, loss="poisson", solver="sgd", learning_rate_init=1e-4, alpha=0.0),
        alike("MLPRegressor", EXACT, NUMBERS, WEIGHT, solver="sgd", learning_rate_init=1e-3, alpha=0.0),
    ],
)
def test_equal_settings_give_scikit_learns_network(kind, tolerance, data, weight, settings):
    x, y = data
    weight = None if weight is None else weight[: len(y)]
    settings = {"max_iter": 10, "random_state": 3, **settings}
    one, other = (getattr(library, kind)(**settings).fit(x, y, sample_weight=weight) for library in (theirs, ours))
    assert one.n_iter_ == other.n_iter_ and one.out_activation_ == other.out_activation_
    assert (one.n_layers_, one.n_outputs_) == (other.n_layers_, other.n_outputs_)
    np.testing.assert_allclose(other.loss_, one.loss_, rtol=tolerance)
    if settings.get("solver") != "lbfgs":
        np.testing.assert_allclose(other.loss_curve_, one.loss_curve_, rtol=tolerance)
        assert one.t_ == other.t_
    if settings.get("early_stopping"):
        np.testing.assert_allclose(other.validation_scores_, one.validation_scores_)
        assert other.best_validation_score_ == one.best_validation_score_ and other.best_loss_ is None
    if tolerance == EXACT:
        for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(other.predict(x), one.predict(x), rtol=1e-6)


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_parameters_include_scikit_learns(kind):
    params, reference = getattr(ours, kind)().get_params(), getattr(theirs, kind)().get_params()
    assert {name: params[name] for name in reference} == reference


def test_several_outputs_have_the_gradient_of_their_sum():
    x, y = NUMBERS
    y = np.column_stack([y, -y])
    settings = {"solver": "sgd", "learning_rate_init": 1e-3, "alpha": 0, "max_iter": 5, "random_state": 0}
    one, other = (library.MLPRegressor(**settings).fit(x, y) for library in (theirs, ours))
    np.testing.assert_allclose(other.coefs_[0], one.coefs_[0], rtol=1e-9)
    np.testing.assert_allclose(other.loss_curve_, 2 * np.array(one.loss_curve_))  # scikit-learn reports the mean


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(0)
    z, weight = rng.standard_normal((50, 3)), rng.random(50)
    numbers, labels, y = rng.integers(0, 3, 50), (rng.random((50, 3)) > 0.5).astype(float), rng.standard_normal((50, 3))
    for w in (None, weight):
        assert accuracy(cg.tensor(z), Samples(z, numbers, w)) == pytest.approx(
            accuracy_score(numbers, z.argmax(1), sample_weight=w)
        )
        assert accuracy(cg.tensor(z), Samples(z, labels, w)) == pytest.approx(
            accuracy_score(labels, z > 0, sample_weight=w)
        )
        assert r2(cg.tensor(z), Samples(z, y, w)) == pytest.approx(r2_score(y, z, sample_weight=w))
    constant = np.ones((50, 1))
    assert r2(cg.tensor(constant), Samples(z, constant)) == 1 and r2(cg.tensor(z[:, :1]), Samples(z, constant)) == 0


def test_patience_counts_as_scikit_learn_does():
    patience = Patience(tol=0.1, epochs=2)
    steps = [(patience.step(score), patience.exhausted) for score in (0.5, 0.55, np.nan, 0.7, 0.72, 0.73, 0.74)]
    assert steps == [
        (True, False),
        (True, False),
        (False, False),
        (True, False),
        (True, False),
        (True, False),
        (True, True),
    ]


# Weights of samples and classes


def test_class_weights_multiply_sample_weights():
    weights = {0: 3.0, 1: 1.0, 2: 0.5}
    one = MLPClassifier(class_weight=weights, **SHORT).fit(SMALL, CLASSES, sample_weight=WEIGHT[:60])
    other = MLPClassifier(**SHORT).fit(
        SMALL, CLASSES, sample_weight=WEIGHT[:60] * compute_sample_weight(weights, CLASSES)
    )
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])
    np.testing.assert_array_equal(
        MLPClassifier(class_weight=weights, **SHORT).partial_fit(SMALL, CLASSES, classes=[0, 1, 2]).coefs_[0],
        MLPClassifier(**SHORT)
        .partial_fit(SMALL, CLASSES, compute_sample_weight(weights, CLASSES), [0, 1, 2])
        .coefs_[0],
    )


@pytest.mark.parametrize("y", [CLASSES**2 // 2, (SMALL[:, :3] > 0.3).astype(int)], ids=["classes", "labels"])
def test_balanced_weights_are_scikit_learns(y):
    one = MLPClassifier(class_weight="balanced", **SHORT).fit(SMALL, y)
    other = MLPClassifier(**SHORT).fit(SMALL, y, sample_weight=compute_sample_weight("balanced", y))
    np.testing.assert_allclose(one.coefs_[0], other.coefs_[0], rtol=1e-12)


def test_balanced_weights_respect_sample_weights():
    times, y = np.where(CLASSES == 2, 1, np.arange(60) % 4), CLASSES**2 // 2
    one = MLPClassifier(class_weight="balanced", **SHORT).fit(SMALL, y, sample_weight=times)
    other = MLPClassifier(class_weight="balanced", **SHORT).fit(SMALL.repeat(times, 0), y.repeat(times))
    np.testing.assert_allclose(one.coefs_[0], other.coefs_[0], rtol=1e-9)


def test_samples_of_weight_zero_are_left_out():
    weight = np.where(np.arange(60) < 40, 1.0, 0.0)
    one = MLPClassifier(early_stopping=True, **SHORT).fit(SMALL, CLASSES, sample_weight=weight)
    other = MLPClassifier(early_stopping=True, **SHORT).fit(SMALL[:40], CLASSES[:40], sample_weight=weight[:40])
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])
    assert one.validation_scores_ == other.validation_scores_


# The network


def test_each_layer_has_its_own_activation_and_dropout():
    model = MLPClassifier((4, 5, 6), ["gelu", "identity", "tanh"], dropout=(0.1, 0, 0.2), norm="batch", **SHORT)
    kinds = [type(layer).__name__ for layer in model.fit(SMALL, CLASSES).module_]
    assert kinds == [
        "Linear", "BatchNorm1d", "GELU", "Dropout", "Linear", "BatchNorm1d", "Linear", "BatchNorm1d", "Tanh", "Dropout", "Linear",
    ]  # fmt: skip
    assert [c.shape for c in model.coefs_] == [(5, 4), (4, 5), (5, 6), (6, 3)]
    assert [i.shape for i in model.intercepts_] == [(4,), (5,), (6,), (3,)] and model.n_layers_ == 5
    assert [layer.p for layer in model.module_ if isinstance(layer, nn.Dropout)] == [0.1, 0.2]


@pytest.mark.parametrize("activation", ours.base.ACTIVATIONS)
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_every_activation_and_norm_learns(activation, norm):
    model = MLPClassifier((16,), activation, norm=norm, learning_rate_init=0.05, max_iter=40, random_state=0)
    assert model.fit(SMALL, SMALL[:, 0] > 0).score(SMALL, SMALL[:, 0] > 0) > 0.9


def test_coefs_share_memory_with_the_network():
    model = MLPRegressor(**SHORT).fit(SMALL, TARGET)
    before = model.predict(SMALL)
    model.coefs_[0][:] = 0
    assert not np.array_equal(model.predict(SMALL), before) and not model.module_[0].weight.array.any()


def test_dropout_depends_on_the_random_state():
    settings = {"dropout": 0.5, "early_stopping": True, "max_iter": 5}
    one, other, third = (MLPClassifier(random_state=s, **settings).fit(SMALL, CLASSES) for s in (0, 0, 1))
    without = MLPClassifier(random_state=0, early_stopping=True, max_iter=5).fit(SMALL, CLASSES)
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])
    assert one.loss_curve_ != third.loss_curve_ and one.loss_curve_ != without.loss_curve_
    np.testing.assert_array_equal(one.predict_proba(SMALL), one.predict_proba(SMALL))


def test_fits_in_parallel_threads_are_independent():
    settings = [{"dropout": 0.3, "norm": "batch", "random_state": seed, "max_iter": 5} for seed in range(6)]
    fitted = [MLPClassifier(**s).fit(*DIGITS).coefs_[0] for s in settings]
    with ThreadPoolExecutor(3) as pool:
        at_once = list(pool.map(lambda s: MLPClassifier(**s).fit(*DIGITS).coefs_[0], settings))
    for one, other in zip(fitted, at_once, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("n", "batch_size"), [(59, 58), (60, 1), (3, 2)])
def test_batch_norm_never_gets_one_row(n, batch_size):
    model = MLPClassifier((4,), norm="batch", batch_size=batch_size, **SHORT).fit(SMALL[:n], CLASSES[:n])
    assert np.isfinite(model.predict_proba(SMALL)).all()


def test_one_class_is_always_predicted():
    model = MLPClassifier(**SHORT).fit(SMALL, np.full(60, "a"))
    assert (
        set(model.predict(SMALL)) == {"a"}
        and (model.predict_proba(SMALL) == 1).all()
        and model.loss_ == pytest.approx(0, abs=1e-4)
    )


def test_probabilities_are_never_zero():
    for x, y in (CANCER, DIGITS, LABELS):
        model = MLPClassifier(learning_rate_init=0.1, **SHORT).fit(x, y)
        far = 1e4 * x
        assert np.isfinite(model.predict_log_proba(far)).all() and (model.predict_proba(far) <= 1).all()
        np.testing.assert_allclose(np.exp(model.predict_log_proba(x)), model.predict_proba(x))
        assert model.predict_proba(x).shape == (len(x), len(model.classes_))


# Steps


def one_step(**settings):
    """The first layer's weights before and after one step of plain gradient descent with rate 0.1."""
    settings = {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.1, "alpha": 0, "random_state": 0, **settings}
    x, y = 10 * SMALL, 10 * TARGET
    before = MLPRegressor(**settings | {"learning_rate_init": 1e-300}).partial_fit(x, y)
    after = MLPRegressor(**settings).partial_fit(x, y)
    parts = [model.coefs_ + model.intercepts_ for model in (before, after)]
    return [np.concatenate([part.ravel() for part in of]) for of in parts], before, after


def test_weight_decay_is_decoupled():
    _, before, plain = one_step()
    _, _, decayed = one_step(weight_decay=0.5)
    for w, a, b in zip(before.coefs_, plain.coefs_, decayed.coefs_, strict=True):
        np.testing.assert_allclose(b - a, -0.1 * 0.5 * w, rtol=1e-9, atol=1e-12)
    for a, b in zip(plain.intercepts_, decayed.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("clip", "largest"),
    [
        (1.5, lambda step: np.linalg.norm(step) / 1.5),
        (("norm", 1.5), lambda step: np.linalg.norm(step) / 1.5),
        (("value", 0.01), lambda step: np.abs(step).max() / 0.01),
    ],
)
def test_the_gradient_is_clipped(clip, largest):
    (before, plain), _, _ = one_step()
    (_, after), _, _ = one_step(clip=clip)
    assert largest((after - before) / 0.1) == pytest.approx(1, rel=1e-3) and largest((plain - before) / 0.1) > 10


def test_adaptive_clipping_is_per_unit():
    _, before, after = one_step(clip=("adaptive", 0.01))
    for w, changed in zip(before.coefs_, after.coefs_, strict=True):
        ratio = np.linalg.norm(changed - w, axis=0) / 0.1 / np.linalg.norm(w, axis=0)
        assert ratio.max() == pytest.approx(0.01, rel=1e-3)


# Validation and early stopping


def test_validation_uses_the_given_set():
    x, y = DIGITS
    model = MLPClassifier(max_iter=5, random_state=0).fit(
        x[:400], y[:400], X_val=x[400:], y_val=y[400:], sample_weight_val=WEIGHT[400:600]
    )
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == 5
    assert model.validation_scores_[-1] == pytest.approx(model.score(x[400:], y[400:], WEIGHT[400:600]))
    loss = log_loss(y[400:], model.predict_proba(x[400:]), sample_weight=WEIGHT[400:600])
    assert model.validation_loss_curve_[-1] == pytest.approx(loss, rel=1e-6)
    assert model.history_["val_accuracy"] == model.validation_scores_ and model.history_["loss"] == model.loss_curve_
    alone = MLPClassifier(max_iter=5, random_state=0).fit(x[:400], y[:400])
    np.testing.assert_array_equal(alone.coefs_[0], model.coefs_[0])
    assert alone.validation_scores_ is None and alone.best_validation_score_ is None


def noisy(kind, **settings):
    """An estimator whose validation score deteriorates after some epochs, and data for it."""
    x, y = DIGITS
    estimator = kind(
        early_stopping=True, learning_rate_init=0.1, random_state=0, n_iter_no_change=4, max_iter=60, **settings
    )
    return estimator, x, (y if kind is MLPClassifier else y.astype(float))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_early_stopping_restores_the_best_weights(kind):
    model, x, y = noisy(kind, norm="batch")
    model.fit(x[:300], y[:300], X_val=x[300:], y_val=y[300:])
    scores = model.validation_scores_
    assert model.stopped_ and model.n_iter_ == len(scores) < 60 and scores[-1] < max(scores)
    assert model.best_validation_score_ == max(scores) == pytest.approx(model.score(x[300:], y[300:]))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_partial_fit_has_the_best_weights_after_every_call(kind):
    model, x, y = noisy(kind, norm="batch")
    whole = clone(model).fit(x[:300], y[:300], X_val=x[300:], y_val=y[300:])
    classes = {"classes": np.unique(y)} if kind is MLPClassifier else {}
    for epoch in range(1, whole.n_iter_ + 1):
        assert epoch == 1 or not model.stopped_
        model.partial_fit(x[:300], y[:300], X_val=x[300:], y_val=y[300:], **classes)
        assert model.score(x[300:], y[300:]) == pytest.approx(max(model.validation_scores_))
        assert model.n_iter_ == epoch
    assert model.stopped_
    # Each call continued from the latest weights, not from the best.
    assert model.loss_curve_ == whole.loss_curve_ and model.validation_scores_ == whole.validation_scores_


class Seen(cg.train.Callback):
    """Counts the samples of each epoch."""

    def __init__(self):
        self.steps = []

    def on_epoch_end(self, trainer, metrics):
        self.steps.append((trainer.steps_per_epoch, trainer.samples))


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_partial_fit_never_trains_on_held_out_rows(convert):
    x = np.repeat(np.arange(40.0), 2)[:, None] * [[1.0, 0.0, 2.0]]  # every row twice
    y = (x[:, 0] > 20).astype(int)
    model = MLPClassifier(early_stopping=True, validation_fraction=0.25, random_state=0)
    model.partial_fit(convert(x), y, classes=[0, 1])
    validation = model._training.validation
    assert len(validation) == 20 and model.t_ == 60
    order = np.random.default_rng(0).permutation(80)
    model.partial_fit(convert(x[order]), y[order])
    assert model.t_ == 120  # the same rows are left out in any order
    model.partial_fit(convert(x[:10] + 1000), y[:10])
    assert model.t_ == 130 and model._training.validation is validation
    together = Samples(convert(x), y[:, None].astype(float))
    remaining = rows_besides(together, model._training.validation_keys)
    every = Counter(row_keys(together))
    assert Counter(row_keys(together.take(remaining))) + Counter(row_keys(validation)) == every
    x = validation.x if convert is np.asarray else validation.x.toarray()
    with pytest.raises(ValueError, match="held out all of these 20 samples"):
        model.partial_fit(convert(x), validation.y[:, 0].astype(int))


@pytest.mark.parametrize(
    ("labels", "fraction"),
    [
        (np.array([0] * 20 + [1]), 0.2),
        (np.arange(30) // 2, 0.1),
        (np.array([0] * 50 + [1] * 2 + [2]), 0.5),
    ],
    ids=["one member", "more classes than rows to hold out", "mixed"],
)
def test_every_class_keeps_a_training_sample(labels, fraction):
    for seed in range(20):
        train, validation = hold_out(len(labels), labels, fraction, np.random.RandomState(seed), "test")
        assert set(labels[train]) == set(labels)
        assert len(validation) >= 2 and sorted([*train, *validation]) == list(range(len(labels)))


def test_the_validation_set_is_stratified():
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    _, validation = hold_out(160, labels, 0.1, np.random.RandomState(0), "test")
    assert np.bincount(labels[validation]).tolist() == [10, 5, 1]


# Continuing


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fits_are_the_epochs_of_a_fit(solver):
    x, y = DIGITS
    settings = {
        "solver": solver,
        "dropout": 0.2,
        "norm": "batch",
        "clip": 1.0,
        "random_state": 5,
        "learning_rate": "invscaling",
    }
    whole, parts = MLPClassifier(max_iter=4, **settings).fit(x, y), MLPClassifier(**settings)
    for _ in range(4):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(x, y, classes=range(10))))
    assert whole.loss_curve_ == parts.loss_curve_ and whole.n_iter_ == parts.n_iter_ == 4 and whole.t_ == parts.t_
    np.testing.assert_array_equal(whole.predict_proba(x), parts.predict_proba(x))


def test_warm_start_continues():
    model = MLPRegressor(warm_start=True, **SHORT).fit(SMALL, TARGET)
    first = list(model.loss_curve_)
    model.fit(SMALL, TARGET)
    assert model.loss_curve_[:3] == first and len(model.loss_curve_) == 6 and model.n_iter_ == 3
    assert model.loss_ < first[-1]
    assert len(clone(model).fit(SMALL, TARGET).loss_curve_) == 3


def test_a_pickle_and_a_clone():
    model = MLPClassifier(
        (8, 8), ("relu", "tanh"), clip=("adaptive", 0.01), dropout=(0.1, 0.2), callbacks=[Seen()], **SHORT
    )
    model.fit(SMALL, CLASSES)
    other = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(other.predict_proba(SMALL), model.predict_proba(SMALL))
    np.testing.assert_array_equal(
        other.partial_fit(SMALL, CLASSES).coefs_[0], model.partial_fit(SMALL, CLASSES).coefs_[0]
    )
    with pytest.raises(NotFittedError):
        clone(model).predict(SMALL)
    assert not hasattr(clone(model), "coefs_")


def broken(x, row=0):
    x = x.copy()
    x[row] *= 1e200
    return x


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.partial_fit(broken(SMALL), TARGET),
        lambda model: model.set_params(warm_start=True).fit(broken(SMALL), TARGET),
        lambda model: model.fit(broken(SMALL), TARGET),
        lambda model: model.fit(SMALL[:, :2], np.full(60, np.nan)),
        lambda model: model.set_params(callbacks=[Bad()]).partial_fit(SMALL, TARGET),
        lambda model: model.set_params(early_stopping=True, validation_fraction=0).fit(SMALL[:, :2], TARGET),
    ],
    ids=["partial_fit", "warm", "fit", "nan", "callback", "empty validation"],
)
def test_an_error_leaves_the_estimator_unchanged(call):
    model = MLPRegressor(solver="sgd", **SHORT).fit(SMALL, TARGET)
    expected, curve, names = model.predict(SMALL), list(model.loss_curve_), set(vars(model))
    with np.errstate(all="ignore"), pytest.raises((ValueError, cg.train.CallbackError)):
        call(model)
    np.testing.assert_array_equal(model.predict(SMALL), expected)
    assert model.loss_curve_ == curve and list(model.history_["loss"]) == curve and set(vars(model)) == names
    model.set_params(callbacks=None, early_stopping=False).partial_fit(SMALL, TARGET)
    assert len(model.loss_curve_) == len(curve) + 1 and np.isfinite(model.predict(SMALL)).all()


def test_an_error_in_the_first_fit_leaves_it_unfitted():
    model = MLPRegressor(**SHORT)
    with pytest.raises(ValueError, match="too large for float32"):
        model.set_params(dtype="float32").fit(SMALL, 1e300 * TARGET)
    with pytest.raises(NotFittedError):
        model.predict(SMALL)
    assert not hasattr(model, "n_features_in_") and not hasattr(model, "coefs_")


# Callbacks


class Bad(cg.train.Callback):
    def on_batch_end(self, trainer, metrics):
        raise ZeroDivisionError("oh")


class Log(cg.train.Callback):
    """Notes every call, and stops after `epochs`."""

    def __init__(self, epochs=100):
        self.epochs, self.calls, self.metrics = epochs, [], []

    def on_fit_begin(self, trainer):
        self.calls.append(f"begin {trainer.epochs} {trainer.steps_per_epoch}")

    def on_epoch_begin(self, trainer):
        self.calls.append(f"epoch {trainer.epoch}")

    def on_backward_end(self, trainer):
        assert all(p.grad is not None for p in trainer.model.parameters())
        self.calls.append("backward")

    def on_batch_end(self, trainer, metrics):
        self.metrics.append(metrics)
        self.calls.append(f"batch {trainer.step}")

    def on_epoch_end(self, trainer, metrics):
        self.calls.append(f"end {sorted(metrics)}")
        if trainer.epoch == self.epochs:
            trainer.stop()

    def on_fit_end(self, trainer):
        self.calls.append(f"end {trainer.model.training} {len(trainer.history)}")


def test_callbacks_are_called_at_every_moment():
    log = Log(epochs=2)
    model = MLPClassifier(callbacks=[log], batch_size=40, early_stopping=True, random_state=0).fit(SMALL, CLASSES)
    epoch = ["backward", "batch {}", "backward", "batch {}", "end ['epoch', 'loss', 'lr', 'val_accuracy', 'val_loss']"]
    expected = ["begin 200 2", "epoch 1", *epoch, "epoch 2", *epoch, "end False 2"]
    steps = iter(range(1, 5))
    assert log.calls == [line.format(next(steps)) if "{}" in line else line for line in expected]
    assert model.n_iter_ == 2 and model.stopped_ and model.history_.stopped
    assert all(metrics["grad_norm"] > 0 and metrics["lr"] == 0.001 for metrics in log.metrics)
    quiet = MLPClassifier(batch_size=40, early_stopping=True, random_state=0, max_iter=2).fit(SMALL, CLASSES)
    np.testing.assert_array_equal(quiet.coefs_[0], model.coefs_[0])


def test_lbfgs_calls_callbacks():
    log = Log(epochs=3)
    model = MLPRegressor(solver="lbfgs", callbacks=[log], random_state=0).fit(SMALL, TARGET)
    assert model.n_iter_ == len(model.loss_curve_) == 3 and log.calls[-1] == "end False 3"
    assert model.loss_curve_ == sorted(model.loss_curve_, reverse=True)


def test_lbfgs_logs_the_loss_if_it_starts_at_a_minimum():
    model = MLPRegressor(solver="lbfgs", tol=1e9, alpha=0.0, random_state=0).fit(SMALL, TARGET)
    assert model.n_iter_ == 1 and model.loss_ == pytest.approx(0.5 * np.mean((model.predict(SMALL) - TARGET) ** 2))


def test_lbfgs_gives_batch_norm_the_statistics_of_all_samples():
    model = MLPRegressor(
        hidden_layer_sizes=(8,), norm="batch", solver="lbfgs", alpha=0.0, max_iter=50, random_state=0
    ).fit(SMALL, TARGET)
    # The running variance is unbiased; the variance in training is not.
    assert 0.5 * np.mean((model.predict(SMALL) - TARGET) ** 2) == pytest.approx(model.loss_, abs=0.02)
    np.testing.assert_allclose(
        model.module_[1].running_mean.array, (SMALL @ model.coefs_[0] + model.intercepts_[0]).mean(0)
    )


def test_ctrl_c_ends_the_training_with_the_epochs_so_far():
    class Interrupt(cg.train.Callback):
        def on_epoch_begin(self, trainer):
            if trainer.epoch == 3:
                raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted in epoch 3"):
        model = MLPRegressor(callbacks=[Interrupt()], random_state=0).fit(SMALL, TARGET)
    assert model.n_iter_ == 2 and model.history_.interrupted
    assert model.loss_curve_ == MLPRegressor(max_iter=2, random_state=0).fit(SMALL, TARGET).loss_curve_


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system has no signals")
def test_ctrl_c_ends_an_epoch_between_two_batches():
    x = np.random.default_rng(0).standard_normal((200_000, 2))
    settings = {"hidden_layer_sizes": (2,), "batch_size": 1, "shuffle": False, "random_state": 0}
    model = MLPRegressor(**settings)  # several seconds per epoch

    def updates():
        training = vars(model).get("_training")
        states = list(getattr(training, "optimizer", EMPTY).state.values())
        return max([state["step"] for state in states], default=0)

    def interrupt_when_it_runs():
        while updates() < 3:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt_when_it_runs, daemon=True)
    thread.start()
    with pytest.warns(UserWarning, match="interrupted in epoch 1"):
        model.fit(x, x[:, 0])
    thread.join()
    done = updates()
    assert 3 <= done < 200_000 and model.history_.interrupted and model.n_iter_ == 0 and model.loss_curve_ == []
    twin = MLPRegressor(**settings).partial_fit(x[:done], x[:done, 0])
    for a, b in zip(model.coefs_, twin.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(model.partial_fit(x[:50], x[:50, 0]).loss_curve_) == 1


def test_ctrl_c_leaves_lbfgs_at_the_last_iteration():
    class Interrupt(cg.train.Callback):
        def on_epoch_end(self, trainer, metrics):
            if trainer.epoch == 4:
                raise KeyboardInterrupt

    settings = {"solver": "lbfgs", "random_state": 0, "alpha": 0.0}
    with pytest.warns(UserWarning, match="interrupted in epoch 4"):
        model = MLPRegressor(callbacks=[Interrupt()], **settings).fit(SMALL, TARGET)
    assert 0.5 * np.mean((model.predict(SMALL) - TARGET) ** 2) == pytest.approx(model.loss_curve_[-1])
    assert model.loss_curve_ == MLPRegressor(max_iter=4, **settings).fit(SMALL, TARGET).loss_curve_


def test_parameters_can_change_between_partial_fits():
    log = Log()
    model = MLPRegressor(batch_size=30, callbacks=[log], random_state=0).partial_fit(SMALL, TARGET)
    model.set_params(batch_size=20, clip=1e-9).partial_fit(SMALL, TARGET)
    assert [call for call in log.calls if call.startswith("begin")] == ["begin 1 2", "begin 2 3"]


# Recorded steps


class Halving(cg.train.Callback):
    """Changes gradients, and records the metrics of steps."""

    def __init__(self):
        self.seen = []

    def on_backward_end(self, trainer):
        trainer.params[0].grad.array[...] *= 0.5

    def on_batch_end(self, trainer, metrics):
        self.seen.append(metrics)


class Rates(cg.train.Callback):
    """Changes the learning rate in the middle of epochs."""

    def on_batch_end(self, trainer, metrics):
        trainer.optimizer.param_groups[0]["lr"] = 0.01 / (trainer.step + 1)


RECORDED = {
    "plain": {},
    "no penalty": {"alpha": 0.0},
    "decay": {"weight_decay": 0.05, "solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
    "decay, adam": {"weight_decay": 0.05},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 1, "max_iter": 12},
    "plain sgd": {"solver": "sgd", "momentum": 0.0},
    "clip norm": {"clip": 0.1},
    "clip value": {"clip": ("value", 0.01)},
    "clip adaptive": {"clip": ("adaptive", 0.01)},
    "dropout and batch norm": {
        "dropout": 0.3,
        "norm": "batch",
        "hidden_layer_sizes": (9, 7),
        "activation": ("gelu", "tanh"),
    },
    "layer norm": {"norm": "layer", "dtype": "float32"},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 2},
    "in order": {"shuffle": False},
    "gradients": {"callbacks": Halving, "clip": 0.1},
    "rates": {"callbacks": Rates},
    "lbfgs": {"solver": "lbfgs", "max_iter": 30},
    "lbfgs, float32": {"solver": "lbfgs", "max_iter": 30, "dtype": "float32", "norm": "batch", "alpha": 0.0},
}
TARGETS = {
    "classes": (MLPClassifier, CLASSES, None),
    "two classes": (MLPClassifier, CLASSES > 0, None),
    "labels": (MLPClassifier, np.stack([CLASSES > 0, CLASSES > 1], 1), None),
    "numbers": (MLPRegressor, TARGET, None),
    "weighted": (MLPRegressor, TARGET, WEIGHT[:60]),
    "weighted classes": (MLPClassifier, CLASSES, WEIGHT[:60]),
    "counts": (partial(MLPRegressor, loss="poisson"), CLASSES, None),
}


def fitted(kind, y, weight, options):
    """All weights, records and metrics after fits and partial fits."""
    callbacks = [options["callbacks"]()] if "callbacks" in options else []
    model = kind(**{"batch_size": 16, "max_iter": 6, "random_state": 0, **options, "callbacks": callbacks})
    left = []
    model.fit(SMALL, y, weight)
    left += [a.copy() for a in (*model.coefs_, *model.intercepts_)]
    if model.solver != "lbfgs":
        for count in (60, 60, 50):
            part = None if weight is None else weight[:count]
            model.partial_fit(SMALL[:count], y[:count], part)
            left += [a.copy() for a in model.coefs_]
        model = pickle.loads(pickle.dumps(model)).partial_fit(SMALL, y, weight)
    model.set_params(warm_start=True).fit(SMALL, y, weight)
    seen = [c.seen for c in callbacks if isinstance(c, Halving)]
    return [a.tobytes() for a in (*left, *model.coefs_, *model.intercepts_)], model.history_.records, seen


@pytest.mark.parametrize(
    ("target", "name"), [("numbers", name) for name in RECORDED] + [(target, "plain") for target in TARGETS]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_recorded_steps_have_the_bits_of_eager_ones(target, name, recordings, monkeypatch):
    ends = []
    for after in (10**9, 1):
        monkeypatch.setattr("cygrad.sklearn.training.EAGER_STEPS", after)
        ends.append(fitted(*TARGETS[target], RECORDED[name]))
        assert bool(recordings) == (after == 1)
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    "options",
    [{}, {"dropout": 0.3, "norm": "batch"}, {"clip": 0.1}, {"solver": "sgd", "batch_size": 10}, {"shuffle": False}],
    ids=str,
)
@pytest.mark.parametrize("target", ["numbers", "weighted", "weighted classes", "two classes"])
def test_an_epoch_in_one_call_has_the_bits_of_separate_batches(target, options):
    kind, y, weight = TARGETS[target]
    settings = {"batch_size": 16, "max_iter": 8, "random_state": 0, **options}
    at_once, one_by_one = kind(**settings), kind(callbacks=[Log()], **settings)
    for model in (at_once, one_by_one):
        model.fit(SMALL, y, weight).partial_fit(SMALL[:50], y[:50], None if weight is None else weight[:50])
    assert at_once.loss_curve_ == one_by_one.loss_curve_
    for a, b in zip(at_once.coefs_ + at_once.intercepts_, one_by_one.coefs_ + one_by_one.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert at_once._training.step == one_by_one._training.step


def test_an_epoch_is_one_call(recordings, monkeypatch):
    calls, call = [], Epochs.call
    monkeypatch.setattr(Epochs, "call", lambda self, rows: calls.append(len(rows)) or call(self, rows))
    MLPRegressor(batch_size=8, max_iter=20, random_state=0).fit(SMALL, TARGET, WEIGHT[:60])
    assert calls == [8, 8, 8]  # eager, recorded, compared with eager; the rest runs in C
    of_8, of_4 = recordings
    assert (of_8.replay.runs, of_4.replay.runs) == (7 * 20 - 2, 20 - 2) and of_8.loop is not None


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"max_iter": 10}, 0),
        ({"max_iter": 11}, 1),
        ({"max_iter": 200, "early_stopping": True, "n_iter_no_change": 2, "tol": 1.0}, 0),
        ({"max_iter": 3, "batch_size": 15}, 1),
        ({"max_iter": 11, "solver": "lbfgs"}, 1),
    ],
    ids=str,
)
def test_frequent_steps_are_recorded_at_once(settings, count, recordings):
    MLPRegressor(random_state=0, **settings).fit(SMALL, TARGET)
    assert len(recordings) == count


def test_many_batch_sizes_cause_no_warning(recordings, monkeypatch):
    monkeypatch.setattr("cygrad.sklearn.training.EAGER_STEPS", 1)
    model = MLPRegressor(random_state=0)
    for count in [*range(5, 25)] * 3:
        model.partial_fit(SMALL[:count], TARGET[:count])
    assert len(recordings) == 16


# With scikit-learn's tools


def test_in_a_pipeline_and_a_search():
    x, y = DIGITS
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(learning_rate_init=0.01, max_iter=15, random_state=2))
    search = GridSearchCV(
        pipeline,
        {
            "mlpclassifier__dropout": [0.0, 0.2],
            "mlpclassifier__norm": [None, "batch"],
            "mlpclassifier__clip": [("adaptive", 0.01)],
        },
        cv=2,
        n_jobs=1,
        error_score="raise",
    ).fit(x, y)
    assert len(search.cv_results_["params"]) == 4 and search.best_score_ > 0.85
    assert (
        cross_val_score(MLPRegressor(solver="lbfgs", alpha=1.0, max_iter=200, random_state=0), *NUMBERS, cv=2).mean()
        > 0.7
    )


def test_column_names_of_data_frames_are_checked():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(SMALL, columns=list("abcde"))
    model = MLPClassifier(early_stopping=True, **SHORT).fit(frame, pd.Series(CLASSES).map({0: "x", 1: "y", 2: "z"}))
    assert model.feature_names_in_.tolist() == list("abcde") and set(model.predict(frame)) <= set("xyz")
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("edcba")])
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(frame.rename(columns={"a": "A"}), CLASSES)
    two = MLPRegressor(**SHORT).fit(frame, frame[["a", "b"]], X_val=frame, y_val=frame[["a", "b"]])
    assert two.predict(frame).shape == (60, 2)


LAYOUTS = {
    "fortran": np.asfortranarray,
    "list": lambda x: x.tolist(),
    "csr": sparse.csr_array,
    "csc": sparse.csc_matrix,
    "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "settings", [{}, {"shuffle": False, "batch_size": 7}, {"solver": "lbfgs"}, {"early_stopping": True}], ids=str
)
def test_any_layout_gives_the_same_results(layout, settings):
    plain, other = (MLPClassifier(**SHORT, **settings) for _ in range(2))
    x = LAYOUTS[layout](SMALL)
    plain.fit(SMALL, CLASSES)
    other.fit(x, CLASSES)
    np.testing.assert_array_equal(other.predict_proba(x), plain.predict_proba(SMALL))


def test_many_rows_are_predicted_in_chunks():
    model = MLPRegressor(hidden_layer_sizes=(4,), **SHORT).fit(SMALL, TARGET)
    many = np.random.default_rng(0).standard_normal((10_000, 5))
    parts = np.concatenate([model.predict(many[i : i + 100]) for i in range(0, 10_000, 100)])
    np.testing.assert_allclose(model.predict(many), parts, rtol=1e-12)
    np.testing.assert_allclose(model.predict(sparse.csr_array(many)), parts, rtol=1e-12)


@pytest.mark.parametrize(
    ("given", "dtype", "computed"),
    [(np.float32, None, np.float32), (np.float64, None, np.float64), (np.int64, None, np.float64),
     (np.float64, "float32", np.float32), (np.float32, "float64", np.float64)],
)  # fmt: skip
def test_the_network_has_the_given_dtype_or_that_of_x(given, dtype, computed):
    model = MLPClassifier(dtype=dtype, **SHORT).fit((10 * SMALL).astype(given), CLASSES)
    assert {p.dtype for p in model.module_.parameters()} == {np.dtype(computed)}
    assert model.predict_proba(SMALL.astype(np.float64)).dtype == computed


def test_verbose_prints_a_line_per_epoch(capsys):
    MLPRegressor(verbose=True, early_stopping=True, **SHORT).fit(SMALL, TARGET)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[0].startswith("Iteration 1, loss = ") and "val_r2" in lines[0]


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_end_before_convergence_warns_the_caller(solver):
    with pytest.warns(ConvergenceWarning) as caught:
        MLPRegressor(solver=solver, **SHORT).fit(SMALL, TARGET)
    assert [warning.filename for warning in caught] == [__file__]


def test_without_scikit_learn_the_error_tells_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None; import cygrad; import cygrad.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (
        done.stderr.splitlines()[-1]
        == "ImportError: cygrad.sklearn: scikit-learn is not installed: pip install 'cygrad[sklearn]'"
    )


PAGE = Path(__file__).parent.parent / "docs" / "estimators.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the page is not installed with the tests")
def test_the_page_about_estimators_runs():
    script = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(
        float(line.split()[column]) > 0.95 for line, column in zip(done.stdout.splitlines(), (0, 2, 0), strict=True)
    )


# Bad input


def changed(x, value):
    x = x.copy()
    x[3, 2] = value
    return x


C, R = MLPClassifier, MLPRegressor
BAD = {
    "nan": (lambda: R(**SHORT).fit(changed(SMALL, np.nan), TARGET), "Input X contains NaN"),
    "infinity": (lambda: C(**SHORT).fit(changed(SMALL, np.inf), CLASSES), "Input X contains infinity"),
    "too large": (lambda: R(dtype="float32", **SHORT).fit(changed(SMALL, 1e300), TARGET), "too large for dtype"),
    "nan predicted": (lambda: R(**SHORT).fit(SMALL, TARGET).predict(changed(SMALL, np.nan)), "Input X contains NaN"),
    "diverged": (lambda: R(**SHORT).fit(1e300 * SMALL, TARGET), r"^MLPRegressor: the loss of epoch 1, batch 1, is (inf|nan); scale the data, or lower learning_rate_init, now 0.001$"),
    "diverged later": (lambda: R(shuffle=False, batch_size=16, **SHORT).fit(broken(SMALL, 40), TARGET), r"^MLPRegressor: the loss of epoch 1, batch 3, is (inf|nan);"),
    "unseen class": (lambda: C(**SHORT).partial_fit(SMALL, CLASSES, classes=[0, 1, 2]).partial_fit(SMALL, CLASSES + 1), r"^MLPClassifier: y has classes \[3\], which are not among the 3 classes of the first call: \[0, 1, 2\]$"),
    "class of another type": (lambda: C(**SHORT).partial_fit(SMALL, np.array(["a", "b", "c"])[CLASSES], classes=["a", "b", "c"]).partial_fit(SMALL, CLASSES), r"y has classes \[0, 1, 2\]"),
    "unseen in y_val": (lambda: C(**SHORT).fit(SMALL, CLASSES, X_val=SMALL, y_val=CLASSES + 1), r"^MLPClassifier: X_val and y_val: y has classes \[3\]"),
    "NaN in X_val": (lambda: R(**SHORT).fit(SMALL, TARGET, X_val=SMALL * np.nan, y_val=TARGET), "^MLPRegressor: X_val and y_val: Input X contains NaN"),
    "other classes": (lambda: C(**SHORT).partial_fit(SMALL, CLASSES, classes=[0, 1, 2]).partial_fit(SMALL, CLASSES, classes=[0, 1]), r"classes must be those of the first call, \[0, 1, 2\], got \[0, 1\]"),
    "no classes": (lambda: C(**SHORT).partial_fit(SMALL, CLASSES), "classes must be passed on the first call"),
    "several classes": (lambda: C(**SHORT).fit(SMALL, np.column_stack([CLASSES, CLASSES])), "got several columns of classes"),
    "other labels": (lambda: C(**SHORT).partial_fit(SMALL, SMALL > 0).partial_fit(SMALL, SMALL[:, :2] > 0), r"labels \(N, 5\) .* got shape \(60, 2\)"),
    "numbers for classes": (lambda: C(**SHORT).fit(SMALL, TARGET), "Unknown label type"),
    "other columns of y": (lambda: R(**SHORT).partial_fit(SMALL, TARGET).partial_fit(SMALL, SMALL[:, :2]), "y has 2 columns, but 1 in the first call"),
    "negative for poisson": (lambda: R("poisson", **SHORT).fit(SMALL, TARGET), "needs y ≥ 0, got"),
    "no validation part": (lambda: R(early_stopping=True, validation_fraction=0.0, **SHORT).fit(SMALL, TARGET), "validation_fraction=0.0 holds out 0 of 60 samples"),
    "small validation part": (lambda: R(early_stopping=True, **SHORT).fit(SMALL[:5], TARGET[:5]), "validation_fraction=0.1 holds out 1 of 5 samples"),
    "classes of one": (lambda: C(early_stopping=True, **SHORT).fit(SMALL[:19], [*range(18), 0]), "of 19 samples in 18 classes only 1 can be held out"),
    "X_val alone": (lambda: R(**SHORT).fit(SMALL, TARGET, X_val=SMALL), "X_val and y_val go together, got only X_val"),
    "X_val empty": (lambda: R(**SHORT).fit(SMALL, TARGET, X_val=SMALL[:0], y_val=TARGET[:0]), "0 sample"),
    "X_val for lbfgs": (lambda: R(solver="lbfgs").fit(SMALL, TARGET, X_val=SMALL, y_val=TARGET), "solver='lbfgs' has no epochs after which to measure X_val"),
    "lbfgs with dropout": (lambda: R(solver="lbfgs", dropout=[0.1]).fit(SMALL, TARGET), r"solver='lbfgs' does not support dropout, got \[0.1\]"),
    "lbfgs with clip": (lambda: R(solver="lbfgs", clip=("norm", 1)).fit(SMALL, TARGET), "solver='lbfgs' does not support clip"),
    "negative weight": (lambda: R(**SHORT).fit(SMALL, TARGET, sample_weight=SMALL[:, 0]), "sample_weight must not be negative"),
    "weights of zero": (lambda: R(**SHORT).fit(SMALL, TARGET, sample_weight=np.zeros(60)), "[Ss]ample.weight.*zero"),
    "negative class weight": (lambda: C(class_weight={0: -1, 1: 1, 2: 1}, **SHORT).fit(SMALL, CLASSES), "class_weight must not be negative"),
    "balanced in parts": (lambda: C(class_weight="balanced", **SHORT).partial_fit(SMALL, CLASSES, classes=[0, 1, 2]), "class_weight='balanced' needs all samples at once"),
    "activations": (lambda: C((4, 5), ["relu"], **SHORT).fit(SMALL, CLASSES), "activation has 1 values, but there are 2 hidden layers"),
    "an activation": (lambda: C((4,), ["foo"], **SHORT).fit(SMALL, CLASSES), "activation must be one of .* got 'foo'"),
    "dropout": (lambda: C((4,), dropout=[1.0], **SHORT).fit(SMALL, CLASSES), r"dropout must lie in \[0, 1\), got 1.0"),
    "sizes": (lambda: C((2.5,), **SHORT).fit(SMALL, CLASSES), r"hidden_layer_sizes must be integers > 0, got \(2.5,\)"),
    "clip": (lambda: C(clip=("foo", 1), **SHORT).fit(SMALL, CLASSES), r"MLPClassifier: clip must be .* got \('foo', 1\)"),
    "norm": (lambda: C(norm="group", **SHORT).fit(SMALL, CLASSES), "'norm' parameter of MLPClassifier"),
    "norm of one row": (lambda: C(norm="batch", **SHORT).fit(SMALL[:1], CLASSES[:1]), "norm='batch' needs at least two samples for training, got n_samples=1"),
    "another size": (lambda: C(warm_start=True, **SHORT).fit(SMALL, CLASSES).set_params(hidden_layer_sizes=3).fit(SMALL, CLASSES), r"training cannot continue with layer sizes \[5, 3, 3\], the network has \[5, 100, 3\]"),
    "no callback": (lambda: R(callbacks=[1], **SHORT).fit(SMALL, TARGET), "a callback must be a cygrad.train.Callback, got int"),
    "bad callback": (lambda: R(callbacks=[Bad()], **SHORT).fit(SMALL, TARGET), "MLPRegressor: Bad.on_batch_end raised ZeroDivisionError: oh"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_invalid_input_raises(name):
    call, message = BAD[name]
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises((ValueError, TypeError, cg.train.CallbackError), match=message),
    ):
        call()


def test_constant_features_are_allowed():
    x = np.hstack([SMALL, np.full((60, 2), 7.0)])
    for norm in (None, "batch", "layer"):
        assert np.isfinite(MLPRegressor(norm=norm, **SHORT).fit(x, TARGET).predict(x)).all()


def test_a_batch_larger_than_the_data_warns():
    with pytest.warns(UserWarning, match="batch_size=100 is larger than the training set of 60 samples"):
        MLPRegressor(batch_size=100, **SHORT).fit(SMALL, TARGET)


def test_lbfgs_has_no_partial_fit():
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit") and hasattr(MLPClassifier(), "partial_fit")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_scaled_target_is_learned_in_any_unit(solver):
    X, y = make_friedman1(300, random_state=0)
    Y = np.stack([y, 1e6 * y + 1e8], 1)
    model = MLPRegressor(scale_target=True, solver=solver, learning_rate_init=0.01, random_state=0).fit(X, Y)
    assert r2_score(Y, model.predict(X), multioutput="raw_values").min() > 0.8
    scaled = (Y - Y.mean(0)) / Y.std(0)
    plain = MLPRegressor(solver=solver, learning_rate_init=0.01, random_state=0).fit(X, scaled)
    np.testing.assert_allclose(model.predict(X), plain.predict(X) * Y.std(0) + Y.mean(0), rtol=1e-5)
    np.testing.assert_allclose(model.loss_curve_, plain.loss_curve_, rtol=1e-5)


def test_a_scaled_target_keeps_the_unit_of_the_first_call():
    X, y = make_friedman1(100, random_state=0)
    model = MLPRegressor(scale_target=True, random_state=0).partial_fit(X, y)
    before = model.predict(X)
    model.partial_fit(X[:50], 0 * y[:50] + 1e3)
    assert model._unit[0] == pytest.approx(y.mean()) and not np.array_equal(model.predict(X), before)
    constant = MLPRegressor(scale_target=True, max_iter=5).fit(X, np.full(100, 7.0)).predict(X)
    assert np.isfinite(constant).all()
    with pytest.raises(ValueError, match="scale_target does not go with loss='poisson'"):
        MLPRegressor("poisson", scale_target=True).fit(X, y)
