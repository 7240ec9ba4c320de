"""Views: a write through any chain of basic indices and views reaches the base, and gradients are PyTorch's."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import cygrad as cg
from cygrad import nn
from cygrad.autograd.engine import reduce_with

torch = pytest.importorskip("torch")


@st.composite
def basic_indices(draw, shape):
    """A basic index that fits the shape: integers, slices of positive step, None and at most one ellipsis."""
    parts, axes = [], draw(st.integers(0, len(shape)))
    for size in shape[:axes]:
        if size and draw(st.booleans()):
            parts.append(draw(st.integers(-size, size - 1)))
        else:
            bound = st.none() | st.integers(-size - 1, size + 1)
            parts.append(slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 3))))
    for _ in range(draw(st.integers(0, 2))):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(st.booleans()):
        parts.append(...)
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)


@st.composite
def views(draw, shape):
    """A function that takes a view of a tensor of this shape, in both libraries, and a description of it."""
    kinds = ["index", "index", "unsqueeze", "reshape"]
    if shape:
        kinds += ["select", "narrow", "unbind"] if shape[0] else ["narrow"]
    if len(shape) > 1:
        kinds += ["transpose", "diagonal"]
    kind = draw(st.sampled_from(kinds))
    if kind == "index":
        key = draw(basic_indices(shape))
        return f"[{key}]", lambda x: x[key]
    if kind == "select":
        index = draw(st.integers(-shape[0], shape[0] - 1))
        return f".select(0, {index})", lambda x: x.select(0, index)
    if kind == "unbind":
        index = draw(st.integers(0, shape[0] - 1))
        return f".unbind(0)[{index}]", lambda x: x.unbind(0)[index] if isinstance(x, cg.Tensor) else x.select(0, index)
    if kind == "narrow":
        start = draw(st.integers(0, shape[0]))
        length = draw(st.integers(0, shape[0] - start))
        return f".narrow(0, {start}, {length})", lambda x: x.narrow(0, start, length)
    if kind == "transpose":
        return ".transpose(0, -1)", lambda x: x.transpose(0, -1)
    if kind == "diagonal":
        offset = draw(st.integers(-2, 2))
        return f".diagonal({offset})", lambda x: x.diagonal(offset)
    if kind == "unsqueeze":
        dim = draw(st.integers(0, len(shape)))
        return f".unsqueeze({dim})", lambda x: x.unsqueeze(dim)
    return ".view(-1, 1)", lambda x: x.view(*x.shape, 1)


WRITES = {
    "fill_": lambda v, w: v.fill_(9), "zero_": lambda v, w: v.zero_(), "add_": lambda v, w: v.add_(1), "mul_": lambda v, w: v.mul_(2),
    "mul_ by what is learned": lambda v, w: v.mul_(w), "add_ what is learned": lambda v, w: v.add_(w * 3), "copy_": lambda v, w: v.copy_(w),
    "sub_ itself": lambda v, w: v.sub_(v * 0.5), "set to what is learned": lambda v, w: v.__setitem__(..., w * w),
    "tanh_": lambda v, w: v.tanh_(), "div_": lambda v, w: v.div_(w + 2), "clamp_": lambda v, w: v.clamp_(-0.5, 0.5),
}  # fmt: skip

# What the base is: a buffer, the result of an op, or a leaf that is written to under no_grad().
BASES = ["buffer", "result", "leaf"]


def outcome(library, shape, chain, others, writes, base_kind):
    """Values and gradients after the writes, each through the chain of views taken anew from the base."""
    numbers = np.linspace(-2, 2.5, int(np.prod(shape, dtype=int))).reshape(shape)
    x = library.tensor(numbers, dtype=library.float64, requires_grad=base_kind != "buffer")
    w = library.tensor(0.7, dtype=library.float64, requires_grad=base_kind != "leaf")
    base = x * 1 if base_kind == "result" else x
    other = base
    for _, take in others:
        other = take(other)
    for write in writes:
        if base_kind == "leaf":
            with library.no_grad():
                view = base
                for _, take in chain:
                    view = take(view)
                WRITES[write](view, w)
        else:
            view = base
            for _, take in chain:
                view = take(view)
            WRITES[write](view, w)
    results = {"base": base} if base_kind == "leaf" else {"base": base, "view": view, "other": other}
    loss = sum([(r * r * (n + 1)).sum() + r.sum() for n, r in enumerate(results.values())])
    if loss.requires_grad:
        loss.backward()
    found = {name: r.detach().numpy().copy() for name, r in results.items()}
    grads = {name: None if t.grad is None else t.grad.numpy() for name, t in (("x", x), ("w", w)) if t.is_leaf}
    return found, grads, {name: r.requires_grad for name, r in results.items()}


@st.composite
def cases(draw):
    shape = tuple(draw(st.lists(st.integers(0, 3) | st.just(2), max_size=4)))
    chains = []
    for most in (3, 2):
        chain, inner = [], np.zeros(shape)
        for _ in range(draw(st.integers(0 if most == 2 else 1, most))):
            step = draw(views(inner.shape))
            inner = np.asarray(step[1](torch.zeros(inner.shape)))
            chain.append(step)
        chains.append(chain)
    writes = draw(st.lists(st.sampled_from(list(WRITES)), min_size=1, max_size=3))
    return shape, *chains, writes, draw(st.sampled_from(BASES))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_a_write_through_any_view_reaches_the_base_with_pytorchs_gradient(case):
    shape, chain, others, writes, base_kind = case
    try:
        wanted = outcome(torch, shape, chain, others, writes, base_kind)
    except RuntimeError as error:
        assume("modified by an inplace operation" not in str(error))  # of tanh_, whose output we copy in time
        raise
    got = outcome(cg, shape, chain, others, writes, base_kind)
    what = (
        f"{base_kind} {shape}{''.join(name for name, _ in chain)}, {writes}; other{''.join(name for name, _ in others)}"
    )
    for name, array in wanted[0].items():
        np.testing.assert_allclose(got[0][name], array, rtol=1e-12, err_msg=f"{what}: {name}")
    for name, grad in wanted[1].items():
        zero = np.zeros(shape if name == "x" else ())
        np.testing.assert_allclose(
            zero if got[1][name] is None else got[1][name], zero if grad is None else grad, rtol=1e-12, atol=1e-12,
            err_msg=f"{what}: gradient of {name}",
        )  # fmt: skip
    assert got[2] == wanted[2], f"{what}: requires_grad"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 3), max_size=4).flatmap(
        lambda shape: st.tuples(st.just(tuple(shape)), basic_indices(tuple(shape)))
    )
)
def test_every_basic_index_is_a_view_that_shares_its_version(case):
    shape, key = case
    x = cg.zeros(*shape)
    view = x[key]
    assert view.shape == tuple(torch.zeros(shape)[key].shape) and view.version is x.version
    assert not view.array.size or np.shares_memory(view.array, x.array)
    before = x.version.value
    view.fill_(1)
    assert x.version.value > before and (x == 1).sum().item() == view.numel()


VIEWS = {
    "index": lambda x: x[1], "slice": lambda x: x[:, ::2], "ellipsis": lambda x: x[...], "new axis": lambda x: x[None],
    "view": lambda x: x.view(6, 4), "view(-1)": lambda x: x.view(-1), "view_as": lambda x: x.view_as(x),
    "reshape": lambda x: x.reshape(2, 12), "reshape_as": lambda x: x.reshape_as(x), "flatten": lambda x: x.flatten(),
    "unflatten": lambda x: x.unflatten(1, (2, 3)), "permute": lambda x: x.permute(1, 0), "T": lambda x: x.T, "mT": lambda x: x.mT,
    "t": lambda x: x.t(), "transpose": lambda x: x.transpose(0, 1), "swapaxes": lambda x: x.swapaxes(0, 1),
    "movedim": lambda x: x.movedim(0, 1), "expand": lambda x: x[:1].expand(4, 6), "expand_as": lambda x: x[:1].expand_as(x),
    "broadcast_to": lambda x: x[:1].broadcast_to((4, 6)), "squeeze": lambda x: x[:1].squeeze(0), "unsqueeze": lambda x: x.unsqueeze(0),
    "diagonal": lambda x: x.diagonal(), "narrow": lambda x: x.narrow(0, 1, 2), "select": lambda x: x.select(0, 1),
    "split": lambda x: x.split(2)[1], "chunk": lambda x: x.chunk(2)[0], "unbind": lambda x: x.unbind()[2], "iter": lambda x: list(x)[3],
    "detach": lambda x: x.detach(), "contiguous": lambda x: x.contiguous(), "copy": lambda x: copy.copy(x),
    "Parameter": lambda x: cg.nn.Parameter(x, requires_grad=False),
    "view(int32)": lambda x: x.view(np.int32), "view(uint8)": lambda x: x.view(np.uint8), "view(float64)": lambda x: x.view(np.float64),
    "view of a view": lambda x: x.view(np.int32).T[1:], "view there and back": lambda x: x.view(np.int32).view(np.float32),
    "a dataset's rows": lambda x: cg.data.TensorDataset(x)[1:3][0], "a dataset's row": lambda x: cg.data.TensorDataset(x)[2][0],
    "as_tensor": lambda x: cg.as_tensor(x), "to": lambda x: x.to(np.float32), "float": lambda x: x.float(),
}  # fmt: skip
MEMORY = {
    "own": lambda: np.ones((4, 6), np.float32),
    "a slice": lambda: np.ones((5, 7), np.float32)[1:, :6],
    "transposed": lambda: np.ones((6, 4), np.float32).T,
    "strided": lambda: np.lib.stride_tricks.as_strided(np.ones(40, np.float32), (4, 6), (32, 4)),
    "windows": lambda: np.lib.stride_tricks.sliding_window_view(np.ones(24, np.float32), 6, writeable=True)[::6],
    "a buffer": lambda: np.frombuffer(bytearray(96), np.float32).reshape(4, 6),
    "PyTorch's": lambda: torch.ones(4, 6).numpy(),
}


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("name", VIEWS)
def test_writes_between_forward_and_backward_are_noticed(name, memory):
    """A write to the memory that an op saved, through any view of it or through its base."""
    for written, saved in (("view", "base"), ("base", "view")):
        base = cg.Tensor(MEMORY[memory]())
        try:
            view = VIEWS[name](base)
        except (RuntimeError, ValueError, TypeError):  # no such view of this layout
            assert memory in ("a slice", "transposed", "windows", "strided")
            continue
        if not np.shares_memory(base.array, view.array):
            continue
        tensors = {"base": base, "view": view}
        if not tensors[written].array.flags.writeable or tensors[saved].dtype not in (np.float32, np.float64):
            continue
        w = cg.ones(tensors[saved].shape, dtype=tensors[saved].dtype, requires_grad=True)
        loss = (tensors[saved] * w).sum()
        tensors[written].fill_(3)
        with pytest.raises(RuntimeError, match="was changed in place"):
            loss.backward()


def test_writes_through_data_and_numpy_are_not_noticed():
    """PyTorch's too are not."""
    for write in (lambda x: x.data.fill_(3), lambda x: x.numpy().fill(3)):
        for library in (cg, torch):
            x, w = library.ones(2), library.ones(2, requires_grad=True)
            loss = (x * w).sum()
            write(x)
            loss.backward()
            assert w.grad.tolist() == [3, 3]


