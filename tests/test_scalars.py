"""Tensors without dimensions: every op, used once and twice, eager and compiled, equal to PyTorch; and what people do
with scalars: learned gains, hooks, optimizers, checkpoints.

NumPy returns scalars instead of arrays without dimensions. Where the engine, a rule or an optimizer let one through,
these tests fail.
"""

from __future__ import annotations

import re
import warnings
from functools import partial

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from tests.op_db import ROWS, augment, batch_norm, dropout, grad_norm, optim, tokens, warp
from tests.test_ops import cg_tensor, convert, flatten

torch = pytest.importorskip("torch")

F = nn.functional

# Rows whose calls are no functions of tensors alone: they draw, launch optimizers, or work on arrays of fixed rank.
OTHER = [*augment.ROWS, *tokens.ROWS, *warp.ROWS, *optim.ROWS, *grad_norm.ROWS, *dropout.ROWS, *batch_norm.ROWS]
OPS = [row for row in ROWS if row not in OTHER and row.torch is not None]


def scalar(value):
    """An array as one without dimensions: its first element, or index 0."""
    if isinstance(value, np.ndarray):
        return np.array(0 if value.dtype.kind in "iu" else value.reshape(-1)[0], value.dtype)
    if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
        return type(value)(scalar(v) for v in value)
    return value


def scalar_calls(row):
    """The distinct calls of a row's samples with all arrays as scalars."""
    calls = {}
    dtype = np.float64 if np.float64 in row.dtypes else row.dtypes[0]
    for sample in row.samples(np.random.default_rng(1), dtype):
        if any([isinstance(a, np.ndarray) and not a.size for a in flatten([*sample.args, *sample.kwargs.values()])]):
            continue  # no element to take
        args = tuple([scalar(a) for a in sample.args])
        kwargs = {k: scalar(v) for k, v in sample.kwargs.items()}
        options = [a for a in (*args, *kwargs.items()) if not isinstance(a, np.ndarray)]
        calls.setdefault(repr(options), (args, kwargs))
    return list(calls.values())


def torch_tensor(array):
    return torch.tensor(array, requires_grad=array.dtype.kind == "f")


def applied(function, call, to_tensor, times):
    """Outputs of the call, and the gradients of a sum in which every input is used `times` times."""
    args = [convert(a, to_tensor) for a in call[0]]
    kwargs = {k: convert(v, to_tensor) for k, v in call[1].items()}
    inputs = [x for x in flatten([*args, *kwargs.values()]) if getattr(x, "requires_grad", False)]
    loss = outputs = None
    for number in range(times):
        outputs = flatten(function(*args, **kwargs))
        for output in outputs:
            if output.requires_grad:
                term = (output * output + output * (number + 2)).sum()
                loss = term if loss is None else loss + term
    if loss is not None:
        loss.backward()
    arrays = [o.detach().numpy() for o in outputs]
    return arrays, [np.zeros(()) if x.grad is None else x.grad.numpy() for x in inputs]


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("row", OPS, ids=lambda row: row.name)
def test_every_op_on_scalars_is_pytorchs(row, times):
    for call in scalar_calls(row):
        function = row.torch(torch)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                wanted = applied(function, call, torch_tensor, times)
            except (RuntimeError, IndexError, ValueError, TypeError):
                continue  # PyTorch allows no scalar here
            got = applied(row.op, call, cg_tensor, times)
        for g, w in zip(flatten(got), flatten(wanted), strict=True):
            assert g.shape == w.shape and isinstance(g, np.ndarray), f"{row.name}{call}"
            np.testing.assert_allclose(g, w, rtol=2e-5 if g.dtype == np.float32 else 1e-7, err_msg=f"{row.name}{call}")


