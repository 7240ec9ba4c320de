"""ONNX: onnxruntime agrees with the model for every layer, every op that has a translation, and models with any Python
code; and anything that cannot be exported is named."""

from __future__ import annotations

import importlib
import io
import os
import pkgutil
import zlib

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn, ops
from cygrad.autograd import Op
from cygrad.integrations.onnx import OPSETS, export
from cygrad.integrations.onnx.translations import TRANSLATIONS
from tests.op_db import ROWS, augment, tokens, warp
from tests.test_ops import convert, flatten

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

F = nn.functional
each_opset = pytest.mark.parametrize("opset", OPSETS)
TOLERANCE = 1e-5  # of the largest magnitude


def session(path):
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(path, *arrays):
    """onnxruntime's outputs for inputs in order, without those that the graph does not use."""
    started = session(path)
    names = [f"input_{number}" for number in range(len(arrays))] if len(arrays) > 1 else ["input"]
    asked = {entry.name for entry in started.get_inputs()}
    return started.run(None, {name: x for name, x in zip(names, arrays) if name in asked})


def expected(model, *arrays):
    """The model's outputs in evaluation mode."""
    mode = model.training
    model.eval()
    with cg.no_grad():
        results = flatten(model(*[cg.Tensor(x) for x in arrays]))
    model.train(mode)
    return [result.array for result in results]


def difference(got, want):
    """The largest difference, relative to the largest magnitude."""
    assert got.shape == want.shape and got.dtype == want.dtype
    if not want.size:
        return 0.0
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    finite = np.isfinite(want)
    distance = np.abs(got[finite].astype(np.float64) - want[finite]).max(initial=0.0)
    return distance / max(float(np.abs(want[finite]).max(initial=0)), 1e-30)


def largest_difference(got, want):
    """The largest difference, relative to the largest magnitude of the same row."""
    if len(got) != 1000:
        return difference(got, want)
    return max(difference(g, w) for g, w in zip(got, want, strict=True))


def trained(model):
    """The model with random statistics and weights in its norms, as if it were trained."""
    rng = np.random.default_rng(0)
    for name, tensor in model.state_dict().items():
        if tensor.array.dtype.kind == "f":
            drawn = rng.uniform(0.5, 1.5, tensor.shape) if "var" in name else rng.standard_normal(tensor.shape)
            tensor.array[...] = drawn
    return model


# Layers


def floats(*shape):
    return lambda rng, n: (3 * rng.standard_normal((n, *shape))).astype(np.float32)


def integers(bound, *shape):
    return lambda rng, n: rng.integers(0, bound, (n, *shape))


class Shared(nn.Module):
    """A layer of several sequences, which are the same."""

    def __init__(self, layer, count):
        super().__init__()
        self.layer, self.count = layer, count

    def forward(self, x):
        y = self.layer(*[x] * self.count)
        return y[0] if isinstance(y, tuple) else y


def encoder_layer(**options):
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **options)


def decoder_layer(**options):
    return nn.TransformerDecoderLayer(8, 2, 16, batch_first=True, **options)


