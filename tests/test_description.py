"""Networks as plain values, and saved models: a description builds the same network, and nothing else is built."""

from __future__ import annotations

import inspect
import json
import pickle

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from cygrad.nn.description import build, class_named, describe

SAMPLES = [
    nn.Linear(3, 2),
    nn.EnsembleLinear(2, 3, 2),
    nn.EnsembleLinear(2, 3, 2, bias=False, dtype=cg.float64),
    nn.EnsembleScale(2, 3),
    nn.EnsembleSharedLinear(2, 3, 4),
    nn.EnsembleMean("probabilities"),
    nn.EnsemblePeriodicEmbedding(2, [0, 2], 3, 5, (0.5, 1.0)),
    nn.EnsembleBlend(nn.EnsembleScale(2, 3), nn.Sequential(nn.EnsembleLinear(2, 3, 3)), 0.25, "probabilities"),
    nn.Linear(3, 2, bias=False, dtype=cg.float64),
    nn.BatchNorm1d(4),
    nn.BatchNorm1d(4, eps=1e-3, momentum=None, affine=False),
    nn.BatchNorm1d(4, bias=False, track_running_stats=False),
    nn.BatchNorm2d(4, momentum=0.2),
    nn.LayerNorm(4),
    nn.LayerNorm((2, 4), elementwise_affine=False),
    nn.LayerNorm((2, 4), bias=False),
    nn.Embedding(5, 3),
    nn.Embedding(5, 3, padding_idx=-1),
    nn.Dropout(0.25),
    nn.Dropout(0.25, inplace=True),
    nn.Flatten(0, 1),
    nn.Unflatten(1, (2, 2)),
    nn.LeakyReLU(0.2),
    nn.Softplus(2.0, 10.0),
    nn.Hardtanh(-2.0, 3.0),
    nn.Softmax(1),
    nn.GELU("tanh"),
    nn.ELU(0.5),
    nn.CrossEntropyLoss(label_smoothing=0.1),
    nn.KLDivLoss(reduction="batchmean"),
    nn.HuberLoss(delta=2.0),
    nn.RNN(2, 3, nonlinearity="relu", bidirectional=True),
    nn.GRU(2, 3, num_layers=2, dropout=0.1, batch_first=True),
    nn.LSTM(2, 3, bias=False, proj_size=2, dtype=cg.float64),
    nn.RNNCell(2, 3, nonlinearity="relu"),
    nn.LSTMCell(2, 3, bias=False),
    nn.GRUCell(2, 3, dtype=cg.float64),
    nn.RNNBase("GRU", 2, 3),
    nn.RNNCellBase(2, 3, True, 4),
    nn.Bilinear(2, 3, 4),
    nn.Conv1d(4, 6, 3, 2, "valid", 2, 2, False),
    nn.Conv2d(4, 6, (3, 1), padding=(1, 0), padding_mode="circular"),
    nn.Conv2d(4, 6, 3, padding="same", dtype="float64"),
    nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, 2),
    nn.ConvTranspose2d(4, 6, (3, 2), bias=False, dilation=2),
    nn.LazyConv1d(4, 3),
    nn.LazyConv2d(4, 3, groups=2),
    nn.LazyConvTranspose1d(4, 3, bias=False),
    nn.LazyConvTranspose2d(4, 3, 2, output_padding=1),
    nn.BatchNorm3d(4),
    nn.InstanceNorm1d(4, affine=True),
    nn.InstanceNorm2d(4),
    nn.InstanceNorm3d(4),
    nn.ChannelShuffle(2),
    nn.CircularPad1d(2),
    nn.CircularPad2d(2),
    nn.CircularPad3d(2),
    nn.ConstantPad1d(2, 1.5),
    nn.ConstantPad2d(2, 1.5),
    nn.ConstantPad3d(2, 1.5),
    nn.EmbeddingBag(5, 3, mode="sum"),
    nn.GroupNorm(2, 4),
    nn.Fold((4, 5), 2),
    nn.LPPool1d(2, 3, 2),
    nn.MultiheadAttention(8, 2, 0.1, bias=False, add_bias_kv=True, kdim=3, batch_first=True),
    nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", norm_first=True),
    nn.TransformerDecoderLayer(8, 2, 16, 0.0, bias=False),
    nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, nn.LayerNorm(8)),
    nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 3),
    nn.Transformer(8, 2, 1, 2, 16, dtype="float64"),
    nn.LPPool2d(2.0, (3, 2), ceil_mode=True),
    nn.MaxPool2d((2, 3), padding=(1, 0)),
    nn.RMSNorm((2, 4)),
    nn.PReLU(3),
    nn.Threshold(0.5, 1),
    nn.Sequential(),
    nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 1))),
    nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.ModuleList([nn.ReLU()])}),
    cg.train.mlp((4, 8, 2), 0.1, flatten=True),
]


def assert_same(one, other):
    assert repr(one) == repr(other)
    states = one.state_dict(), other.state_dict()
    kinds = [{name: (t.array.shape, t.array.dtype) for name, t in state.items()} for state in states]
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("module", SAMPLES, ids=lambda module: " ".join(repr(module).split())[:60])
def test_a_description_builds_the_same_module(module):
    text = json.dumps(describe(module))
    assert_same(build(json.loads(text)), module)