@pytest.mark.parametrize("row", OPS, ids=lambda row: row.name)
def test_what_pytorch_refuses_of_scalars_raises_one_message(row):
    """An error that names the op; none of NumPy's or Cython's."""
    for call in scalar_calls(row):
        args = [convert(a, cg_tensor) for a in call[0]]
        kwargs = {k: convert(v, cg_tensor) for k, v in call[1].items()}
        try:
            row.op(*args, **kwargs)
        except (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError) as error:
            assert type(error).__module__ in ("builtins", "cygrad._attributes") and re.match(r"[\w.]+: ", str(error)), repr(error)


def works_on_a_scalar(row):
    """Whether PyTorch applies the op to a scalar alone, without options."""
    try:
        row.torch(torch)(torch.tensor(0.75, dtype=torch.float64, requires_grad=True))
    except (RuntimeError, IndexError, ValueError, TypeError, UserWarning):
        return False
    return True


UNARY = [row for row in OPS if row.differentiable and [len(c[0]) for c in scalar_calls(row)][:1] == [1]]


def test_every_pair_of_functions_of_one_scalar():
    """x → f(x) + g(x), each forward twice from the same leaf."""
    functions = {row.name: lambda x, op=row.op: flatten(op(x))[0] for row in UNARY if works_on_a_scalar(row)}
    assert len(functions) >= 50
    x = cg.tensor(0.75, dtype=cg.float64, requires_grad=True)
    with np.errstate(all="ignore"):
        gradients = {name: cg.autograd.grad(f(x).sum(), x)[0].item() for name, f in functions.items()}
        for f in functions:
            for g in functions:
                x.grad = None
                (functions[f](x).sum() + functions[g](x).sum()).backward()
                wanted = gradients[f] + gradients[g]
                assert x.grad.shape == () and x.grad.item() == pytest.approx(wanted, nan_ok=True), (f, g)


def step_of(row, call):
    """A step that uses an op's scalars twice, and a function of it that gives the bits of outputs and gradients."""
    args = [convert(a, cg_tensor) for a in call[0]]
    kwargs = {k: convert(v, cg_tensor) for k, v in call[1].items()}
    leaves = [x for x in flatten([*args, *kwargs.values()]) if getattr(x, "requires_grad", False)]

    def step():
        for leaf in leaves:
            leaf.grad = None
        outputs = flatten(row.op(*args, **kwargs))
        terms = [(o * o + o).sum() for o in outputs if o.requires_grad]
        terms += [o.sum() for o in flatten(row.op(*args, **kwargs)) if o.requires_grad]
        if terms:
            sum(terms[1:], terms[0]).backward()
        return outputs

    def bits(step):
        arrays = [o.array for o in step()] + [leaf.grad.array for leaf in leaves if leaf.grad is not None]
        return [(x.dtype.str, x.shape, x.tobytes()) for x in arrays]

    return step, bits


@pytest.mark.parametrize("row", OPS, ids=lambda row: row.name)
def test_every_op_on_scalars_replays_to_the_bits_of_eager_mode(row):
    for call in scalar_calls(row)[:4]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of steps that run eagerly, and of NumPy
            try:
                applied(row.torch(torch), call, torch_tensor, 2)
            except (RuntimeError, IndexError, ValueError, TypeError):
                continue  # PyTorch allows no scalar here
            step, bits = step_of(row, call)
            eager, compiled = bits(step), cg.compile(step)
            assert [bits(compiled) for _ in range(4)] == [eager] * 4, f"{row.name}{call}"


# Functions that are no rows of the database. PyTorch's name and arguments; `x` is the scalar.

