"""Recorded steps: a replay of every op, layer, loss, optimizer and scheduler has the bits of eager mode."""

from __future__ import annotations

import copy
import json
import threading
import warnings

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from tests.op_db import ROWS, augment, tokens, warp
from tests.test_ops import convert, flatten, samples, upstream_of

F = nn.functional

# Ops that read values into Python, on which their next action depends; a warning says so.
READERS = {
    "getitem_places": "an index reads", "getitem_mask": "an index reads", "setitem": "an index reads", "nonzero": "nonzero reads",
    "bincount": "bincount reads", "unique": "unique reads", "batch_norm_counted": "constant_ reads",
}  # fmt: skip

# Rows that create an optimizer and its parameters in every call: no program is used twice.
ALWAYS_NEW = {"sgd", "adam", "adamw", "rmsprop", "adagrad"}


def bits(arrays):
    return [None if a is None else (a.dtype.str, a.shape, a.tobytes()) for a in arrays]


def changing(array, number):
    """The input of step `number`: the same values in another order."""
    flat = np.roll(array.ravel(), number) if array.size else array.ravel()
    return flat.reshape(array.shape)


def inputs_of(row, sample):
    """The arguments of a sample as tensors; pairs of each tensor's array and the sample's; and those with a gradient."""
    memory = []

    def to_tensor(array):
        tensor = cg.Tensor(array.copy(), requires_grad=array.dtype.kind == "f" and row.differentiable)
        memory.append((tensor.array, array))
        return tensor

    args = [convert(a, to_tensor) for a in sample.args]
    kwargs = {k: convert(v, to_tensor) for k, v in sample.kwargs.items()}
    leaves = [x for x in flatten([*args, *kwargs.values()]) if getattr(x, "requires_grad", False)]
    return args, kwargs, memory, leaves


def step_of(row, sample):
    """A step of one op, forward and backward, and the arrays of its inputs."""
    args, kwargs, memory, leaves = inputs_of(row, sample)

    def step():
        for leaf in leaves:
            leaf.grad = None
        outputs = flatten(row.op(*args, **kwargs))
        if row.differentiable:
            seeds = upstream_of(outputs)
            pairs = [(o, cg.Tensor(s)) for o, s in zip(outputs, seeds) if s is not None and o.requires_grad]
            cg.autograd.backward([o for o, _ in pairs], [s for _, s in pairs])
        return outputs

    return step, memory, leaves


def run_steps(step, memory, leaves, count=5):
    results = []
    cg.manual_seed(0)
    for number in range(count):
        for own, first in memory:
            own[...] = changing(first, number)
        outputs = step()
        results.append(bits([o.array for o in outputs] + [None if x.grad is None else x.grad.array for x in leaves]))
    return results


# Augmentation works on arrays, before a step.
OUTSIDE = [*augment.ROWS, *tokens.ROWS, *warp.ROWS]
OPS = [row for row in ROWS if row not in OUTSIDE]


@pytest.mark.parametrize("row", OPS, ids=lambda row: row.name)
def test_every_op_replays_to_the_bits_of_eager_mode(row):
    dtype = row.dtypes[0]
    for sample in samples(row, dtype)[: 1 if row.name in ALWAYS_NEW else 12]:
        eager = run_steps(*step_of(row, sample))
        step, memory, leaves = step_of(row, sample)
        compiled = cg.compile(step)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            replayed = run_steps(compiled, memory, leaves)
        assert replayed == eager, f"{row.name}: {sample}"
        messages = [str(w.message) for w in caught if "runs eagerly" in str(w.message)]
        if row.name in READERS:
            assert any(READERS[row.name] in m for m in messages)
        else:
            assert not messages, f"{row.name}: {messages}"
            if row.name in ALWAYS_NEW:
                continue
            assert compiled.programs()[0].replay.runs == 3, row.name


# Whole steps

