"""What wrappers refuse at the door, so that no kernel reads or writes outside of an array: too many axes, sizes whose bytes
overflow, lists of the wrong length, missing or misshapen arrays, indices at the ends of int64; and what they accept: 64 axes,
no elements, any strides, misaligned and read-only inputs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg
from cygrad import _kernels as kernels
from cygrad.nn import functional as F

CYGRAD = Path(cg.__file__).parent
MOST = 64  # axes of an array
ONE = (1,) * MOST
INT64 = np.iinfo(np.int64)


def f32(*shape):
    return np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)


X, ROWS = f32(3, 4), np.zeros(3, np.int64)


class Growing(list):
    """A list whose length is not the number of its items."""

    def __len__(self):
        return 1


# What would write behind an array or read from a wrong address: the call, and the error that it must raise.
REFUSED = {
    "gather of 65 axes": (lambda: kernels.gather_rows(np.ones((2, *ONE[:33])), np.zeros(ONE[:32], np.int64)), "result would have 65 axes"),
    "gather of 127 axes": (lambda: kernels.gather_rows(np.ones(ONE), np.zeros(ONE, np.int64)), "result would have 127 axes"),
    "embedding of 65 axes": (lambda: F.embedding(cg.zeros(ONE, dtype=cg.int64), cg.ones(1, 1, 1)), "weight must be a matrix"),
    "embedding of 65 axes, other dtype": (lambda: kernels.gather_rows(np.ones(ONE, "M8[s]"), np.zeros((1, 1), np.int64)), "65 axes"),
    "scatter of 65 axes": (lambda: kernels.scatter_rows(np.ones(ONE, np.float32), np.array(0), 1), "result would have 65 axes"),
    "scatter to a negative size": (lambda: kernels.scatter_rows(f32(0, 3), np.zeros(0, np.int64), -1), "negative dimensions"),
    "scatter to too many bytes": (lambda: kernels.scatter_rows(f32(1, 3), ROWS[:1], 1 << 62), "too big|Maximum"),
    "zeros with an axis named twice": (lambda: kernels.zeros((3, 4), np.float32, [0, 0, 1]), "each of the 2 axes once"),
    "warp to too many bytes": (lambda: kernels.warp(f32(1, 1, 2, 2), f32(1, 6), 1 << 32, 1 << 32), "too big|Maximum"),
    "warp to a negative size": (lambda: kernels.warp(f32(1, 1, 2, 2), f32(1, 6), -1, 1), "must not be negative"),
    "linear_backward, weight of one axis": (lambda: kernels.linear_backward(X, X, f32(4), True, True, True), "weight must have shape"),
    "linear_backward, weight of no axis": (lambda: kernels.linear_backward(X, X, f32(), True, True, True), "weight must have shape"),
    "cross_entropy_backward, short stats": (
        lambda: kernels.cross_entropy_backward(f32(1), X, ROWS, None, f32(1), None, 0.0, 2), "stats has shape"),
    "cross_entropy_backward, no stats": (
        lambda: kernels.cross_entropy_backward(f32(1), X, ROWS, None, None, None, 0.0, 2), "stats must be an array"),
    "cross_entropy_backward, short classes": (
        lambda: kernels.cross_entropy_backward(f32(1), X, ROWS[:1], None, f32(3), None, 0.0, 2), "classes must be 3 int64"),
    "cross_entropy_backward, int32": (
        lambda: kernels.cross_entropy_backward(f32(1), X, ROWS.astype(np.int32), None, f32(3), None, 0.0, 2), "classes must be 3 int64"),
    "cross_entropy_backward, no classes": (
        lambda: kernels.cross_entropy_backward(f32(1), X, None, None, f32(3), None, 0.0, 2), "ndarray"),
    "cross_entropy_backward, empty total": (
        lambda: kernels.cross_entropy_backward(f32(1), X, ROWS, None, f32(6), f32(0), 0.0, 1), "total must have one"),
    "soft_cross_entropy_backward, short stats": (
        lambda: kernels.soft_cross_entropy_backward(f32(1), X, X, None, f32(1), 0.0, 2, True, True), "stats has shape"),
    "nll_loss_backward, short classes": (lambda: kernels.nll_loss_backward(f32(1), X, ROWS[:1], None, None, 2), "classes must be 3"),
    "nll_loss_backward, empty total": (lambda: kernels.nll_loss_backward(f32(1), X, ROWS, None, f32(0), 1), "total must have one"),
    "layer_norm_backward, no mean": (lambda: kernels.layer_norm_backward(X, X, None, None, f32(3), True, True), "mean must be an array"),
    "layer_norm_backward, short rstd": (lambda: kernels.layer_norm_backward(X, X, None, f32(2, 3), f32(1), True, True), "rstd has shape"),
    "layer_norm_backward, other dtype": (
        lambda: kernels.layer_norm_backward(X, X, None, f32(2, 3), np.ones(3), True, True), "rstd is float64"),
    "batch_norm_backward, no mean": (
        lambda: kernels.batch_norm_backward(X, X, None, None, f32(4), False, True, True, True), "needs mean and rstd"),
    "batch_norm_backward, short mean": (
        lambda: kernels.batch_norm_backward(X, X, None, f32(4), f32(4), True, True, True, True), "mean must have shape"),
    "batch_norm_backward, no rstd": (
        lambda: kernels.batch_norm_backward(X, X, None, f32(2, 4), None, True, True, True, True), "needs mean and rstd"),
    "optimizer, no gradients": (lambda: kernels.sgd([f32(2)], None, None, 1, 0.1, 0, 0, 0, False, False), "NoneType"),
    "optimizer, too few gradients": (lambda: kernels.sgd([f32(2)] * 2, [f32(2)], None, 1, 0.1, 0, 0, 0, False, False), "1 arrays of gradients"),
    "SGD, no momenta": (lambda: kernels.sgd([f32(2)], [f32(2)], None, 1, 0.1, 0.9, 0, 0, False, False), "NoneType"),
    "Adam, no moments": (
        lambda: kernels.adam([f32(2)], [f32(2)], None, None, None, 1, 0.1, 0.9, 0.9, 1e-8, 0, False, False), "NoneType"),
    "RMSprop, no squares": (lambda: kernels.rmsprop([f32(2)], [f32(2)], None, None, None, 0.1, 0.9, 1e-8, 0, 0, False), "NoneType"),
    "RMSprop, no momenta": (lambda: kernels.rmsprop([f32(2)], [f32(2)], [f32(2)], None, None, 0.1, 0.9, 1e-8, 0, 0.5, False), "NoneType"),
    "Adagrad, no sums": (lambda: kernels.adagrad([f32(2)], [f32(2)], None, 1, 0.1, 0, 1e-8, 0, False), "NoneType"),
    "a list that is longer than it says": (lambda: kernels.grad_norm(Growing([f32(2)] * 500)), "500 arrays"),
    "a read-only parameter": (lambda: kernels.clip_grad_value([np.broadcast_to(f32(1), 3)], 1.0), "contiguous and writeable"),
    "no array": (lambda: kernels.address(None), "NoneType"),
    "no kernel": (lambda: kernels.Launch(10**6, 0), "there is no kernel"),
    "a negative kernel": (lambda: kernels.Launch(-1, 0), "there is no kernel"),
    "a dtype without kernels": (lambda: kernels.Launch(0, 2), "dtype 2"),
    "an address behind a list": (lambda: kernels.new_launch("sgd", 0).set_address("p", 0, 1), "argument 'p' has no array 0"),
    "too few barriers": (lambda: kernels.Segment([kernels.new_launch("relu", 0)], []), "as many barriers"),
    "stack of 65 axes": (lambda: cg.stack([cg.ones(ONE)]), "."),
    "unsqueeze to 65 axes": (lambda: cg.ones(ONE).unsqueeze(0), "."),
    "one_hot of 65 axes": (lambda: F.one_hot(cg.zeros(ONE, dtype=cg.int64), 2), "."),
    "zeros of too many bytes": (lambda: cg.zeros(1 << 40, 1 << 40), "."),
    "an argument that is no int64": (lambda: kernels.set_num_threads(1 << 70), "too large"),
}  # fmt: skip


@pytest.mark.parametrize("call, message", REFUSED.values(), ids=REFUSED)
def test_refused(call, message):
    with pytest.raises((ValueError, TypeError, IndexError, RuntimeError, OverflowError, MemoryError), match=message):
        call()


@pytest.mark.parametrize("index", [INT64.min, INT64.min + 1, -1, 3, INT64.max - 1, INT64.max])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_indices_at_the_ends_of_their_type(index, dtype):
    wrong = np.array([0, index], np.int64).astype(dtype)  # a negative number becomes one of 2⁶³ or more
    for call in (
        lambda: kernels.gather_rows(X, wrong),
        lambda: kernels.scatter_rows(f32(2, 4), wrong, 3),
        lambda: kernels.cross_entropy(
            f32(2, 3), wrong, None, index if dtype == np.uint64 and index < 0 else -100, 0.0, 1
        ),
        lambda: kernels.nll_loss(f32(2, 3), wrong, None, -100, 1),
        lambda: kernels.mix(f32(2, 4), wrong, f32(2)),
    ):
        with pytest.raises(IndexError, match=f"{wrong[1]}"):
            call()


# Wrappers of one array, at 64 axes

SAME_SHAPE = {
    "relu": kernels.relu,
    "gelu": kernels.gelu,
    "softmax": kernels.softmax,
    "log_softmax": kernels.log_softmax,
    "add": lambda x: kernels.add(x, x),
    "add a number": lambda x: kernels.add(x, f32()),
    "divide": lambda x: kernels.div(f32(1, 1), x),
    "copy": kernels.copied,
    "dropout": lambda x: kernels.dropout(x, 0.5, 1, 0)[0],
    "batch_norm": lambda x: kernels.batch_norm_eval(x, None, None, f32(1), f32(1), 1e-5)[0],
    "layer_norm": lambda x: kernels.layer_norm(x, None, None, 1e-5, 3)[0],
    "matmul": lambda x: kernels.matmul(x, x),
    "linear": lambda x: kernels.linear(x, f32(1, 1), f32(1)),
    "linear_backward": lambda x: kernels.linear_backward(x, x, f32(1, 1), True, True, True)[0],
    "mse_loss": lambda x: kernels.mse_loss(x, x, 0),
    "gather": lambda x: kernels.gather_rows(f32(1, 1), x[..., 0].astype(np.int64) - 1)[0],
    "repeated": lambda x: kernels.repeated(x, ONE, 2.0),
    "noise": lambda x: kernels.gaussian_noise(x, f32(1), 1, 2),
}


@pytest.mark.parametrize("call", SAME_SHAPE.values(), ids=SAME_SHAPE)
def test_64_axes(call):
    assert call(f32(*ONE)).shape == ONE


@pytest.mark.parametrize("first, last", [(0, 0), (0, MOST), (1, 2), (MOST, MOST), (MOST - 1, MOST)])
def test_reductions_of_64_axes(first, last):
    for reduce in kernels.sum_axes, kernels.max_axes, kernels.min_axes:
        assert reduce(f32(*ONE), first, last).shape == ONE[: MOST - (last - first)]


def test_gather_and_scatter_of_64_axes():
    index = np.zeros(ONE[:30], np.int64)
    y, checked = kernels.gather_rows(np.ones((3, *ONE[:34]), np.float32), index)
    assert y.shape == ONE
    assert kernels.scatter_rows(y, checked, 3).shape == (3, *ONE[:34])


def test_every_array_for_a_shape_holds_the_most_axes():
    for path in CYGRAD.glob("**/*.px[di]"):
        for size in re.findall(r"npy_intp \w+\[(\w+)\]", path.read_text(encoding="utf-8")):
            assert size == "MOST_AXES" or int(size) <= 4, f"{path.name}: an array of {size} can't hold every shape"


# Nothing to do: a loop over rows, planes or tiles without elements would take years.

HUGE = 1 << 40


def test_no_elements_take_no_time():
    images, boxes = np.empty((1, HUGE, 0, 5), np.float32), np.zeros((1, 4), np.int64)
    assert kernels.warp(np.empty((1, 0, 5, 5), np.float32), f32(1, 6), HUGE, 1 << 20).size == 0
    assert kernels.blur(np.empty((1, HUGE, 5, 0), np.float32), f32(1, 3)).size == 0
    assert kernels.color(images, np.full((1, 3), 0.5, np.float32)).size == 0
    assert kernels.paste(images, images, np.zeros(1, np.int64), boxes).size == 0
    assert kernels.scatter_rows(np.empty((1, 0), np.float32), np.zeros(1, np.int64), 1 << 60).shape == (1 << 60, 0)
    for call in (
        kernels.relu,
        kernels.softmax,
        kernels.copied,
        lambda x: kernels.sum_axes(x, 0, 1),
        lambda x: kernels.add(x, x),
    ):
        assert call(np.empty((HUGE, 0), np.float32)).size == 0


def test_norm_of_no_gradients():
    norm = kernels.grad_norm([])
    assert norm.dtype == np.float32 and norm == 0
    assert kernels.clip_grad_norm([], 1.0).dtype == np.float32


# Layouts

LAYOUTS = {
    "read-only": lambda x: np.broadcast_to(x, x.shape),
    "Fortran order": np.asfortranarray,
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "every other": lambda x: np.repeat(x, 2, 1)[:, ::2],
    "stride 0": lambda x: np.broadcast_to(x[:1], x.shape),
    "misaligned": lambda x: np.frombuffer(b"." + x.tobytes(), x.dtype, offset=1).reshape(x.shape),
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts(layout, dtype):
    x = layout(f32(6, 6).astype(dtype))
    plain = np.array(x, dtype, order="C")
    index = np.array([[0, 5], [2, 1]])
    for call in (
        kernels.relu,
        kernels.softmax,
        kernels.copied,
        lambda x: kernels.matmul(x, x),
        lambda x: kernels.linear(x, x, x[0]),
        lambda x: kernels.linear_backward(x, x, x, True, True, True)[1],
        lambda x: kernels.sum_axes(x, 0, 1),
        lambda x: kernels.add(x, x[0]),
        lambda x: kernels.layer_norm(x, x[0], x[1], 1e-5)[0],
        lambda x: kernels.gather_rows(x, index)[0],
        lambda x: kernels.scatter_rows(x, index[0].repeat(3), 6),
        lambda x: kernels.grad_norm([x, x]),
    ):
        np.testing.assert_array_equal(call(x), call(plain))


def test_indices_of_any_layout():
    index = np.array([[0, 2], [1, 2]])
    for layout in LAYOUTS.values():
        np.testing.assert_array_equal(kernels.gather_rows(X, layout(index))[0], X[np.array(layout(index), np.int64)])


LONG = (2,) + (1,) * 61
ADDED_UP = {
    "repeat": lambda x, i: x.repeat(3, *(1,) * (x.ndim - 1)),
    "repeat_interleave": lambda x, i: cg.repeat_interleave(x, 2, 0),
    "index_select": lambda x, i: x.index_select(0, i),
    "gather": lambda x, i: x.gather(0, cg.zeros(*x.shape, dtype="int64")),
    "scatter_add": lambda x, i: cg.zeros(*x.shape, dtype="float64").scatter_add(0, cg.ones(*x.shape, dtype="int64"), x),
    "index": lambda x, i: x[i],
    "index after an ellipsis": lambda x, i: x[..., cg.tensor([0, 0])],
    "index of many axes": lambda x, i: x.reshape(-1)[cg.zeros(*LONG[:50], dtype="int64")],
    "mask": lambda x, i: x[x > -1],
}


@pytest.mark.parametrize("axes", [2, 31, 32, 33, 34, 62])
@pytest.mark.parametrize("name", ADDED_UP)
def test_gradients_that_are_added_up_in_arrays_of_many_axes(name, axes):
    """NumPy's ufunc.at ends the process above 32 axes; the gradient is that of the same elements in two axes."""
    gradients = []
    for shape in (LONG[:axes], LONG[:2]):
        x = cg.tensor(np.arange(2.0).reshape(shape), requires_grad=True)
        y = ADDED_UP[name](x, cg.tensor([1, 0, 1]))
        (y.reshape(-1) * cg.arange(1.0, y.numel() + 1, dtype="float64")).sum().backward()
        gradients.append(x.grad.numpy().reshape(-1))
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize(
    "shifts, dims", [(True, 1), (1, None), ((1, -2), (0, 1)), (10**9, 0), (np.uint8(1), 0), ((2,), (1,))]
)
def test_roll_moves_the_gradient_back(shifts, dims):
    x = cg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    (x.roll(shifts, dims) * x.detach().roll(shifts, dims)).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), x.detach().numpy())
