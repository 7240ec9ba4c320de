"""Training: early stopping, the loop, the MLP, the tasks, and runs on the disk."""

from __future__ import annotations

import json
import math
import os

import numpy as np
import pytest

import cygrad as cg
from cygrad import optim, train
from cygrad.data import DataLoader, TensorDataset


def state(module):
    """The parameters and buffers, copied."""
    return {name: value.array.copy() for name, value in module.state_dict().items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def two_classes(n=64, seed=0):
    """Points in the plane in two classes that a line separates."""
    x = np.random.default_rng(seed).standard_normal((n, 2)).astype(np.float32)
    return TensorDataset(x, (x[:, 0] + x[:, 1] > 0).astype(np.int64))


def setting(data=None, mode="min", patience=100, lr=0.02):
    """A seeded model, its batches in order, its optimizer and early stopping."""
    cg.manual_seed(0)
    model = train.mlp((2, 8, 2))
    loader = DataLoader(data or two_classes(), batch_size=8)
    return (
        model,
        loader,
        optim.AdamW(model.parameters(), lr=lr),
        train.EarlyStopping(model, patience, mode=mode),
    )


# Early stopping


@pytest.mark.parametrize(
    ("options", "values", "stops", "best"),
    [
        ({"patience": 2}, [3.0, 2.0, 2.5, 2.0], [0, 0, 0, 1], (2.0, 2)),
        ({"patience": 3}, [1.0, 1.0, 1.0, 1.0], [0, 0, 0, 1], (1.0, 1)),
        ({"patience": 2}, [3.0, 4.0, 2.0, 5.0, 5.0], [0, 0, 0, 0, 1], (2.0, 3)),
        ({"patience": 2, "min_delta": 0.5}, [3.0, 2.75, 2.5], [0, 0, 1], (3.0, 1)),
        ({"patience": 2, "min_delta": 0.5}, [3.0, 2.75, 2.25, 2.0], [0, 0, 0, 0], (2.25, 3)),
        ({"patience": 1, "mode": "max"}, [0.5, 0.75, 0.75], [0, 0, 1], (0.75, 2)),
        ({"patience": 2}, [math.nan, math.nan], [0, 1], (None, None)),
        ({"patience": 2}, [math.nan, 7.0, math.nan, math.nan], [0, 0, 0, 1], (7.0, 2)),
        ({"patience": 2}, [math.inf, 7.0, -math.inf], [0, 0, 0], (-math.inf, 3)),
    ],
)
def test_early_stopping_follows_the_sequence(options, values, stops, best):
    stopping = train.EarlyStopping(cg.nn.Linear(1, 1), **options)
    assert [stopping.step(value) for value in values] == [bool(stop) for stop in stops]
    assert (stopping.best, stopping.best_epoch) == best


def test_early_stopping_restores_parameters_and_buffers_of_the_best():
    model = cg.nn.Sequential(cg.nn.Linear(2, 2), cg.nn.BatchNorm1d(2))
    stopping = train.EarlyStopping(model, patience=5)
    states = []
    for value in (3.0, 1.0, 2.0):
        model(cg.randn(4, 2))
        for parameter in model.parameters():
            parameter.array[...] += 1
        states.append(state(model))
        stopping.step(value)
    stopping.restore()
    assert_same(state(model), states[1])
    assert not np.array_equal(states[1]["1.running_mean"], states[2]["1.running_mean"])


def test_early_stopping_restores_the_beginning_where_nothing_was_better():
    model = cg.nn.Linear(2, 2)
    before = state(model)
    stopping = train.EarlyStopping(model, patience=5)
    model.weight.array[...] = math.nan
    stopping.step(math.nan)
    stopping.restore()
    assert_same(state(model), before)


def test_early_stopping_takes_tensors():
    stopping = train.EarlyStopping(cg.nn.Linear(1, 1), patience=1)
    assert not stopping.step(cg.tensor(2.0))
    assert stopping.step(cg.tensor(2.0)) and stopping.best == 2.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "EarlyStopping: patience must be at least 1, got 0"),
        ({"min_delta": -1.0}, "EarlyStopping: min_delta must be finite and not negative, got -1.0"),
        ({"min_delta": math.nan}, "EarlyStopping: min_delta must be finite and not negative, got nan"),
        ({"mode": "most"}, "EarlyStopping: mode must be min or max, got 'most'"),
    ],
)
def test_early_stopping_says_what_is_wrong(options, message):
    with pytest.raises(ValueError) as caught:
        train.EarlyStopping(cg.nn.Linear(1, 1), **options)
    assert str(caught.value) == message


