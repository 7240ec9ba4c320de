"""Activations and softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.registry import TRANSLATIONS, translates, unary
from cygrad.ops import activation, softmax

for op, kind in {
    activation.relu: "Relu",
    activation.sigmoid: "Sigmoid",
    activation.tanh: "Tanh",
}.items():
    TRANSLATIONS[op] = unary(kind)


@translates(activation.leaky_relu)
def leaky_relu(call: Call) -> Any:
    return call.add("LeakyRelu", call.name(), alpha=float(call.options["negative_slope"]))


@translates(activation.elu)
def elu(call: Call) -> Any:
    """Selu is gamma·(x where x > 0, else alpha·eˣ − alpha)."""
    alpha, scale = float(call.options["alpha"]), float(call.options["scale"])
    if scale == 1:
        return call.add("Elu", call.name(), alpha=alpha)
    return call.add("Selu", call.name(), alpha=alpha, gamma=scale)


@translates(activation.gelu_erf)
def gelu_erf(call: Call) -> Any:
    if call.graph.opset >= 20:
        return call.add("Gelu", call.name())
    factor = call.add("Add", call.add("Erf", call.add("Div", call.name(), call.scalar(math.sqrt(2)))), call.scalar(1))
    return call.add("Mul", call.add("Mul", call.name(), factor), call.scalar(0.5))


@translates(activation.gelu_tanh)
def gelu_tanh(call: Call) -> Any:
    if call.graph.opset >= 20:
        return call.add("Gelu", call.name(), approximate="tanh")
    x = call.name()
    cube = call.add("Mul", call.add("Mul", call.add("Mul", x, x), x), call.scalar(0.044715))
    tanh = call.add("Tanh", call.add("Mul", call.add("Add", x, cube), call.scalar(math.sqrt(2 / math.pi))))
    return call.add("Mul", call.add("Mul", x, call.add("Add", tanh, call.scalar(1))), call.scalar(0.5))


@translates(activation.silu)
def silu(call: Call) -> Any:
    return call.add("Mul", call.name(), call.add("Sigmoid", call.name()))


@translates(activation.mish)
def mish(call: Call) -> Any:
    return call.add("Mul", call.name(), call.add("Tanh", call.add("Softplus", call.name())))


@translates(activation.softplus)
def softplus(call: Call) -> Any:
    """log(1 + e^(beta·x))/beta, and x above the threshold, which is left out if e^−threshold is below rounding."""
    beta, threshold = float(call.options["beta"]), float(call.options["threshold"])
    x = call.name()
    scaled = x if beta == 1 else call.add("Mul", x, call.scalar(beta))
    y = call.add("Softplus", scaled)
    y = y if beta == 1 else call.add("Div", y, call.scalar(beta))
    if threshold > 0 and math.exp(-threshold) < threshold * np.finfo(call.dtype).eps:
        return y
    return call.add("Where", call.add("Greater", scaled, call.scalar(threshold)), x, y)


@translates(softmax.softmax)
def softmax_along(call: Call) -> Any:
    return call.add("Softmax", call.name(0, call.dtype), axis=call.axis())


@translates(softmax.log_softmax)
def log_softmax_along(call: Call) -> Any:
    return call.add("LogSoftmax", call.name(0, call.dtype), axis=call.axis())
