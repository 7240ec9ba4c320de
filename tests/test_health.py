"""Gradient health, the learning-rate range test, and the plot of a history."""

from __future__ import annotations

import math
import sys
import warnings

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn, optim, train
from cygrad.data import DataLoader
from cygrad.nn import functional as F
from tests.test_trainer import assert_same, setting, state, trainer_of, two_classes


def deep(scale, depth=8):
    """Sigmoid layers with weights of one scale."""
    layers = [layer for _ in range(depth) for layer in (nn.Linear(2, 2, bias=False), nn.Sigmoid())]
    model = nn.Sequential(*layers)
    for layer in model[::2]:
        layer.weight.array[...] = scale * np.eye(2)
    return model


def fitted(model, loss=F.cross_entropy, lr=0.1, **options):
    """Train for an epoch of two steps; return the health callback and the warnings."""
    health = train.GradientHealth(**{"every": 1, **options})
    optimizer = optim.SGD(model.parameters(), lr=lr)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            trainer_of(model, optimizer, loss, callbacks=[health]).fit(DataLoader(two_classes(), 32), epochs=2)
        except train.NonFiniteError:
            assert any(w.category is train.NanGradientWarning for w in caught)
    return health, [(w.category, str(w.message)) for w in caught]


def test_the_statistics_are_those_of_the_gradients():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    before = state(model)
    batch = (cg.ones(4, 2), cg.tensor([0, 1, 1, 1]))
    health = train.GradientHealth(every=1)
    F.cross_entropy(model(batch[0]), batch[1]).backward()
    wanted = [np.concatenate([p.grad.array.ravel() for p in model[i].parameters()]) for i in (0, 2)]
    trainer_of(model, optim.SGD(model.parameters(), lr=0.5), callbacks=[health], clip=1e-3).fit([batch])
    for name, g in zip(("0", "2"), wanted, strict=True):
        layer = health.layers[name]
        assert layer.norm == pytest.approx(np.linalg.norm(g), rel=1e-5)
        assert layer.rms == pytest.approx(np.sqrt((g**2).mean()), rel=1e-5)
        assert layer.zeros == pytest.approx((g == 0).mean())
        names = [key for key in before if key.startswith(f"{name}.")]
        change = math.sqrt(sum(((state(model)[key] - before[key]) ** 2).sum() for key in names))
        size = math.sqrt(sum((before[key] ** 2).sum() for key in names))
        assert layer.update_ratio == pytest.approx(change / size, rel=1e-3)
    assert health.records == [health.layers]


def test_vanishing_gradients_are_reported_once_per_layer():
    health, caught = fitted(deep(0.5))
    assert {kind for kind, _ in caught} == {train.VanishingGradientWarning}
    named = [text.split("layer ")[1].split(" ")[0] for _, text in caught]
    assert "0" in named and "14" not in named and len(named) == len(set(named))
    assert caught[0][1].startswith("epoch 1, step 1: the gradient of layer 0 vanishes: its root mean square is ")
    assert issubclass(train.VanishingGradientWarning, train.GradientWarning) and len(health.records) == 2


def test_exploding_gradients_are_reported():
    model = nn.Sequential(nn.Linear(2, 2))
    health, caught = fitted(model, lr=0.0)
    assert not caught
    layer = health.layers["0"]
    _, caught = fitted(model, lr=0.0, exploding=(layer.norm + layer.rms) / 2)
    assert [kind for kind, _ in caught] == [train.ExplodingGradientWarning]
    assert "the gradient of layer 0 explodes: its norm is" in caught[0][1]


def test_non_finite_gradients_are_reported_before_the_training_ends():
    _, caught = fitted(nn.Sequential(nn.Linear(2, 2)), lambda y, t: ((y - y.detach()) ** 2).sqrt().sum())
    assert caught == [
        (train.NanGradientWarning, "epoch 1, step 1: the gradient of layer 0 is not finite, its norm is nan")
    ]


def test_a_healthy_training_has_no_warning_and_the_same_bits():
    model, loader, optimizer = setting()
    other, _, twin = setting()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer_of(model, optimizer, callbacks=[train.GradientHealth(every=3)]).fit(loader, epochs=3)
    trainer_of(other, twin).fit(loader, epochs=3)
    assert_same(state(model), state(other))


