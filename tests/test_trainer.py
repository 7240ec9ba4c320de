"""The trainer: steps, epochs, what is recorded, and how a training ends."""

from __future__ import annotations

import copy
import math
import re
import weakref
from functools import partial

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn, optim, train
from cygrad.data import DataLoader, TensorDataset
from cygrad.nn import functional as F
from cygrad.nn.module import register_module_forward_hook
from cygrad.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def state(module):
    """Copies of the parameters and buffers."""
    return {name: value.array.copy() for name, value in module.state_dict().items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def two_classes(n=64, seed=0):
    """Points in the plane in two classes, separated by a line."""
    x = np.random.default_rng(seed).standard_normal((n, 2)).astype(np.float32)
    return TensorDataset(x, (x[:, 0] + x[:, 1] > 0).astype(np.int64))


HELD = DataLoader(two_classes(32, 1), 16)


def setting(data=None, lr=0.02, model=None, batch_size=8):
    """A seeded model, a loader without shuffling, and an optimizer."""
    cg.manual_seed(0)
    model = model or train.mlp((2, 8, 2))
    return model, DataLoader(data or two_classes(), batch_size), optim.AdamW(model.parameters(), lr=lr)


def trainer_of(model, optimizer, loss=F.cross_entropy, **options):
    return train.Trainer(model, loss, optimizer, progress=False, **options)


class Each(train.Callback):
    """Call a function of the trainer and the metrics at the end of every epoch."""

    def __init__(self, function):
        self.function = function

    def on_epoch_end(self, trainer, metrics):
        self.function(trainer, metrics)


# Learning and recording


def test_the_validation_loss_may_be_another_one():
    def smoothed(output, target):
        return F.cross_entropy(output, target, label_smoothing=0.2)

    records = []
    for loss, validation in ((smoothed, F.cross_entropy), (smoothed, None)):
        cg.manual_seed(0)
        model, loader, optimizer = setting()
        trainer = trainer_of(model, optimizer, loss=loss, validation_loss=validation)
        records.append(trainer.fit(loader, HELD, epochs=3))
        expected = train.evaluate(model, HELD, validation or loss)["loss"]
        assert records[-1]["val_loss"][-1] == pytest.approx(expected)
    assert records[0]["loss"] == records[1]["loss"] and records[0]["val_loss"] != records[1]["val_loss"]


def test_a_training_learns_and_records():
    model, loader, optimizer = setting()
    stopping = train.EarlyStopping(model, 100)
    scheduler = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    trainer = trainer_of(model, optimizer, metrics=["accuracy"], clip=1.0, scheduler=scheduler, early_stopping=stopping)
    history = trainer.fit(loader, HELD, epochs=20)
    assert history is trainer.history and not history.interrupted and not history.stopped
    assert history["epoch"] == list(range(1, 21)) and len(history) == 20
    assert history["loss"][-1] < 0.6 * history["loss"][0] and history["val_loss"][-1] < history["val_loss"][0]
    assert history["val_accuracy"][-1] > 0.9
    np.testing.assert_allclose(history["lr"], 0.02 * 0.9 ** np.arange(20))
    assert min(history["grad_norm"]) > 0 and min(history["samples_per_second"]) > 0
    result = trainer.evaluate(DataLoader(two_classes(32, 1), 5))
    assert result["loss"] == pytest.approx(stopping.best) == min(history["val_loss"])
    with pytest.raises(KeyError, match="History: no record has 'nonsense'; the names are epoch, loss"):
        history["nonsense"]


def test_the_recorded_means_and_norm_are_those_of_the_samples():
    x = np.array([[1.0], [2.0], [3.0]], np.float32)
    model = cg.nn.Linear(1, 1, bias=False)
    model.weight.array[...] = 2
    data = TensorDataset(x, np.zeros((3, 1), np.float32))
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    (record,) = trainer_of(model, optimizer, F.mse_loss, clip=1e-3, metrics=["mae"]).fit(DataLoader(data, 2)).records
    assert record["loss"] == pytest.approx((4 + 16 + 36) / 3) and record["mae"] == pytest.approx(4)
    assert record["grad_norm"] == pytest.approx((10 + 36) / 2, rel=1e-5)  # mean of 2·w·x² in both
    assert list(record) == ["epoch", "loss", "mae", "grad_norm", "lr", "samples_per_second"]


def test_a_step_equals_a_handwritten_loop():
    model, loader, optimizer = setting()
    by_hand, _, other = setting()
    trainer_of(model, optimizer, clip=0.5).fit(loader, epochs=2)
    for _ in range(2):
        for x, y in loader:
            other.zero_grad()
            F.cross_entropy(by_hand(x), y).backward()
            cg.nn.utils.clip_grad_norm_(by_hand.parameters(), 0.5)
            other.step()
    assert_same(state(model), state(by_hand))


def test_accumulated_batches_equal_one_batch():
    # 20 samples in batches of 3 leave a group of one batch of 2.
    data = two_classes(20)
    groups = [data[0:12], data[12:20]]
    model, loader, optimizer = setting(data, model=cg.nn.Linear(2, 2), batch_size=3)
    whole, _, other = setting(model=cg.nn.Linear(2, 2))
    whole.load_state_dict(model.state_dict())
    one = trainer_of(model, optimizer, accumulate=4)
    history = one.fit(loader, epochs=3)
    expected = trainer_of(whole, other).fit(groups, epochs=3)
    assert one.step == 6
    for name, value in state(whole).items():
        np.testing.assert_allclose(state(model)[name], value, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(history["grad_norm"], expected["grad_norm"], rtol=1e-4)


@pytest.mark.parametrize(
    ("clip", "bound"),
    [(0.01, 0.01), (("norm", 0.01), 0.01), (("value", 0.01), 0.01 * math.sqrt(6)), (("adaptive", 0.01), 0.1)],
)
def test_clipping_bounds_the_update(clip, bound):
    model = cg.nn.Linear(2, 2)
    before = state(model)
    x = TensorDataset(1000 * np.ones((4, 2), np.float32), np.arange(4) % 2)
    history = trainer_of(model, optim.SGD(model.parameters(), lr=1.0), clip=clip).fit(DataLoader(x, 4))
    change = math.sqrt(sum(((state(model)[name] - value) ** 2).sum() for name, value in before.items()))
    assert 0 < change < 1.01 * bound < history["grad_norm"][0]


def test_schedulers_step_after_epochs_or_updates():
    for scheduler, interval, wanted in [
        (lambda o: optim.lr_scheduler.StepLR(o, 1, 0.5), None, [1.0, 0.5, 0.25]),
        (lambda o: optim.lr_scheduler.StepLR(o, 1, 0.5), "step", [0.5**7, 0.5**15, 0.5**23]),
        (lambda o: optim.lr_scheduler.OneCycleLR(o, 1.0, 24, anneal_strategy="linear"), None, None),
    ]:
        model, loader, optimizer = setting(lr=1.0)
        chosen = scheduler(optimizer)
        history = trainer_of(model, optimizer, scheduler=chosen, scheduler_interval=interval).fit(loader, epochs=3)
        if wanted is not None:
            assert history["lr"] == wanted
        assert chosen.last_epoch == (3 if wanted and interval is None else 24)


@pytest.mark.parametrize("monitor", [None, "val_loss"])
def test_a_plateau_scheduler_receives_the_monitored_value(monitor):
    model, loader, optimizer = setting(lr=1e-12)
    # At this rate nothing is learned: no epoch after the first improves.
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, threshold=0.5, eps=0.0)
    trainer = trainer_of(model, optimizer, scheduler=scheduler, monitor=monitor)
    history = trainer.fit(loader, HELD if monitor else None, epochs=4)
    assert history["lr"] == pytest.approx([1e-12, 1e-12, 1e-12, 1e-13])


# Averages


def test_the_moving_average_is_validated_and_returned():
    model, loader, optimizer = setting(lr=0.1)
    other, _, twin = setting(lr=0.1)
    trainer = trainer_of(model, optimizer, ema=0.9)
    history = trainer.fit(loader, HELD, epochs=3)
    averaged = AveragedModel(other, multi_avg_fn=get_ema_multi_avg_fn(0.9))

    class Average(train.Callback):
        def on_batch_end(self, trainer, metrics):
            averaged.update_parameters(other)

    trainer_of(other, twin, callbacks=[Average()]).fit(loader, epochs=3)
    assert_same(state(model), state(averaged.module))
    assert trainer.evaluate(HELD)["loss"] == history["val_loss"][-1]


def test_early_stopping_keeps_the_best_average():
    model, loader, optimizer = setting(lr=0.3)
    stopping = train.EarlyStopping(model, 3)
    trainer = trainer_of(model, optimizer, ema=0.5, early_stopping=stopping)
    history = trainer.fit(loader, HELD, epochs=200)
    assert trainer.evaluate(HELD)["loss"] == min(history["val_loss"]) == stopping.best


def test_swa_averages_the_last_epochs_and_recomputes_statistics():
    model, loader, optimizer = setting(lr=0.1)
    states = []
    each = Each(lambda trainer, metrics: states.append(state(model)))
    trainer = trainer_of(
        model, optimizer, swa=train.SWA(start=3, lr=0.05, anneal_epochs=1), callbacks=[each],
        scheduler=optim.lr_scheduler.StepLR(optimizer, 1, 0.9),
    )  # fmt: skip
    history = trainer.fit(loader, epochs=5)
    assert history["lr"] == pytest.approx([0.1, 0.09, 0.081, 0.05, 0.05])
    mean = np.mean([s["0.weight"] for s in states[2:]], 0)
    np.testing.assert_allclose(model[0].weight.array, mean, rtol=1e-5, atol=1e-7)
    hidden = np.concatenate([model[0](x).array for x, _ in loader])
    np.testing.assert_allclose(model[1].running_mean.array, hidden.mean(0), rtol=1e-4, atol=1e-5)


def test_a_step_scheduler_pauses_during_averaging():
    model, loader, optimizer = setting(lr=1.0)
    halving = optim.lr_scheduler.StepLR(optimizer, 8, 0.5)
    trainer = trainer_of(
        model, optimizer, scheduler=halving, scheduler_interval="step", swa=train.SWA(2, lr=0.1, anneal_epochs=0)
    )
    assert trainer.fit(loader, epochs=4)["lr"] == pytest.approx([1.0, 0.5, 0.1, 0.1])
    assert halving.last_epoch == 8


# Endings


@pytest.mark.parametrize(("mode", "monitor"), [("min", None), ("max", "val_accuracy"), ("min", "loss"), ("max", "f1")])
def test_it_stops_early_and_restores_the_best(mode, monitor):
    model, loader, optimizer = setting(lr=0.1)
    stopping = train.EarlyStopping(model, 3, mode=mode)
    states = []
    trainer = trainer_of(
        model, optimizer, metrics=["accuracy", "f1"], monitor=monitor, early_stopping=stopping,
        callbacks=[Each(lambda trainer, metrics: states.append(state(model)))],
    )  # fmt: skip
    history = trainer.fit(loader, DataLoader(two_classes(16, 1), 16), epochs=500)
    assert history.stopped and len(history) == stopping.best_epoch + 3 < 500
    values = history[monitor or "val_loss"]
    assert stopping.best == (min(values) if mode == "min" else max(values)) == values[stopping.best_epoch - 1]
    assert_same(state(model), states[stopping.best_epoch - 1])


def negative_error(output, target):
    return -np.abs(output).mean()


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize("kind", ["accuracy", "f1", "roc_auc", "negative_error"])
def test_early_stopping_follows_the_direction_of_the_metric(kind, direction):
    """Without a mode, the best epoch is the one with the best value, negative ones included."""
    metric = train.FunctionMetric(negative_error, direction=direction) if kind == "negative_error" else kind
    best = direction if kind == "negative_error" else "max"
    model, loader, optimizer = setting(lr=0.1)
    stopping = train.EarlyStopping(model, 3)
    trainer = trainer_of(model, optimizer, metrics=[metric], monitor=f"val_{kind}", early_stopping=stopping)
    values = trainer.fit(loader, DataLoader(two_classes(16, 1), 16), epochs=40)[f"val_{kind}"]
    assert stopping.best == (min(values) if best == "min" else max(values)) and stopping.mode == best


def test_a_mode_against_the_direction_of_the_metric_is_refused():
    model, loader, optimizer = setting()
    options = {"metrics": ["accuracy", negative_error], "monitor": "val_accuracy"}
    held = DataLoader(two_classes(16, 1), 16)
    with pytest.raises(ValueError, match="early stopping has mode 'min', but a higher val_accuracy is better"):
        trainer_of(model, optimizer, early_stopping=train.EarlyStopping(model, mode="min"), **options).fit(loader, held)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(ValueError, match="ReduceLROnPlateau has mode 'min', but a higher val_accuracy is better"):
        trainer_of(model, optimizer, scheduler=plateau, **options).fit(loader, held)
    options["monitor"] = "val_negative_error"
    with pytest.raises(ValueError, match="can't tell whether a higher val_negative_error is better; pass it mode"):
        trainer_of(model, optimizer, early_stopping=train.EarlyStopping(model), **options).fit(loader, held)
    with pytest.raises(ValueError, match="direction must be min, max or None, got 'up'"):
        train.FunctionMetric(negative_error, direction="up")


@pytest.mark.parametrize(("mode", "worse"), [("min", -0.99995), ("max", -1.00005)])
def test_a_worse_negative_value_is_no_improvement_on_a_plateau(mode, worse):
    optimizer = optim.SGD([cg.nn.Parameter(cg.zeros(1))], lr=1.0)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, patience=0)
    plateau.step(-1.0)
    plateau.step(worse)
    assert plateau.best == -1.0 and optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_non_finite_data_is_located_and_the_best_weights_restored(value):
    data = two_classes()
    model, loader, optimizer = setting(data)
    stopping, states = train.EarlyStopping(model, 100), []

    def spoil(trainer, metrics):
        states.append(state(model))
        if trainer.epoch == 2:
            data.tensors[0].array[17, 1] = value

    trainer = trainer_of(model, optimizer, early_stopping=stopping, callbacks=[Each(spoil)])
    with pytest.raises(train.NonFiniteError) as caught:
        trainer.fit(loader, epochs=9)
    assert str(caught.value) == f"fit: epoch 3, batch 3: the data contains {value}"
    assert_same(state(model), states[stopping.best_epoch - 1])


