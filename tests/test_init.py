"""Initialization, compared with the formulas: bounds, means, variances, orthogonality."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cygrad as cg
from cygrad.nn import init

SHAPES = [(400, 300), (64, 32, 3, 3)]


def empty(*shape, dtype=np.float32):
    return cg.Tensor(np.full(shape, np.nan, dtype))


def fans(shape):
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def assert_moments(values, mean, variance):
    """Mean and variance are within five standard errors; the variance's error is at most a normal distribution's."""
    n = values.size
    assert abs(values.mean(dtype=np.float64) - mean) < 5 * math.sqrt(variance / n)
    assert abs(values.var(dtype=np.float64) / variance - 1) < 5 * math.sqrt(2 / n)


def assert_uniform(values, low, high):
    """The values lie within the bounds, come near both, and fill every tenth evenly."""
    assert low <= values.min() < low + 0.01 * (high - low)
    assert high >= values.max() > high - 0.01 * (high - low)
    counts, _ = np.histogram(values, 10, (low, high))
    expected = values.size / 10
    assert (abs(counts - expected) < 5 * math.sqrt(expected)).all()


def assert_normal(values, mean, std):
    """The fractions within one, two and three standard deviations are right."""
    z = abs(values - mean) / std
    for k in (1, 2, 3):
        share = math.erf(k / math.sqrt(2))
        assert abs((z < k).mean() - share) < 5 * math.sqrt(share * (1 - share) / values.size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("gain", [1.0, 5 / 3])
def test_xavier(shape, gain, dtype):
    fan_in, fan_out = fans(shape)
    variance = gain**2 * 2 / (fan_in + fan_out)
    tensor = empty(*shape, dtype=dtype)
    assert init.xavier_uniform_(tensor, gain) is tensor
    bound = gain * math.sqrt(6) / math.sqrt(fan_in + fan_out)
    assert_uniform(tensor.array, -bound, bound)
    assert_moments(tensor.array, 0, variance)
    init.xavier_normal_(tensor, gain)
    assert_normal(tensor.array, 0, math.sqrt(variance))
    assert_moments(tensor.array, 0, variance)
    assert tensor.array.dtype == dtype


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize(("a", "nonlinearity", "gain"), [(0, "relu", 2), (0.5, "leaky_relu", 1.6), (0, "linear", 1)])
def test_he(shape, mode, a, nonlinearity, gain):
    """Var w = gain²/fan; 2/fan for ReLU."""
    variance = gain / fans(shape)[mode == "fan_out"]
    tensor = empty(*shape)
    init.kaiming_uniform_(tensor, a, mode, nonlinearity)
    assert_uniform(tensor.array, -math.sqrt(3 * variance), math.sqrt(3 * variance))
    assert_moments(tensor.array, 0, variance)
    init.kaiming_normal_(tensor, a, mode, nonlinearity)
    assert_normal(tensor.array, 0, math.sqrt(variance))
    assert_moments(tensor.array, 0, variance)


def test_he_keeps_the_variance_through_relu_layers():
    """Through twenty ReLU layers, He's weights keep the mean square of the signal; half their variance halves it in
    every layer."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 256))
    scales = []
    for factor in (1.0, math.sqrt(0.5)):
        y = x
        for _ in range(20):
            w = init.kaiming_normal_(empty(256, 256, dtype=np.float64), nonlinearity="relu").array * factor
            y = np.maximum(y @ w.T, 0)
        scales.append((y**2).mean() / (x**2).mean())
    assert 0.3 < scales[0] < 2
    assert scales[1] < 1e-4


def test_linear_starts_as_in_pytorch():
    layer = cg.nn.Linear(400, 300)
    assert_uniform(layer.weight.array, -1 / 20, 1 / 20)
    assert abs(layer.bias.array).max() <= 1 / 20 < abs(layer.bias.array).max() * 1.1


@pytest.mark.parametrize(
    ("nonlinearity", "param", "gain"),
    [
        ("linear", None, 1),
        ("conv2d", None, 1),
        ("sigmoid", None, 1),
        ("tanh", None, 5 / 3),
        ("relu", None, math.sqrt(2)),
        ("leaky_relu", None, math.sqrt(2 / 1.0001)),
        ("leaky_relu", 0.5, math.sqrt(1.6)),
        ("selu", None, 0.75),
    ],
)
def test_gain(nonlinearity, param, gain):
    assert init.calculate_gain(nonlinearity, param) == pytest.approx(gain)


def test_uniform_and_normal():
    tensor = empty(300, 300)
    assert_uniform(init.uniform_(tensor, -2, 5).array, -2, 5)
    init.normal_(tensor, 3, 0.5)
    assert_normal(tensor.array, 3, 0.5)
    assert_moments(tensor.array, 3, 0.25)


