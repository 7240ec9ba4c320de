"""Ensembles for tables: scikit-learn's checks, columns of every kind, and scores."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_iris, make_friedman1
from sklearn.metrics import r2_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import cygrad as cg
from cygrad import optim
from cygrad.compiler import CompiledFunction
from cygrad.generator import Generator
from cygrad.nn import functional as F
from cygrad.sklearn import TabularClassifier, TabularRegressor
from cygrad.sklearn.tabular_features import Categories, Features, category_columns
from cygrad.train.tabular.blend import best_share
from cygrad.train.tabular.folds import Folds
from cygrad.train.tabular.network import ensemble, parameter_groups
from cygrad.train.tabular.schedule import RecipeSchedule, flat_cosine, rate_factor

FAST = {"epochs": 30, "members": 2, "hidden_layer_sizes": (32, 32), "random_state": 0}


@parametrize_with_checks([TabularClassifier(epochs=40, members=2), TabularRegressor(epochs=40, members=2)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


class Frame(dict):
    """What a data frame has for the encoding: columns with a dtype."""

    @property
    def columns(self):
        return list(self)


def test_columns_of_a_frame_that_are_not_numbers_hold_categories():
    frame = Frame(a=np.zeros(2), b=np.array(["x", "y"], object), c=np.array([True, False]), d=np.array(["u", "v"]))
    assert category_columns(frame, "from_dtype", "E") == [1, 3]
    assert category_columns(frame, ["c", "a"], "E") == category_columns(frame, [2, 0], "E") == [0, 2]
    assert category_columns(frame, [False, True, False, True], "E") == [1, 3]
    assert category_columns(frame, None, "E") == category_columns(np.zeros((2, 4)), "from_dtype", "E") == []
    for wrong in (["z"], [4], [-1]):
        with pytest.raises(ValueError, match="E: categorical_features has"):
            category_columns(frame, wrong, "E")
    with pytest.raises(ValueError, match="E: categorical_features has 2 entries for 4 columns"):
        category_columns(frame, [True, False], "E")


def test_categories_are_features_and_unseen_values_have_none():
    three = Categories.fitted(np.array(["b", "a", None, "c", "a"], object))
    assert three.values == ("a", "b", "c")
    assert three.encoded(np.array(["a", "z", np.nan, "c"], object)).tolist() == [[1, 0, 0], [0] * 3, [0] * 3, [0, 0, 1]]
    two = Categories.fitted(np.array([1, 0], object))
    assert two.encoded(np.array([0, 1, 2, None], object)).tolist() == [[-1], [1], [0], [0]]
    many = Categories.fitted(np.array([f"v{i}" for i in range(200)] + ["often"] * 3, object))
    assert len(many.values) == 50 and "often" in many.values
    features = Features.fitted(np.array([[1.0, "a"], [2, "b"], [4, "c"]], object), [1])
    assert features.encoded(np.array([[2.0, "b"]], object)).shape == (1, 4)


def test_folds_are_all_rows_together_and_contain_each_class():
    strata = np.repeat([0, 1], [40, 10])
    folds = Folds.drawn(strata, 50, 5, 0.2, Generator())
    assert sorted(np.concatenate(folds.validation)) == list(range(50))
    for train, validation in zip(folds.train, folds.validation):
        assert not set(train) & set(validation) and (strata[validation] == 1).sum() == 2
    rows = folds.epoch(Generator().manual_seed(1), 8).reshape(5, 5, 8)
    for member in range(5):
        assert set(rows[:, member].ravel()) <= set(folds.train[member])
        assert len(set(rows[:, member].ravel())) == 40
    uneven = Folds.drawn(None, 23, 5, 0.2, Generator())
    assert {len(part) for part in uneven.validation} == {4} and uneven.size == 19
    assert len(np.unique(np.concatenate(uneven.validation))) == 20
    alone = Folds.drawn(None, 50, 1, 0.2, Generator())
    assert [len(part) for part in (alone.train[0], alone.validation[0])] == [40, 10]


def test_groups_are_known_by_the_validation_only_if_they_are_in_it():
    """Each group has a target of its own, which its rows reveal: with folds of groups, validation shows that other
    groups' targets can't be known."""
    draw = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 10)
    X, y = draw.normal(size=(30, 4))[groups] + 0.01 * draw.normal(size=(300, 4)), draw.normal(size=30)[groups]
    fits = [TabularRegressor(**{**FAST, "members": 3}, linear=False).fit(X, y, given) for given in (None, groups)]
    known, unknown = (min(model.history_["val_mse"]) for model in fits)
    assert known < 0.1 and unknown > 5 * known
    with pytest.raises(ValueError, match=r"TabularRegressor: groups must have shape \(300,\), got \(299,\)"):
        TabularRegressor(**FAST).fit(X, y, groups[1:])
    with pytest.raises(ValueError, match="TabularRegressor: folds of groups need at least two groups, got 1"):
        TabularRegressor(**FAST).fit(X, y, np.zeros(300))


def test_schedules_follow_their_formulas():
    t = np.linspace(0, 1, 16)
    expected = 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * t)))
    np.testing.assert_allclose([rate_factor(x) for x in t], expected, atol=1e-12)
    assert rate_factor(0) == 0 and rate_factor((2**0.5 - 1) / 15) == pytest.approx(1)
    assert [flat_cosine(x) for x in (0, 0.49, 0.5)] == [1, 1, 1] and flat_cosine(1) == pytest.approx(0)


def test_a_restored_schedule_sets_rates_decay_and_dropout():
    def new():
        model = ensemble(2, (3, 8, 1), "relu", 0.2)
        optimizer = optim.AdamW(parameter_groups(model, 0.1, 0.02))
        return model, optimizer, RecipeSchedule(optimizer, model, 20)

    def values(model, optimizer):
        return model[3].p, [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups]

    model, optimizer, schedule = new()
    seen = [values(model, optimizer)]
    for _ in range(20):
        schedule.step()
        seen.append(values(model, optimizer))
    assert seen[0][0] == 0.2 and seen[19][0] < 0.05 and seen[19][1][1][1] < 0.01 * seen[0][1][1][1]
    other, restored, again = new()
    restored.load_state_dict(optimizer.state_dict())
    again.load_state_dict(schedule.state_dict())
    assert values(other, restored) == seen[20]


@pytest.mark.parametrize("shared", [False, True])
def test_a_step_of_an_ensemble_is_launches_alone(shared):
    """So that an epoch is one call into C."""
    model = ensemble(3, (5, 8, 2), "selu", 0.2, shared=shared)
    optimizer = optim.AdamW(parameter_groups(model, 0.1, 0.02))

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x.reshape(3, 4, 5)).reshape(12, 2), y)
        loss.backward()
        optimizer.step()
        return loss

    compiled = CompiledFunction(step)
    for _ in range(3):
        compiled(cg.randn(12, 5), cg.randint(2, (12,)))
    (program,) = compiled.cache.programs
    assert program.loop is not None


def test_members_that_share_weights_learn_from_the_same_rows_and_differ():
    first, second = ensemble(4, (10, 8, 8, 1), "relu", 0.0, shared=True)[1:5:2]
    factors = first.input_scale.array
    assert set(factors.ravel()) == {-1, 1} and len(np.unique(factors, axis=0)) == 4
    assert (second.input_scale.array == 1).all()
    X, y = make_friedman1(400, random_state=0)
    options = {**FAST, "members": 4, "epochs": 40}
    model = TabularRegressor(**options, shared=True, linear=False).fit(X[:300], y[:300])
    layers = [layer for layer in model.module_ if isinstance(layer, cg.nn.EnsembleSharedLinear)]
    assert [tuple(layer.weight.shape) for layer in layers] == [(32, 10), (32, 32)]
    assert model.score(X[300:], y[300:]) > 0.8
    outputs = model._scores(X[300:])[:, :, 0]
    assert np.corrcoef(outputs)[np.triu_indices(4, 1)].max() < 0.9999  # members are not the same network
    few = TabularClassifier(**FAST, shared=True).fit(X[:50], y[:50] > 14)  # blended with linear models
    assert few.predict_proba(X[:2]).shape == (2, 2)


def test_mixed_columns_with_missing_values():
    rng = np.random.default_rng(0)
    X = np.empty((300, 3), object)
    X[:, 0], X[:, 1], X[:, 2] = rng.standard_normal(300), rng.choice(["red", "green", "blue"], 300), rng.random(300)
    y = np.where((X[:, 1] == "red") | (X[:, 0].astype(float) > 1), "yes", "no")
    X[::7, 2], X[::11, 1] = np.nan, None
    model = TabularClassifier(categorical_features=[1], **FAST).fit(X, y)
    assert model.score(X, y) > 0.9
    unseen = np.array([[0.0, "violet", np.nan], [np.nan, None, 1e30]], object)
    assert np.isfinite(model.predict_proba(unseen)).all()


@pytest.mark.parametrize("absent", [None, np.nan, np.float32("nan"), float("nan"), type("NAType", (), {})()])
def test_every_missing_value_of_a_category_is_none(absent):
    column = np.array(["red", "blue", absent, "red"], object)
    encoding = Categories.fitted(column)
    assert encoding.values == ("blue", "red")
    assert encoding.encoded(column).tolist() == [[1], [-1], [0], [1]]


def test_a_seed_gives_the_same_networks_and_pickling_keeps_them():
    X, y = load_iris(return_X_y=True)
    model = TabularClassifier(**FAST).fit(X, y)
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))
    other = clone(model).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(model.predict_proba(X), other.predict_proba(X))
    errors = model.history_["val_loss"]
    assert model.best_iteration_ == max(i for i, e in enumerate(errors, 1) if e == min(errors))


def test_class_weight_moves_the_boundary():
    rng = np.random.default_rng(0)
    y = (rng.random(600) < 0.1).astype(int)
    X = rng.standard_normal((600, 2)) + y[:, None]
    plain, weighted = (TabularClassifier(class_weight=w, **FAST).fit(X, y) for w in (None, {0: 1, 1: 9}))
    assert weighted.predict(X).mean() > 2 * plain.predict(X).mean()
    balanced = TabularClassifier(class_weight="balanced", **FAST).fit(X, y)
    assert balanced.predict(X).mean() > 2 * plain.predict(X).mean()


def test_targets_of_any_scale_and_number():
    X, y = make_friedman1(300, random_state=0)
    Y = np.stack([1e6 * y + 1e7, -y], 1)
    predicted = TabularRegressor(**FAST).fit(X[:200], Y[:200]).predict(X[200:])
    assert predicted.shape == (100, 2)
    assert min(r2_score(Y[200:], predicted, multioutput="raw_values")) > 0.7
    constant = TabularRegressor(**FAST).fit(X[:50], np.full(50, 3.0))
    np.testing.assert_allclose(constant.predict(X), 3)


def test_predictions_stay_in_the_range_of_the_targets():
    X, y = make_friedman1(200, random_state=0)
    predicted = TabularRegressor(**FAST).fit(X, y).predict(1e30 * X)
    assert y.min() <= predicted.min() and predicted.max() <= y.max()


@pytest.mark.parametrize(("estimator", "y"), [(TabularClassifier, [0, 1] * 10), (TabularRegressor, np.arange(20.0))])
def test_a_loss_that_is_not_finite_is_named(estimator, y):
    X = np.random.default_rng(0).standard_normal((20, 2))
    with pytest.raises(ValueError, match=rf"{estimator.__name__}: the loss of epoch \d+ is (nan|inf); lower"):
        estimator(learning_rate=1e30, **FAST).fit(X, y)


def test_few_rows_of_a_linear_target_get_linear_models():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((160, 6))
    y = X @ np.arange(1.0, 7) + rng.standard_normal(160)
    plain, blended = (TabularRegressor(linear=linear, **FAST).fit(X[:80], y[:80]) for linear in (False, None))
    assert plain.linear_share_ == 0 and blended.linear_share_ > 0.5
    assert blended.score(X[80:], y[80:]) > plain.score(X[80:], y[80:]) + 0.02
    classes = TabularClassifier(**FAST).fit(X[:80], y[:80] > 0)
    assert classes.linear_share_ > 0.5 and classes.score(X[80:], y[80:] > 0) > 0.85
    np.testing.assert_allclose(classes.predict_proba(X).sum(1), 1, rtol=1e-5)
    curved = TabularClassifier(**FAST).fit(X[:80], np.abs(X[:80, 0]) > 0.7)
    assert curved.linear_share_ < 0.3


def test_the_share_of_a_blend_is_the_best_one():
    rng = np.random.default_rng(0)
    first, second, y = rng.standard_normal((3, 50, 2))
    losses = [np.mean(((1 - s) * first + s * second - y) ** 2) for s in np.arange(21) / 20]
    assert best_share(first, second, y) == np.argmin(losses) / 20
    targets = rng.integers(0, 2, 50)
    weight = np.array([1.0, 5.0])

    def loss(share, weight):
        p, q = (np.exp(z) / np.exp(z).sum(1, keepdims=True) for z in (first, second))
        chosen = ((1 - share) * p + share * q)[np.arange(50), targets]
        return -np.mean(weight[targets] * np.log(chosen))

    for w in np.ones(2), weight:
        shares = np.arange(21) / 20
        found = best_share(first.astype(np.float32), second.astype(np.float32), targets, w)
        assert found == shares[np.argmin([loss(s, w) for s in shares])]
    certain = np.array([[1000.0, -1000.0]])  # a probability of 0 is an infinite loss, not an error
    assert best_share(certain, 0 * certain, np.array([1])) == 1


def test_numbers_are_embedded_where_there_are_enough_rows():
    X = np.random.default_rng(0).uniform(-1, 1, (1200, 1))
    X = np.concatenate([X, X > 0.5], 1).astype(object)
    y = np.sin(12 * X[:, 0].astype(float))
    fast = {**FAST, "epochs": 40, "batch_size": 32, "categorical_features": [1]}
    plain, embedded = (TabularRegressor(embeddings=e, **fast).fit(X, y) for e in (False, None))
    assert "Periodic" not in repr(plain.module_) and "columns=[0]" in repr(embedded.module_)
    assert embedded.score(X, y) > 0.98 > plain.score(X, y)
    assert "Periodic" not in repr(TabularRegressor(**fast).fit(X[:900], y[:900]).module_)
    with_gap = np.where(np.arange(1200)[:, None] % 9, X, None)
    features = Features.fitted(np.concatenate([with_gap, X], 1), [1, 3])
    assert features.numeric == [0, 3] and features.encoded(np.concatenate([with_gap, X], 1)).shape == (1200, 5)