def test_non_finite_validation_data_is_located():
    validation = two_classes(24, 1)
    validation.tensors[0].array[9] = math.nan
    model, loader, optimizer = setting()
    with pytest.raises(ValueError, match=r"^evaluate: validation in epoch 1, batch 2: the data contains nan$"):
        trainer_of(model, optimizer).fit(loader, DataLoader(validation, 8), epochs=2)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_non_finite_loss_raises_before_the_weights_change(value):
    model, loader, optimizer = setting()
    calls = []

    def loss(scores, target):
        calls.append(state(model))
        return F.cross_entropy(scores, target) * (value if len(calls) == 11 else 1.0)

    with pytest.raises(ValueError) as caught:
        trainer_of(model, optimizer, loss).fit(loader, epochs=9)
    assert str(caught.value) == f"fit: epoch 2, batch 3: the loss is {value}"
    weights = [name for name in state(model) if name.endswith(("weight", "bias"))]
    assert_same({name: state(model)[name] for name in weights}, {name: calls[-1][name] for name in weights})


@pytest.mark.parametrize("clip", [None, ("value", 1.0), ("adaptive", 0.1)])
def test_a_non_finite_gradient_raises_before_the_weights_change(clip):
    model = cg.nn.Linear(1, 1)
    before = state(model)
    data = TensorDataset(np.zeros((2, 1), np.float32), np.zeros((2, 1), np.float32))

    def loss(scores, target):
        return ((scores - scores.detach()) ** 2).sqrt().sum()  # 0, of slope 0/0

    with pytest.raises(ValueError, match=r"^fit: epoch 1, batch 1: the norm of the gradient is nan$"):
        trainer_of(model, optim.SGD(model.parameters(), lr=0.1), loss, clip=clip).fit(DataLoader(data, 2))
    assert_same(state(model), before)


