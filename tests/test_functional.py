"""Functional forms beyond the rows of tests/op_db: limits, empty batches, buffers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from cygrad.nn import functional as F
from cygrad.nn import utils

torch = pytest.importorskip("torch")


def both(function, *arrays, grad=True):
    """Value and gradients of function(library, *tensors), here and in PyTorch; integers need no gradient."""
    results = []
    for library in (cg, torch):
        tensors = [library.tensor(a.tolist(), dtype=getattr(library, str(a.dtype))).reshape(a.shape) for a in arrays]
        leaves = [t.requires_grad_() for t in tensors if grad and "float" in str(t.dtype)]
        y = function(library, *tensors)
        if leaves:
            y.sum().backward()
        results.append([y.detach().numpy(), *[t.grad.numpy() for t in leaves if t.grad is not None]])
    return results


def assert_same(function, *arrays, grad=True, rtol=1e-12):
    for got, want in zip(*both(function, *arrays, grad=grad), strict=True):
        np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-12)


def f64(*rows):
    return np.array(rows, np.float64)


@pytest.mark.parametrize(
    ("x", "bias"), [((2, 3), (1, 4)), ((2, 3), ()), ((2, 3), (2, 4)), ((2, 3), (2, 1)), ((5, 2, 3), (1, 4)), ((5, 2, 3), (5, 2, 4)), ((3,), ())]
)  # fmt: skip
def test_linear_broadcasts_its_bias(x, bias):
    arrays = [np.linspace(-1, 1, math.prod(shape)).reshape(shape) for shape in (x, (4, 3), bias)]
    assert_same(lambda lib, x, w, b: lib.nn.functional.linear(x, w, b) ** 2, *arrays)
    w, x, b = (cg.tensor(a, requires_grad=True) for a in (arrays[1], arrays[0], arrays[2]))
    assert cg.autograd.gradgradcheck(F.linear, (x, w, b))


@pytest.mark.parametrize("bias", [(3,), (1, 1, 4), (3, 4)])
def test_linear_refuses_a_bias_that_does_not_fit(bias):
    with pytest.raises(ValueError, match="linear: bias has shape"):
        F.linear(cg.ones(2, 3), cg.ones(4, 3), cg.ones(bias))


def test_a_recorded_step_broadcasts_the_bias_of_linear():
    x, w = cg.randn(4, 3), cg.randn(2, 3)

    def step(b):
        return F.linear(x, w, b).square().sum()

    recorded = cg.compile(step)
    for _ in range(3):
        b = cg.randn(1, 2)
        assert cg.allclose(recorded(b), step(b), rtol=1e-5)


def test_bce_of_certain_predictions_is_bounded():
    """The logarithm of 0 counts as −100, and the gradient's denominator as 1e-12, which is a float32 in PyTorch."""

    def loss(lib, x, t):
        return lib.nn.functional.binary_cross_entropy(x, t.detach())

    assert_same(loss, f64(0.0, 1, 0, 1), f64(0.0, 1, 1, 0), rtol=1e-8)


@pytest.mark.parametrize("size", [0.0, 50, 1000])
def test_bce_with_logits_does_not_overflow(size):
    assert_same(
        lambda lib, x, t: lib.nn.functional.binary_cross_entropy_with_logits(x, t), f64(size, -size), f64(0.0, 0.3)
    )
    assert_same(
        lambda lib, x, t: lib.nn.functional.binary_cross_entropy_with_logits(x, t, pos_weight=lib.tensor(3.0, dtype=lib.float64)),
        f64(size, -size), f64(0.0, 0.3),
    )  # fmt: skip


def test_kl_div_of_impossible_events_is_0():
    def loss(lib, x, t):
        return lib.nn.functional.kl_div(x, t.detach(), reduction="sum")

    assert_same(loss, f64(-1.0, -2.0), f64(0.0, 1.0))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_mean_of_no_losses_is_nan(name):
    empty = cg.zeros(0, 3)
    assert math.isnan(getattr(F, name)(empty, empty).item())


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4), (2, 3, 0)])
def test_batch_norm_of_nothing_gives_gradients_of_zero(shape):
    layer = cg.nn.BatchNorm1d(3)
    layer(cg.zeros(*shape)).sum().backward()
    assert layer.weight.grad.tolist() == layer.bias.grad.tolist() == [0, 0, 0]
    assert layer.running_var.tolist() == [1, 1, 1]
    assert layer(cg.zeros(*shape, dtype=cg.float64)).dtype == np.float64


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_mean_without_a_class_is_nan(name):
    assert math.isnan(getattr(F, name)(cg.zeros(2, 3), cg.tensor([-100, -100])).item())
    assert math.isnan(getattr(F, name)(cg.zeros(0, 3), cg.zeros(0).long()).item())
    assert getattr(F, name)(cg.zeros(2, 3), cg.tensor([-100, -100]), reduction="sum").item() == 0


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_target_of_one_row_may_have_shape_1(name, reduction):
    def loss(lib, x):
        return getattr(lib.nn.functional, name)(x, lib.tensor([2]), lib.tensor([1.0, 2.0, 4.0]).double(), reduction=reduction)

    x = cg.tensor(f64(-1.0, 0.5, 2.0), requires_grad=True)
    loss(cg, x).backward()  # PyTorch has no gradient
    mine = x.grad.tolist()
    x.grad = None
    getattr(F, name)(x, cg.tensor(2), cg.tensor([1.0, 2.0, 4.0]).double(), reduction=reduction).backward()
    assert mine == x.grad.tolist()
    assert_same(loss, f64(-1.0, 0.5, 2.0), grad=False)


