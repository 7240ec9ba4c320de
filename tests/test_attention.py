"""Attention with dropout, in recorded steps and in exported graphs, and transformers that learn as PyTorch's do."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from cygrad.ops import attention as ops
from cygrad.ops.index import getitem

F = nn.functional
RNG = np.random.default_rng(0)


def drawn(*shape):
    return cg.Tensor(RNG.normal(size=shape), requires_grad=True)


# Dropout. (batch, query heads, heads, length, keys): one block of queries and several, whole vectors and parts.
SIZES = [(2, 2, 2, 5, 7), (1, 4, 2, 70, 20), (1, 1, 1, 130, 16)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("causal", [False, True])
def test_dropped_weights_are_those_of_the_mask(sizes, causal):
    batch, heads, groups, length, keys = sizes
    q, k, v = drawn(batch, heads, length, 4), drawn(batch, groups, keys, 4), drawn(batch, groups, keys, 3)
    y = ops.attention(q, k, v, None, causal, 0.5, 0.4, 11, 64)
    kept = ops.kept_weights(cg.Tensor(np.array([11, 64], np.uint64)), (batch, heads, length, keys), np.dtype(float), 0.4)
    weights = ops.weights_of(q, ops.repeated(k, heads // groups), None, causal, 0.5) * kept
    want = cg.matmul(weights, ops.repeated(v, heads // groups))
    np.testing.assert_allclose(y.detach().numpy(), want.detach().numpy(), rtol=1e-10, atol=1e-12)
    assert 0.5 < (kept.numpy() > 0).mean() < 0.7
    g = cg.Tensor(RNG.normal(size=y.shape))
    got = cg.autograd.grad(y, (q, k, v), g)
    for a, b in zip(got, cg.autograd.grad(want, (q, k, v), g)):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-11)


def test_gradients_of_gradients_see_the_same_dropped_weights():
    q, k, v = drawn(1, 2, 5, 4), drawn(1, 2, 7, 4), drawn(1, 2, 7, 3)
    y = ops.attention(q, k, v, None, False, 0.5, 0.4, 11, 64)
    g = cg.Tensor(RNG.normal(size=y.shape))
    plain = cg.autograd.grad(y, (q, k, v), g, retain_graph=True)
    for a, b in zip(plain, cg.autograd.grad(y, (q, k, v), g, create_graph=True)):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-11)


# Query, key and value as parts of one projection's output: their gradients are written as the parts of its gradient.
BATCH, LENGTH, HEADS, SIZE = 200, 21, 4, 16  # 1 MB each


def unbound(x):
    return x.reshape(BATCH, LENGTH, 3, HEADS, SIZE).permute(2, 0, 3, 1, 4).unbind(0)


def chunks(x):
    return [part.reshape(BATCH, LENGTH, HEADS, SIZE).transpose(1, 2) for part in x.chunk(3, -1)]


def batches_first(x):
    return [part.permute(1, 2, 0, 3) for part in x.reshape(LENGTH, BATCH, HEADS, 3 * SIZE).chunk(3, -1)]


def hooked(x):
    q, k, v = unbound(x)
    q.register_hook(lambda gradient: gradient * 2)
    return q, k, v


def used_twice(x):
    q, k, v = unbound(x)
    return q + k, k, v


def half_detached(x):
    q, k, v = unbound(x)
    return q, k, v.detach()


def overlapping(x):
    parts = x.reshape(BATCH, LENGTH, 6, HEADS, SIZE // 2).permute(2, 0, 3, 1, 4)
    return parts[0], parts[0], parts[1]


SIDE_BY_SIDE = [unbound, chunks, batches_first]
PARTS = [*SIDE_BY_SIDE, hooked, used_twice, half_detached, overlapping]


@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: parts.__name__)
def test_gradients_of_parts_of_one_projection_are_not_copied(parts, monkeypatch):
    x = cg.Tensor(RNG.normal(size=(BATCH, LENGTH, 3 * HEADS * SIZE)).astype(np.float32), requires_grad=True)
    calls, rule = [], getitem.rule
    monkeypatch.setattr(getitem, "rule", lambda *args: calls.append(1) or rule(*args))

    def gradient(apart):
        x.grad = None
        q, k, v = [part.contiguous() if apart else part for part in parts(x * 1)]
        (F.scaled_dot_product_attention(q, k, v) ** 2).sum().backward()
        return x.grad.numpy()

    got = gradient(False)
    assert len(calls) == (parts not in SIDE_BY_SIDE)  # the others are added in place
    np.testing.assert_array_equal(got, gradient(True))


@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: parts.__name__)
def test_a_recorded_step_joins_the_parts_as_well(parts):
    projection = nn.Linear(8, 3 * HEADS * SIZE)
    x = cg.randn(BATCH, LENGTH, 8)

    def step(x):
        projection.zero_grad()
        loss = (F.scaled_dot_product_attention(*parts(projection(x))) ** 2).sum()
        loss.backward()
        return loss

    step(x)
    want = projection.weight.grad.numpy().copy()
    recorded = cg.compile(step)
    for _ in range(3):
        recorded(x)
        np.testing.assert_array_equal(projection.weight.grad.numpy(), want)


@pytest.mark.parametrize("rows_first", [False, True])
def test_side_by_side_is_the_same_as_apart(rows_first):
    x = drawn(6, 4, 3 * 2 * 5)
    mask = cg.Tensor(RNG.random((6, 6)) < 0.8) if rows_first else None
    y = ops.packed_attention(x, mask, 2, rows_first, False, 0.4, 0.0, 0, 0)
    q, k, v = ops.unpacked(x, 6, rows_first).chunk(3, 1)
    apart = ops.attention(q, k, v, mask, False, 0.4, 0.0, 0, 0)
    want = apart.permute(*((2, 0, 1, 3) if rows_first else (0, 2, 1, 3))).reshape(6, 4, 10)
    np.testing.assert_array_equal(y.detach().numpy(), want.detach().numpy())
    g = cg.Tensor(RNG.normal(size=y.shape))
    (got,), (there,) = cg.autograd.grad(y, (x,), g, retain_graph=True), cg.autograd.grad(want, (x,), g)
    np.testing.assert_allclose(got.numpy(), there.numpy(), rtol=1e-12)
    (twice,) = cg.autograd.grad(y, (x,), g, create_graph=True)
    np.testing.assert_allclose(got.numpy(), twice.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_a_mask_with_a_gradient_receives_it():
    q, mask = drawn(1, 2, 5, 4), drawn(5, 5)
    y = F.scaled_dot_product_attention(q, q, q, mask)
    with_constant = F.scaled_dot_product_attention(q, q, q, mask.detach())
    np.testing.assert_allclose(y.detach().numpy(), with_constant.detach().numpy(), rtol=1e-10)
    y.sum().backward()
    assert mask.grad.numpy().any()


def test_more_keys_than_fit_are_refused():
    q, k = cg.zeros(1, 1, 1, 1), cg.zeros(1, 1, 200_000, 1)
    with pytest.raises(ValueError, match="attention: at most 163840 keys of 4 bytes, got 200000"):
        F.scaled_dot_product_attention(q, k, k)


# Recorded steps


def step_of(model, optimizer):
    def step(x, target):
        loss = F.mse_loss(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("norm_first", [False, True])
def test_a_recorded_step_is_the_eager_one(dropout, norm_first):
    losses = []
    for compiled in (False, True):
        cg.manual_seed(0)
        model = nn.TransformerEncoderLayer(8, 2, 16, dropout, batch_first=True, norm_first=norm_first)
        step = step_of(model, cg.optim.AdamW(model.parameters(), 1e-2))
        step = cg.compile(step, fullgraph=True) if compiled else step
        x, target = cg.randn(3, 5, 8), cg.randn(3, 5, 8)
        losses.append([step(x, target).item() for _ in range(6)])
    assert losses[0] == losses[1]


# Transformers


def transformer(lib, **options):
    return lib.nn.Transformer(8, 2, 2, 1, 16, 0.0, **options)


def masks(lib, dtype):
    causal = lib.nn.Transformer.generate_square_subsequent_mask(4, dtype=dtype)
    padding = np.zeros((3, 6), bool)
    padding[1, 4:] = True
    return causal, (lib.from_numpy(padding) if lib is not cg else cg.Tensor(padding))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("options", [{}, {"batch_first": True, "norm_first": True}, {"activation": "gelu", "bias": False}])
def test_a_transformer_learns_as_pytorchs_does(options):
    torch = pytest.importorskip("torch")
    theirs = transformer(torch, dtype=torch.float64, **options)
    ours = transformer(cg, dtype=cg.float64, **options)
    ours.load_state_dict({name: value.numpy().copy() for name, value in theirs.state_dict().items()})
    shapes = ((3, 6, 8), (3, 4, 8)) if options.get("batch_first") else ((6, 3, 8), (4, 3, 8))
    src, tgt = (RNG.normal(size=shape) for shape in shapes)
    curves = []
    for lib, model in ((torch, theirs), (cg, ours)):
        x, y = (lib.tensor(a) for a in (src, tgt))
        causal, padding = masks(lib, lib.float64)
        optimizer, losses = lib.optim.AdamW(model.parameters(), 1e-2), []
        for _ in range(10):
            loss = ((model(x, y, tgt_mask=causal, src_key_padding_mask=padding, tgt_is_causal=True) - y * 0.5) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        curves.append(losses)
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-6)


class Weights(nn.Module):
    """Attention and its averaged weights."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, add_bias_kv=True, batch_first=True)

    def forward(self, x, memory):
        return self.attention(x, memory, memory)


