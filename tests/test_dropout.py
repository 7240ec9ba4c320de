"""The statistics of dropout, and its mask as a function of seed and offset."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg
from cygrad import _kernels as kernels
from cygrad.nn import functional as F

COUNT = 1_000_000


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_rate_and_scale(p):
    """Of n elements np ± 5·√(np(1 − p)) are dropped; the others are divided by 1 − p, which keeps the mean."""
    y = F.dropout(cg.ones(COUNT), p, generator=cg.Generator().manual_seed(1)).numpy()
    assert abs((y == 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / COUNT)
    np.testing.assert_array_equal(y[y != 0], np.float32(1 / (1 - p)))


def test_neighbors_are_independent():
    """An element's mask is independent of its neighbors': no correlation above 5/√n at any of the first lags."""
    mask = F.dropout(cg.ones(COUNT), 0.5, generator=cg.Generator().manual_seed(2)).numpy() - 1
    for lag in [*range(1, 70), 4096]:
        assert abs((mask[lag:] * mask[:-lag]).mean()) < 5 / np.sqrt(COUNT), lag


def test_p_of_0_and_1():
    x = cg.tensor([1.0, 2.0])
    assert F.dropout(x, 0.0) is x
    assert F.dropout(x, 1.0).tolist() == [0, 0]


def test_prediction_leaves_the_input_alone():
    x = cg.randn(100)
    assert F.dropout(x, 0.5, training=False) is x
    layer = cg.nn.Dropout(0.5)
    assert (layer.eval()(x) == x).all()
    assert not (layer.train()(x) == x).all()


def test_gradient_has_the_same_mask():
    x = cg.ones(1000, requires_grad=True)
    y = F.dropout(x, 0.3)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


def test_same_bits_at_every_level_and_thread_count():
    level, threads = kernels.cpu_level(), kernels.num_threads()
    x = np.linspace(1, 2, 100_003)
    try:
        kernels.set_num_threads(1)
        want = kernels.dropout(x, 0.3, 5, 48)[0]
        for name in kernels.cpu_levels():
            for count in (1, 2, 3, 8):
                kernels.use_cpu_level(name)
                kernels.set_num_threads(count)
                np.testing.assert_array_equal(kernels.dropout(x, 0.3, 5, 48)[0], want)
    finally:
        kernels.use_cpu_level(level)
        kernels.set_num_threads(threads)


def test_calls_draw_different_masks_and_a_seed_repeats_them():
    g = cg.Generator().manual_seed(3)
    first, second = (F.dropout(cg.ones(100), generator=g).tolist() for _ in range(2))
    assert first != second
    g.manual_seed(3)
    assert [F.dropout(cg.ones(100), generator=g).tolist() for _ in range(2)] == [first, second]


def test_inplace_writes_the_input():
    x = cg.ones(1000)
    y = F.dropout(x, 0.5, inplace=True)
    assert y is x
    assert set(x.tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64 - 2])
def test_large_seeds_are_distinct(seed):
    """A 64-bit seed must not pass through a float64."""
    orders = [cg.Generator().manual_seed(number).permutation(50).tolist() for number in (seed, seed ^ 1, seed)]
    assert orders[0] == orders[2] != orders[1]