# The loop


def test_the_loop_learns_and_records():
    model, loader, optimizer, stopping = setting()
    seen = []
    history = train.fit(
        model, loader, optimizer, epochs=20, validation=DataLoader(two_classes(32, 1), 16), clip=1.0,
        scheduler=optim.lr_scheduler.ExponentialLR(optimizer, 0.9), stopping=stopping, callback=seen.append,
    )  # fmt: skip
    assert seen == history.records and not history.interrupted and not history.stopped
    first, last = history.records[0], history.records[-1]
    assert [record.epoch for record in history.records] == list(range(1, 21))
    assert last.loss < 0.6 * first.loss and last.val_loss < first.val_loss and last.val_accuracy > 0.9
    np.testing.assert_allclose([r.lr for r in history.records], 0.02 * 0.9 ** np.arange(20))
    assert all(record.grad_norm > 0 and record.samples_per_second > 0 for record in history.records)
    result = train.evaluate(model, DataLoader(two_classes(32, 1), 5))
    assert result.loss == pytest.approx(stopping.best) == min(record.val_loss for record in history.records)


def test_the_recorded_means_and_norm_are_those_of_the_samples():
    x = np.array([[1.0], [2.0], [3.0]], np.float32)
    model = cg.nn.Linear(1, 1, bias=False)
    model.weight.array[...] = 2
    data = TensorDataset(x, np.zeros((3, 1), np.float32))
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    (record,) = train.fit(
        model, DataLoader(data, 2), optimizer, epochs=1, loss=cg.nn.functional.mse_loss, clip=1e-3
    ).records
    assert record.loss == pytest.approx((4 + 16 + 36) / 3)
    assert record.grad_norm == pytest.approx((10 + 36) / 2, rel=1e-5)  # mean of 2·w·x² in both
    assert math.isnan(record.accuracy) and math.isnan(record.val_loss)


def test_clipping_bounds_the_update():
    model = cg.nn.Linear(2, 2)
    before = state(model)
    x = TensorDataset(1000 * np.ones((4, 2), np.float32), np.arange(4) % 2)
    train.fit(model, DataLoader(x, 4), optim.SGD(model.parameters(), lr=1.0), epochs=1, clip=0.01)
    change = math.sqrt(sum(((state(model)[name] - value) ** 2).sum() for name, value in before.items()))
    assert 0 < change < 0.0101


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_loop_stops_early_and_restores_the_best(mode):
    model, loader, optimizer, stopping = setting(mode=mode, patience=3, lr=0.1)
    states = []
    history = train.fit(
        model, loader, optimizer, epochs=500,
        validation=DataLoader(two_classes(16, 1), 16), stopping=stopping,
        callback=lambda record: states.append(state(model)),
    )  # fmt: skip
    assert history.stopped and len(history.records) == stopping.best_epoch + 3 < 500
    values = [record.val_loss if mode == "min" else record.val_accuracy for record in history.records]
    assert stopping.best == (min(values) if mode == "min" else max(values)) == values[stopping.best_epoch - 1]
    assert_same(state(model), states[stopping.best_epoch - 1])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_bad_data_stop_with_epoch_and_batch_and_the_best_is_kept(value):
    data = two_classes()
    model, loader, optimizer, stopping = setting(data)
    states = []

    def spoil(record):
        states.append(state(model))
        if record.epoch == 2:
            data.tensors[0].array[17, 1] = value

    with pytest.raises(ValueError) as caught:
        train.fit(model, loader, optimizer, epochs=9, stopping=stopping, callback=spoil)
    assert str(caught.value) == f"fit: epoch 3, batch 3: the data hold {value}"
    assert_same(state(model), states[stopping.best_epoch - 1])