def test_smooth_l1_without_beta_is_l1():
    x, t = cg.tensor([1.0, 3.0]), cg.tensor([0.0, 0.0])
    assert F.smooth_l1_loss(x, t, beta=0.0).item() == F.l1_loss(x, t).item()


def test_weighted_mse_is_a_weighted_mean():
    loss = F.mse_loss(cg.tensor([1.0, 3.0]), cg.tensor([0.0, 0.0]), weight=cg.tensor([3.0, 1.0]))
    assert loss.item() == (3 * 1 + 1 * 9) / 4


def test_cross_entropy_of_excluded_classes():
    """A logit of −∞ excludes a class: probability 0, gradient 0."""
    x = f64([-np.inf, 0.0, 1.0], [2.0, -np.inf, 0.0])
    assert_same(lambda lib, x: lib.nn.functional.cross_entropy(x, lib.tensor([1, 0])), x)


@pytest.mark.parametrize("classes", [-1, 4, 7])
def test_one_hot(classes):
    for index in (np.array([0, 3, 1]), np.array([[2], [3]]), np.array(3)):
        assert_same(lambda lib, i: lib.nn.functional.one_hot(i, classes), index, grad=False)


@pytest.mark.parametrize(
    ("index", "classes", "error", "match"),
    [
        ([0, 4], 4, RuntimeError, "one_hot: class indices must lie in 0 to 3, got 0 to 4"),
        ([-1, 0], -1, RuntimeError, "one_hot: class indices must lie in 0 to 0, got -1 to 0"),
        ([0.5], 4, TypeError, "one_hot: input must contain integers, got float32"),
    ],
)
def test_one_hot_of_bad_classes(index, classes, error, match):
    with pytest.raises(error, match=match):
        F.one_hot(cg.tensor(index), classes)


@pytest.mark.parametrize("momentum", [0.1, 1.0, 0.0, None])
def test_running_statistics_follow_pytorch(momentum):
    """momentum=None averages all batches."""
    rng = np.random.default_rng(0)
    here, there = (lib.nn.BatchNorm2d(3, momentum=momentum, dtype=lib.float64) for lib in (cg, torch))
    for _ in range(4):
        x = rng.normal(5, 2, (4, 3, 2, 5))
        np.testing.assert_allclose(
            here(cg.tensor(x)).detach().numpy(), there(torch.tensor(x)).detach().numpy(), rtol=1e-10
        )
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        np.testing.assert_allclose(getattr(here, name).numpy(), getattr(there, name).numpy(), rtol=1e-12, err_msg=name)
    x = rng.normal(5, 2, (1, 3, 2, 5))
    here.eval(), there.eval()
    np.testing.assert_allclose(here(cg.tensor(x)).detach().numpy(), there(torch.tensor(x)).detach().numpy(), rtol=1e-10)


def test_running_statistics_stay_after_an_error():
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match="batch_norm: training needs more than one value for each channel"):
        layer(cg.ones(1, 3))
    with pytest.raises(ValueError, match="batch_norm: weight has shape"):
        F.batch_norm(cg.ones(2, 3), layer.running_mean, layer.running_var, cg.ones(2), training=True)
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert layer.running_var.tolist() == [1, 1, 1]
    assert layer.num_batches_tracked.item() == 0


@pytest.mark.parametrize("shape", [(1, 0), (1, 0, 1)])
def test_one_value_without_channels_is_refused(shape):
    with pytest.raises(ValueError, match="batch_norm: training needs more than one value for each channel"):
        nn.BatchNorm1d(0)(cg.zeros(*shape))


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, math.inf])
def test_total_norm(norm_type):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((5, 6)), rng.standard_normal((4, 3)).T[::2]]
    norm = utils.get_total_norm([cg.Tensor(a) for a in arrays], norm_type)
    want = torch.nn.utils.get_total_norm([torch.tensor(a.copy()) for a in arrays], norm_type)
    np.testing.assert_allclose(norm.item(), want.item(), rtol=1e-12)