# The layers of a name, and a function that draws n rows of inputs for them.
LAYERS = {
    "Linear": ([nn.Linear(7, 5), nn.Linear(7, 5, bias=False)], floats(7)),
    "EnsembleLinear": ([nn.EnsembleLinear(3, 7, 5), nn.EnsembleLinear(1, 7, 5, bias=False)], floats(7)),
    "EnsembleMean": ([nn.Sequential(nn.EnsembleLinear(3, 7, 5), nn.EnsembleMean(of)) for of in ("outputs", "probabilities")], floats(7)),
    "EnsembleBlend": ([nn.EnsembleBlend(nn.EnsembleLinear(3, 7, 5), nn.EnsembleLinear(3, 7, 5), 0.3, of) for of in ("outputs", "probabilities")], floats(7)),
    "EnsemblePeriodicEmbedding": ([nn.EnsemblePeriodicEmbedding(3, range(7)), nn.EnsemblePeriodicEmbedding(2, [4, 1], 3, 5)], floats(7)),
    "EnsembleScale": ([nn.EnsembleScale(3, 7)], floats(7)),
    "EnsembleSharedLinear": ([nn.EnsembleSharedLinear(3, 7, 2)], floats(7)),
    "Linear, more axes": ([nn.Linear(7, 5), nn.Linear(7, 5, bias=False)], floats(2, 3, 7)),
    "Conv1d": ([nn.Conv1d(3, 4, 3), nn.Conv1d(3, 6, 4, padding="same", dilation=2, groups=3, bias=False), nn.Conv1d(3, 2, 2, 3, padding_mode="circular", padding=1)], floats(3, 12)),
    "Conv2d": ([nn.Conv2d(2, 3, (3, 2), 2, 1), nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect", groups=2)], floats(2, 6, 5)),
    "ConvTranspose1d": ([nn.ConvTranspose1d(4, 3, 3, 2, 1, 1), nn.ConvTranspose1d(4, 2, 2, groups=2, dilation=3, output_padding=2)], floats(4, 7)),
    "ConvTranspose2d": ([nn.ConvTranspose2d(4, 3, (2, 3), (2, 1), bias=False), nn.ConvTranspose2d(4, 4, 3, 3, 1, 2, groups=4)], floats(4, 3, 4)),
    "Identity": ([nn.Identity()], floats(4)),
    "ReLU": ([nn.ReLU(), nn.ReLU(inplace=True)], floats(9)),
    "LeakyReLU": ([nn.LeakyReLU(), nn.LeakyReLU(0.3, inplace=True)], floats(9)),
    "ELU": ([nn.ELU(), nn.ELU(2.0, inplace=True)], floats(9)),
    "SELU": ([nn.SELU(), nn.SELU(inplace=True)], floats(9)),
    "GELU": ([nn.GELU(), nn.GELU("tanh")], floats(9)),
    "SiLU": ([nn.SiLU(), nn.SiLU(inplace=True)], floats(9)),
    "Mish": ([nn.Mish(), nn.Mish(inplace=True)], floats(9)),
    "Sigmoid": ([nn.Sigmoid()], floats(9)),
    "LogSigmoid": ([nn.LogSigmoid()], floats(9)),
    "Tanh": ([nn.Tanh()], floats(9)),
    "Softsign": ([nn.Softsign()], floats(9)),
    "Softplus": ([nn.Softplus(), nn.Softplus(2.0, 3.0), nn.Softplus(0.5, 0.0)], floats(9)),
    "Hardtanh": ([nn.Hardtanh(), nn.Hardtanh(-0.5, 2.0, inplace=True)], floats(9)),
    "ReLU6": ([nn.ReLU6(), nn.ReLU6(inplace=True)], floats(9)),
    "Softmax": ([nn.Softmax(1), nn.Softmax(-1)], floats(3, 4)),
    "LogSoftmax": ([nn.LogSoftmax(1), nn.LogSoftmax(-1)], floats(3, 4)),
    "BatchNorm1d": ([nn.BatchNorm1d(6), nn.BatchNorm1d(6, eps=0.1, affine=False), nn.BatchNorm1d(6, bias=False)], floats(6)),
    "BatchNorm1d, sequences": ([nn.BatchNorm1d(6), nn.BatchNorm1d(6, track_running_stats=False)], floats(6, 5)),
    "BatchNorm1d, own statistics": ([nn.BatchNorm1d(6, track_running_stats=False), nn.BatchNorm1d(6, affine=False, track_running_stats=False)], floats(6)),
    "BatchNorm2d": ([nn.BatchNorm2d(3), nn.BatchNorm2d(3, track_running_stats=False)], floats(3, 4, 5)),
    "LayerNorm": ([nn.LayerNorm(8), nn.LayerNorm(8, eps=0.1, elementwise_affine=False), nn.LayerNorm(8, bias=False)], floats(8)),
    "LayerNorm, more axes": ([nn.LayerNorm((3, 8)), nn.LayerNorm(8)], floats(2, 3, 8)),
    "Dropout": ([nn.Dropout(0.5), nn.Dropout(0.5, inplace=True)], floats(8)),
    "Embedding": ([nn.Embedding(11, 4), nn.Embedding(11, 4, padding_idx=2)], integers(11, 3)),
    "MultiheadAttention": ([Shared(nn.MultiheadAttention(8, 2, batch_first=True, add_bias_kv=b, add_zero_attn=b), 3) for b in (False, True)], floats(5, 8)),
    "TransformerEncoderLayer": ([encoder_layer(), encoder_layer(norm_first=True, activation="gelu", bias=False)], floats(5, 8)),
    "TransformerDecoderLayer": ([Shared(decoder_layer(), 2), Shared(decoder_layer(norm_first=True), 2)], floats(5, 8)),
    "TransformerEncoder": ([nn.TransformerEncoder(encoder_layer(), 2, nn.LayerNorm(8))], floats(5, 8)),
    "TransformerDecoder": ([Shared(nn.TransformerDecoder(decoder_layer(), 2), 2)], floats(5, 8)),
    "Transformer": ([Shared(nn.Transformer(8, 2, 1, 1, 16, batch_first=True), 2)], floats(5, 8)),
    "MaxPool1d": ([nn.MaxPool1d(2), nn.MaxPool1d(3, 2, 1, ceil_mode=True)], floats(3, 9)),
    "MaxPool2d": ([nn.MaxPool2d(2), nn.MaxPool2d((3, 2), (2, 1), (1, 0)), nn.MaxPool2d(3, 2, 1, 2)], floats(3, 8, 9)),
    "AvgPool1d": ([nn.AvgPool1d(2), nn.AvgPool1d(3, 2, 1, True, False)], floats(3, 9)),
    "AvgPool2d": ([nn.AvgPool2d(2), nn.AvgPool2d(3, 2, 1, True), nn.AvgPool2d(3, 2, divisor_override=5)], floats(3, 8, 9)),
    "AdaptiveAvgPool1d": ([nn.AdaptiveAvgPool1d(1), nn.AdaptiveAvgPool1d(4)], floats(3, 9)),
    "AdaptiveAvgPool2d": ([nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((3, None))], floats(3, 8, 9)),
    "AdaptiveMaxPool1d": ([nn.AdaptiveMaxPool1d(1), nn.AdaptiveMaxPool1d(3)], floats(3, 9)),
    "AdaptiveMaxPool2d": ([nn.AdaptiveMaxPool2d(1), nn.AdaptiveMaxPool2d((4, 3))], floats(3, 8, 9)),
    "LPPool1d": ([nn.LPPool1d(2, 3)], floats(3, 9)),
    "LPPool2d": ([nn.LPPool2d(2, 2, 3)], floats(3, 8, 9)),
    "RNN": ([Shared(nn.RNN(4, 6, batch_first=True), 1)], floats(5, 4)),
    "LSTM": ([Shared(nn.LSTM(4, 6, batch_first=True), 1)], floats(5, 4)),
    "GRU": ([Shared(nn.GRU(4, 6, batch_first=True), 1)], floats(5, 4)),
    "RNNCell": ([nn.RNNCell(4, 6)], floats(4)),
    "LSTMCell": ([Shared(nn.LSTMCell(4, 6), 1)], lambda rng, n: floats(4)(rng, n) / 20),
    "GRUCell": ([nn.GRUCell(4, 6)], floats(4)),
    "Flatten": ([nn.Flatten(), nn.Flatten(2, 3), nn.Flatten(0, 1), nn.Flatten(0)], floats(2, 3, 4)),
    "Unflatten": ([nn.Unflatten(1, (2, 3)), nn.Unflatten(1, (-1, 2)), nn.Unflatten(-1, (6, 1, 1))], floats(6)),
    "Sequential": ([nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))], floats(8)),
}  # fmt: skip