def test_bad_validation_data_are_named():
    held = two_classes(24, 1)
    held.tensors[0].array[9] = math.nan
    model, loader, optimizer, _ = setting()
    with pytest.raises(ValueError, match=r"^evaluate: validation in epoch 1, batch 2: the data hold nan$"):
        train.fit(model, loader, optimizer, epochs=2, validation=DataLoader(held, 8))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_bad_loss_stops_before_the_weights_change(value):
    model, loader, optimizer, _ = setting()
    calls = []

    def loss(scores, target):
        calls.append(state(model))
        return cg.nn.functional.cross_entropy(scores, target) * (value if len(calls) == 11 else 1.0)

    with pytest.raises(ValueError) as caught:
        train.fit(model, loader, optimizer, epochs=9, loss=loss)
    assert str(caught.value) == f"fit: epoch 2, batch 3: the loss is {value}"
    weights = [name for name in state(model) if name.endswith(("weight", "bias"))]
    assert_same({name: state(model)[name] for name in weights}, {name: calls[-1][name] for name in weights})


def test_a_bad_gradient_stops_before_the_weights_change():
    model = cg.nn.Linear(1, 1)
    before = state(model)
    data = TensorDataset(np.zeros((2, 1), np.float32), np.zeros((2, 1), np.float32))

    def loss(scores, target):
        return ((scores - scores.detach()) ** 2).sqrt().sum()  # 0, of slope 0/0

    with pytest.raises(ValueError, match=r"^fit: epoch 1, batch 1: the norm of the gradient is nan$"):
        train.fit(model, DataLoader(data, 2), optim.SGD(model.parameters(), lr=0.1), epochs=1, loss=loss)
    assert_same(state(model), before)


def test_an_interrupt_ends_the_training_with_the_best():
    model, loader, optimizer, stopping = setting(lr=0.5)
    states = []

    def interrupt(record):
        states.append(state(model))
        if record.epoch == 6:
            raise KeyboardInterrupt

    history = train.fit(model, loader, optimizer, epochs=99, stopping=stopping, callback=interrupt)
    assert history.interrupted and not history.stopped and len(history.records) == 6
    assert_same(state(model), states[stopping.best_epoch - 1])


def test_an_interrupt_in_the_first_epoch_keeps_what_was_learnt():
    model, loader, optimizer, stopping = setting()
    before = state(model)

    def batches(loader, epoch):
        for number, batch in enumerate(loader):
            if number == 5:
                raise KeyboardInterrupt
            yield batch

    history = train.fit(model, loader, optimizer, epochs=3, stopping=stopping, progress=batches)
    assert history.interrupted and history.records == []
    assert not np.array_equal(state(model)["0.weight"], before["0.weight"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": -1}, "fit: epochs must not be negative, got -1"),
        ({"epochs": 1, "clip": 0.0}, "fit: clip must be above 0, got 0.0"),
    ],
)
def test_the_loop_says_what_is_wrong(options, message):
    model, loader, optimizer, _ = setting()
    with pytest.raises(ValueError) as caught:
        train.fit(model, loader, optimizer, **options)
    assert str(caught.value) == message


def test_a_loader_without_batches_is_refused():
    model, _, optimizer, _ = setting()
    with pytest.raises(ValueError, match="fit: the loader gives no batches"):
        train.fit(model, [], optimizer, epochs=1)
    with pytest.raises(ValueError, match="evaluate: the loader gives no batches"):
        train.evaluate(model, [])


def test_a_plateau_scheduler_is_given_the_loss():
    model, loader, optimizer, _ = setting(lr=1e-12)
    # Nothing is learnt at such a rate: every epoch after the first is a bad one.
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, threshold=0.5, eps=0.0)
    history = train.fit(model, loader, optimizer, epochs=4, scheduler=scheduler)
    assert [record.lr for record in history.records] == pytest.approx([1e-12, 1e-12, 1e-12, 1e-13])