def test_clipping_without_gradients():
    p = cg.ones(2, requires_grad=True)
    assert utils.clip_grad_norm_([p], 1.0).item() == 0
    assert utils.clip_grad_norm_([], 1.0).item() == 0
    assert utils.clip_grad_value_([p], 1.0) is None
    assert utils.clip_grad_adaptive_([p]).item() == 0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_norm_that_is_not_finite_changes_nothing(value):
    p, q = cg.ones(2, requires_grad=True), cg.ones(1, requires_grad=True)
    p.grad, q.grad = cg.tensor([3.0, 4.0]), cg.tensor([value])
    with pytest.raises(RuntimeError, match=r"clip_grad_norm_: the norm of order 2.0 is (nan|inf), so"):
        utils.clip_grad_norm_([p, q], 1.0, error_if_nonfinite=True)
    assert p.grad.tolist() == [3, 4]
    np.testing.assert_array_equal(q.grad.numpy(), [value])


# Random functions, whose numbers can't be PyTorch's


@pytest.mark.parametrize(("name", "shape"), [("1d", (50, 40, 3)), ("1d", (900, 3)), ("2d", (50, 40, 2, 3)), ("3d", (50, 40, 1, 2, 2))])
def test_channel_dropouts_drop_whole_channels(name, shape):
    cg.manual_seed(3)
    y = getattr(F, f"dropout{name}")(cg.ones(shape), 0.25).numpy().reshape(-1, *shape[2 if len(shape) > 2 else 1 :])
    y = y.reshape(len(y), -1)
    assert ((y == y[:, :1]) & np.isin(y, [0, np.float32(1 / 0.75)])).all()
    assert abs((y[:, 0] == 0).mean() - 0.25) < 0.05
    module = getattr(nn, f"Dropout{name}")(0.25).eval()
    assert module(cg.ones(shape)).numpy().min() == 1


@pytest.mark.parametrize("function", [F.alpha_dropout, F.feature_alpha_dropout])
def test_alpha_dropouts_keep_mean_and_variance(function):
    cg.manual_seed(4)
    y = function(cg.randn(300, 200, 2), 0.3, training=True)
    assert abs(y.mean().item()) < 0.05 and abs(y.std().item() - 1) < 0.05
    assert (function(cg.ones(3, 2), 1.0, training=True).numpy() == 0).all()


def test_rrelu_draws_slopes_anew_in_recorded_steps():
    x = cg.full((1000,), -1.0)
    draw = cg.compile(lambda x: F.rrelu(x, 0.2, 0.4, training=True))
    draws = [-draw(x).numpy() for _ in range(4)]
    assert all(d.min() >= 0.2 and d.max() <= 0.4 and abs(d.mean() - 0.3) < 0.01 for d in draws)
    assert all((a != b).any() for a, b in zip(draws[1:], draws))


def test_gumbel_softmax_samples_categories():
    cg.manual_seed(5)
    logits = cg.tensor([0.2, 0.5, 0.3]).log().expand(4000, 3).clone().requires_grad_()
    hard = F.gumbel_softmax(logits, hard=True)
    assert set(np.unique(hard.detach().numpy().round(6))) == {0, 1} and (hard.sum(1).detach().numpy().round(5) == 1).all()
    np.testing.assert_allclose(hard.mean(0).detach().numpy(), [0.2, 0.5, 0.3], atol=0.03)
    (hard[:, 0].sum()).backward()
    assert np.abs(logits.grad.numpy()).max() > 0
    np.testing.assert_allclose(F.gumbel_softmax(logits, tau=0.5).sum(1).detach().numpy(), 1, rtol=1e-5)


INTEGERS = {
    "relu": lambda lib, x, w: lib.nn.functional.relu(x), "sigmoid": lambda lib, x, w: lib.sigmoid(x),
    "tanh": lambda lib, x, w: lib.tanh(x), "square": lambda lib, x, w: x.square(), "sign": lambda lib, x, w: x.sign(),
    "linear": lambda lib, x, w: lib.nn.functional.linear(x, w, w[:, 0]),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["int8", "int64", "bool"])
@pytest.mark.parametrize("name", INTEGERS)
def test_integers_as_in_pytorch(name, dtype):
    if dtype == "bool" and name in ("relu", "linear"):
        with pytest.raises((TypeError, RuntimeError)):
            INTEGERS[name](cg, cg.ones(2, 3).bool(), cg.ones(4, 3).bool())
        return
    x, w = np.array([[-2, 0, 3], [1, 2, -1]]).astype(dtype), np.arange(12).reshape(4, 3).astype(dtype)
    got, want = (INTEGERS[name](lib, lib.from_numpy(x), lib.from_numpy(w)) for lib in (cg, torch))
    assert got.numpy().dtype == want.numpy().dtype
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-6)