def test_every_module_is_described():
    made = set()
    classes = {name: cls for name in dir(nn) if (cls := class_named(name)) is not None}
    for name, cls in classes.items():
        parameters = inspect.signature(cls).parameters.values()
        required = [p for p in parameters if p.default is p.empty and p.kind < p.VAR_POSITIONAL]
        if len(required) < 2 and name not in {"ParameterList", "ParameterDict", "Unflatten"}:
            sizes = [2] * len(required)
            assert_same(build(describe(cls(*sizes))), cls(*sizes))
            made.add(name)
    missing = set(classes) - made - {type(module).__name__ for module in SAMPLES}
    assert missing <= {"ParameterList", "ParameterDict", "ModuleList"}, f"no sample of {missing}"


def test_a_module_in_two_places_is_described_in_both():
    relu = nn.ReLU()
    assert len(build(describe(nn.Sequential(nn.Linear(2, 2), relu, nn.Linear(2, 2), relu)))) == 4


class Own(nn.Module):
    pass


class OwnLinear(nn.Linear):
    pass


SHARED = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Own(), "describe: Own is not a module of cygrad.nn, and its code can't be saved"),
        (nn.Sequential(nn.ReLU(), nn.Sequential(OwnLinear(2, 2))), "describe: OwnLinear at 1.0 is not a module"),
        (nn.Sequential(SHARED, SHARED), "describe: 1.weight is the same parameter as 0.weight"),
        (nn.Sequential(nn.ParameterList([cg.ones(2)])), "describe: a ParameterList at 0 can't be described"),
        (nn.ParameterDict({"a": cg.ones(2)}), "describe: a ParameterDict can't be described"),
        (nn.CrossEntropyLoss(cg.ones(3)), "describe: CrossEntropyLoss has a Tensor for its option weight"),
    ],
)
def test_a_module_that_cannot_be_described_is_named(module, message):
    with pytest.raises(TypeError, match=message):
        describe(module)


def nested(depth):
    description = {"type": "ReLU", "options": {}}
    for _ in range(depth):
        description = {"type": "Sequential", "modules": {"0": description}}
    return description


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (None, "a description must be a dict"),
        ({}, "cygrad.nn has no module None"),
        ({"type": "functional"}, "cygrad.nn has no module 'functional'"),
        ({"type": "init"}, "no module 'init'"),
        ({"type": "os.system", "options": {"command": "true"}}, "no module 'os.system'"),
        ({"type": ["Linear"]}, "no module"),
        ({"type": "Linear"}, "Linear does not take the options None"),
        ({"type": "Linear", "options": {"in_features": 3}}, "Linear can't be created with"),
        ({"type": "Linear", "options": {"in_features": "3", "out_features": 2}}, "Linear can't be created with"),
        (
            {"type": "Linear", "options": {"in_features": 3, "out_features": 2, "device": "cpu"}},
            "does not take the options",
        ),
        ({"type": "Linear", "options": {"in_features": 2**60, "out_features": 2**60}}, "Linear can't be created with"),
        ({"type": "ReLU", "options": {"evil": 1}}, "does not take the options"),
        ({"type": "Sequential", "modules": ["ReLU"]}, "Sequential needs a dict of modules"),
        (
            {"type": "Sequential", "modules": {"forward": {"type": "ReLU", "options": {}}}},
            "can't contain a module 'forward'",
        ),
        ({"type": "Sequential", "modules": {"a.b": {"type": "ReLU", "options": {}}}}, "can't contain a module 'a.b'"),
        (nested(100), "nested at most 64 deep"),
    ],
)
def test_invalid_descriptions_are_rejected(description, message):
    with pytest.raises(ValueError, match=message):
        build(description)


# Saved models


@pytest.fixture
def saved(tmp_path):
    pytest.importorskip("safetensors")
    model = cg.train.mlp((4, 8, 2), 0.1).double()
    model(cg.randn(16, 4, dtype=cg.float64))  # moves the running statistics
    cg.train.save_model(tmp_path / "model", model)
    return tmp_path / "model", model.eval()


def test_a_saved_model_computes_the_same(saved):
    folder, model = saved
    loaded, x = cg.train.load_model(folder), cg.randn(5, 4, dtype=cg.float64)
    np.testing.assert_array_equal(loaded(x).array, model(x).array)
    assert cg.train.fingerprint(loaded) == cg.train.fingerprint(model) and not loaded.training


def test_nothing_is_written_for_a_model_that_cannot_be_described(tmp_path):
    with pytest.raises(TypeError, match="Own is not a module"):
        cg.train.save_model(tmp_path / "model", Own())
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.json", b"{", "model.json is not valid JSON"),
        ("model.json", b"\xff\xfe", "model.json is not valid JSON"),
        ("model.json", b"[]", "does not describe a model"),
        ("model.json", b'{"network": {}}', "has format None, expected 1"),
        ("model.json", b'{"format": 1, "network": {"type": "exec"}}', "no module 'exec'"),
        ("model.json", b'{"format": 1, "network": {"type": "ReLU", "options": {}}}', "unexpected keys"),
        ("weights.safetensors", b"", "truncated or corrupt"),
        ("weights.safetensors", pickle.dumps({"0.weight": 1}), "truncated or corrupt"),
    ],
)
def test_a_corrupt_model_is_rejected(saved, name, content, message):
    folder, _ = saved
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        cg.train.load_model(folder)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_missing_file_is_named(saved, name):
    folder, _ = saved
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"is not a saved model: {name} is missing"):
        cg.train.load_model(folder)