# The given cases


def test_the_writes_that_were_lost():
    x, bias = cg.zeros(2, 3), cg.zeros(3)
    x[0].fill_(9)
    bias[0].fill_(1)
    x[0, 1].add_(1)
    nn.init.constant_(bias[2], 3)
    assert x.tolist() == [[9, 10, 9], [0, 0, 0]] and bias.tolist() == [1, 0, 3]
    y = cg.tensor([1.0, 2.0, 3.0])
    for e in y:
        e.mul_(2)
    for e in y.unbind():
        e.add_(1)
    y.select(0, 1).zero_()
    square = cg.zeros(2, 2)
    square.diagonal()[0].fill_(4)
    assert y.tolist() == [3, 0, 7] and square.tolist() == [[4, 0], [0, 0]]


def test_writes_through_views_in_a_recorded_step():
    def outcome(run):
        x = cg.tensor([1.0, 2.0, 3.0], requires_grad=True)
        buffer = cg.zeros(2, 2)

        def step(scale):
            x.grad = None
            y = x * scale
            y[0].mul_(3)
            y[1:].add_(y[0])
            buffer[0, 1].copy_(scale)
            buffer.diagonal()[1].add_(1)
            (y * y).sum().backward()
            return y.detach().clone()

        step = run(step)
        results = [step(cg.tensor(float(n))).tolist() for n in range(5)]
        return results, x.grad.tolist(), buffer.tolist()

    assert outcome(cg.compile) == outcome(lambda step: step)


