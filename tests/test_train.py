"""Early stopping, the MLP, data sets in parts, and saved runs."""

from __future__ import annotations

import json
import math
import os

import numpy as np
import pytest

import cygrad as cg
from cygrad import runs, train


def state(module):
    """Copies of the parameters and buffers."""
    return {name: value.array.copy() for name, value in module.state_dict().items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


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
        ({"patience": 2, "ties": "last"}, [2.0, 1.0, 1.0, 3.0, 1.0, 2.0, 2.0], [0, 0, 0, 0, 0, 0, 1], (1.0, 5)),
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


def test_early_stopping_restores_the_initial_state_without_improvement():
    model = cg.nn.Linear(2, 2)
    before = state(model)
    stopping = train.EarlyStopping(model, patience=5)
    model.weight.array[...] = math.nan
    stopping.step(math.nan)
    stopping.restore()
    assert_same(state(model), before)


def test_early_stopping_continues_from_a_state():
    model = cg.nn.Linear(2, 2)
    stopping = train.EarlyStopping(model, patience=3)
    stopping.step(1.0)
    best = state(model)
    model.weight.array[...] += 1
    assert not stopping.step(2.0)
    other = train.EarlyStopping(model, patience=3)
    other.load_state_dict(stopping.state_dict())
    assert (other.best, other.best_epoch) == (1.0, 1)
    assert [other.step(2.0), other.step(2.0)] == [False, True]
    other.restore()
    assert_same(state(model), best)


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
        ({"ties": "all"}, "EarlyStopping: ties must be first or last, got 'all'"),
        ({"mode": "most"}, "EarlyStopping: mode must be min or max, got 'most'"),
    ],
)
def test_early_stopping_rejects_invalid_options(options, message):
    with pytest.raises(ValueError) as caught:
        train.EarlyStopping(cg.nn.Linear(1, 1), **options)
    assert str(caught.value) == message


# Models


def test_the_mlp_has_the_documented_layers_and_weights():
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
def test_the_mlp_rejects_invalid_arguments(sizes, dropout, message):
    with pytest.raises(ValueError) as caught:
        train.mlp(sizes, dropout)
    assert str(caught.value) == message


# Data in parts


@pytest.mark.parametrize(
    ("shape", "channels", "dropout"), [((1, 8, 8), (4,), 0.0), ((3, 9, 13), (5, 7), 0.2), ((1, 28, 28), (2, 3, 4), 0.5)]
)
def test_the_convnet_takes_rows_of_pixels(shape, channels, dropout):
    model = train.convnet(shape, channels, 6, dropout)
    assert model(cg.randn(4, math.prod(shape))).shape == (4, 6)
    kinds = [type(layer).__name__ for layer in model]
    assert kinds.count("MaxPool2d") == len(channels) and kinds.count("Conv2d") == 2 * len(channels)
    assert kinds.count("Dropout") == (len(channels) if dropout else 0)
    weights = np.concatenate(
        [
            layer.weight.array.ravel() * (layer.weight.array[0].size / 2) ** 0.5
            for layer in model
            if isinstance(layer, cg.nn.Conv2d)
        ]
    )
    assert abs(weights.std() - 1) < 0.25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((8, 8), (4,), 2), "convnet: shape must be three sizes"),
        (((1, 8, 8), (), 2), "convnet: shape must be three sizes, and channels one or more"),
        (((1, 8, 8), (4, 4, 4, 4), 2), "convnet: images of 8 × 8 can't be halved 4 times"),
        (((1, 8, 8), (4,), 2, 1.5), "convnet: dropout must lie in"),
    ],
)
def test_the_convnet_rejects_invalid_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        train.convnet(*arguments)