FUNCTIONS = {
    "topk": lambda m, x: m.topk(x, 1)[0], "topk, last": lambda m, x: x.topk(1, -1)[0], "sort": lambda m, x: m.sort(x)[0],
    "argsort": lambda m, x: m.argsort(x), "flip": lambda m, x: m.flip(x, (0,)), "flip, none": lambda m, x: m.flip(x, ()),
    "gather": lambda m, x: m.gather(x, 0, m.tensor(0)), "gather, 1-d": lambda m, x: m.gather(x, 0, m.tensor([0])),
    "index_select": lambda m, x: m.index_select(x, 0, m.tensor([0])), "index_select, 0-d": lambda m, x: x.index_select(-1, m.tensor(0)),
    "scatter": lambda m, x: m.scatter(x, 0, m.tensor(0), x * 2), "scatter_add": lambda m, x: m.scatter_add(x, 0, m.tensor(0), x * 2),
    "take_along_dim": lambda m, x: m.take_along_dim(x, m.tensor([0])), "masked_fill": lambda m, x: x.masked_fill(m.tensor(True), 3.0),
    "masked_select": lambda m, x: m.masked_select(x, m.tensor(True)), "where": lambda m, x: m.where(x > 0, x, -x),
    "flatten": lambda m, x: m.flatten(x), "reshape": lambda m, x: x.reshape(1, 1), "squeeze": lambda m, x: x.squeeze(),
    "squeeze, dim": lambda m, x: x.squeeze(0), "unsqueeze": lambda m, x: x.unsqueeze(0), "expand": lambda m, x: x.expand(3),
    "expand, none": lambda m, x: x.expand(()), "broadcast_to": lambda m, x: m.broadcast_to(x, (2, 2)), "repeat": lambda m, x: x.repeat(2),
    "tile": lambda m, x: x.tile((2,)), "roll": lambda m, x: m.roll(x, 1), "T": lambda m, x: x.t(), "transpose": lambda m, x: x.transpose(0, -1),
    "swapaxes": lambda m, x: x.swapaxes(0, 0), "permute": lambda m, x: x.permute(()), "movedim": lambda m, x: x.movedim(0, 0),
    "repeat_interleave": lambda m, x: m.repeat_interleave(x, 3), "stack": lambda m, x: m.stack([x, x * 2]),
    "meshgrid": lambda m, x: m.meshgrid(x, x * 2, indexing="ij")[0], "clone": lambda m, x: x.clone(), "double": lambda m, x: x.double(),
    "sum": lambda m, x: x.sum(0), "mean": lambda m, x: x.mean(-1, keepdim=True), "prod": lambda m, x: x.prod(), "amax": lambda m, x: x.amax(0),
    "max": lambda m, x: m.max(x), "max, dim": lambda m, x: x.max(0)[0], "max, pair": lambda m, x: m.max(x, x * 2), "min, dim": lambda m, x: x.min(0)[0],
    "var": lambda m, x: x.var(correction=0), "std_mean": lambda m, x: m.std_mean(x, correction=0)[1], "norm": lambda m, x: x.norm(),
    "logsumexp": lambda m, x: m.logsumexp(x, 0), "cumsum": lambda m, x: m.cumsum(x, 0), "cumprod": lambda m, x: m.cumprod(x, 0),
    "all": lambda m, x: (x > 0).all(), "any": lambda m, x: (x > 0).any(), "count_nonzero": lambda m, x: m.count_nonzero(x),
    "argmax": lambda m, x: x.argmax(), "argmax, dim": lambda m, x: x.argmax(0), "nonzero": lambda m, x: m.nonzero(x) if hasattr(m, "nonzero") else x.nonzero(),
    "softmax": lambda m, x: m.softmax(x, 0), "log_softmax": lambda m, x: m.log_softmax(x, -1), "clamp": lambda m, x: x.clamp(-1, 1),
    "lerp": lambda m, x: m.lerp(x, x * 3, 0.25), "pow": lambda m, x: x**2, "rpow": lambda m, x: 2**x, "rdiv": lambda m, x: 1 / x,
    "add, alpha": lambda m, x: m.add(x, x, alpha=2), "einsum": lambda m, x: m.einsum(",->", x, x), "mul a matrix": lambda m, x: x * m.ones(2, 3),
    "index None": lambda m, x: x[None], "index ...": lambda m, x: x[...], "index ()": lambda m, x: x[()], "item": lambda m, x: x * x.item(),
    "isclose": lambda m, x: m.isclose(x, x), "unique": lambda m, x: x.detach().unique(), "tril": lambda m, x: m.tril(x * m.ones(2, 2)),
    **{f"F.{name}": partial(lambda m, x, name: getattr(m.nn.functional, name)(x), name=name) for name in (
        "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "softsign", "logsigmoid", "hardtanh", "relu6", "hardswish",
        "hardsigmoid", "tanhshrink", "celu", "sigmoid", "tanh",
    ) if hasattr(F, name)},
    "F.normalize": lambda m, x: m.nn.functional.normalize(x, dim=0), "F.softmax": lambda m, x: m.nn.functional.softmax(x, 0),
    "F.mse_loss": lambda m, x: m.nn.functional.mse_loss(x, x * 2), "F.l1_loss": lambda m, x: m.nn.functional.l1_loss(x, x * 2),
    "F.smooth_l1_loss": lambda m, x: m.nn.functional.smooth_l1_loss(x, x * 2), "F.huber_loss": lambda m, x: m.nn.functional.huber_loss(x, x * 2),
    "F.bce": lambda m, x: m.nn.functional.binary_cross_entropy(m.sigmoid(x), m.sigmoid(x * 2)),
    "F.bce_with_logits": lambda m, x: m.nn.functional.binary_cross_entropy_with_logits(x, m.sigmoid(x)),
    "F.kl_div": lambda m, x: m.nn.functional.kl_div(x, m.exp(x), reduction="batchmean"),
    "F.dropout": lambda m, x: m.nn.functional.dropout(x, 0.5, training=False), "F.one_hot": lambda m, x: m.nn.functional.one_hot(m.tensor(2), 4),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_a_scalar_are_pytorchs(name):
    for value in (0.7, -1.3):
        results = []
        for library in (cg, torch):
            x = library.tensor(value, requires_grad=True)
            y = FUNCTIONS[name](library, x)
            if y.requires_grad:
                (y * y + FUNCTIONS[name](library, x)).sum().backward()
            results.append((y.detach().numpy(), None if x.grad is None else x.grad.numpy()))
        (got, got_grad), (wanted, wanted_grad) = results
        assert isinstance(got, np.ndarray) and got.shape == wanted.shape and got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=1e-5, equal_nan=True)
        assert (got_grad is None) == (wanted_grad is None)
        if got_grad is not None:
            np.testing.assert_allclose(got_grad, wanted_grad, rtol=1e-5, atol=1e-6)