@pytest.mark.parametrize(
    "key", [slice(None, None, -1), slice(2, 0, -2), (0, slice(None, None, -1)), slice(None, None, 0)]
)
def test_slices_of_negative_step_are_refused(key):
    for library in (torch, cg):
        x = library.zeros(3, 3)
        with pytest.raises(ValueError, match="step"):
            x[key]
        with pytest.raises(ValueError, match="step"):
            x[key] = 1


def test_the_reads_and_writes_of_views_are_what_their_nodes_say():
    """The engine never runs these forwards; they are the meaning of the nodes."""
    x = cg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x * 1
    before = y.detach().numpy().copy()
    view = y[:, 1]
    view.copy_(cg.tensor([5.0, 6.0]))
    write, read = y.grad_fn, view.grad_fn
    assert (write.name(), read.name()) == ("write_view", "view")
    np.testing.assert_array_equal(write.op.forward(write, before, view.detach().numpy()), y.detach().numpy())
    np.testing.assert_array_equal(read.op.forward(read, y.detach().numpy()), view.detach().numpy())


def test_a_view_of_replaced_memory_is_no_view_anymore():
    y = cg.tensor([1.0, 2.0], requires_grad=True) * 1
    view = y[0]
    y.data = cg.tensor([5.0, 6.0])
    view.mul_(2)
    assert y.tolist() == [5, 6] and view.item() == 2


