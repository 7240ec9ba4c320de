"""Copies between arrays of any layout, and sums of gradients of parts: equal to NumPy's and to PyTorch's, native in programs."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cygrad as cg
from cygrad import _kernels as kernels
from cygrad.ops import index
from tests.test_views import basic_indices, views

DTYPES = (np.float32, np.float64, np.int32, np.int64)


@st.composite
def layouts(draw, shape):
    """A new array of a shape, in some layout: permuted, reversed, with gaps, broadcast, or at an odd address."""
    axes = draw(st.permutations(range(len(shape))))
    steps = [draw(st.sampled_from([1, 1, 2, -1, -3])) for _ in shape]
    repeated = [draw(st.integers(0, 9)) == 0 for _ in shape]
    whole = [1 if repeated[a] else shape[a] * abs(steps[a]) for a in axes]
    array = np.arange(np.prod(whole, dtype=int)).reshape(whole) - 5
    return axes, steps, repeated, array


def laid_out(layout, shape, dtype):
    axes, steps, repeated, numbers = layout
    array = numbers.astype(dtype)[tuple(slice(None) if repeated[a] else slice(None, None, steps[a]) for a in axes)]
    return np.broadcast_to(array.transpose(np.argsort(axes).astype(int)), shape)


@st.composite
def pairs(draw):
    shape = tuple(draw(st.lists(st.integers(0, 9) | st.sampled_from([1, 17, 33]), max_size=5)))
    assume(np.prod(shape, dtype=int) <= 20_000)  # of which a layout may take 3⁵ times the memory
    return shape, draw(layouts(shape)), draw(layouts(shape)), draw(st.sampled_from(DTYPES)), draw(st.booleans())


@settings(max_examples=400, deadline=None)
@given(pairs())
def test_any_layout_is_copied_to_any_other(case):
    shape, source, target, dtype, accumulate = case
    x, y = laid_out(source, shape, dtype), laid_out(target, shape, dtype)
    if not y.flags.writeable:  # broadcast
        y = y.copy("K")
    wanted, before = y.copy(), y.copy()
    if accumulate:
        wanted += x
    else:
        wanted[...] = x
    moved = kernels.move(y, x, accumulate)
    assert moved or (accumulate and dtype().dtype.kind == "i") or len(shape) > 4
    np.testing.assert_array_equal(y, wanted if moved else before)
    np.testing.assert_array_equal(kernels.copied(x), x)
    assert kernels.copied(x).flags.c_contiguous


def test_what_has_no_launch_is_left_alone():
    y = np.zeros((2, 3), np.float32)
    memory = np.arange(8, dtype=np.float32)
    for target, source in [
        (y, np.ones((2, 3))), (y, np.ones(2, np.float32)), (y, np.ones((1, 2, 3), np.float32)), (memory[1:], memory[:-1]),
        (np.zeros(3, bool), np.ones(3, bool)), (np.broadcast_to(np.float32(0), 3), np.ones(3, np.float32)),
        (y, np.ones((2, 3), ">f4")), (np.zeros(9, np.uint8)[1:].view(np.float32), np.ones(2, np.float32)),
    ]:  # fmt: skip
        before = target.copy()
        assert not kernels.move(target, source)
        np.testing.assert_array_equal(target, before)


def test_large_copies_have_the_same_bits_with_any_number_of_threads():
    x = np.random.default_rng(0).standard_normal((700, 800)).astype(np.float32)
    before = kernels.num_threads()
    try:
        for threads in (1, 2, 5):
            kernels.set_num_threads(threads)
            np.testing.assert_array_equal(kernels.copied(x.T), x.T)
    finally:
        kernels.set_num_threads(before)


@st.composite
def parts(draw):
    """A shape, chains of views of it, and where the tensor itself is used among them."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    chains = []
    for _ in range(draw(st.integers(1, 6))):
        chain, inner = [], np.zeros(shape)
        for _ in range(draw(st.integers(0, 2))):
            step = draw(views(inner.shape))
            inner = np.asarray(step[1](cg.zeros(*inner.shape, dtype=cg.float64)).numpy())
            chain.append(step)
        chains.append(chain)
    return shape, chains, draw(st.booleans()), draw(st.booleans())


def gradients(library, case, dtype, times=1, run=lambda step: step):
    """The gradients of a leaf, and of a tensor whose parts are used, where that is kept."""
    shape, chains, inner, kept = case
    numbers = np.linspace(-2, 2.5, int(np.prod(shape))).reshape(shape)
    leaf = library.tensor(numbers, dtype=dtype, requires_grad=True)

    def step():
        leaf.grad = None
        x = leaf * 2 if inner else leaf
        if inner and kept:
            x.retain_grad()
        terms = []
        for number, chain in enumerate(chains):
            y = x
            for _, take in chain:
                y = take(y)
            terms.append((y * y * (number + 1) + y).sum())
        sum(terms).backward()
        return x.grad.clone() if inner and kept else leaf.grad.clone()

    step = run(step)
    for _ in range(times):
        result = step()
    return [np.array(result.detach().numpy()), np.array(leaf.grad.numpy())]


@settings(max_examples=300, deadline=None)
@given(parts())
def test_gradients_of_parts_of_one_tensor_are_pytorchs(case):
    torch = pytest.importorskip("torch")
    for mine, theirs in zip(gradients(cg, case, cg.float64), gradients(torch, case, torch.float64)):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)  # terms of up to 100 cancel