def test_an_interrupt_restores_the_best_weights():
    model, loader, optimizer = setting(lr=0.5)
    stopping, states = train.EarlyStopping(model, 100), []

    def interrupt(trainer, metrics):
        states.append(state(model))
        if trainer.epoch == 6:
            raise KeyboardInterrupt

    history = trainer_of(model, optimizer, early_stopping=stopping, callbacks=[Each(interrupt)]).fit(loader, epochs=99)
    assert history.interrupted and not history.stopped and len(history) == 6
    assert_same(state(model), states[stopping.best_epoch - 1])


def test_an_interrupt_in_the_first_epoch_keeps_its_weights():
    model, loader, optimizer = setting()
    before = state(model)

    class Interrupt(train.Callback):
        def on_batch_end(self, trainer, metrics):
            if trainer.step == 5:
                raise KeyboardInterrupt

    stopping = train.EarlyStopping(model, 100)
    history = trainer_of(model, optimizer, early_stopping=stopping, callbacks=[Interrupt()]).fit(loader, epochs=3)
    assert history.interrupted and history.records == []
    assert not np.array_equal(state(model)["0.weight"], before["0.weight"])


def test_a_second_fit_starts_a_new_history_from_the_current_weights():
    model, loader, optimizer = setting()
    trainer = trainer_of(model, optimizer, ema=0.5)
    first = trainer.fit(loader, epochs=4)
    second = trainer.fit(loader, epochs=2)
    assert len(first) == 4 and len(second) == 2 and second["loss"][0] < first["loss"][0]