SHARING = [
    "x ** 1", "x.pow(1.0)", "x + 0", "x * 1", "x / 1", "+x", "-x", "x.clamp(None, 5)", "x.round()", "x.floor()", "x.ceil()", "x.trunc()", "x.abs()",
    "x.relu()", "x.sum(0)", "x.mean(0)", "x.amax(0)", "x.max(0)[0]", "x.prod(0)", "x.cumsum(0)", "x.cumprod(0)", "x.flip(0)", "x.flip(())",
    "T.roll(x, 0, 0)", "x.tile((1,))", "x.repeat(1, 1)", "T.repeat_interleave(x, 1, dim=0)", "T.cat([x], 0)", "T.stack([x], 0)", "T.where(x > -9, x, x)",
    "x.masked_fill(x > 99, 0)", "x.sort(0)[0]", "x.topk(x.shape[0], 0)[0]", "T.gather(x, 0, T.zeros_like(x).to(T.int64))", "x.tril(99)", "x.triu(-99)",
    "x.diag()", "x.double()", "x.to(x.dtype)", "x.clone()", "x.contiguous()", "x.reshape(x.shape)", "x.flatten()", "x.squeeze()", "x.softmax(0)",
    "T.lerp(x, x, 0.0)", "T.nan_to_num(x)", "T.remainder(x, 1e9)", "T.fmod(x, 1e9)", "T.floor_divide(x, 1)", "T.maximum(x, x)", "x[:]", "x[...]",
    "x[None]", "x[[0]]", "x[x > -99]", "x.index_select(0, T.arange(x.shape[0]))", "x.scatter(0, T.zeros_like(x).to(T.int64), 1)",
    "T.nn.functional.dropout(x, 0.0)", "T.nn.functional.normalize(x, dim=0)", "T.nn.functional.hardtanh(x)", "x.expand(x.shape)",
    "T.broadcast_to(x, x.shape)", "T.einsum('...->...', x)", "x.var(0, correction=0)", "T.norm(x, 2, dim=0)", "T.logsumexp(x, 0)", "x.frac()", "x.mT if x.ndim > 1 else x[:]",
    "x.unbind(0)[0]", "x.split(1)[0]", "x.chunk(1)[0]", "T.as_tensor(x)", "x.movedim(0, 0)", "x.square()", "x.type_as(x)", "T.nn.Identity()(x)",
    "x.view(x.shape)", "T.nn.functional.leaky_relu(x, 1.0)", "T.masked_select(x, x > -99)", "x.detach()", "x.diagonal()", "x.data", "x.bool()", "x.float()",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:var")
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
@pytest.mark.parametrize("expression", SHARING)
def test_a_result_shares_memory_exactly_where_pytorchs_does(expression, dtype):
    for shape in [(), (1,), (2, 3), (3, 3), (0, 3)]:
        shares = {}
        for T in (cg, torch):
            array = np.ones(shape, dtype)
            try:
                result = eval(expression, {"T": T, "x": T.from_numpy(array)})
            except (RuntimeError, TypeError, IndexError, ValueError, NotImplementedError):
                continue  # this dtype or shape is refused
            shares[T] = np.shares_memory(array, result.numpy())
        assert len(shares) < 2 or shares[cg] == shares[torch], f"{expression} of shape {shape}: {shares}"


@pytest.mark.parametrize(
    "expression", ["x.softmax({})", "x.log_softmax({})", "x.cumsum({})", "x.flip({})", "x.sum({})"]
)
def test_a_result_is_contiguous_where_pytorchs_is(expression):
    for dim in range(3):
        ours, theirs = (eval(expression.format(dim), {"x": T.from_numpy(np.ones((2, 3, 4)))}) for T in (cg, torch))
        assert ours.stride() == theirs.stride()


@pytest.mark.parametrize(
    "op",
    [
        "y *= p",
        "y += p",
        "y.sub_(p)",
        "y.div_(p)",
        "y.pow_(p)",
        "y.lerp_(p, 0.5)",
        "y[:] = p",
        "y[0] = p",
        "y.copy_(p)",
    ],
)
@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (1, 1, 3), (3, 3)])
def test_an_operand_of_another_dtype_or_more_dimensions_gets_its_gradient(op, shape):
    """The result is stored in float32, the gradient of p is float64."""
    gradients = {}
    for T in (cg, torch):
        p = T.from_numpy(np.full(shape, 1.5)).requires_grad_()
        y = T.ones(3, 3, dtype=T.float32) * 2
        try:
            exec(op, {"y": y, "p": p})
        except (RuntimeError, TypeError, ValueError):
            continue  # refused
        (y * y).sum().backward()
        gradients[T] = p.grad.numpy()
    if len(gradients) == 2:
        assert gradients[cg].dtype == np.float64
        np.testing.assert_allclose(gradients[cg], gradients[torch], rtol=1e-6)
    else:
        assert torch not in gradients, f"{op} of {shape} is refused"