@pytest.mark.parametrize("source", ["digits", "mnist", "fashion"])
def test_a_convnet_is_trained_saved_loaded_and_exported(tmp_path, source, capsys):
    if source != "digits":
        images = np.random.default_rng(0).integers(0, 256, (60, 12, 10)).astype(np.uint8)
        for part in ("train", "t10k"):
            header = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in images.shape)
            (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
            labels = bytes(n % 3 for n in range(60))
            (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1]) + (60).to_bytes(4, "big") + labels)
    data = None if source == "digits" else str(tmp_path)
    options = runs.Options(source, data=data, network="convnet", hidden=(4, 6), epochs=2, out=str(tmp_path / "run"))
    assert runs.train(options)
    assert f"{source}: " in (out := capsys.readouterr().out) and "; convnet " in out
    run = runs.load(tmp_path / "run")
    assert run.config.network_type == "convnet" and run.config.shape == (
        [1, 8, 8] if source == "digits" else [1, 12, 10]
    )
    rows = np.random.default_rng(1).uniform(0, 16, (5, run.columns)).astype(np.float32)
    scores = run.scores(rows)
    onnxruntime = pytest.importorskip("onnxruntime")
    cg.onnx.export(run.network(), (cg.Tensor(rows),), str(tmp_path / "model.onnx"))
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    (name,) = [value.name for value in session.get_inputs()]
    np.testing.assert_allclose(session.run(None, {name: rows})[0], scores, rtol=1e-4, atol=1e-4)


def test_the_digits_are_split_by_class_and_seed():
    task, same, other = runs.digits(3), runs.digits(3), runs.digits(4)
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
    """A run whose running statistics have changed."""
    cg.manual_seed(1)
    model = train.mlp(sizes, dropout=0.2)
    model(cg.randn(16, sizes[0]))
    config = runs.ImageConfig(
        list(sizes), 0.2, mean=2.0, std=4.0, classes=list(range(sizes[-1])), version=cg.__version__, seed=1
    )
    return runs.ImageRun(model, config)


RECORDS = [{"epoch": 1, "loss": 0.5, "val_loss": math.nan}, {"epoch": 2, "loss": 0.001}]


def test_a_saved_run_loads_unchanged(tmp_path):
    run, folder = some_run(), tmp_path / "a" / "b"
    runs.save(folder, run, RECORDS)
    back = runs.load(folder)
    assert back.config == run.config and not back.model.training
    assert_same(state(back.model), state(run.model))
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    np.testing.assert_array_equal(back.scores(x), train.predict(run.model, (x - 2) / 4))
    np.testing.assert_array_equal(back.classes(x), back.scores(x).argmax(1))
    np.testing.assert_allclose(back.probabilities(x), cg.softmax(cg.Tensor(back.scores(x)), 1).array, rtol=1e-5)
    assert sorted(os.listdir(folder)) == ["config.json", "metrics.csv", "weights.npz"]
    assert (folder / "metrics.csv").read_text() == "epoch,loss,val_loss\n1,0.5,nan\n2,0.001,nan\n"
    runs.save(folder, run)
    assert (folder / "metrics.csv").read_text() == ""


def test_a_folder_with_other_files_is_refused_and_unchanged(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ValueError, match="contains other files and is not a run folder; nothing was written"):
        runs.save(tmp_path, some_run())
    assert os.listdir(tmp_path) == ["letter.txt"]


def test_a_file_instead_of_the_folder_is_refused(tmp_path):
    (tmp_path / "taken").write_text("")
    for path in (tmp_path / "taken", tmp_path / "taken" / "run"):
        with pytest.raises(OSError, match=r"runs.save: .*taken.* can't be created as a folder \("):
            runs.prepare_folder(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="every folder can be written by root")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match=r"runs.save: .* can't be written"):
        runs.prepare_folder(tmp_path)


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
    runs.save(tmp_path, some_run())
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **text}) if isinstance(text, dict) else text)
    with pytest.raises(ValueError) as caught:
        runs.load(tmp_path)
    assert str(caught.value).startswith(f"runs.load: {path} is corrupt (")


def test_missing_corrupt_and_mismatched_weights_are_named(tmp_path):
    runs.save(tmp_path, some_run())
    path = tmp_path / "weights.npz"
    cg.save(train.mlp((4, 5, 3), 0.2).state_dict(), path)
    with pytest.raises(ValueError, match=r"runs.load: .*the weights in .*weights\.npz do not fit the network"):
        runs.load(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"weights\.npz is truncated"):
        runs.load(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"is not a run folder: weights\.npz is missing"):
        runs.load(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"is not a run folder: config\.json is missing"):
        runs.load(tmp_path)


def test_rows_that_do_not_fit_are_refused():
    run = some_run()
    with pytest.raises(ValueError, match="predict: the rows have 5 columns, but the model expects 4 columns"):
        run.scores(np.zeros((2, 5), np.float32))
    rows = np.zeros((3, 4), np.float32)
    rows[1, 2] = math.inf
    with pytest.raises(ValueError, match="predict: row 2 contains a value that is not finite"):
        run.classes(rows)