def test_the_seed_gives_the_same_run():
    runs = []
    for _ in range(2):
        model = cg.nn.Sequential(cg.nn.Linear(2, 8), cg.nn.Dropout(0.5), cg.nn.Linear(8, 2))
        model.load_state_dict({name: np.full(value.shape, 0.1) for name, value in model.state_dict().items()})
        loader = DataLoader(two_classes(), 8, shuffle=True)
        trainer_of(model, optim.SGD(model.parameters(), lr=0.1), seed=7).fit(loader, epochs=2)
        runs.append(train.fingerprint(model))
    assert runs[0] == runs[1]


# Callbacks


class Log(train.Callback):
    """Record every call, with the trainer's position."""

    def __init__(self):
        self.calls = []

    def note(self, name):
        def method(trainer, *arguments):
            names = list(arguments[0]) if arguments and isinstance(arguments[0], dict) else []
            self.calls.append((name, trainer.epoch, trainer.step, *names[:2]))

        return method

    def __getattribute__(self, name):
        return self.note(name) if name.startswith("on_") else super().__getattribute__(name)


def test_callbacks_are_called_at_every_moment(tmp_path):
    model, loader, optimizer = setting(batch_size=32)
    log = Log()
    trainer_of(model, optimizer, callbacks=[log], checkpoint=tmp_path / "c.npz").fit(loader, HELD, epochs=1)
    assert log.calls == [
        ("on_fit_begin", 0, 0),
        ("on_epoch_begin", 1, 0),
        ("on_backward_end", 1, 0), ("on_batch_end", 1, 1, "loss", "grad_norm"),
        ("on_backward_end", 1, 1), ("on_batch_end", 1, 2, "loss", "grad_norm"),
        ("on_epoch_end", 1, 2, "epoch", "loss"),
        ("on_checkpoint", 1, 2),
        ("on_fit_end", 1, 2),
    ]  # fmt: skip


