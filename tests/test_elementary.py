"""The accuracy of exp, log, tanh and erf over dense samples at every CPU level, in units in the last place (ulp): float32
against float64, float64 against the C library; and their results for NaN, infinities, zeros and overflow."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cygrad import _kernels as kernels

COUNT = 200_001
each_level = pytest.mark.parametrize("level", kernels.cpu_levels())

# name: (exact function, from, to, ulp allowed in float32, in float64)
FUNCTIONS = {
    "exp": (np.exp, -87, 88, 2, 2),
    "log": (np.log, 1e-30, 1e30, 2, 2),
    "tanh": (np.tanh, -10, 10, 2, 2),
    "erf": (np.vectorize(math.erf), -4, 4, 4, 4),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), -80, 80, 4, 4),
}


@pytest.fixture(autouse=True)
def level_restored():
    before = kernels.cpu_level()
    yield
    kernels.use_cpu_level(before)


def dense(low, high, dtype):
    """Evenly spaced, or evenly in the logarithm where the range spans many powers; and small ones."""
    if low > 0:
        return np.geomspace(low, high, COUNT).astype(dtype)
    small = np.geomspace(1e-20, 1e-1, 1001)
    return np.concatenate([np.linspace(low, high, COUNT), small, -small]).astype(dtype)


@each_level
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_error_in_units_in_the_last_place(name, dtype, level):
    exact, low, high, *allowed = FUNCTIONS[name]
    kernels.use_cpu_level(level)
    x = dense(low, high, dtype)
    want = exact(x.astype(np.float64))
    error = np.abs(getattr(kernels, name)(x) - want) / np.spacing(np.abs(want).astype(dtype))
    assert error.max() <= allowed[dtype is np.float64], f"{error.max()} ulp at {x[error.argmax()]!r}"


SPECIAL = {
    "exp": {-np.inf: 0, np.inf: np.inf, -1e4: 0, 1e4: np.inf, 0.0: 1},
    "log": {0.0: -np.inf, -1.0: np.nan, np.inf: np.inf, 1.0: 0},
    "tanh": {-np.inf: -1, np.inf: 1, 1e30: 1, 0.0: 0},
    "erf": {-np.inf: -1, np.inf: 1, 50.0: 1, 0.0: 0},
    "sigmoid": {-np.inf: 0, np.inf: 1, 0.0: 0.5},
}


@each_level
@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_special_values(name, dtype, level):
    kernels.use_cpu_level(level)
    values = {**SPECIAL[name], np.nan: np.nan}
    x = np.array([*values] * 9, dtype)  # fills more than one register
    np.testing.assert_array_equal(getattr(kernels, name)(x), np.array([*values.values()] * 9, dtype))


@each_level
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_subnormal_numbers(dtype, level):
    kernels.use_cpu_level(level)
    tiny = np.finfo(dtype).smallest_subnormal * np.array([1, 3, 1000, 2**20], dtype)
    np.testing.assert_allclose(kernels.log(tiny), np.log(tiny.astype(np.float64)), rtol=1e-6)
    x = np.log(tiny.astype(np.float64)).astype(dtype)
    assert (kernels.exp(x) > 0).all()