LAYERS = {
    "linear": lambda: nn.Linear(6, 5),
    "batch norm": lambda: nn.BatchNorm1d(6),
    "batch norm, all batches": lambda: nn.BatchNorm1d(6, momentum=None),
    "layer norm": lambda: nn.LayerNorm(6),
    "dropout": lambda: nn.Dropout(0.4),
    "embedding": lambda: nn.Embedding(7, 6),
    **{name: getattr(nn, name) for name in (
        "ReLU", "LeakyReLU", "ELU", "SELU", "GELU", "SiLU", "Sigmoid", "Tanh", "Softplus", "LogSigmoid", "Softsign", "Hardtanh",
    ) if hasattr(nn, name)},
    "softmax": lambda: nn.Softmax(1),
    "flatten": nn.Flatten,
}  # fmt: skip

LOSSES = {
    "cross_entropy": (F.cross_entropy, "classes"), "nll_loss": (lambda x, t: F.nll_loss(x.log_softmax(1), t), "classes"),
    "mse_loss": (F.mse_loss, "like"), "l1_loss": (F.l1_loss, "like"), "smooth_l1_loss": (F.smooth_l1_loss, "like"),
    "huber_loss": (F.huber_loss, "like"), "bce_logits": (F.binary_cross_entropy_with_logits, "share"),
    "bce": (lambda x, t: F.binary_cross_entropy(x.sigmoid(), t), "share"),
    "kl_div": (lambda x, t: F.kl_div(x.log_softmax(1), t, reduction="batchmean"), "share"),
    "cross_entropy, label smoothing": (lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1), "classes"),
    "cross_entropy, distribution": (F.cross_entropy, "share"),
}  # fmt: skip

OPTIMIZERS = {
    "SGD": lambda p: cg.optim.SGD(p, 0.1), "momentum": lambda p: cg.optim.SGD(p, 0.1, 0.9, nesterov=True),
    "Adam": lambda p: cg.optim.Adam(p, 0.01), "amsgrad": lambda p: cg.optim.Adam(p, 0.01, amsgrad=True),
    "AdamW": lambda p: cg.optim.AdamW(p, 0.01), "RMSprop": lambda p: cg.optim.RMSprop(p, 0.01, momentum=0.5, centered=True),
    "Adagrad": lambda p: cg.optim.Adagrad(p, 0.1, lr_decay=0.1),
    "two groups": lambda p: cg.optim.AdamW([{"params": p[:1], "lr": 0.1}, {"params": p[1:]}]),
}  # fmt: skip

SCHEDULERS = {
    "none": lambda o: None,
    "StepLR": lambda o: cg.optim.lr_scheduler.StepLR(o, 2),
    "ExponentialLR": lambda o: cg.optim.lr_scheduler.ExponentialLR(o, 0.9),
    "CosineAnnealingLR": lambda o: cg.optim.lr_scheduler.CosineAnnealingLR(o, 5),
    "OneCycleLR": lambda o: cg.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=20),
    "LambdaLR": lambda o: cg.optim.lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
}


class Training:
    """A network, its loss, its optimizer and a step; every instance starts in the same state."""

    def __init__(self, layer="linear", loss="cross_entropy", optimizer="AdamW", scheduler="none", inside=False):
        cg.manual_seed(3)
        first = LAYERS[layer]()
        width = 30 if layer == "embedding" else 5 if layer == "linear" else 6
        self.model = nn.Sequential(first, nn.Flatten(), nn.Linear(width, 4))
        if layer == "embedding":
            self.model = nn.Sequential(nn.Embedding(7, 6), nn.Flatten(), nn.Linear(30, 4))
        self.loss, self.kind = LOSSES[loss]
        self.layer = layer
        self.optimizer = OPTIMIZERS[optimizer](list(self.model.parameters()))
        self.scheduler = SCHEDULERS[scheduler](self.optimizer)
        self.inside = inside

    def step(self, x, t):
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x), t)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
        self.optimizer.step()
        if self.inside and self.scheduler is not None:
            self.scheduler.step()
        return loss

    def batch(self, number, rows=8):
        rng = np.random.default_rng(number)
        x = (
            rng.integers(0, 7, (rows, 5))
            if self.layer == "embedding"
            else rng.standard_normal((rows, 6)).astype(np.float32)
        )
        target = {
            "classes": lambda: rng.integers(0, 4, rows),
            "like": lambda: rng.standard_normal((rows, 4)).astype(np.float32),
            "share": lambda: rng.dirichlet(np.ones(4), rows).astype(np.float32),
        }[self.kind]()
        return cg.Tensor(x), cg.Tensor(target)

    def state(self):
        moments = [v for s in self.optimizer.state_dict()["state"].values() for v in s.values()]
        return [
            *bits([t.array for t in self.model.state_dict().values()]),
            *bits([p.grad.array for p in self.model.parameters() if p.grad is not None]),
            *[bits([m.array]) if isinstance(m, cg.Tensor) else m for m in moments],
            [g["lr"] for g in self.optimizer.param_groups], cg.get_rng_state().tolist(),
        ]  # fmt: skip

    def run(self, step, numbers=range(5), rows=8):
        losses = []
        for number in numbers:
            losses.append(step(*self.batch(number, rows)).item())
            if self.scheduler is not None and not self.inside:
                self.scheduler.step()
        return losses


