"""Recurrent layers, their cells and packed sequences against PyTorch's, from the same weights."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import cygrad as cg
from cygrad import _kernels as kernels

torch = pytest.importorskip("torch")

KINDS = {
    "tanh": ("RNN", {}), "relu": ("RNN", {"nonlinearity": "relu"}), "gru": ("GRU", {}), "lstm": ("LSTM", {}),
    "projected": ("LSTM", {"proj_size": 3}),
}  # fmt: skip
OPTIONS = [
    {}, {"num_layers": 2}, {"bidirectional": True}, {"bias": False}, {"num_layers": 3, "bidirectional": True},
    {"batch_first": True}, {"batch_first": True, "bidirectional": True, "num_layers": 2},
]  # fmt: skip
FORMS = ["batch", "single", "packed", "unsorted"]
SIZES = [(5, 7, 4, 3), (17, 37, 5, 11), (3, 16, 9, 1), (1, 33, 2, 8)]  # steps, hidden, batch, inputs


def pair(kind, options, inputs, hidden, dtype="float64"):
    """PyTorch's module and cygrad's, with the same weights."""
    name, more = KINDS[kind]
    made = []
    for lib in (torch, cg):
        torch.manual_seed(0)
        made.append(getattr(lib.nn, name)(inputs, hidden, **options, **more, dtype=getattr(lib, dtype)))
    theirs, ours = made
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    return theirs, ours


def flat(values):
    return [part for v in values for part in flat(v)] if isinstance(values, (tuple, list)) else [values]


def arrays_for(kind, options, form, steps, hidden, batch, inputs, dtype):
    """The input, and the first states."""
    rng = np.random.default_rng(3)
    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    front = (batch, steps) if options.get("batch_first") else (steps, batch)
    lead = (count,) if form == "single" else (count, batch)
    x = rng.normal(size=(steps, inputs) if form == "single" else (*front, inputs)).astype(dtype)
    sizes = [KINDS[kind][1].get("proj_size", hidden), *([hidden] if KINDS[kind][0] == "LSTM" else [])]
    return x, [rng.normal(size=(*lead, size)).astype(dtype) for size in sizes]


def results(lib, module, x, states, form, given):
    """Outputs, last states, and gradients of everything."""
    leaves = [lib.tensor(a).requires_grad_() for a in (x, *(states if given else []))]
    source, *first = leaves
    if form in ("packed", "unsorted"):
        batch, steps = (x.shape[0], x.shape[1]) if module.batch_first else (x.shape[1], x.shape[0])
        lengths = [max(1, steps - k * 2) if form == "packed" else 1 + (k * 5 + 2) % steps for k in range(batch)]
        rnn = lib.nn.utils.rnn
        source = rnn.pack_padded_sequence(source, lengths, module.batch_first, form == "packed")
    hx = None if not given else tuple(first) if len(first) == 2 else first[0]
    output, last = module(source, hx)
    if form in ("packed", "unsorted"):
        output = [output.data, lib.nn.utils.rnn.pad_packed_sequence(output, module.batch_first, 0.5)[0]]
    outputs = flat([output, last])
    rng = np.random.default_rng(9)
    total = sum((o * lib.tensor(rng.normal(size=tuple(o.shape)).astype(x.dtype))).sum() for o in outputs)
    gradients = lib.autograd.grad(total, [*leaves, *module.parameters()])
    return [v.detach().numpy() for v in (*outputs, *gradients)]


def assert_equal(got, want, rtol, atol, what):
    for g, w in zip(got, want, strict=True):
        assert g.dtype == w.dtype
        np.testing.assert_allclose(g, w, rtol=rtol, atol=atol, err_msg=str(what))


CASES = list(itertools.product(KINDS, range(len(OPTIONS)), FORMS))


@pytest.mark.parametrize(("kind", "number", "form"), CASES)
def test_layers_and_their_gradients_are_pytorchs(kind, number, form):
    options = OPTIONS[number]
    if form == "single" and options.get("batch_first"):
        options = {**options, "batch_first": False}
    for steps, hidden, batch, inputs in SIZES[: 2 if number else 4]:
        theirs, ours = pair(kind, options, inputs, hidden)
        for given in (False, True):
            x, states = arrays_for(kind, options, form, steps, hidden, batch, inputs, np.float64)
            got, want = (results(lib, m, x, states, form, given) for lib, m in ((cg, ours), (torch, theirs)))
            assert_equal(got, want, 1e-9, 1e-10, (kind, options, form, steps, hidden, batch, inputs, given))


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("level", kernels.cpu_levels())
@pytest.mark.parametrize("kind", KINDS)
def test_float32_at_every_level(kind, level):
    before = kernels.cpu_level()
    kernels.use_cpu_level(level)
    try:
        for steps, hidden, batch, inputs in SIZES:
            theirs, ours = pair(kind, {"bidirectional": True}, inputs, hidden, "float32")
            for form in ("batch", "unsorted"):
                x, states = arrays_for(kind, {"bidirectional": True}, form, steps, hidden, batch, inputs, np.float32)
                got, want = (results(lib, m, x, states, form, True) for lib, m in ((cg, ours), (torch, theirs)))
                assert_equal(got, want, 2e-4, 2e-4, (kind, steps, hidden, batch, inputs, form))
    finally:
        kernels.use_cpu_level(before)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["tanh", "relu", "gru", "lstm"])
def test_cells_are_pytorchs(kind, bias):
    name, options = KINDS[kind]
    for single, given in itertools.product((False, True), (False, True)):
        rng, found = np.random.default_rng(1), []
        x, *states = [rng.normal(size=(5,) if single else (3, 5)) for _ in range(3)]
        for lib in (torch, cg):
            torch.manual_seed(2)
            cell = getattr(lib.nn, f"{name}Cell")(5, 5, bias=bias, **options, dtype=lib.float64)
            if lib is torch:
                weights = {key: value.numpy() for key, value in cell.state_dict().items()}
            assert list(cell.state_dict()) == list(weights)
            cell.load_state_dict({key: lib.tensor(value) for key, value in weights.items()})
            leaves = [lib.tensor(a).requires_grad_() for a in (x, *states)]
            hx = None if not given else (leaves[1], leaves[2]) if name == "LSTM" else leaves[1]
            outputs = flat([cell(leaves[0], hx)])
            total = sum((o * o).sum() for o in outputs)
            used = leaves[: 1 + given * (2 if name == "LSTM" else 1)]
            found.append([v.detach().numpy() for v in (*outputs, *lib.autograd.grad(total, [*used, *cell.parameters()]))])
        assert_equal(*found, 1e-10, 1e-11, (kind, single, given))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
def test_functions_are_pytorchs(name, packed):
    rng, found = np.random.default_rng(0), []
    gates = {"lstm": 4, "gru": 3}.get(name, 1)
    params = [rng.normal(size=s) * 0.3 for s in [(gates * 6, 3), (gates * 6, 6), (gates * 6,), (gates * 6,)] * 2]
    states = [rng.normal(size=(2, 4, 6)) for _ in range(2)]
    x = rng.normal(size=(9, 3) if packed else (4, 5, 3))
    for lib in (torch, cg):
        h, c = map(lib.tensor, states)
        hx = (h, c) if name == "lstm" else h
        weights = [lib.tensor(p) for p in params]
        front = (lib.tensor(x), lib.tensor([4, 3, 2])) if packed else (lib.tensor(x),)
        options = (True, 1, 0.0, False, True) if packed else (True, 1, 0.0, False, True, True)
        found.append([v.numpy() for v in getattr(lib, name)(*front, hx, weights, *options)])
    assert_equal(*found, 1e-10, 1e-11, name)


@pytest.mark.parametrize("name", ["lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"])
def test_functions_of_cells_are_pytorchs(name):
    rng, found = np.random.default_rng(0), []
    gates = {"lstm_cell": 4, "gru_cell": 3}.get(name, 1)
    arrays = [rng.normal(size=s) for s in [(2, 3), (2, 6), (2, 6), (gates * 6, 3), (gates * 6, 6), (gates * 6,), (gates * 6,)]]
    for lib in (torch, cg):
        x, h, c, *weights = map(lib.tensor, arrays)
        found.append([v.numpy() for v in flat([getattr(lib, name)(x, (h, c) if gates == 4 else h, *weights)])])
    assert_equal(*found, 1e-10, 1e-11, name)


def test_dropout_is_between_layers_and_only_in_training():
    cg.manual_seed(0)
    layer = cg.nn.GRU(3, 16, num_layers=2, dropout=0.5)
    x = cg.randn(4, 2, 3)
    first, second = layer(x)[0], layer(x)[0]
    assert not cg.equal(first, second)
    layer.eval()
    assert cg.equal(layer(x)[0], layer(x)[0])
    layer.train()
    layer.dropout = 1.0  # the second layer sees zeros
    whole = layer(x)[0]
    assert cg.allclose(whole, layer(x * 2)[0])


def text_loss_curve(lib, weights, steps=50):
    """The losses of a network of characters: an embedding, an LSTM of two layers, a linear layer."""

    class Network(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = lib.nn.Embedding(13, 8)
            self.lstm = lib.nn.LSTM(8, 24, num_layers=2, batch_first=True)
            self.head = lib.nn.Linear(24, 13)

        def forward(self, x, state):
            y, state = self.lstm(self.embedding(x), state)
            return self.head(y), state

    net = Network()
    net.load_state_dict(weights if lib is torch else {key: value.numpy() for key, value in weights.items()})
    optimizer = lib.optim.AdamW(net.parameters(), lr=1e-2)
    text = np.resize([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 12], 4000)
    losses, state = [], None
    for step in range(steps):
        rows = text[step * 50 : step * 50 + 5 * 200].reshape(5, 200)[:, :17]
        x, target = lib.tensor(rows[:, :-1].copy()), lib.tensor(rows[:, 1:].copy())
        if state is not None:
            state = tuple(s.detach() for s in state)
        y, state = net(x, state)
        loss = lib.nn.functional.cross_entropy(y.reshape(-1, 13), target.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        lib.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_loss_curve_is_pytorchs():
    torch.manual_seed(0)
    modules = {"embedding": torch.nn.Embedding(13, 8), "lstm": torch.nn.LSTM(8, 24, num_layers=2), "head": torch.nn.Linear(24, 13)}
    weights = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    got, want = text_loss_curve(cg, weights), text_loss_curve(torch, weights)
    assert want[-1] < 0.8 * want[0]
    np.testing.assert_allclose(got, want, rtol=2e-4)


@pytest.mark.parametrize("kind", ["tanh", "relu", "gru", "lstm"])
@pytest.mark.parametrize("batch", [1, 5])
def test_a_recorded_step_has_the_bits_of_eager_mode(kind, batch):
    name, options = KINDS[kind]

    def losses(compiled):
        cg.manual_seed(0)
        layer, head = getattr(cg.nn, name)(3, 20, num_layers=2, bidirectional=True, **options), cg.nn.Linear(40, 1)
        optimizer = cg.optim.AdamW([*layer.parameters(), *head.parameters()], lr=1e-2)

        def step(x, y):
            optimizer.zero_grad()
            loss = cg.nn.functional.mse_loss(head(layer(x)[0][-1]), y)
            loss.backward()
            optimizer.step()
            return loss

        run = cg.compile(step, fullgraph=True) if compiled else step
        rng = np.random.default_rng(0)
        found = []
        for _ in range(6):
            x, y = (cg.tensor(rng.normal(size=s).astype(np.float32)) for s in ((7, batch, 3), (batch, 1)))
            found.append(run(x, y).item())
        return found

    assert losses(True) == losses(False)


# Sequences


def packed_arrays(lib, sorted_first):
    rng = np.random.default_rng(0)
    sequences = [lib.tensor(rng.normal(size=(n, 2))) for n in ((5, 3, 3, 1) if sorted_first else (3, 5, 1, 3))]
    return sequences, lib.nn.utils.rnn.pack_sequence(sequences, enforce_sorted=sorted_first)


@pytest.mark.parametrize("sorted_first", [True, False])
def test_packed_sequences_are_pytorchs(sorted_first):
    found = []
    for lib in (torch, cg):
        rnn = lib.nn.utils.rnn
        sequences, packed = packed_arrays(lib, sorted_first)
        parts = [packed.data, packed.batch_sizes]
        parts += [] if sorted_first else [packed.sorted_indices, packed.unsorted_indices]
        for options in ({}, {"batch_first": True}, {"padding_value": -2.0, "total_length": 8}):
            parts += rnn.pad_packed_sequence(packed, **options)
        parts += rnn.unpack_sequence(packed)
        again = rnn.pack_padded_sequence(rnn.pad_sequence(sequences, True), [len(s) for s in sequences], True, False)
        parts += [again.data, again.batch_sizes, again.to(lib.float32).data, rnn.invert_permutation(lib.tensor([2, 0, 1]))]
        found.append([p.numpy() for p in parts])
    assert_equal(*found, 0, 0, sorted_first)


def test_packed_sequences_have_gradients():
    found = []
    for lib in (torch, cg):
        x = lib.tensor(np.random.default_rng(0).normal(size=(4, 3, 2))).requires_grad_()
        packed = lib.nn.utils.rnn.pack_padded_sequence(x, [4, 2, 1])
        y, _ = lib.nn.utils.rnn.pad_packed_sequence(packed)
        ((y**2).sum() + packed.data.sum()).backward()
        found.append([x.grad.numpy()])
    assert_equal(*found, 1e-12, 0, "")


LAYER, PACK = cg.nn.LSTM(3, 4), cg.nn.utils.rnn.pack_padded_sequence


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: cg.nn.LSTM(3, 0), ValueError, "LSTM: hidden_size must be an integer of at least 1, got 0"),
    (lambda: cg.nn.LSTM(3, 4, num_layers=0), ValueError, "LSTM: num_layers must be an integer of at least 1, got 0"),
    (lambda: cg.nn.LSTM(3, 4, proj_size=4), ValueError, "LSTM: proj_size must be smaller than hidden_size 4, got 4"),
    (lambda: cg.nn.GRU(3, 4, dropout=1.5), ValueError, r"GRU: dropout must be a number in \[0, 1\], got 1.5"),
    (lambda: cg.nn.GRU(3, 4, proj_size=2), TypeError, "proj_size"),
    (lambda: cg.nn.RNN(3, 4, nonlinearity="elu"), ValueError, "RNN: nonlinearity must be tanh or relu, got 'elu'"),
    (lambda: cg.nn.RNNCell(3, 4, nonlinearity="elu"), ValueError, "RNNCell: nonlinearity must be tanh or relu"),
    (lambda: cg.nn.RNNBase("QRNN", 3, 4), ValueError, "RNNBase: mode must be one of LSTM, GRU"),
    (lambda: cg.nn.RNNBase("GRU", 3, 4, proj_size=2), ValueError, "RNNBase: only an LSTM has a proj_size"),
    (lambda: LAYER(cg.ones(5, 2, 4)), RuntimeError, r"LSTM: input has shape \(5, 2, 4\), but input_size is 3"),
    (lambda: LAYER(cg.ones(3)), ValueError, r"LSTM: input must have 2 or 3 dimensions, got shape \(3,\)"),
    (lambda: LAYER(cg.ones(0, 2, 3)), RuntimeError, "LSTM: a sequence must have at least one step"),
    (lambda: LAYER(cg.ones(5, 2, 3).double()), TypeError, "lstm: weight_ih is float32, but input is float64"),
    (lambda: LAYER(cg.ones(5, 2, 3), cg.ones(1, 2, 4)), TypeError, r"LSTM: hx must be a pair of tensors \(h, c\), got Tensor"),
    (lambda: LAYER(cg.ones(5, 2, 3), (cg.ones(1, 2, 4), cg.ones(1, 3, 4))), RuntimeError, "LSTM: cx must have shape"),
    (lambda: LAYER(3.0), TypeError, "LSTM: input must be a tensor or a PackedSequence, got float"),
    (lambda: cg.nn.LSTMCell(3, 4)(cg.ones(1, 1, 3)), ValueError, "LSTMCell: input must have 1 or 2 dimensions"),
    (lambda: cg.nn.GRUCell(3, 4)(cg.ones(2, 3), cg.ones(3, 4)), RuntimeError, r"GRUCell: hx must be a tensor of shape \(2, 4\)"),
    (lambda: cg.gru(cg.ones(2, 2, 3)), TypeError, "gru: the arguments are input, hx, params, has_biases"),
    (lambda: cg.gru(cg.ones(2, 2, 3), cg.ones(1, 2, 4), [], True, 1, 0.0, False, False, False), RuntimeError,
     "gru: 1 layers and directions need 4 parameters each, got 0 in all"),
    (lambda: PACK(cg.ones(4, 2), [4, 5]), RuntimeError, "pack_padded_sequence: a length must lie between 1 and 4, got 4 to 5"),
    (lambda: PACK(cg.ones(4, 2), [0, 1]), RuntimeError, "pack_padded_sequence: a length must lie between 1 and 4"),
    (lambda: PACK(cg.ones(4, 2), [2, 3]), RuntimeError, "pack_padded_sequence: the lengths must fall"),
    (lambda: PACK(cg.ones(4, 2), [2]), RuntimeError, "pack_padded_sequence: lengths must be 2 integers"),
    (lambda: cg.nn.utils.rnn.pad_packed_sequence(PACK(cg.ones(4, 2), [4, 3]), total_length=3), ValueError, "at least 4, got 3"),
    (lambda: cg.nn.utils.rnn.pad_packed_sequence(cg.ones(3)), TypeError, "must be a PackedSequence, got Tensor"),
    (lambda: LAYER(cg.nn.utils.rnn.PackedSequence(cg.ones(4, 3), cg.tensor([1, 3]))), ValueError,
     "lstm: the sizes of the steps must be positive, fall, and add up to the 4 rows"),
])  # fmt: skip
def test_what_is_wrong_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_descriptions_and_reprs():
    from cygrad.nn.description import build, describe

    for layer in (
        cg.nn.LSTM(3, 4, 2, False, True, 0.25, True, 2), cg.nn.GRU(3, 4), cg.nn.RNN(3, 4, 1, "relu"),
        cg.nn.RNNCell(3, 4, False, "relu"), cg.nn.LSTMCell(3, 4), cg.nn.GRUCell(3, 4),
    ):  # fmt: skip
        again = build(describe(layer))
        assert repr(again) == repr(layer) and describe(again) == describe(layer)
        theirs = getattr(torch.nn, type(layer).__name__)
        options = {k: v for k, v in describe(layer)["options"].items() if k != "dtype"}
        assert repr(theirs(**options)) == repr(layer)


def test_a_change_of_what_was_saved_is_noticed():
    layer = cg.nn.LSTM(3, 4)
    y, _ = layer(cg.ones(5, 2, 3))
    y.mul_(2)
    with pytest.raises(RuntimeError, match="was changed in place"):
        y.sum().backward()


def test_nothing_is_computed_for_a_batch_of_none():
    for name in ("RNN", "GRU", "LSTM"):
        layer = getattr(cg.nn, name)(3, 4)
        y, _ = layer(cg.ones(5, 0, 3))
        y.sum().backward()
        assert y.shape == (5, 0, 4) and not layer.weight_hh_l0.grad.any() and not layer.bias_hh_l0.grad.any()