def test_evaluation_weighs_samples_and_leaves_the_modes_alone():
    model = cg.nn.Sequential(cg.nn.Identity(), cg.nn.Dropout(0.5))
    model[0].eval()
    scores = np.array([[3.0, 0.0], [0.0, 3.0], [3.0, 0.0]], np.float32)
    result = train.evaluate(model, DataLoader(TensorDataset(scores, np.array([0, 1, 1])), 2))
    right, wrong = math.log(1 + math.exp(-3)), math.log(1 + math.exp(3))
    assert result.loss == pytest.approx((2 * right + wrong) / 3) and result.accuracy == pytest.approx(2 / 3)
    assert model.training and not model[0].training and model[1].training


def test_predict_cuts_into_batches():
    model = train.mlp((3, 5, 4), dropout=0.5)
    x = np.random.default_rng(0).standard_normal((10, 3)).astype(np.float32)
    whole = train.predict(model, x)
    assert whole.shape == (10, 4) and model.training
    np.testing.assert_allclose(train.predict(model, cg.Tensor(x), batch_size=3), whole, rtol=1e-5, atol=1e-6)
    assert train.predict(model, x[:0]).shape == (0, 4)
    with pytest.raises(ValueError, match="predict: batch_size must be at least 1, got 0"):
        train.predict(model, x, 0)


# Models


def test_the_mlp_is_built_as_said():
    cg.manual_seed(0)
    model = train.mlp((400, 300, 200, 10), dropout=0.25, flatten=True)
    kinds = [type(layer).__name__ for layer in model]
    hidden = ["Linear", "BatchNorm1d", "ReLU", "Dropout"]
    assert kinds == ["Flatten", *hidden, *hidden, "Linear"]
    assert model[1].weight.array.std() == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    assert model[9].weight.array.std() == pytest.approx(math.sqrt(1 / 200), rel=0.05)
    assert not any(model[i].bias.array.any() for i in (1, 5, 9))
    assert model(cg.zeros(3, 20, 20)).shape == (3, 10)
    assert [type(layer).__name__ for layer in train.mlp((4, 2))] == ["Linear"]


@pytest.mark.parametrize(
    ("sizes", "dropout", "message"),
    [
        ((3,), 0.0, "mlp: sizes must be two or more numbers of at least 1, got (3,)"),
        ((3, 0, 2), 0.0, "mlp: sizes must be two or more numbers of at least 1, got (3, 0, 2)"),
        ((3, 2), 1.5, "mlp: dropout must lie in [0, 1], got 1.5"),
        ((3, 2), math.nan, "mlp: dropout must lie in [0, 1], got nan"),
    ],
)
def test_the_mlp_says_what_is_wrong(sizes, dropout, message):
    with pytest.raises(ValueError) as caught:
        train.mlp(sizes, dropout)
    assert str(caught.value) == message


# Tasks


def test_the_digits_are_split_by_class_and_seed():
    task, same, other = train.digits(3), train.digits(3), train.digits(4)
    parts = (task.train, task.validation, task.test)
    assert sum(map(len, parts)) == 1797 and task.classes == list(range(10))
    counts = [np.bincount(part.tensors[1].array, minlength=10) for part in parts]
    whole = sum(counts)
    for count, fraction in zip(counts, (0.7, 0.1, 0.2), strict=True):
        assert np.abs(count - fraction * whole).max() <= 1
    pixels = task.train.tensors[0].array
    assert pixels.dtype == np.float32 and abs(pixels.mean()) < 1e-3 and abs(pixels.std() - 1) < 1e-3
    np.testing.assert_array_equal(pixels, same.train.tensors[0].array)
    assert not np.array_equal(task.test.tensors[0].array, other.test.tensors[0].array)
    # The parts have no image in common but those that are in the data set twice.
    images = np.concatenate([part.tensors[0].array for part in parts]) * task.std + task.mean
    wanted = cg.data.load_digits()[0].reshape(1797, 64)
    np.testing.assert_array_equal(np.sort(np.rint(images), 0), np.sort(wanted, 0))