def assert_same_training(*numbers, **parts):
    eager, compiled = Training(**parts), None
    wanted = eager.run(eager.step), eager.state()
    compiled = Training(**parts)
    step = cg.compile(compiled.step)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (compiled.run(step), compiled.state()) == wanted
    assert step.programs()[0].replay.runs == 3
    return step


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer(layer):
    assert_same_training(layer=layer)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss):
    assert_same_training(loss=loss)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(optimizer):
    step = assert_same_training(optimizer=optimizer)
    assert "0 calls" in repr(step.programs()[0]), "a step of built-in parts needs no Python"


RULES = {  # optimizers whose rules are Python, which a program calls
    "ASGD": lambda p: cg.optim.ASGD(p, 0.01, t0=3), "Adadelta": lambda p: cg.optim.Adadelta(p, 0.01),
    "Adafactor": lambda p: cg.optim.Adafactor(p, 0.01), "Adamax": lambda p: cg.optim.Adamax(p, 0.01),
    "NAdam": lambda p: cg.optim.NAdam(p, 0.01), "RAdam": lambda p: cg.optim.RAdam(p, 0.01),
    "Rprop": lambda p: cg.optim.Rprop(p, 0.01),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("optimizer", RULES)
def test_every_optimizer_written_in_python(optimizer, monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, optimizer, RULES[optimizer])
    step = assert_same_training(optimizer=optimizer)
    assert "1 calls" in repr(step.programs()[0])


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler(scheduler, inside):
    assert_same_training(scheduler=scheduler, inside=inside)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_bits_at_every_thread_count(threads):
    before = cg.get_num_threads()
    cg.set_num_threads(threads)
    try:
        training, eager = Training(layer="batch norm"), Training(layer="batch norm")
        big = [training.run(cg.compile(training.step), rows=3000), eager.run(eager.step, rows=3000)]
        assert big[0] == big[1]
        assert training.state()[:-1] == eager.state()[:-1]
    finally:
        cg.set_num_threads(before)


# What a program depends on


def compare(change, numbers=range(4)):
    """Four steps, a change, and four more steps, in eager mode and compiled."""
    results = []
    for wrap in (lambda f: f, cg.compile):
        training = Training(layer="dropout", optimizer="Adam")
        step = wrap(training.step)
        losses = training.run(step, numbers)
        change(training)
        losses += training.run(step, numbers)
        results.append((losses, training.state()))
    assert results[1] == results[0]


def replace_weight(training):
    layer = training.model[2]
    layer.weight = nn.Parameter(cg.Tensor(layer.weight.array * 0.5))
    training.optimizer = cg.optim.Adam(training.model.parameters(), 0.01)


def freeze(training):
    training.model[2].weight.requires_grad = False


def move(training):
    weight = training.model[2].weight
    weight.data = cg.Tensor(weight.array * 0.5)


def other_rate(training):
    training.optimizer.param_groups[0]["lr"] = 0.5


def reload(training):
    training.model.load_state_dict({k: v.clone() for k, v in training.model.state_dict().items()})
    training.optimizer.load_state_dict(training.optimizer.state_dict())


def weigh(training):
    training.optimizer.param_groups[0]["maximize"] = True


CHANGES = {
    "replaced parameter": replace_weight, "frozen parameter": freeze, "moved parameter": move, "rate": other_rate,
    "evaluation": lambda t: t.model.eval(), "dropout rate": lambda t: setattr(t.model[0], "p", 0.9), "loaded state": reload,
    "maximize": weigh, "seed": lambda t: cg.manual_seed(77), "gradients forgotten": lambda t: t.model.zero_grad(),
    "hook": lambda t: t.model[0].register_forward_hook(lambda module, args, output: output * 2),
    "hook on a gradient": lambda t: t.model[2].weight.register_hook(lambda gradient: gradient * 2),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_program_notices(change):
    compare(CHANGES[change])


def test_a_search_for_nan_runs_eagerly():
    training = Training()
    step = cg.compile(training.step)
    training.run(step, range(3))
    training.model[2].weight.array[0] = np.inf
    with pytest.raises(RuntimeError, match="returned NaN"), cg.autograd.detect_anomaly():
        training.run(step, [3])


def test_a_copy_records_programs_of_its_own():
    training = Training()
    step = cg.compile(training.step)
    training.run(step)
    other = copy.deepcopy(step)
    assert other.programs() == [] and len(step.programs()) == 1
    assert other.function.__self__ is not training and other.function.__self__.run(other) == training.run(step)


def test_a_program_notices_other_tensors_modules_and_optimizers_under_its_names():
    layers = [nn.Linear(3, 2), nn.Linear(3, 2)]
    optimizers = [cg.optim.SGD(layer.parameters(), 0.1) for layer in layers]
    layer, optimizer, scale = layers[0], optimizers[0], cg.ones(1)

    def helper(x):
        return layer(x) * scale

    @cg.compile
    def step(x):
        optimizer.zero_grad()
        loss = helper(x).sum()
        loss.backward()
        optimizer.step()
        return loss

    for i in range(6):
        step(cg.ones(1, 3))
        if i == 2:
            before = layers[0].weight.tolist()
            layer, optimizer = layers[1], optimizers[1]
    assert layers[0].weight.tolist() == before
    assert layers[1].weight.grad is not None
    scale = cg.full((1,), 5.0)
    assert step(cg.ones(1, 3)).item() == pytest.approx(
        5 * (layer(cg.ones(1, 3)).sum().item() + 0.1 * 2 * 5 * 4), rel=1e-5
    )


class Holder:
    def __init__(self):
        self.layer = nn.Linear(2, 2)
        self.last = None

    def step(self, x):
        y = self.layer(x).detach()
        self.last = y.sum()
        return y


def test_methods_of_plain_objects_notice_too():
    holder = Holder()
    step = cg.compile(holder.step)
    for _ in range(4):
        step(cg.ones(1, 2))
    assert len(step.programs()) == 1, "what it only binds is no part of a program"
    holder.layer = nn.Linear(2, 2)
    with cg.no_grad():
        assert step(cg.ones(1, 2)).tolist() == holder.layer(cg.ones(1, 2)).tolist()


def test_a_tensor_that_is_carried_on_under_a_name_runs_eagerly():
    state = cg.zeros(2)

    @cg.compile
    def step(x):
        nonlocal state
        state = state + x
        return state * 1

    with pytest.warns(RuntimeWarning, match="it reads a tensor and then rebinds its name to another one"):
        results = [step(cg.ones(2)).tolist() for _ in range(5)]
    assert results == [[float(i + 1)] * 2 for i in range(5)]


def test_a_smaller_last_batch_has_a_program_of_its_own():
    eager, compiled = Training(), Training()
    step = cg.compile(compiled.step)
    for rows in (8, 8, 8, 3, 3, 8, 3):
        assert compiled.run(step, [rows], rows) == eager.run(eager.step, [rows], rows)
    assert len(step.programs()) == 2
    assert compiled.state()[:-1] == eager.state()[:-1]


def test_gradients_add_up_over_programs():
    results = []
    for wrap in (lambda f: f, cg.compile):
        training = Training()

        def accumulate(x, t, training=training):
            loss = training.loss(training.model(x), t)
            loss.backward()
            return loss

        step = wrap(accumulate)
        for number in range(12):
            step(*training.batch(number))
            if number % 3 == 2:
                training.optimizer.step()
                training.optimizer.zero_grad()
        results.append(training.state())
    assert results[0] == results[1]


def test_results_are_the_callers_own():
    double = cg.compile(lambda x: x * 2)
    results = [double(cg.full((3,), float(i))) for i in range(5)]
    assert [r.tolist() for r in results] == [[2.0 * i] * 3 for i in range(5)]


def test_a_container_of_one_tensor_in_a_result():
    step = cg.compile(lambda x: (x.sum(), [x * 2], {"a": x + 1}))
    for _ in range(4):
        total, doubled, named = step(cg.ones(2))
        assert total.item() == 2 and doubled[0].tolist() == [2, 2] and named["a"].tolist() == [2, 2]
    assert len(step.programs()) == 1


def test_nested_arguments_and_results():
    @cg.compile
    def both(pair, scale, *, extra):
        return {"sum": pair[0] + pair[1], "scaled": (pair[0] * scale, extra)}

    for i in range(5):
        x, y = cg.full((2,), float(i)), cg.ones(2)
        result = both((x, y), 3.0, extra=7)
        assert result["sum"].tolist() == [i + 1.0] * 2
        assert result["scaled"][0].tolist() == [3.0 * i] * 2
        assert result["scaled"][1] == 7
    assert both.programs()[0].replay.runs == 3


def test_a_module_in_evaluation_becomes_an_inference_program():
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)).eval()
    compiled = cg.compile(model)
    for number in range(5):
        x = cg.Tensor(np.random.default_rng(number).standard_normal((1, 6)).astype(np.float32))
        with cg.no_grad():
            assert compiled(x).tolist() == model(x).tolist()
    assert compiled.programs()[0].replay.runs > 0