# Containers and bases without a forward, and layers that take indices. Losses are not exported with a model.
CONTAINERS = {"MaxUnpool1d", "MaxUnpool2d", "RNNBase", "RNNCellBase", "Buffer", "Module", "ModuleList", "ModuleDict", "ParameterList", "Parameter"}


def test_every_layer_has_a_row():
    layers = {name for name in nn.__all__ if isinstance(getattr(nn, name), type) and not name.endswith("Loss")}
    assert {name.partition(",")[0] for name in LAYERS} == layers - CONTAINERS


@each_opset
@pytest.mark.parametrize("name", LAYERS)
def test_layers_agree_over_1000_inputs(tmp_path, name, opset):
    layers, draw = LAYERS[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for layer in layers:
        model = trained(layer)
        export(model, tmp_path / "layer.onnx", draw(rng, 4), opset=opset)
        written = onnx.load(tmp_path / "layer.onnx")
        assert (written.ir_version, written.opset_import[0].version) == (10, opset)
        for rows in (1000, 2 if "own statistics" in name else 1):  # the batch has any size
            x = draw(rng, rows)
            (got,), (want,) = run(tmp_path / "layer.onnx", x), expected(model, x.copy())
            assert largest_difference(got, want) <= TOLERANCE, layer


# Ops

NO_TRANSLATION = {
    # random
    "dropout_at",
    # of integers, bits and memory
    "as_strided", "bitwise_left_shift", "bitwise_right_shift", "gcd", "lcm", "nextafter", "unfold",
    # without a translation so far
    "copysign", "heaviside", "hypot", "logaddexp", "logaddexp2", "xlogy",
    "digamma", "entr", "erfc", "erfcx", "erfinv", "gamma_sample", "gamma_slope", "i0", "i0e", "i1", "i1e", "igamma", "igammac", "lgamma", "log_ndtr", "ndtr", "ndtri", "polygamma", "xlog1py",
    "zeta",
    # without a counterpart
    "atan2", "cumprod", "diag_matrix", "diagonal", "index_put", "nan_to_num", "roll",
    # of gradients
    "apply_rule", "convolution_weight", "folded", "kept_weights", "patches", "sigmoid_rule", "spread", "summed_rows", "tanh_rule", "view", "write_view",
}  # fmt: skip
# Rows that need special inputs, or whose result depends on the input in a way that a graph cannot express.
EXCLUDED = {
    "getitem_mask", "masked_select", "nonzero", "one_hot", "setitem", "in_place", "batch_norm_running", "batch_norm_counted", "batch_norm_far",
}  # fmt: skip


def all_ops():
    for module in pkgutil.iter_modules(ops.__path__, "cygrad.ops."):
        for item in vars(importlib.import_module(module.name)).values():
            if isinstance(item, Op):
                yield item


def test_every_op_has_a_translation_or_is_known_to_have_none():
    missing = {op.name for op in all_ops() if op not in TRANSLATIONS}
    assert missing == NO_TRANSLATION


class Sampled(nn.Module):
    """A call from the op database as a model whose inputs are the arrays of the call."""

    def __init__(self, op, sample):
        super().__init__()
        self.op, self.sample = op, sample
        self.arrays = [a for a in flatten([*sample.args, *sample.kwargs.values()]) if isinstance(a, np.ndarray)]

    def forward(self, *inputs):
        rest = iter(inputs)
        args = [convert(a, lambda _: next(rest)) for a in self.sample.args]
        kwargs = {key: convert(a, lambda _: next(rest)) for key, a in self.sample.kwargs.items()}
        return flatten(self.op(*args, **kwargs))


AUGMENTATION = [*augment.ROWS, *tokens.ROWS, *warp.ROWS]  # of arrays, not of tensors
PURE = [
    row
    for row in ROWS
    if np.float32 in row.dtypes and not row.in_place and row.name not in EXCLUDED and row not in AUGMENTATION
]


@pytest.mark.parametrize("row", PURE, ids=lambda row: row.name)
def test_ops_agree(tmp_path, row):
    path, exported, refused = tmp_path / "op.onnx", 0, set()
    tolerance = 1e-3 if row.name.endswith("_far") else TOLERANCE  # ONNX Runtime rounds a mean of 10,000 to float32
    rng = np.random.default_rng(zlib.crc32(row.name.encode()))
    for number, sample in enumerate(row.samples(rng, np.float32)):
        model = Sampled(row.op, sample)
        if number == 6 or not model.arrays:
            break
        try:
            export(model, path, tuple(model.arrays), batch_axis=None, opset=OPSETS[number % len(OPSETS)])
        except NotImplementedError as error:
            refused.add(str(error))
            continue
        exported += 1
        with np.errstate(all="ignore"):
            for got, want in zip(run(path, *model.arrays), expected(model, *model.arrays), strict=True):
                assert difference(got, want) <= tolerance, sample
    assert all(text.startswith("export: the op ") for text in refused)
    assert exported or not model.arrays or refused


LOSSES = {
    "label smoothing": (lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1), "with label smoothing"),
    "one row": (lambda x, t: F.cross_entropy(x[0], t[0]), "for scores without a batch axis"),
}