@pytest.mark.parametrize(
    ("a", "b"), [(-2, 2), (-0.5, 1), (1, 3), (-6, -2.5), (3, 9), (4, 4.1), (-0.01, 0.01), (-9, -8)]
)
def test_truncated_normal(a, b):
    """The fraction below every tenth of [a, b] is the truncated normal distribution's."""
    mean, std = 10.0, 2.0
    tensor = init.trunc_normal_(empty(200, 200, dtype=np.float64), mean, std, mean + a * std, mean + b * std)
    z = (tensor.array - mean) / std
    assert a - 1e-9 <= z.min() and z.max() <= b + 1e-9

    def upper(x):
        return math.erfc(x / math.sqrt(2)) / 2

    sign = -1 if b <= 0 else 1  # in the tail, differences of small numbers
    low, high = sorted((sign * a, sign * b))
    for q in np.linspace(low, high, 11)[1:-1]:
        share = (upper(low) - upper(q)) / (upper(low) - upper(high))
        got = (sign * z <= q).mean()
        assert abs(got - share) < 5 * math.sqrt(share * (1 - share) / z.size) + 1e-4


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (30, 30), (8, 4, 3, 3), (1, 5)])
@pytest.mark.parametrize("gain", [1, 3.0])
def test_orthogonal(shape, gain):
    w = init.orthogonal_(empty(*shape, dtype=np.float64), gain).array.reshape(shape[0], -1)
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, gain**2 * np.eye(len(gram)), atol=1e-12)


def test_orthogonal_is_uniform():
    """Rotations and reflections are equally frequent, and no entry prefers a sign."""
    draws = [init.orthogonal_(empty(2, 2, dtype=np.float64)).array for _ in range(400)]
    assert abs(np.mean([np.linalg.det(w) > 0 for w in draws]) - 0.5) < 0.125
    assert abs(np.mean(draws, axis=0)).max() < 5 * math.sqrt(0.5 / 400)


def test_constants():
    np.testing.assert_array_equal(init.constant_(empty(2, 3), 0.5).array, 0.5)
    np.testing.assert_array_equal(init.ones_(empty(2, 3)).array, 1)
    np.testing.assert_array_equal(init.zeros_(empty(2, 3)).array, 0)
    np.testing.assert_array_equal(init.eye_(empty(2, 3)).array, np.eye(2, 3))


def test_dirac():
    w = init.dirac_(empty(4, 2, 3), groups=2).array
    expected = np.zeros((4, 2, 3))
    expected[[0, 1, 2, 3], [0, 1, 0, 1], 1] = 1
    np.testing.assert_array_equal(w, expected)


def test_sparse():
    w = init.sparse_(empty(100, 50), 0.3, std=2.0).array
    assert ((w == 0).sum(axis=0) == 30).all()
    assert_moments(w[w != 0], 0, 4)
    assert len({tuple(column) for column in (w == 0).T}) == 50


def test_a_write_is_counted_but_not_in_the_graph():
    weight = cg.nn.Parameter(np.zeros((3, 3)))
    before = weight.version.value
    init.normal_(weight)
    assert weight.version.value == before + 1
    assert weight.node is None and weight.requires_grad


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize(
    "function",
    [
        init.xavier_uniform_,
        init.xavier_normal_,
        init.kaiming_uniform_,
        init.kaiming_normal_,
        init.orthogonal_,
    ],
)
def test_no_elements(function, shape):
    assert function(empty(*shape)).array.shape == shape