def test_a_gradient_can_be_read_after_a_write_that_backward_cant_follow():
    p = cg.ones(3, requires_grad=True)
    alias = p.detach()
    alias += p
    assert p.grad is None


ROWS_FIRST = [
    "x[:, i]",
    "x[..., i]",
    "x[:, i, :]",
    "x[0, :, i]",
    "x.sort(1, descending=True)[0]",
    "x.sort(0, descending=True)[1]",
    "x.argsort(descending=True)",
    "x.msort()",
    "x.topk(2, 1)[0]",
    "x[0, 0, ::2].ravel()",
    "T.diag_embed(x, 0, 0, 2)",
    "T.take_along_dim(x, j, 0)",
    "x.gather(0, j)",
    "x.cumsum(1)",
    "x.cumprod(0)",
    "x.cummax(1)[0]",
    "x.cummin(1)[1]",
    "x.logcumsumexp(0)",
    "x.masked_fill(x > 0, 0)",
    "x.roll(1, 2)",
    "x.repeat(1, 2, 1)",
    "x.tile(2)",
    "x.tril()",
    "x.triu(1)",
    "T.nn.functional.one_hot(j)",
    "x.norm(3, 1, True)",
    "x.norm(2, 0, True)",
    "x.prod(1, True)",
    "(x > 0).all(0, True)",
    "(x > 0).any(1)",
    "x.count_nonzero(0)",
    "x.nanmedian(1, True)[0]",
    "x.median(0)[1]",
    "x.max(1)[0]",
    "x.mean(1, True)",
    "T.svd(x)[2]",
    "T.linalg.lu(x)[0]",
    "T.fft.fftshift(x, 0)",
    "T.cat([x, x], 1)",
    "T.stack([x, x])",
]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("code", ROWS_FIRST)
def test_results_can_be_viewed_wherever_pytorch_lays_them_out_in_order(code, order):
    a = np.random.default_rng(0).normal(size=(4, 4, 4))
    back = [order.index(axis) for axis in range(3)]
    found = []
    for T in (cg, torch):
        x = T.from_numpy(a).permute(*order).contiguous().permute(*back)
        j = T.from_numpy((a > 0).astype(np.int64)).permute(*order).contiguous().permute(*back)
        y = eval(code, {"T": T, "x": x, "j": j, "i": T.tensor([2, 0])})
        found.append(y)
    ours, theirs = found
    assert ours.is_contiguous() or not theirs.is_contiguous()
    if "svd" not in code:
        np.testing.assert_allclose(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("dim", [0, 1])
def test_gradients_that_lie_in_one_array_come_back_in_the_order_of_the_parts(order, dim):
    x = cg.zeros(3, 3, 20_000, requires_grad=True)
    parts = (x * 1).unbind(dim)
    gradients = cg.Tensor(np.arange(180_000.0, dtype=np.float32).reshape(x.shape)).unbind(dim)
    cg.autograd.backward(parts, [gradients[i] for i in order])
    np.testing.assert_array_equal(x.grad.numpy(), np.stack([gradients[i].numpy() for i in order], dim))


def test_a_reducer_hears_of_a_leaf_whose_parts_gradients_lie_in_one_array():
    heard = []

    class Reducer:
        def ready(self, leaf, gradient, owned):
            heard.append((leaf is x, gradient.copy()))

        def finish(self, gradients, shared):
            pass

    x = cg.zeros(3, 60_000, requires_grad=True)
    reduce_with([x], Reducer())
    upstream = np.arange(180_000.0, dtype=np.float32).reshape(x.shape)
    cg.autograd.backward(x.unbind(0), cg.Tensor(upstream).unbind(0))
    (ours, gradient), *others = heard
    assert ours and not others
    np.testing.assert_array_equal(gradient, upstream)


def test_gradients_of_parts_can_be_asked_for_when_they_lie_in_one_array():
    x = cg.zeros(3, 60_000, requires_grad=True)
    whole = x * 1
    parts = whole.unbind(0)
    upstream = cg.Tensor(np.arange(180_000.0, dtype=np.float32).reshape(x.shape))
    found = cg.autograd.grad(parts, [whole, *parts], upstream.unbind(0))
    for got, want in zip(found, [upstream, *upstream.unbind(0)], strict=True):
        np.testing.assert_array_equal(got.numpy(), want.numpy())