def test_a_warning_turned_into_an_error_is_raised_as_it_is():
    with warnings.catch_warnings():
        warnings.simplefilter("error", train.GradientWarning)
        model = deep(0.5)
        trainer = trainer_of(model, optim.SGD(model.parameters(), lr=0.1), callbacks=[train.GradientHealth()])
        with pytest.raises(train.VanishingGradientWarning):
            trainer.fit(DataLoader(two_classes(), 32))


@pytest.mark.parametrize("options", [{"every": 0}, {"vanishing": 1.0}, {"exploding": 0.0}])
def test_arguments_out_of_range_are_rejected(options):
    with pytest.raises(ValueError, match="GradientHealth: every must be at least 1, vanishing in"):
        train.GradientHealth(**options)


# The learning-rate range test


@pytest.mark.parametrize("kind", [optim.SGD, optim.AdamW])
def test_the_range_test_restores_everything(kind):
    model, _, _ = setting()
    optimizer = kind(model.parameters(), lr=0.02)
    loader = DataLoader(two_classes(), 8, shuffle=True, generator=np.random.default_rng(0))
    trainer_of(model, optimizer).fit(loader)
    model[0].eval()
    before, saved, orders = state(model), str(optimizer.state_dict()), loader.generator.bit_generator.state
    random = cg.get_rng_state().tolist()
    tried = train.find_lr(model, F.cross_entropy, optimizer, loader, start=1e-5, end=1e3, steps=60)
    assert_same(state(model), before)
    assert str(optimizer.state_dict()) == saved and loader.generator.bit_generator.state == orders
    assert cg.get_rng_state().tolist() == random and not model[0].training and model.training
    assert all(p.grad is None for p in model.parameters())
    ratios = np.diff(np.log(tried.rates))
    np.testing.assert_allclose(ratios, math.log(1e8) / 59, rtol=1e-6)
    assert tried.rates[0] == 1e-5 and tried.rates[-1] < 1e3, "it ends where the loss diverges"
    assert tried.suggestion in tried.rates and 1e-4 < tried.suggestion < 10
    trainer_of(model, optimizer).fit(loader)


def test_the_first_rates_are_not_suggested():
    """The smoothed loss changes most between the first batches."""
    losses = [2.0, *np.linspace(1.0, 0.99, 13), 0.9, *np.linspace(0.8, 2, 5)]
    tried = train.RateTest(np.logspace(-6, 0, 20).tolist(), losses)
    assert tried.suggestion in tried.rates[12:16]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 0.0}, "find_lr: start must be above 0 and end above start, got 0.0 and 1.0"),
        ({"start": 2.0}, "find_lr: start must be above 0 and end above start, got 2.0 and 1.0"),
        ({"steps": 1}, "find_lr: steps must be at least 2, "),
        ({"smoothing": 1.0}, "find_lr: steps must be at least 2, smoothing in [0, 1)"),
        ({"start": 1e30, "end": 1e35}, "find_lr: the loss diverged after 1 updates; try a lower start"),
    ],
)
def test_invalid_range_tests_are_rejected(options, message):
    model, loader, _ = setting(model=nn.Linear(2, 2))
    before = state(model)
    with pytest.raises(ValueError) as caught, np.errstate(all="ignore"):
        train.find_lr(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), loader, **options)
    assert str(caught.value).startswith(message)
    assert_same(state(model), before)
    with pytest.raises(ValueError, match="find_lr: the loader has no batches"):
        train.find_lr(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), [])


# The plot

RECORDS = [{"epoch": i, "loss": 1 / i, "accuracy": 1 - 1 / i, "val_loss": 2 / i, "lr": 0.1} for i in (1, 2, 3)]


def test_the_plot_has_a_panel_for_each_number(tmp_path):
    pytest.importorskip("matplotlib")
    history = train.History(list(RECORDS))
    figure = history.plot()
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["training", "validation"]
    np.testing.assert_allclose(lines[1].get_xydata(), [(i, 2 / i) for i in (1, 2, 3)])
    assert [axes.get_ylabel() for axes in history.plot(["lr"]).axes] == ["lr"]
    figure.savefig(tmp_path / "history.png")
    assert (tmp_path / "history.png").stat().st_size > 1000
    with pytest.raises(KeyError, match="no record has 'f1'"):
        history.plot(["f1"])


def test_plotting_without_matplotlib_raises_one_message(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "cygrad.train.figure", raising=False)
    with pytest.raises(ImportError) as caught:
        train.History(list(RECORDS)).plot()
    assert str(caught.value) == "History.plot: plotting needs matplotlib: pip install 'cygrad[plot]'"