def test_a_failing_callback_is_named_and_a_callback_can_stop():
    model, loader, optimizer = setting()
    with pytest.raises(train.CallbackError) as caught:
        trainer_of(model, optimizer, callbacks=[Each(lambda trainer, metrics: 1 / 0)]).fit(loader)
    assert str(caught.value) == "Trainer: Each.on_epoch_end raised ZeroDivisionError: division by zero"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    history = trainer_of(model, optimizer, callbacks=[Each(lambda trainer, metrics: trainer.stop())]).fit(
        loader, epochs=9
    )
    assert history.stopped and len(history) == 1


def test_progress_prints_a_line_per_epoch_and_a_bar_on_terminals(capsys, monkeypatch):
    model, loader, optimizer = setting()
    train.Trainer(model, F.cross_entropy, optimizer).fit(loader, HELD, epochs=10)
    printed = capsys.readouterr()
    assert printed.err == "" and len(printed.out.splitlines()) == 10
    pattern = r"epoch  1/10  loss \d\.\d{4}  val_loss \d\.\d{4}  grad_norm \d\.\d{4}  lr 2\.00e-02  [\d,]+ samples/s"
    assert re.fullmatch(pattern, printed.out.splitlines()[0])
    tqdm = pytest.importorskip("tqdm").tqdm
    monkeypatch.setattr(tqdm, "_instances", weakref.WeakSet())  # the bars of other tests take up lines
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    train.Trainer(model, F.cross_entropy, optimizer).fit(loader, epochs=1)
    assert "epoch 1" in capsys.readouterr().err


def test_a_bar_whose_construction_failed_disturbs_no_later_one(capsys, monkeypatch):
    tqdm = pytest.importorskip("tqdm").tqdm
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    half = tqdm.__new__(tqdm)  # what is left in tqdm's list of bars if its __init__ raises
    half.disable, half.pos, half.nrows = False, 99, 1000  # beyond the lines of the terminal
    model, loader, optimizer = setting()
    history = train.Trainer(model, F.cross_entropy, optimizer).fit(loader, epochs=1)
    half.disable = True  # so that its end is quiet
    assert len(history) == 1 and "epoch 1/1" in capsys.readouterr().out


# Measuring


def test_evaluation_weights_samples_and_restores_the_modes():
    model = cg.nn.Sequential(cg.nn.Identity(), cg.nn.Dropout(0.5))
    model[0].eval()
    scores = np.array([[3.0, 0.0], [0.0, 3.0], [3.0, 0.0]], np.float32)
    result = train.evaluate(model, DataLoader(TensorDataset(scores, np.array([0, 1, 1])), 2))
    right, wrong = math.log(1 + math.exp(-3)), math.log(1 + math.exp(3))
    assert result["loss"] == pytest.approx((2 * right + wrong) / 3) and result["accuracy"] == pytest.approx(2 / 3)
    assert model.training and not model[0].training and model[1].training


def test_predict_splits_rows_into_batches():
    model = train.mlp((3, 5, 4), dropout=0.5)
    x = np.random.default_rng(0).standard_normal((10, 3)).astype(np.float32)
    whole = train.predict(model, x)
    assert whole.shape == (10, 4) and model.training
    loader = DataLoader(TensorDataset(x, np.zeros(10)), 4)
    for other in (train.predict(model, cg.Tensor(x), batch_size=3), train.predict(model, loader)):
        np.testing.assert_allclose(other, whole, rtol=1e-5, atol=1e-6)
    assert train.predict(model, x[:0]).shape == (0, 4)
    with pytest.raises(ValueError, match="predict: batch_size must be at least 1, got 0"):
        train.predict(model, x, 0)
    with pytest.raises(ValueError, match="predict: the loader has no batches"):
        train.predict(model, [])


def test_a_loader_without_batches_is_refused():
    model, _, optimizer = setting()
    with pytest.raises(ValueError, match="fit: the loader has no batches"):
        trainer_of(model, optimizer).fit([])
    with pytest.raises(ValueError, match="evaluate: the loader has no batches"):
        train.evaluate(model, [])
    with pytest.raises(ValueError, match="fit: the validation set is empty"):
        trainer_of(model, optimizer).fit(LOADER, [])
    for batch, got in (cg.ones(2, 2), "a Tensor"), ((1, 2, 3), "3 parts"):
        for call in trainer_of(model, optimizer).fit, lambda data: train.evaluate(model, data):
            with pytest.raises(TypeError, match=f"a batch must be a pair of inputs and targets, got {got}"):
                call([batch])