# Runs


def some_run(sizes=(4, 6, 3)):
    """A run whose running statistics are not at their start."""
    cg.manual_seed(1)
    model = train.mlp(sizes, dropout=0.2)
    model(cg.randn(16, sizes[0]))
    config = train.Config(
        list(sizes), 0.2, mean=2.0, std=4.0, classes=list(range(sizes[-1])), version=cg.__version__, seed=1
    )
    return train.Run(model, config)


RECORD = train.Record(1, 0.5, 0.75, math.nan, math.nan, 1.5, 0.001, 1000.0)


def test_a_run_comes_back_whole(tmp_path):
    run, folder = some_run(), tmp_path / "a" / "b"
    train.save_run(folder, run, [RECORD])
    back = train.load_run(folder)
    assert back.config == run.config and not back.model.training
    assert_same(state(back.model), state(run.model))
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    np.testing.assert_array_equal(back.scores(x), train.predict(run.model, (x - 2) / 4))
    np.testing.assert_array_equal(back.classes(x), back.scores(x).argmax(1))
    np.testing.assert_allclose(back.probabilities(x), cg.softmax(cg.Tensor(back.scores(x)), 1).array, rtol=1e-5)
    assert sorted(os.listdir(folder)) == ["config.json", "metrics.csv", "weights.npz"]
    head, line = (folder / "metrics.csv").read_text().splitlines()
    assert head.split(",") == list(train.Record._fields) and line == "1,0.5,0.75,nan,nan,1.5,0.001,1000.0"
    train.save_run(folder, run)
    assert len((folder / "metrics.csv").read_text().splitlines()) == 1


def test_a_folder_of_other_things_stays_as_it_is(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ValueError, match="holds other things than a run, and stays as it is"):
        train.save_run(tmp_path, some_run())
    assert os.listdir(tmp_path) == ["letter.txt"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "taken").write_text("")
    for path in (tmp_path / "taken", tmp_path / "taken" / "run"):
        with pytest.raises(OSError, match=r"save_run: .*taken.* can't be made a folder \("):
            train.prepare_folder(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="every folder can be written by root")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match=r"save_run: .* can't be written"):
        train.prepare_folder(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "[1, 2", "null", '{"sizes": 3}', "[" * 100_000,
        {"sizes": [4]}, {"sizes": [4, 6, 2]}, {"sizes": [4, True, 3]}, {"sizes": [4, -6, 3]},
        {"sizes": "463"}, {"classes": [0, 1]}, {"extra": 1},
        {"std": 0}, {"std": "4"}, {"mean": math.nan}, {"mean": None}, {"dropout": 2},
    ],
)  # fmt: skip
def test_a_corrupt_configuration_is_named(tmp_path, text):
    train.save_run(tmp_path, some_run())
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **text}) if isinstance(text, dict) else text)
    with pytest.raises(ValueError) as caught:
        train.load_run(tmp_path)
    assert str(caught.value).startswith(f"load_run: {path} is corrupt (")


def test_missing_corrupt_and_foreign_weights_are_named(tmp_path):
    train.save_run(tmp_path, some_run())
    path = tmp_path / "weights.npz"
    cg.save(train.mlp((4, 5, 3), 0.2).state_dict(), path)
    with pytest.raises(ValueError, match=r"load_run: .*weights\.npz does not hold the weights of this model"):
        train.load_run(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"weights\.npz is truncated"):
        train.load_run(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"is no run, it has no weights\.npz"):
        train.load_run(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"is no run, it has no config\.json"):
        train.load_run(tmp_path)


def test_rows_that_do_not_fit_are_refused():
    run = some_run()
    with pytest.raises(ValueError, match="predict: the rows have 5 columns, but the model wants 4"):
        run.scores(np.zeros((2, 5), np.float32))
    rows = np.zeros((3, 4), np.float32)
    rows[1, 2] = math.inf
    with pytest.raises(ValueError, match="predict: row 2 holds a number that is not finite"):
        run.classes(rows)