def test_random_numbers_in_a_step_are_those_of_eager_mode():
    def noisy(x):
        return F.dropout(x, 0.5) + cg.randn(4) + F.dropout(cg.rand_like(x), 0.3)

    results = []
    for function in (noisy, cg.compile(noisy)):
        cg.manual_seed(1)
        results.append([function(cg.ones(4)).tolist() for _ in range(6)])
    assert results[0] == results[1]


def test_arrays_that_a_step_makes_begin_anew_before_anybody_reads_them():
    p = nn.Parameter(cg.ones(1))

    def step(x):
        z = cg.zeros(3)
        z[0:1] = p * x
        z += 1
        return (z * z).sum().detach()

    compiled = cg.compile(step)
    for i in range(5):
        x = cg.full((1,), float(i))
        assert compiled(x).item() == step(x).item()


# Bad input


def test_reading_a_number_warns_once_and_names_the_line():
    @cg.compile
    def branch(x):
        return x * 2 if x.sum().item() > 0 else -x

    with pytest.warns(RuntimeWarning, match=r"item reads values into Python, at .*test_compile.py:\d+") as caught:
        results = [branch(cg.full((2,), v)).tolist() for v in (1.0, 1.0, -1.0, 1.0)]
    assert results == [[2.0] * 2, [2.0] * 2, [1.0] * 2, [2.0] * 2]
    assert len(caught) == 1
    strict = cg.compile(branch.function, fullgraph=True)
    strict(cg.ones(2))
    with pytest.raises(RuntimeError, match="item reads values into Python"):
        strict(cg.ones(2))