# Options

MODEL, LOADER, OPTIMIZER = setting()
PLATEAU = optim.lr_scheduler.ReduceLROnPlateau(OPTIMIZER)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clip": 0.0}, "Trainer: clip must be above 0, got 0.0"),
        ({"clip": ("norm", -1.0)}, "Trainer: clip must be above 0, got -1.0"),
        ({"clip": ("size", 1.0)}, "Trainer: clip must be a number, or a pair of a kind (norm, value, adaptive) and one, got"),
        ({"clip": (1.0,)}, "Trainer: clip must be a number, or a pair of a kind"),
        ({"accumulate": 0}, "Trainer: accumulate must be an integer of at least 1, got 0"),
        ({"ema": 1.0}, "Trainer: ema must lie in [0, 1), got 1.0"),
        ({"ema": 0.5, "swa": train.SWA(1)}, "Trainer: swa excludes ema and early_stopping"),
        ({"scheduler": PLATEAU, "scheduler_interval": "step"}, "Trainer: ReduceLROnPlateau needs a value per epoch"),
        ({"scheduler_interval": "batch"}, "Trainer: scheduler_interval must be epoch or step, got 'batch'"),
        ({"scheduler": optim.lr_scheduler.StepLR(setting()[2], 1)}, "Trainer: the scheduler belongs to a different optimizer"),
        ({"early_stopping": train.EarlyStopping(cg.nn.Linear(1, 1))}, "Trainer: early_stopping belongs to a different model"),
        ({"early_stopping": train.EarlyStopping(MODEL, mode="max")}, "Trainer: early_stopping in mode max needs a monitor"),
        ({"callbacks": [print]}, "Trainer: a callback must be a Callback, got builtin_function_or_method"),
        ({"metrics": ["recall"]}, "metric: there is no metric 'recall'; the names are accuracy, balanced_accuracy, f1, roc_auc, mae, r2"),
        ({"metrics": "accuracy"}, "metrics: expected a list of metrics, got the string 'accuracy'"),
        ({"metrics": ["f1", "f1"]}, "metrics: the name 'f1' is used twice"),
        ({"metrics": [3]}, "metric: expected a name, a Metric or a function, got int"),
        ({"callbacks": train.Callback()}, "Trainer: callbacks must be a list, got Callback"),
        ({"early_stopping": True}, "Trainer: early_stopping must be an EarlyStopping, got bool"),
        ({"checkpoint": "run.pt"}, "Checkpoint: the file must end in .npz or .safetensors, got 'run.pt'"),
    ],
)  # fmt: skip
def test_invalid_options_are_rejected(options, message):
    with pytest.raises((ValueError, TypeError)) as caught:
        trainer_of(MODEL, OPTIMIZER, **options)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "arguments", "message"),
    [
        ({}, {"epochs": -1}, "fit: epochs must be an integer of at least 0, got -1"),
        ({}, {"epochs": 2.5}, "fit: epochs must be an integer of at least 0, got 2.5"),
        ({}, {"valid": cg.data.DataLoader(range(0))}, "fit: the validation set is empty"),
        ({}, {"resume": True}, "fit: resume=True needs a trainer with a checkpoint"),
        ({"swa": train.SWA(3)}, {"epochs": 2}, "fit: swa starts in epoch 3, but there are only 2 epochs"),
        ({"monitor": "val_loss"}, {}, "fit: monitor is val_loss, but there is no validation set"),
        ({"monitor": "f1", "early_stopping": train.EarlyStopping(MODEL)}, {}, "fit: monitor must be one of loss, grad_norm, lr, samples_per_second, got f1"),
        ({"monitor": "val_f1"}, {"valid": LOADER, "check_leakage": False}, "fit: monitor must be one of loss, grad_norm, lr, samples_per_second, val_loss, got val_f1"),
    ],
)  # fmt: skip
def test_invalid_arguments_of_fit_are_rejected(options, arguments, message):
    with pytest.raises(ValueError) as caught:
        trainer_of(MODEL, OPTIMIZER, **options).fit(LOADER, **arguments)
    assert str(caught.value).startswith(message)
    with pytest.raises(ValueError, match="SWA: start must be at least 1, got 0"):
        train.SWA(0)
    with pytest.raises(ValueError, match="Checkpoint: every_steps must be at least 1, got 0"):
        train.Checkpoint("a.npz", 0)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((print, F.cross_entropy, OPTIMIZER), "Trainer: model must be a Module, got builtin_function_or_method"),
        ((MODEL, "cross_entropy", OPTIMIZER), "Trainer: loss must be a function of outputs and targets, got str"),
        ((MODEL, F.cross_entropy, "sgd"), "Trainer: optimizer must be an Optimizer, got str"),
        ((MODEL, F.cross_entropy, setting()[2]), "Trainer: the optimizer has none of the model's parameters"),
    ],
)
def test_invalid_parts_are_rejected(parts, message):
    with pytest.raises((ValueError, TypeError)) as caught:
        train.Trainer(*parts)
    assert str(caught.value) == message