class Function(nn.Module):
    """A function as a model."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


@each_opset
def test_losses_and_class_indices_agree_over_1000_rows(tmp_path, opset):
    weight = cg.tensor([0.5, 1.0, 2.0])
    functions = [
        lambda x, t: F.one_hot(t, 3),
        lambda x, t: F.cross_entropy(x, t, weight, reduction="sum"),
        lambda x, t: F.cross_entropy(x, t, ignore_index=1),
        lambda x, t: F.nll_loss(F.log_softmax(x, 1), t, weight, reduction="none"),
        lambda x, t: F.cross_entropy(x, F.one_hot(t, 3).float(), weight),
    ]
    draw, path = np.random.default_rng(opset), tmp_path / "loss.onnx"
    for number, function in enumerate(functions):
        model = Function(function)
        export(model, path, (np.zeros((4, 3), np.float32), np.arange(4) % 3), opset=opset)
        x, t = draw.standard_normal((1000, 3)).astype(np.float32), draw.integers(0, 3, 1000)
        (got,), (want,) = run(path, x, t), expected(model, x, t)
        assert difference(got, want) <= TOLERANCE, number


@pytest.mark.parametrize("name", LOSSES)
def test_losses_without_a_translation_are_refused(tmp_path, name):
    function, reason = LOSSES[name]
    with pytest.raises(
        NotImplementedError, match=f"export: the op cross_entropy_classes cannot be translated {reason}"
    ):
        export(Function(function), tmp_path / "loss.onnx", (np.zeros((4, 3), np.float32), np.arange(4) % 3))


# Models


class Residual(nn.Module):
    """Branches, a list of layers, Python control flow, and several outputs, one of them an input of the others."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 6) for _ in range(3)])
        self.heads = nn.ModuleDict({"mean": nn.Linear(6, 1), "scale": nn.Linear(6, 2)})
        self.scale = nn.Parameter(cg.ones(6))

    def forward(self, x):
        for number, layer in enumerate(self.layers):
            x = x + F.relu(layer(x)) * self.scale if number else F.gelu(layer(x))
        return self.heads["mean"](x).squeeze(1), F.softplus(self.heads["scale"](x))[:, 1:], x