class Causal(nn.Module):
    """Layers that see earlier positions only, of three kinds of masks."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(5))
        self.register_buffer("later", cg.triu(cg.ones(5, 5), diagonal=1).bool())

    def forward(self, x):
        x = self.layer(self.layer(x, self.mask, is_causal=True), self.later)
        heads = x.reshape(x.shape[0], 5, 2, 4).transpose(1, 2)
        return F.scaled_dot_product_attention(heads, heads[:, :1], heads[:, :1], ~self.later, enable_gqa=True)


MODELS = {
    "encoder": (nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2), [(5, 8)]),
    "decoder": (nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), [(5, 8), (7, 8)]),
    "weights": (Weights(), [(5, 8), (7, 8)]),
    "causal": (Causal(), [(5, 8)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_exported_graphs_agree(tmp_path, name):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model, shapes = MODELS[name]
    model.eval()
    first = [RNG.normal(size=(4, *shape)).astype(np.float32) for shape in shapes]
    cg.onnx.export(model, tuple([cg.Tensor(x) for x in first]), str(tmp_path / "model.onnx"))
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    for x in (first, [RNG.normal(size=(9, *shape)).astype(np.float32) for shape in shapes]):
        try:
            got = session.run(None, {entry.name: array for entry, array in zip(session.get_inputs(), x)})
        except Exception:
            assert x is not first  # a batch of a fixed size
            continue
        want = model(*[cg.Tensor(a) for a in x])
        for a, b in zip(got, want if isinstance(want, tuple) else (want,), strict=True):
            np.testing.assert_allclose(a, b.detach().numpy(), atol=2e-5)


# Invalid arguments

BAD = [
    (lambda: nn.MultiheadAttention(7, 2), AssertionError, "embed_dim 7 is not divisible by num_heads 2"),
    (lambda: nn.MultiheadAttention(0, 2), ValueError, "embed_dim must be an integer of at least 1"),
    (lambda: nn.MultiheadAttention(4, 2)(*[cg.ones(4)] * 3), AssertionError, "query must have 2 or 3 dimensions"),
    (lambda: nn.MultiheadAttention(4, 2)(*[cg.ones(3, 1, 6)] * 3), AssertionError, "query has width 6, wanted 4"),
    (
        lambda: nn.MultiheadAttention(4, 2)(*[cg.ones(3, 1, 4)] * 3, attn_mask=cg.ones(2, 3)),
        RuntimeError,
        r"attn_mask has shape \(2, 3\), wanted \(3, 3\)",
    ),
    (
        lambda: nn.MultiheadAttention(4, 2)(*[cg.ones(3, 1, 4)] * 3, key_padding_mask=cg.ones(2, 3)),
        RuntimeError,
        r"key_padding_mask has shape \(2, 3\), wanted \(1, 3\)",
    ),
    (lambda: nn.MultiheadAttention(4, 2)(*[cg.ones(3, 1, 4)] * 3, is_causal=True), RuntimeError, "is a hint about attn_mask"),
    (lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"), RuntimeError, "activation must be relu, gelu or a function"),
    (lambda: nn.Transformer(4, 2, 1, 1, 4)(cg.ones(3, 1, 5), cg.ones(3, 1, 4)), RuntimeError, "widths 5 and 4, wanted 4"),
    (lambda: nn.Transformer(4, 2, 1, 1, 4)(cg.ones(3, 1, 4), cg.ones(3, 2, 4)), RuntimeError, "src has 1 sequences, but tgt 2"),
]


@pytest.mark.parametrize(("call", "error", "match"), BAD)
def test_invalid_arguments_are_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()
