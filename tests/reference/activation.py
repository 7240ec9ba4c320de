"""Activations, elementwise, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__: list[str] = []


def define(name: Any, function: Any, slope: Any, saved: Any) -> Any:
    """`name` and `name_backward` from a function of x, and its slope in terms of the saved input or output."""

    def forward(x: Any, *params: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.asarray(function(np.asarray(x, np.float64), *params), x.dtype)

    def backward(dy: Any, kept: Any, *params: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.asarray(dy * slope(np.asarray(kept, np.float64), *params), dy.dtype)

    forward.__doc__ = f"y of {name}, elementwise."
    backward.__doc__ = f"dx of {name}, from its {saved}."
    for kind, suffix in ((forward, ""), (backward, "_backward")):
        kind.__name__ = name + suffix
        globals()[name + suffix] = kind
        __all__.append(name + suffix)


def define_sloped(name: Any, function: Any, slope: Any) -> Any:
    """`name` and `name_with_slope` from a function of x and its slope."""

    def forward(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.asarray(function(np.asarray(x, np.float64)), x.dtype)

    def with_slope(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return forward(x), np.asarray(slope(np.asarray(x, np.float64)), x.dtype)

    forward.__doc__ = f"y of {name}, elementwise."
    with_slope.__doc__ = f"(y, dy/dx) of {name}."
    for kind, suffix in ((forward, ""), (with_slope, "_with_slope")):
        kind.__name__ = name + suffix
        globals()[name + suffix] = kind
        __all__.append(name + suffix)


erfc = np.vectorize(math.erfc, otypes=[np.float64])
erf_of = np.vectorize(math.erf, otypes=[np.float64])


def sigma(x: Any) -> Any:
    return np.where(x < 0, np.exp(x) / (1 + np.exp(x)), 1 / (1 + np.exp(-x)))


def normal_cdf(x: Any) -> Any:
    return 0.5 * erfc(-x / math.sqrt(2))


def normal_density(x: Any) -> Any:
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def gelu_inner(x: Any) -> Any:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def gelu_tanh_slope(x: Any) -> Any:
    t = np.tanh(gelu_inner(x))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)


def relu_masked(x: Any) -> Any:
    """(y, mask) of relu: for each 512 numbers 64 bytes, of words as wide as a number; bit k of word w is 1 where number
    k·words + w is above 0."""
    word = np.dtype(f"u{x.itemsize}").type
    positive = np.zeros(-(-x.size // 512) * 512, bool)
    positive[: x.size] = x.reshape(-1) > 0
    bits = positive.reshape(-1, 8 * x.itemsize, 64 // x.itemsize)
    places = word(1) << np.arange(8 * x.itemsize, dtype=word)
    return np.maximum(x, 0), (bits * places[:, None]).sum(1, dtype=word).reshape(-1)


def relu_masked_backward(dy: Any, mask: Any) -> Any:
    """dx of relu, from its mask."""
    words, bits = mask.reshape(-1, 1, 64 // dy.itemsize), np.arange(8 * dy.itemsize, dtype=mask.dtype)
    kept = (words >> bits[:, None] & mask.dtype.type(1)).reshape(-1)[: dy.size].reshape(dy.shape)
    return np.where(kept, dy, dy.dtype.type(0))


define("relu", lambda x: np.maximum(x, 0), lambda y: y > 0, "output")
__all__ += ["relu_masked", "relu_masked_backward"]
define(
    "leaky_relu", lambda x, slope: np.where(x > 0, x, slope * x), lambda x, slope: np.where(x > 0, 1, slope), "input"
)
define(
    "elu",
    lambda x, alpha, scale: scale * np.where(x > 0, x, alpha * np.expm1(x)),
    lambda x, alpha, scale: scale * np.where(x > 0, 1, alpha * np.exp(x)),
    "input",
)
define_sloped("gelu", lambda x: x * normal_cdf(x), lambda x: normal_cdf(x) + x * normal_density(x))
define_sloped("gelu_tanh", lambda x: 0.5 * x * (1 + np.tanh(gelu_inner(x))), gelu_tanh_slope)
define_sloped("silu", lambda x: x * sigma(x), lambda x: sigma(x) * (1 + x * (1 - sigma(x))))
define("sigmoid", sigma, lambda y: y * (1 - y), "output")
define("tanh", np.tanh, lambda y: 1 - y * y, "output")
define(
    "softplus",
    lambda x, beta, limit: np.where(beta * x > limit, x, np.log1p(np.exp(beta * x)) / beta),
    lambda x, beta, limit: np.where(beta * x > limit, 1, sigma(beta * x)),
    "input",
)
define("exp", np.exp, lambda y: y, "output")
define("log", np.log, lambda x: 1 / x, "input")
define("erf", erf_of, lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x), "input")