class Recurrent(nn.Module):
    """A state with the batch size, and a loop over time."""

    def __init__(self):
        super().__init__()
        self.step = nn.Linear(3 + 5, 5)

    def forward(self, x):
        state = cg.zeros(x.shape[0], 5)
        for t in range(x.shape[1]):
            state = cg.tanh(self.step(cg.cat([x[:, t], state], 1)))
        return state


class RecurrentLayers(nn.Module):
    """Layers of each kind, in both directions, with and without first states."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.gru, self.rnn = nn.GRU(10, 4, bias=False), nn.RNN(4, 4, nonlinearity="relu", bidirectional=True)
        self.cell, self.elman = nn.LSTMCell(8, 6), nn.RNN(3, 4)

    def forward(self, x):
        y, (h, c) = self.lstm(x)
        z, last = self.gru(y.transpose(0, 1), h[:1, :, :4] * 0.5)
        w, _ = self.rnn(z, cg.cat([last, last]))
        return self.cell(w[-1])[0], w, c, self.elman(x.transpose(0, 1))[1]


class Attention(nn.Module):
    """Embedded tokens with causal self-attention."""

    def __init__(self):
        super().__init__()
        self.embedding, self.project, self.norm = nn.Embedding(20, 8), nn.Linear(8, 24), nn.LayerNorm(8)
        self.register_buffer("later", cg.triu(cg.ones(7, 7), diagonal=1).bool())

    def forward(self, tokens):
        x = self.embedding(tokens)
        n, length, width = x.shape
        q, k, v = [
            part.reshape(n, length, 2, width // 2).transpose(1, 2) for part in self.project(self.norm(x)).split(8, -1)
        ]
        scores = cg.einsum("nhid,nhjd->nhij", q, k) / width**0.5
        weights = scores.masked_fill(self.later, -1e9).softmax(-1)
        return (x + (weights @ v).transpose(1, 2).reshape(n, length, width)).mean(1)


class Standardized(nn.Module):
    """Statistics over the batch, and sizes that depend on the batch size."""

    def forward(self, x):
        whole = (x - x.mean(0)) / (x.std(0) + 1e-3)
        longer = cg.cat([x, x[:1]]) + cg.ones(x.shape[0] + 1, 4)
        return (
            longer,
            whole.reshape(-1, 2, 2).flatten(0, 1),
            x.sum(0, keepdim=True).expand(x.shape[0], 4),
            x.argmax(0),
            x.var(),
        )


MODELS = {
    "residual": (Residual, floats(6)),
    "recurrent": (Recurrent, floats(4, 3)),
    "recurrent layers": (RecurrentLayers, floats(4, 3)),
    "attention": (Attention, integers(20, 7)),
    "standardized": (Standardized, floats(4)),
}


@pytest.mark.parametrize("name", MODELS)
@each_opset
def test_models_agree(tmp_path, name, opset):
    make, draw = MODELS[name]
    model, rng = make(), np.random.default_rng(0)
    export(model, tmp_path / "model.onnx", draw(rng, 1), opset=opset)
    for rows in (1000, 3, 2):
        x = draw(rng, rows)
        for got, want in zip(run(tmp_path / "model.onnx", x), expected(model, x), strict=True):
            assert difference(got, want) <= TOLERANCE


def test_several_inputs_names_and_metadata(tmp_path):
    class Weighted(nn.Module):
        def forward(self, x, weight, index):
            return (x * weight).gather(1, index)

    path = tmp_path / "weighted.onnx"
    rng = np.random.default_rng(0)
    x, index = rng.random((2, 3), np.float32), np.zeros((2, 3), np.int64)
    names = ["x", "weight", "index"]
    export(Weighted(), path, (x, cg.Tensor(x), index), input_names=names, output_names=["y"], metadata={"task": "test"})
    loaded = onnx.load(path)
    assert {entry.key: entry.value for entry in loaded.metadata_props} == {"task": "test"}
    assert (loaded.producer_name, loaded.producer_version) == ("cygrad", cg.__version__)
    (y,) = session(path).run(["y"], dict(zip(names, [x, x, index])))
    np.testing.assert_array_equal(y, (x * x)[:, [0, 0, 0]])


def test_weights_keep_their_names_and_are_stored_once(tmp_path):
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    tied = nn.Linear(3, 3)
    tied.weight = model[0].weight
    model.append(tied)
    export(model, tmp_path / "model.onnx", (1, 3))
    names = {entry.name for entry in onnx.load(tmp_path / "model.onnx").graph.initializer}
    assert names == {"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "2.bias"}


def test_a_fixed_batch(tmp_path):
    export(Recurrent(), tmp_path / "model.onnx", (6, 4, 3), batch_axis=None)
    assert session(tmp_path / "model.onnx").get_inputs()[0].shape == [6, 4, 3]
    assert not [node for node in onnx.load(tmp_path / "model.onnx").graph.node if node.op_type == "ConstantOfShape"]


def test_the_batch_can_be_another_axis(tmp_path):
    class Transposed(nn.Module):
        def forward(self, x):
            return x.transpose(0, 1) * 2

    export(Transposed(), tmp_path / "model.onnx", (3, 1), batch_axis=1)
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(run(tmp_path / "model.onnx", x)[0], 2 * x.T)


def test_export_does_not_change_the_model(tmp_path):
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    model[1].eval()
    before = cg.train.fingerprint(model)
    export(model, tmp_path / "model.onnx", (1, 3))
    assert cg.train.fingerprint(model) == before
    assert [module.training for module in model] == [True, False, True]
    assert cg.is_grad_enabled()


# Refused models


def module(function):
    """A model with this function as its forward."""

    class Model(nn.Module):
        def forward(self, *inputs):
            return function(*inputs)

    return Model()


def view_changed(x):
    y = x.clone()
    part = y[:, :2]
    part *= 2
    return y


def assigned(x):
    y = x * 1
    y[:, 0] = 0
    return y


REFUSED = {
    "no translation": (lambda x: cg.roll(x, 1, 0), NotImplementedError, r"export: the op roll has no translation to ONNX"),
    "training": (lambda x: F.dropout(x), NotImplementedError, r"export: the op dropout_at has no translation"),
    "numpy": (lambda x: x + cg.Tensor(np.sin(x.array)), RuntimeError, r"export: a tensor of shape \(2, 4\) differs between inputs"),
    "item": (lambda x: x * x.mean().item(), RuntimeError, r"export: an argument of the op mul depends on the input"),
    "random": (lambda x: x + cg.randn(4), RuntimeError, r"must not use numpy\(\), item\(\) or random numbers"),
    "branches": (lambda x: x.relu() if x.shape[0] == 2 else x.tanh(), RuntimeError, r"export: the model applies different ops to different inputs"),
    "batch size as an argument": (lambda x: x / x.shape[0], RuntimeError, r"export: an argument of the op div depends on the input's values or the batch size"),
    "quadratic size": (lambda x: (x[:, None] + x).reshape(-1, 4), None, None),
    "assignment": (assigned, RuntimeError, r"a tensor was changed in place, by an assignment"),
    "a view changed": (view_changed, RuntimeError, r"a tensor was changed in place, .* through another tensor"),
    "not a tensor": (lambda x: {"y": x}, TypeError, r"trace: the function must return one or more tensors, got dict"),
    "float index": (lambda x: x[x > 0], RuntimeError, r"export: an argument of the op getitem depends on the input"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_graph_cannot_express_is_refused(tmp_path, name):
    function, error, match = REFUSED[name]
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    if error is None:
        export(module(function), path, (1, 4))
        x = np.random.default_rng(0).random((5, 4), np.float32)
        np.testing.assert_allclose(run(path, x)[0], expected(module(function), x)[0])
        return
    with pytest.raises(error, match=match) as caught:
        export(module(function), path, (1, 4))
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["model.onnx"]


def test_the_check_finds_what_the_traces_miss(tmp_path):
    """Values that change without an op, in the same way in both traces."""
    calls = []

    def forward(x):
        calls.append(x)
        y = x * 2
        y.array[...] = 7 * y.array  # not an op
        return y + 1

    with pytest.raises(RuntimeError, match="export: the outputs of the ONNX graph differ from those of Model"):
        export(module(forward), tmp_path / "model.onnx", (1, 4))
    assert len(calls) == 3
    export(module(forward), tmp_path / "model.onnx", (1, 4), check=False)
    assert len(calls) == 5


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"opset": 16}, ValueError, "export: opset must lie in 17 to 21, got 16"),
        ({"opset": 22}, ValueError, "export: opset must lie in 17 to 21, got 22"),
        ({"example": ()}, ValueError, "export: example must have at least one input, got an empty one"),
        ({"example": "x"}, TypeError, "export: example must be one or more tensors, or a shape, got str"),
        ({"example": (1, 4), "batch_axis": 2}, ValueError, r"export: batch_axis=2 is not an axis of an input of shape \(1, 4\)"),
        ({"input_names": ["a", "b"]}, ValueError, r"export: input_names must be 1 different names, got \['a', 'b'\]"),
        ({"input_names": "a"}, ValueError, "export: input_names must be 1 different names, got 'a'"),
        ({"output_names": []}, ValueError, r"export: output_names must be 1 different names, got \[\]"),
        ({"input_names": ["a"], "output_names": ["a"]}, ValueError, "export: 'a' names both an input and an output"),
        ({"example": (1, 5)}, ValueError, "linear: "),
    ],
)  # fmt: skip
def test_invalid_arguments_are_refused(tmp_path, arguments, error, match):
    with pytest.raises(error, match=match):
        export(nn.Linear(4, 2), tmp_path / "model.onnx", **{"example": (1, 4), **arguments})
    assert not os.listdir(tmp_path)


def test_an_integer_example_without_rows(tmp_path):
    with pytest.raises(ValueError, match=r"export: an integer example needs at least one row, got shape \(0, 3\)"):
        export(nn.Embedding(5, 2), tmp_path / "model.onnx", np.zeros((0, 3), np.int64))


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match=r"export: the package onnx is not installed: pip install 'cygrad\[onnx\]'"):
        export(nn.Linear(4, 2), tmp_path / "model.onnx", (1, 4))


# Traces


def test_a_trace_identifies_values_by_array():
    """detach, data and a custom function add no op."""

    class Twice(cg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    trace, result = cg.autograd.trace(lambda x: Twice.apply(x.detach().data).relu_(), cg.ones(2))
    assert [step.op.name for step in trace.steps] == ["mul", "relu"]
    assert trace.arrays[trace.outputs[0]].tolist() == result.tolist() == [2, 2]


def test_a_trace_ends_with_its_function():
    def fail(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        cg.autograd.trace(fail, cg.ones(2))
    trace, _ = cg.autograd.trace(lambda x: x.exp(), cg.ones(2))
    cg.ones(2).log()
    assert [step.op.name for step in trace.steps] == ["exp"]


def test_other_threads_are_not_traced():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        trace, _ = cg.autograd.trace(lambda x: (pool.submit(cg.log, cg.ones(3)).result(), x.exp())[1], cg.ones(2))
    assert [step.op.name for step in trace.steps] == ["exp"]


def test_export_takes_pytorchs_arguments(tmp_path):
    model = cg.nn.Sequential(cg.nn.Linear(3, 2), cg.nn.ReLU())
    x = cg.ones(1, 3)
    names = {"input_names": ["data"], "output_names": ["score"]}
    axes = {"data": {0: "batch"}, "score": {0: "batch"}}
    buffer = io.BytesIO()
    cg.onnx.export(model, (x,), buffer, **names, dynamic_axes=axes, do_constant_folding=True, verbose=False)
    session = runtime.InferenceSession(buffer.getvalue())
    assert [session.get_inputs()[0].name, session.get_outputs()[0].name, session.get_inputs()[0].shape[1]] == ["data", "score", 3]
    rows = np.ones((5, 3), np.float32)
    np.testing.assert_allclose(session.run(None, {"data": rows})[0], model(cg.tensor(rows)).detach().numpy(), rtol=1e-6)
    path = str(tmp_path / "m.onnx")
    with pytest.warns(UserWarning, match="opset 11 is not written, the file has opset 17"):
        cg.onnx.export(model, x, path, opset_version=11)
    assert runtime.InferenceSession(path).get_inputs()[0].shape == [1, 3]
    for options, error, message in [
        ({"dynamic_axes": {"data": [0, 1]}, **names}, NotImplementedError, "one dynamic axis"),
        ({"export_params": False}, NotImplementedError, "export_params"),
        ({"kwargs": {"x": x}}, NotImplementedError, "positional"),
        ({"f": None}, TypeError, "f, the path of the file, is missing"),
    ]:
        with pytest.raises(error, match=message):
            cg.onnx.export(model, x, **{"f": path, **options})