def test_rows_instead_of_batches_are_rejected():
    for data, said in (two_classes(), "DataLoader(dataset"), (np.zeros((4, 2)), "DataLoader(TensorDataset(x, y)"):
        for call in (
            lambda: trainer_of(MODEL, OPTIMIZER).fit(data),  # noqa: B023
            lambda: trainer_of(MODEL, OPTIMIZER).fit(LOADER, data),  # noqa: B023
            lambda: train.evaluate(MODEL, data),  # noqa: B023
        ):
            with pytest.raises(TypeError, match="data must come in batches, got a ") as caught:
                call()
            assert said in str(caught.value)


@pytest.mark.parametrize("stream", [None, object()])
def test_a_program_without_a_console_trains(stream, monkeypatch):
    monkeypatch.setattr("sys.stderr", stream)
    assert len(train.Trainer(MODEL, F.cross_entropy, OPTIMIZER).fit(LOADER)) == 1


# Recorded steps


class Small(train.Metric):
    """Keep all outputs, which must not change later."""

    name, state = "small", ()

    def reset(self):
        self.saved = []

    def update(self, output, target):
        self.saved.append((output, output.copy()))

    def compute(self):
        return float(all((one == other).all() for one, other in self.saved))


class Gradients(train.Callback):
    """Change the gradients of every third step, and sum them."""

    def __init__(self):
        self.sums = []

    def on_backward_end(self, trainer):
        for p in trainer.model.parameters():
            if trainer.step % 3 == 0:
                p.grad = p.grad * 0.5
            self.sums.append(float(p.grad.array.sum()))


def recorded_setting(options, dropout=0.3):
    """A model, an optimizer and options, which may be functions of the two."""
    cg.manual_seed(0)
    model = train.mlp((2, 8, 4, 2), dropout)
    optimizer = optim.AdamW(optim.decay_groups(model, 0.1), lr=0.02)
    chosen = {name: value(model, optimizer) if callable(value) else value for name, value in options.items()}
    return model, optimizer, chosen


RECORDED = {
    "plain": {},
    "accumulate": {"accumulate": 3},
    "clip norm": {"clip": 0.1},
    "clip value": {"clip": ("value", 0.01)},
    "clip adaptive": {"clip": ("adaptive", 0.01)},
    "scheduler": {"scheduler": lambda m, o: optim.lr_scheduler.ExponentialLR(o, 0.8)},
    "one cycle": {"scheduler": lambda m, o: optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=60)},
    "ema": {"ema": 0.9},
    "swa": {"swa": lambda m, o: train.SWA(2, lr=0.01)},
    "early stopping": {"early_stopping": lambda m, o: train.EarlyStopping(m, 2)},
    "health": {"callbacks": lambda m, o: [train.GradientHealth(every=2)]},
    "gradients": {"callbacks": lambda m, o: [Gradients()], "accumulate": 2, "clip": 0.1},
    "metrics": {"metrics": lambda m, o: ["accuracy", "f1", "roc_auc", Small()]},
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_steps_have_the_bits_of_eager_ones(name, recordings):
    ends = []
    for compile in (False, None):
        model, optimizer, options = recorded_setting(RECORDED[name])
        trainer = trainer_of(model, optimizer, compile=compile, **options)
        history = trainer.fit(DataLoader(two_classes(61), 8, shuffle=True), HELD, epochs=5)
        records = [{k: v for k, v in r.items() if k != "samples_per_second"} for r in history.records]
        seen = [c.sums for c in trainer.callbacks if isinstance(c, Gradients)]
        ends.append(
            (
                train.fingerprint(model),
                records,
                seen,
                optimizer.state_dict()["param_groups"],
                cg.get_rng_state().tolist(),
            )
        )
        assert bool(recordings) == (compile is None)
    assert ends[0] == ends[1]


class Counting(cg.nn.Module):
    """A user's model that counts its calls."""

    def __init__(self):
        super().__init__()
        self.layer, self.calls = cg.nn.Linear(2, 2), []

    def forward(self, x):
        self.calls.append(len(x))
        return self.layer(x)


def hooked():
    model = train.mlp((2, 4, 2))
    model[0].register_forward_hook(lambda module, args, output: None)
    return model


def patched():
    model = train.mlp((2, 4, 2))
    model[0].forward = model[0].forward
    return model