def frozen():
    tensor = empty(2, 2)
    tensor.array.flags.writeable = False
    return tensor


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: init.calculate_gain("swish"), "calculate_gain: nonlinearity must be one of .*, got 'swish'"),
        (
            lambda: init.calculate_gain("leaky_relu", "x"),
            "calculate_gain: the slope of leaky_relu must be a number",
        ),
        (lambda: init.uniform_(empty(2), 1, 0), "uniform_: a must not be above b, got a=1 and b=0"),
        (lambda: init.uniform_(empty(2), math.nan, 0), "uniform_: a must not be above b"),
        (lambda: init.normal_(empty(2), 0, -1), "normal_: std must not be negative, got -1"),
        (lambda: init.trunc_normal_(empty(2), 0, 0), "trunc_normal_: std must be positive, got 0"),
        (lambda: init.trunc_normal_(empty(2), a=1, b=1), "trunc_normal_: a must be below b, got a=1 and b=1"),
        (lambda: init.eye_(empty(2)), r"eye_: the tensor must have 2 dimensions, got shape \(2,\)"),
        (lambda: init.dirac_(empty(2, 2)), "dirac_: the tensor must have 3, 4 or 5 dimensions"),
        (
            lambda: init.dirac_(empty(3, 2, 3), 2),
            "dirac_: the 3 output channels can't be split into 2 groups",
        ),
        (
            lambda: init.xavier_uniform_(empty(2)),
            "xavier_uniform_: fan in and fan out need .* at least 2 dim",
        ),
        (
            lambda: init.kaiming_normal_(empty(2)),
            "kaiming_normal_: fan in and fan out need .* at least 2 dim",
        ),
        (
            lambda: init.kaiming_normal_(empty(2, 2), mode="fan"),
            "kaiming_normal_: mode must be fan_in or fan_out",
        ),
        (lambda: init.orthogonal_(empty(2)), "orthogonal_: the tensor must have at least 2 dimensions"),
        (lambda: init.sparse_(empty(2), 0.5), "sparse_: the tensor must have 2 dimensions"),
        (lambda: init.sparse_(empty(2, 2), 1.5), r"sparse_: sparsity must lie in \[0, 1\], got 1.5"),
        (lambda: init.ones_(frozen()), "ones_: the tensor's memory is read-only"),
    ],
)
def test_bad_arguments(call, match):
    with pytest.raises((ValueError, RuntimeError), match=match):
        call()


ODD = [float("nan"), float("inf"), -float("inf"), -1.0, 0.0, 1.0, 1e30, -1e30, 1e-320]
FILLED = {
    "uniform_": lambda m, a, b: m.nn.init.uniform_(m.empty(4), a, b),
    "normal_": lambda m, a, b: m.nn.init.normal_(m.empty(4), a, b),
    "Tensor.uniform_": lambda m, a, b: m.empty(4).uniform_(a, b),
    "Tensor.normal_": lambda m, a, b: m.empty(4).normal_(a, b),
    "normal": lambda m, a, b: m.normal(a, b, (4,)),
    "normal of a tensor": lambda m, a, b: m.normal(m.zeros(2), m.tensor([b, 1.0])),
    "xavier_uniform_": lambda m, a, b: m.nn.init.xavier_uniform_(m.empty(3, 4), b),
    "xavier_normal_": lambda m, a, b: m.nn.init.xavier_normal_(m.empty(3, 4), b),
    "kaiming_uniform_": lambda m, a, b: m.nn.init.kaiming_uniform_(m.empty(3, 4), b),
    "kaiming_normal_": lambda m, a, b: m.nn.init.kaiming_normal_(m.empty(3, 4), b),
    "sparse_": lambda m, a, b: m.nn.init.sparse_(m.empty(3, 4), 0.5, b),
    "bernoulli": lambda m, a, b: m.bernoulli(m.tensor([b])),
    "multinomial": lambda m, a, b: m.multinomial(m.tensor([b, 1.0]), 1),
    "dropout": lambda m, a, b: m.nn.functional.dropout(m.ones(5), b),
    "randint": lambda m, a, b: m.randint(0, b, (3,)),
    "randperm": lambda m, a, b: m.randperm(b),
}
# PyTorch accepts a negative slope of leaky ReLU and an infinite standard deviation, which fills with infinities.


@pytest.mark.parametrize("name", FILLED)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_odd_arguments_raise_where_pytorch_raises(name):
    torch = pytest.importorskip("torch")
    for a in ODD:
        for b in ODD:
            results = []
            for library in (cg, torch):
                try:
                    results.append(FILLED[name](library, a, b))
                except (ValueError, RuntimeError, TypeError, OverflowError):
                    results.append(None)
            ours, theirs = results
            assert theirs is not None or ours is None, f"{name}({a}, {b}): PyTorch raises"
            if theirs is not None and bool(torch.isfinite(theirs).all()):
                assert ours is not None and np.isfinite(ours.array).all(), f"{name}({a}, {b}): PyTorch returns {theirs}"


@pytest.mark.parametrize("mean", ODD)
@pytest.mark.parametrize("std", [*ODD, 1e-3])
def test_truncated_normal_ends_for_all_arguments(mean, std):
    """It raises, or every value lies in the bounds; far from the mean they are at the nearer one."""
    for a in ODD:
        for b in ODD:
            try:
                values = init.trunc_normal_(cg.zeros(3, dtype=np.float64), mean, std, a, b).numpy()
            except ValueError:
                assert not (a < b and 0 < std < np.inf and np.isfinite(mean))
                continue
            assert np.all((values >= a) & (values <= b))
            if 0 < std <= 1e-3 and mean > b + 1:
                assert np.all(np.abs(values - b) <= 1e-3)
