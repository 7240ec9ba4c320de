"""The accuracy of exp, log, tanh, erf, sine and cosine over dense samples at every CPU level, in units in the last place (ulp): float32
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
    "sine": (np.sin, -1e5, 1e5, 2, 2),
    "cosine": (np.cos, -40, 40, 2, 2),
}
CALLS = {"sine": lambda x: kernels.sine(x, 0), "cosine": lambda x: kernels.sine(x, 1)}


def call(name, x):
    return CALLS.get(name, getattr(kernels, name, None))(x)


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
    error = np.abs(call(name, x) - want) / np.spacing(np.abs(want).astype(dtype))
    assert error.max() <= allowed[dtype is np.float64], f"{error.max()} ulp at {x[error.argmax()]!r}"


SPECIAL = {
    "exp": {-np.inf: 0, np.inf: np.inf, -1e4: 0, 1e4: np.inf, 0.0: 1},
    "log": {0.0: -np.inf, -1.0: np.nan, np.inf: np.inf, 1.0: 0},
    "tanh": {-np.inf: -1, np.inf: 1, 1e30: 1, 0.0: 0},
    "erf": {-np.inf: -1, np.inf: 1, 50.0: 1, 0.0: 0},
    "sigmoid": {-np.inf: 0, np.inf: 1, 0.0: 0.5},
    "sine": {-np.inf: np.nan, np.inf: np.nan, 0.0: 0, 1e-30: 1e-30},
    "cosine": {-np.inf: np.nan, np.inf: np.nan, 0.0: 1},
}


@each_level
@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_special_values(name, dtype, level):
    kernels.use_cpu_level(level)
    values = {**SPECIAL[name], np.nan: np.nan}
    x = np.array([*values] * 9, dtype)  # fills more than one register
    np.testing.assert_array_equal(call(name, x), np.array([*values.values()] * 9, dtype))


@each_level
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_subnormal_numbers(dtype, level):
    kernels.use_cpu_level(level)
    tiny = np.finfo(dtype).smallest_subnormal * np.array([1, 3, 1000, 2**20], dtype)
    np.testing.assert_allclose(kernels.log(tiny), np.log(tiny.astype(np.float64)), rtol=1e-6)
    x = np.log(tiny.astype(np.float64)).astype(dtype)
    assert (kernels.exp(x) > 0).all()


# Close to an odd multiple of π/2 as no other number of float64, or of float32, is, and the largest number: sine and
# cosine, by mpmath. J.-M. Muller (2006), "Elementary functions", table of worst cases for range reduction
FAR = {
    6381956970095103 * 2.0**797: (1.0, -4.6871659242546276111e-19),
    16367173 * 2.0**72: (1.0, -1.6147697982476212e-9),
    np.finfo(np.float64).max: (0.0049619547891840618, -0.99998768942655994),
}


@each_level
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_angles_far_from_zero(dtype, level):
    kernels.use_cpu_level(level)
    x = np.array([v for v in FAR if v <= float(np.finfo(dtype).max) and dtype(v) == v], dtype)
    sine, cosine = np.array([FAR[float(v)] for v in x]).T
    rtol = 2 * np.finfo(dtype).eps
    for sign in (1, -1):
        np.testing.assert_allclose(kernels.sine(sign * x, 0), sign * sine, rtol)
        np.testing.assert_allclose(kernels.sine(sign * x, 1), cosine, rtol)


@each_level
def test_sine_has_the_sign_of_zero_and_the_cosine_of_zero_is_one(level):
    kernels.use_cpu_level(level)
    x = np.array([0.0, -0.0] * 9, np.float32)
    np.testing.assert_array_equal(np.signbit(kernels.sine(x, 0)), np.signbit(x))
    assert (kernels.sine(x, 1) == 1).all() and (np.abs(kernels.sine(np.linspace(-9, 9, 100_001), 1)) <= 1).all()