def watched():
    model = train.mlp((2, 4, 2))
    model[0].weight.register_hook(lambda gradient: None)
    return model


def of_ones_own(output, target):
    return F.cross_entropy(output, target)


def reading(output, target):
    loss = F.cross_entropy(output, target)
    return loss if loss.item() > 0 else loss * 2


LABELS = partial(F.cross_entropy, label_smoothing=0.1)
MLP = partial(train.mlp, (2, 4, 2))


@pytest.mark.parametrize(
    ("make", "loss", "compile", "wanted"),
    [
        (MLP, F.cross_entropy, None, True), (MLP, cg.nn.CrossEntropyLoss(), None, True), (MLP, LABELS, None, True),
        (MLP, F.cross_entropy, False, False), (MLP, of_ones_own, None, False), (MLP, of_ones_own, True, True),
        (MLP, reading, None, False), (Counting, F.cross_entropy, None, False), (Counting, F.cross_entropy, True, True),
        (hooked, F.cross_entropy, None, False), (watched, F.cross_entropy, None, False), (patched, F.cross_entropy, None, False),
    ],
)  # fmt: skip
def test_steps_are_recorded_if_no_python_of_the_user_is_skipped(make, loss, compile, wanted, recordings):
    model, loader, optimizer = setting(model=make())
    trainer_of(model, optimizer, loss, compile=compile).fit(loader, epochs=3)
    assert bool(recordings) == wanted
    if isinstance(model, Counting):
        assert len(model.calls) == (3 if wanted else 24)


def test_compile_says_why_a_step_runs_eagerly():
    model, loader, optimizer = setting()
    with pytest.warns(RuntimeWarning, match="item reads values"):
        trainer_of(model, optimizer, reading, compile=True).fit(loader, epochs=1)
    with pytest.raises(TypeError, match="compile must be True, False or None, got 'no'"):
        trainer_of(model, optimizer, compile="no")


def test_batches_of_many_sizes_cause_no_warning(recordings):
    model, _, optimizer = setting()
    x = cg.randn(20, 2)
    batches = [(x[:size], (x[:size, 0] > 0).long()) for size in range(2, 21)]
    trainer_of(model, optimizer).fit(batches, epochs=3)
    assert len(recordings) > 16


def test_a_hook_added_later_is_called(recordings):
    model, loader, optimizer = setting()
    calls = []

    def add(trainer, metrics):
        if trainer.epoch == 2:
            model[0].register_forward_hook(lambda module, args, output: calls.append(1))

    trainer_of(model, optimizer, callbacks=[Each(add)]).fit(loader, epochs=3)
    assert recordings and len(calls) == 8


@pytest.mark.parametrize("add", [nn.Module.register_forward_hook, None], ids=["of a module", "of all modules"])
def test_steps_are_recorded_again_once_hooks_are_removed(add, recordings, monkeypatch):
    monkeypatch.setattr(nn.Module, "_hooks", nn.Module._hooks)  # set by the first hook of all modules
    model, loader, optimizer = setting()
    calls = []

    def hook(module, args, output):
        calls.append(1)

    handle = register_module_forward_hook(hook) if add is None else add(model[0], hook)
    trainer_of(model, optimizer).fit(loader, epochs=1)
    assert calls and not recordings
    handle.remove()
    del calls[:]
    trainer_of(model, optimizer).fit(loader, epochs=1)
    assert recordings and not calls


def test_a_non_finite_value_in_a_recorded_step_raises_before_the_weights_change(recordings):
    model, loader, optimizer = setting()
    batches = [*loader][:6]
    trainer = trainer_of(model, optimizer)
    trainer.fit(batches, epochs=2)
    before = state(model)
    batches[4] = (batches[4][0].sign() * 3e38, batches[4][1])  # whose sums overflow
    with pytest.raises(train.NonFiniteError, match=r"epoch 1, batch 5: the (loss|norm of the gradient) is"):
        trainer.fit(batches, epochs=2)
    model_, loader_, optimizer_ = setting()
    plain = trainer_of(model_, optimizer_, compile=False)
    plain.fit([*loader_][:6], epochs=2)
    assert_same(before, state(model_))
    with pytest.raises(train.NonFiniteError):
        plain.fit(batches, epochs=2)
    assert_same(state(model), state(model_))
    assert len(recordings) == 4


def test_a_trainer_can_be_copied_and_has_no_programs_after_fit():
    model, loader, optimizer = setting()
    trainer = trainer_of(model, optimizer)
    trainer.fit(loader, epochs=2)
    assert trainer._recorded_step.gradient.programs() == []
    other = copy.deepcopy(trainer)
    other.fit(loader, epochs=1)
    trainer.fit(loader, epochs=1)
    assert train.fingerprint(other.model) == train.fingerprint(model)