REFUSED = {
    "unbind": lambda m, x: m.unbind(x), "narrow": lambda m, x: x.narrow(0, 0, 1), "select": lambda m, x: x.select(0, 0),
    "split": lambda m, x: m.split(x, 1), "chunk": lambda m, x: m.chunk(x, 2), "cat": lambda m, x: m.cat([x, x]), "diagonal": lambda m, x: x.diagonal(),
    "len": lambda m, x: len(x), "iter": lambda m, x: list(x), "index 0": lambda m, x: x[0], "topk, 2": lambda m, x: m.topk(x, 2),
    "matmul": lambda m, x: x @ x, "sum, dim 1": lambda m, x: x.sum(1), "flatten, dim 1": lambda m, x: m.flatten(x, 1),
    "unflatten": lambda m, x: x.unflatten(0, (1, 1)) if m is torch else m.unflatten(x, 0, (2, 1)), "mm": lambda m, x: m.mm(x, x),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_for_a_scalar_raises_one_message(name):
    with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)):
        REFUSED[name](torch, torch.tensor(1.0))
    with pytest.raises((RuntimeError, IndexError, TypeError)) as caught:
        REFUSED[name](cg, cg.tensor(1.0))
    assert "tuple index" not in str(caught.value) and "numpy" not in str(caught.value)


# What people do with scalars