@st.composite
def indexed(draw):
    """As `parts`, with indices."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    keys = draw(st.lists(basic_indices(shape), min_size=1, max_size=6))
    return shape, [[("", partial(at, key))] for key in keys], draw(st.booleans()), False


def at(key, x):
    return x[key]


@settings(max_examples=40, deadline=None)
@given(indexed())
def test_recorded_sums_of_parts_have_the_bits_of_eager_ones(case):
    for mine, eager in zip(gradients(cg, case, cg.float32, 4, cg.compile), gradients(cg, case, cg.float32)):
        np.testing.assert_array_equal(mine, eager)


def test_a_hook_and_an_upstream_gradient_keep_their_numbers():
    """Sums are made in place only where nobody else has the memory."""
    x = cg.zeros(3, requires_grad=True)
    y = x * 1
    upstream, seen = cg.ones(3), []
    y.register_hook(lambda g: seen.append(g))
    cg.autograd.backward([y, y[0], y[1:]], [upstream, cg.tensor(5.0), cg.tensor([7.0, 8.0])])
    assert upstream.tolist() == [1, 1, 1] and seen[0].tolist() == x.grad.tolist() == [6, 8, 9]
    weights = [cg.ones(3), cg.ones(2)]
    (whole,) = cg.autograd.grad([y[:3], y[:2]], [y], weights)
    assert whole.tolist() == [2, 2, 1] and weights[0].tolist() == [1, 1, 1]


@pytest.mark.parametrize("size", [1, 16])
@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_the_gradient_of_a_transposed_tensor_is_laid_out_as_the_tensor(axes, size):
    """Then no copy is needed where its axes are put back."""
    x, layouts = cg.randn(4 * size, 5, 6 * size, requires_grad=True), []

    def step(hook=None):
        x.grad = None
        y = (x * 1).permute(axes)
        if hook is not None:
            y.register_hook(hook)
            layouts.append(y.array.strides)
        (y[0].sum() + (y[1] * 2).sum()).backward()
        return x.grad

    step(lambda g: layouts.append(g.array.strides))
    assert layouts[0] == layouts[1]
    want = np.zeros(x.array.transpose(axes).shape)
    want[:2] = np.array([1, 2]).reshape(2, 1, 1)
    recorded = cg.compile(step)
    for run in (step, recorded, recorded, recorded):
        np.testing.assert_array_equal(run().numpy(), want.transpose(np.argsort(axes)))


def test_a_freed_part_is_refused():
    x = cg.zeros(3, requires_grad=True)
    y = x * 1
    first, second = y[0], y[1]
    (first + second).backward()
    with pytest.raises(RuntimeError, match="second time"):
        (first + second).backward()


def test_steps_along_a_sequence_are_launches_alone(capsys):
    x, w = cg.randn(6, 2, 3), cg.nn.Parameter(cg.randn(6, 2, 3))

    @cg.compile
    def step():
        w.grad = None
        h = cg.zeros(2, 3)
        for t in range(6):
            h = h * 0.5 + w[t] * x[:, :, t % 3].T[:2].sum() + cg.cat([h[:, 1:], h[:, :1]], 1)
        cg.stack([h, h.T.reshape(2, 3)]).sum().backward()
        return w.grad

    for _ in range(3):
        step()
    (program,) = step.programs()
    program.explain()
    assert "Python" not in capsys.readouterr().out


@pytest.mark.parametrize("take", ["index", "unbind", "split"])
def test_the_gradients_of_many_parts_take_linear_time(take):
    def instructions(n):
        import time

        x = cg.zeros(n, 64, 64, requires_grad=True)
        best = 1e9
        for _ in range(5):
            x.grad = None
            pieces = {"index": lambda: [x[i] for i in range(n)], "unbind": x.unbind, "split": lambda: x.split(1)}[
                take
            ]()
            total = pieces[0].sum()
            for piece in pieces[1:]:
                total = total + piece.sum()
            start = time.process_time()
            total.backward()
            best = min(best, time.process_time() - start)
        return best

    for _ in range(3):
        small, large = instructions(16), instructions(128)
        if large < 24 * small:
            return
    pytest.fail(f"16 parts take {small:.4f} s, 128 parts {large:.4f} s")


@settings(max_examples=300, deadline=None)
@given(st.data(), st.lists(st.integers(0, 4), max_size=4).map(tuple), st.sampled_from(DTYPES))
def test_what_is_placed_has_zeros_around_it(data, shape, dtype):
    key = data.draw(basic_indices(shape))
    order = data.draw(st.none() | st.permutations(range(len(shape))))
    wanted = np.zeros(shape, dtype)
    part = index.at(wanted, key)
    x = np.arange(1, part.size + 1, dtype=dtype).reshape(part.shape)
    part[...] = x
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "FRAMED", 1)
        np.testing.assert_array_equal(index.placed_at(x, key, shape, order), wanted)


def test_each_element_of_a_large_frame_is_written_once(monkeypatch):
    written = np.zeros(1, int)
    move = kernels.move
    monkeypatch.setattr(kernels, "move", lambda y, x: written.__iadd__(y.size) is written and move(y, x))
    x = np.ones((8, 64, 60), np.float32)
    index.placed_at(x, (..., slice(1, 65), slice(2, -2)), (8, 66, 64))
    assert written == 8 * 66 * 64