def test_a_live_graph_runs_eagerly():
    layer = nn.Linear(3, 2)
    forward = cg.compile(lambda x: layer(x))
    forward(cg.ones(1, 3))
    with pytest.warns(RuntimeWarning, match="its result has a graph that backward could still use"):
        forward(cg.ones(1, 3)).sum().backward()
    assert layer.weight.grad is not None


def test_a_wrong_class_raises_and_leaves_the_parameters():
    training = Training()
    step = cg.compile(training.step)
    training.run(step)
    before = bits([t.array for t in training.model.state_dict().values()])
    x, t = training.batch(0)
    t.array[3] = 9
    with pytest.raises(IndexError, match="cross_entropy: target 9 at row 3 is not one of the 4 classes"):
        step(x, t)
    assert bits([t.array for t in training.model.state_dict().values()]) == before
    assert {s["step"] for s in training.optimizer.state.values()} == {5}
    training.run(step)


class Failing(cg.autograd.Function):
    broken = False

    @staticmethod
    def forward(ctx, x):
        if Failing.broken:
            raise ValueError("a reason")
        return x.clone()

    @staticmethod
    def backward(ctx, dy):
        return dy


@pytest.mark.parametrize("late", [False, True])
def test_an_exception_in_a_call_says_whether_the_step_was_begun(late):
    p = nn.Parameter(cg.ones(3))
    optimizer = cg.optim.SGD([p], 0.1)

    @cg.compile
    def step(x):
        optimizer.zero_grad()
        (p * (x if late else Failing.apply(x))).sum().backward()
        optimizer.step()
        return Failing.apply(x) if late else x * 1

    for _ in range(4):
        step(cg.ones(3))
    before = p.tolist()
    Failing.broken = True
    try:
        if late:
            with pytest.raises(RuntimeError, match="left half done"):
                step(cg.ones(3))
        else:
            with pytest.raises(ValueError, match="a reason"):
                step(cg.ones(3))
            assert p.tolist() == before
    finally:
        Failing.broken = False