def test_the_lectures_first_example():
    x, y = cg.tensor(3.0), cg.tensor(10.0)
    w1, w2 = cg.tensor(1.0, requires_grad=True), cg.tensor(2.0, requires_grad=True)
    prediction = (x + w1) * w2
    error = prediction - y
    loss = 0.5 * error * error
    loss.backward()
    assert prediction.item() == 8 and loss.item() == 2
    assert w2.grad.item() == -8 and w1.grad.item() == -4  # (ŷ − y)·(x + w₁), (ŷ − y)·w₂


def test_hooks_and_retained_gradients_of_scalars():
    x = cg.tensor(2.0, requires_grad=True)
    y = x * x
    y.retain_grad()
    seen = []
    y.register_hook(lambda g: seen.append(g) or g * 2)
    x.register_hook(lambda g: g + 1)
    (y * y + y).backward()
    assert [g.shape for g in seen] == [()] and seen[0].item() == 9
    assert y.grad.shape == () and x.grad.item() == 2 * 9 * 4 + 1


def test_gradients_of_scalars_add_up():
    x = cg.tensor(2.0, requires_grad=True)
    for _ in range(3):
        (x * x + x).backward()
    assert isinstance(x.grad.array, np.ndarray) and x.grad.item() == 15
    x.grad.zero_()
    assert x.grad.item() == 0


OPTIMIZERS = {
    "SGD": {"lr": 0.1}, "SGD, momentum": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}, "Adam": {"lr": 0.1},
    "Adam, amsgrad": {"lr": 0.1, "amsgrad": True}, "AdamW": {"lr": 0.1}, "RMSprop": {"lr": 0.01, "momentum": 0.5, "centered": True},
    "Adagrad": {"lr": 0.1},
}  # fmt: skip


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_gain_and_a_log_deviation_are_learned_as_in_pytorch(name, compiled):
    """log p = −log σ − (gain·x − y)²/2σ², with clipping by norm."""
    results = []
    for library in (cg, torch):
        gain = library.tensor(0.5, dtype=library.float64, requires_grad=True)
        log_std = library.tensor(0.3, dtype=library.float64, requires_grad=True)
        x = library.tensor([1.0, 2.0, 3.0], dtype=library.float64)
        optimizer = getattr(library.optim, name.partition(",")[0])([gain, log_std], **OPTIMIZERS[name])

        def step(library=library, gain=gain, log_std=log_std, x=x, optimizer=optimizer):
            optimizer.zero_grad()
            error = (gain * x - 2 * x) / library.exp(log_std)
            loss = (0.5 * error * error + log_std).mean() + gain * gain * 0.01
            loss.backward()
            library.nn.utils.clip_grad_norm_([gain, log_std], 1.0)
            optimizer.step()
            return loss

        run = cg.compile(step) if compiled and library is cg else step
        losses = [run().item() for _ in range(12)]
        assert gain.shape == () and log_std.shape == ()
        results.append([*losses, gain.item(), log_std.item()])
    np.testing.assert_allclose(*results, rtol=1e-9)


def test_a_module_with_a_scalar_parameter_is_saved_and_loaded(tmp_path):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 1)
            self.gain = nn.Parameter(cg.tensor(1.5))
            self.register_buffer("count", cg.tensor(4))

        def forward(self, x):
            return self.linear(x) * self.gain + self.gain

    model, other = Scaled(), Scaled()
    with cg.no_grad():
        model.gain.fill_(7)
        model.count += 1
    model(cg.ones(2, 3)).sum().backward()
    assert model.gain.grad.shape == ()
    cg.save(model.state_dict(), tmp_path / "model.npz")
    other.load_state_dict(cg.load(tmp_path / "model.npz"))
    assert other.gain.shape == () and other.gain.item() == 7 and other.count.item() == 5


def test_scalars_are_initialized_in_place():
    bias = cg.zeros(3)
    nn.init.constant_(bias[2], 3)
    nn.init.ones_(bias[0])
    bias[1].uniform_(5, 6)
    assert bias[2].item() == 3 and bias[0].item() == 1 and 5 <= bias[1].item() < 6
