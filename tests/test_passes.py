"""Passes over recorded steps: fewer launches, less memory, and the bits of eager mode."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cygrad as cg
from cygrad import nn
from cygrad.compiler.passes import chains, sharing
from cygrad.compiler.plan.plan import launches_of
from cygrad.ops.activation import MASKED_BYTES

F = nn.functional


def names(compiled):
    """The kernels of each event of the only program."""
    (program,) = compiled.programs()
    return ["+".join([launch.name for launch in launches_of(e)]) or f"call {e.name}" for e in program.events]


def kernels_in(compiled):
    return [name for event in names(compiled) for name in event.split("+")]


@pytest.fixture
def always_chained(monkeypatch):
    monkeypatch.setattr(chains, "CACHE_BYTES", 0)


# Random networks of ops, in eager mode and compiled, with all passes

UNARY = {
    "relu": F.relu, "tanh": lambda x: x.tanh(), "gelu": F.gelu, "silu": F.silu, "exp": lambda x: (x * 0.1).exp(),
    "dropout": lambda x: F.dropout(x, 0.4), "leaky": lambda x: F.leaky_relu(x, 0.1), "softmax": lambda x: x.softmax(1),
    "view": lambda x: x.reshape(-1, 2).reshape(x.shape), "detached": lambda x: x.detach(), "half": lambda x: x[: len(x) // 2 + 1],
    "mean": lambda x: x - x.mean(0), "clone": lambda x: x.clone(), "inplace": lambda x: x.clone().mul_(0.5).relu_(),
}  # fmt: skip
BINARY = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "row": lambda a, b: a + b[:1], "column": lambda a, b: a * b[:, :1],
}  # fmt: skip


class Random:
    """A training step of a random network, with SGD."""

    def __init__(self, rows, choices, seed):
        self.generator = np.random.default_rng(seed)
        self.choices = choices
        self.layers = [nn.Linear(6, 6), nn.Linear(6, 6)]
        for number, layer in enumerate(self.layers):
            rng = np.random.default_rng(number)
            with cg.no_grad():
                layer.weight.copy_(cg.Tensor(rng.standard_normal((6, 6)).astype(np.float32)))
                layer.bias.copy_(cg.Tensor(rng.standard_normal(6).astype(np.float32)))
        self.params = [p for layer in self.layers for p in layer.parameters()]
        self.optimizer = cg.optim.SGD(self.params, 0.01, momentum=0.5)
        self.rows = rows

    def step(self, x):
        self.optimizer.zero_grad()
        values = [x, self.layers[0](x), self.layers[1](x)]
        for kind, first, second in self.choices:
            a, b = values[first % len(values)], values[second % len(values)]
            if kind in UNARY:
                values.append(UNARY[kind](a))
            elif len(a) == len(b) or kind == "row":
                values.append(BINARY[kind](a, b))
        loss = sum([v.sum() for v in values[-2:]])
        if loss.requires_grad:
            loss.backward()
            nn.utils.clip_grad_norm_(self.params, 0.5)
            self.optimizer.step()
        return loss, values[-1].detach()

    def run(self, step):
        cg.manual_seed(5)
        found = []
        for number in range(5):
            x = cg.Tensor(np.random.default_rng(number).standard_normal((self.rows, 6)).astype(np.float32))
            found += [t.array.tobytes() for t in step(x)]
        return (
            found
            + [p.array.tobytes() for p in self.params]
            + [p.grad is not None and p.grad.array.tobytes() for p in self.params]
        )


CHOICES = st.lists(st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 9), st.integers(0, 9)), max_size=10)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rows=st.sampled_from([3, 8, 1500]), choices=CHOICES, threads=st.sampled_from([1, 3]), blocks=st.booleans())
def test_random_networks_have_the_bits_of_eager_mode(rows, choices, threads, blocks):
    before, chains.CACHE_BYTES = chains.CACHE_BYTES, 0 if blocks else chains.CACHE_BYTES
    count = cg.get_num_threads()
    cg.set_num_threads(threads)
    try:
        eager, compiled = Random(rows, choices, 0), Random(rows, choices, 0)
        step = cg.compile(compiled.step)
        assert compiled.run(step) == eager.run(eager.step)
        assert step.programs()
    finally:
        chains.CACHE_BYTES = before
        cg.set_num_threads(count)


# One pass at a time


def test_what_nobody_reads_is_dropped_but_its_random_numbers_are_drawn():
    def step(x):
        unused = (x * 3).relu()
        F.dropout(unused, 0.5)
        return F.dropout(x, 0.5)

    results = []
    for function in (step, compiled := cg.compile(step)):
        cg.manual_seed(0)
        results.append([function(cg.ones(50)).tolist() for _ in range(5)])
    assert results[0] == results[1]
    assert kernels_in(compiled) == ["mul", "relu", "dropout", "dropout"]
    forward = cg.compile(lambda x: ((x * 3).relu().tanh(), x + 1)[1])
    for _ in range(3):
        forward(cg.ones(3))
    assert kernels_in(forward) == ["add"]


def test_a_product_does_the_relu_that_follows():
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)).eval()
    compiled = cg.compile(model)
    with cg.no_grad():
        for number in range(4):
            x = cg.Tensor(np.random.default_rng(number).standard_normal((7, 6)).astype(np.float32))
            assert compiled(x).tolist() == model(x).tolist()
    assert kernels_in(compiled) == ["gemm", "gemm"]

    both = cg.compile(lambda x: (x @ x, F.relu(x @ x)))
    seen = cg.compile(lambda x: [y := x @ x, F.relu(y)])
    for _ in range(4):
        x = cg.randn(3, 3)
        assert both(x)[1].tolist() == F.relu(x @ x).tolist()
        assert seen(x)[0].tolist() == (x @ x).tolist()
    assert kernels_in(seen) == ["gemm", "relu"]


def test_a_product_does_the_gradient_of_the_relu_before_it():
    def trained(run, hidden, dtype):
        cg.manual_seed(3)
        a, b, c = (nn.Linear(*sizes).to(dtype) for sizes in ((6, 20), (6, 20), (20, 3)))
        params = [p for layer in (a, b, c) for p in layer.parameters()]
        optimizer = cg.optim.SGD(params, 0.1)

        def step(x):
            optimizer.zero_grad()
            c(hidden(a(x), b(x))).square().sum().backward()
            optimizer.step()

        step = run(step)
        x = cg.randn(15, 6, dtype=dtype)
        for _ in range(5):
            step(x)
        return step, [p.array.tobytes() for p in params]

    for dtype in (cg.float32, cg.float64):
        for count, hidden in enumerate([
            lambda u, v: F.relu(u),
            lambda u, v: F.relu(u) + F.relu(v),  # both read the product
            lambda u, v: F.relu(u) * v,
        ]):  # fmt: skip
            step, found = trained(cg.compile, hidden, dtype)
            assert found == trained(lambda step: step, hidden, dtype)[1]
            assert kernels_in(step).count("relu_backward") == (0, 2, 1)[count]


@pytest.mark.parametrize("check", [False, True])
def test_a_large_relu_needs_no_mask_in_a_program(check):
    def trained(run):
        cg.manual_seed(3)
        model = nn.Sequential(nn.Linear(6, 300), nn.ReLU(), nn.Dropout(0.5), nn.ReLU(), nn.Linear(300, 1))
        optimizer = cg.optim.SGD(model.parameters(), 0.1)

        def step(x):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()

        step = run(step)
        x = cg.randn(MASKED_BYTES // (4 * 300) + 1, 6)
        for _ in range(4):
            step(x)
        return step, [p.array.tobytes() for p in model.parameters()]

    step, parameters = trained(lambda step: cg.compile(step, check=check))
    assert parameters == trained(lambda step: step)[1]
    assert "relu_masked" in step.programs()[0].provenance.names, "the recorded step uses a mask"
    kernels = kernels_in(step)
    assert not [name for name in kernels if "masked" in name]
    assert (kernels.count("relu"), kernels.count("relu_backward")) == (1, 1), "the first is part of the product"


@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_are_written_not_zeroed_and_added(set_to_none):
    results = []
    for wrap in (lambda f: f, cg.compile):
        cg.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 1))
        optimizer = cg.optim.SGD(model.parameters(), 0.1)

        def step(x, model=model, optimizer=optimizer):
            optimizer.zero_grad(set_to_none=set_to_none)
            loss = F.mse_loss(model(x), x.sum(1, keepdim=True))
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        generator = np.random.default_rng(0)
        losses = [step(cg.Tensor(generator.standard_normal((8, 6)).astype(np.float32))).item() for _ in range(6)]
        results.append((losses, [p.grad.tolist() for p in model.parameters()]))
    assert results[0] == results[1]
    found = kernels_in(step)
    assert found.count("copy") == 0
    assert not [name for name in found if name.startswith("call")]


def test_a_product_adds_to_the_gradient_that_is_there():
    results = []
    for wrap in (lambda f: f, cg.compile):
        cg.manual_seed(0)
        layer = nn.Linear(6, 5, bias=False)

        def step(x, layer=layer):
            loss = layer(x).sum()
            loss.backward()
            return loss

        step = wrap(step)
        generator = np.random.default_rng(0)
        for rows in (8, 8, 8, 8, 1100, 1100, 1100):
            step(cg.Tensor(generator.standard_normal((rows, 6)).astype(np.float32)))
        results.append(layer.weight.grad.array.tobytes())
    assert results[0] == results[1]
    short, long = step.programs()
    assert [launch.name for launch in short.launches].count("add") == 0
    assert [launch.name for launch in long.launches].count("add") == 1, "a long sum is made in parts"


def test_launches_on_large_arrays_run_block_by_block(always_chained):
    def step(x):
        return F.dropout(F.gelu(x) * 2 + x[0], 0.3).tanh()

    results = []
    for function in (step, compiled := cg.compile(step)):
        cg.manual_seed(1)
        results.append([function(cg.full((50, 300), 0.1 * i)).array.tobytes() for i in range(5)])
    assert results[0] == results[1]
    assert names(compiled) == ["gelu+mul+add+dropout+tanh"]


def test_a_chain_ends_where_a_block_would_need_others(always_chained):
    compiled = cg.compile(lambda x: [y := x.tanh(), y * y[:1], y.sum(0, keepdim=True) + y])
    for i in range(4):
        x = cg.full((40, 300), 0.1 * i)
        y = x.tanh()
        got = compiled(x)
        assert [g.tolist() for g in got] == [y.tolist(), (y * y[:1]).tolist(), (y.sum(0, keepdim=True) + y).tolist()]
    assert names(compiled) == ["tanh", "mul", "sum", "add"]


def test_clipping_and_the_optimizer_are_one_pass_over_the_gradients(always_chained):
    layer = nn.Linear(90, 80)
    optimizer = cg.optim.Adam(layer.parameters())

    @cg.compile
    def step(x):
        optimizer.zero_grad()
        layer(x).tanh().sum().backward()
        nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
        optimizer.step()

    for _ in range(3):
        step(cg.ones(4, 90))
    assert names(step)[-1] == "scale_all+adam"


def test_temporary_arrays_share_memory():
    def deep(x):
        for _ in range(20):
            x = (x @ x).tanh()
        return x

    compiled = cg.compile(deep)
    with cg.no_grad():
        for i in range(4):
            x = cg.full((32, 32), 0.01 * i)
            assert compiled(x).tolist() == deep(x).tolist()
    (program,) = compiled.programs()
    assert program.layout.bytes_recorded == 39 * 32 * 32 * 4
    assert program.layout.bytes_shared == 2 * 32 * 32 * 4, "the result is not temporary"


def test_tensors_that_the_step_left_somewhere_are_kept_up_to_date():
    kept = {}

    def step(x):
        y = x * 2
        kept["y"] = y
        kept["z"] = y.detach().tanh()[1:]
        return (y.exp() * 3).exp().sum()

    compiled = cg.compile(step)
    for i in range(5):
        x = cg.full((4,), 0.1 * i)
        compiled(x)
        assert kept["y"].tolist() == (x * 2).tolist()
        assert kept["z"].tolist() == (x * 2).tanh()[1:].tolist()


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 20), st.integers(0, 20)), max_size=30))
def test_arrays_in_use_at_the_same_time_lie_apart(drawn):
    lives = [sharing.Lifetime(key, 64 * size, min(a, b), max(a, b)) for key, (size, a, b) in enumerate(drawn)]
    offsets = sharing.assign_offsets(lives)
    for one in lives:
        for other in lives:
            if one.key < other.key and one.first <= other.last and other.first <= one.last:
                a, b = offsets[one.key], offsets[other.key]
                assert a + one.size <= b or b + other.size <= a