@pytest.mark.parametrize(
    "norm",
    [
        nn.utils.clip_grad_norm_,
        nn.utils.clip_grad_adaptive_,
        lambda params, bound: nn.utils.get_total_norm([p.grad for p in params]),
    ],
    ids=["clip norm", "clip adaptive", "total norm"],
)
def test_a_norm_that_a_step_returns_is_never_overwritten(norm):
    def step(x):
        optimizer.zero_grad()
        model(x).sum().backward()
        return norm(list(model.parameters()), 1e9), None

    model = nn.Linear(3, 2)
    optimizer = cg.optim.SGD(model.parameters(), lr=0.1)
    compiled, data = cg.compile(step), cg.randn(24, 3)
    wanted = [step(x)[0].item() for x in data.split(4)]
    results = [compiled(x)[0] for x in data.split(4)]
    assert [result.item() for result in results] == wanted and len(set(wanted)) == 6
    assert compiled.epoch(data, batch_size=4)[0].tolist() == wanted
    assert compiled.programs()[0].loop is not None and compiled.programs()[0].replay.runs == 4 + 6


def test_programs_are_bounded():
    scale = cg.compile(lambda x, factor: x * factor)
    with pytest.warns(RuntimeWarning, match="there are 16 programs already"):
        for factor in range(20):
            for _ in range(3):
                assert scale(cg.ones(2), float(factor)).tolist() == [float(factor)] * 2
    assert len(scale.programs()) == 16


def test_two_threads_at_once():
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 2)).eval()
    compiled = cg.compile(model)
    inputs = [cg.Tensor(np.random.default_rng(n).standard_normal((5, 6)).astype(np.float32)) for n in range(4)]
    with cg.no_grad():
        wanted = [model(x).tolist() for x in inputs]
    wrong = []

    def work(number):
        for _ in range(200):
            if compiled(inputs[number]).tolist() != wanted[number]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_thousand_steps_take_no_memory():
    training = Training(layer="batch norm")
    step = cg.compile(training.step)
    x, t = training.batch(0, rows=2000)
    for _ in range(5):
        step(x, t)
    before = cg.memory_stats()
    for _ in range(1000):
        step(x, t)
    after = cg.memory_stats()
    assert (after.in_use, after.from_system) == (before.in_use, before.from_system)


def test_what_is_not_a_function():
    with pytest.raises(TypeError, match="compile: function must be callable, got int"):
        cg.compile(3)


def test_explain_prints_every_launch_and_changes_nothing(capsys, tmp_path):
    training = Training(layer="batch norm")
    step = cg.compile(training.step)
    training.run(step)
    before = training.state()
    program = step.programs()[0]
    program.explain(rounds=3)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(program.launches) + 3
    assert "bytes of memory for intermediate results" in lines[-1]
    assert any("gemm" in line and "m=8 n=4 k=6" in line for line in lines)
    program.explain("time", rounds=3)
    times = [float(line.split()[-1].replace(",", "")) for line in capsys.readouterr().out.splitlines()[1:-2]]
    assert times == sorted(times, reverse=True)
    program.save_trace(tmp_path / "trace.json", rounds=3)
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert [e["name"] for e in events] == [launch.name for launch in program.launches]
    assert training.state() == before
    with pytest.raises(ValueError, match="explain: sort must be order or time, got 'name'"):
        program.explain("name")
