"""Activations, elementwise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, op
from cygrad.ops.broadcast import as_float
from cygrad.ops.definition import constant, self_adjoint

# The ops that nn.functional exports as they are. It has functions for the others, with `inplace` and other options.
__all__ = ["sigmoid", "tanh"]

# An output of this many bytes has left the near caches by the time of backward, which then reads a mask of one bit per
# element instead.
MASKED_BYTES = 1 << 18


@op
def relu(ctx: Node, input: Array) -> Array:
    """Return the rectified linear unit: y = max(x, 0).

    Args:
        input: a tensor of floats or integers.
    """
    mask = None
    if input.nbytes >= MASKED_BYTES and ctx.needs[0]:
        y, mask = kernels.relu_masked(input)
    else:
        try:
            y = kernels.relu(input)
        except TypeError:
            if input.dtype.kind not in "iu":
                raise
            y = np.maximum(input, 0)
    ctx.save(y, mask)  # y in any case: a write to it raises whatever its size
    return y


@relu.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·[y > 0]"""
    y, mask = ctx.saved
    return kernels.relu_backward(dy, y) if mask is None else kernels.relu_masked_backward(dy, mask)


relu.definition(self_adjoint(relu))


@op
def leaky_relu(ctx: Node, input: Array, *, negative_slope: float = 0.01) -> Array:
    """Return the leaky rectifier: y = x where x > 0, else negative_slope·x.

    Args:
        input: a tensor of floats.
        negative_slope: the slope below 0.

    A. L. Maas, A. Y. Hannun, A. Y. Ng (2013), "Rectifier nonlinearities improve neural network acoustic models".
    """
    ctx.save(input, negative_slope)
    return kernels.leaky_relu(input, negative_slope)


@leaky_relu.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy where x > 0, else negative_slope·dy"""
    x, negative_slope = ctx.saved
    return kernels.leaky_relu_backward(dy, x, negative_slope)


leaky_relu.definition(self_adjoint(leaky_relu))


@op
def elu(ctx: Node, input: Array, *, alpha: float = 1.0, scale: float = 1.0) -> Array:
    """Return the exponential linear unit: y = scale·(x where x > 0, else alpha·(eˣ − 1)).

    Args:
        input: a tensor of floats.
        alpha: the negative of the limit at −∞, before scaling.
        scale: the factor of the result.

    D.-A. Clevert, T. Unterthiner, S. Hochreiter (2016), "Fast and accurate deep network learning by exponential linear
    units (ELUs)".
    """
    ctx.save(input, alpha, scale)
    return kernels.elu(input, alpha, scale)


@elu.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = scale·dy where x > 0, else scale·alpha·eˣ·dy"""
    x, alpha, scale = ctx.saved
    return kernels.elu_backward(dy, x, alpha, scale)


@elu.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = scale·dy where x > 0, else scale·alpha·eˣ·dy"""
    x, alpha, scale = ctx.saved
    slope = ctx.input(0, x).clamp(max=0).exp() * (scale * alpha)
    return dy * slope.masked_fill(constant(x) > 0, scale)


def with_slope(
    ctx: Node, input: Array, plain: Callable[..., Array], sloped: Callable[[Array], tuple[Array, Array | None]]
) -> Array:
    """y. Where a gradient is wanted, the slope is computed too, from the same exponential, and saved beside x."""
    if not ctx.needs[0]:
        return plain(input)
    y, slope = sloped(input)
    ctx.save(slope, input)
    return y


@op
def gelu_erf(ctx: Node, input: Array) -> Array:
    """Return the Gaussian error linear unit: y = x·Φ(x), Φ the cumulative distribution of N(0, 1).

    Args:
        input: a tensor of floats.

    D. Hendrycks, K. Gimpel (2016), "Gaussian error linear units (GELUs)".
    """
    return with_slope(ctx, input, kernels.gelu, kernels.gelu_with_slope)


@gelu_erf.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·(Φ(x) + x·φ(x))"""
    return kernels.mul(dy, ctx.saved[0])


@gelu_erf.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·(Φ(x) + x·φ(x)), Φ(x) = ½(1 + erf(x/√2)), φ(x) = e^(−x²/2)/√2π"""
    x = ctx.input(0, ctx.saved[1])
    return dy * (0.5 + 0.5 * (x * math.sqrt(0.5)).erf() + x * (-0.5 * x * x).exp() / math.sqrt(2 * math.pi))


@op
def gelu_tanh(ctx: Node, input: Array) -> Array:
    """Return an approximation of GELU: y = ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).

    Args:
        input: a tensor of floats.
    """
    return with_slope(ctx, input, kernels.gelu_tanh, kernels.gelu_tanh_with_slope)


@gelu_tanh.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·(½(1 + t) + ½x·(1 − t²)·u′), t = tanh u"""
    return kernels.mul(dy, ctx.saved[0])


@gelu_tanh.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·(½(1 + t) + ½x·(1 − t²)·u′), t = tanh u, u = √(2/π)·(x + 0.044715·x³)"""
    x = ctx.input(0, ctx.saved[1])
    root = math.sqrt(2 / math.pi)
    t = (root * (x + 0.044715 * x * x * x)).tanh()
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * (root * (1 + 3 * 0.044715 * x * x)))


@op
def silu(ctx: Node, input: Array) -> Array:
    """Return the sigmoid linear unit: y = x·σ(x).

    Args:
        input: a tensor of floats.
    """
    return with_slope(ctx, input, kernels.silu, kernels.silu_with_slope)


@silu.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·(σ(x)·(1 + x·(1 − σ(x))))"""
    return kernels.mul(dy, ctx.saved[0])


@silu.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·σ(x)·(1 + x·(1 − σ(x)))"""
    x = ctx.input(0, ctx.saved[1])
    s = x.sigmoid()
    return dy * s * (1 + x * (1 - s))


@op
def mish(ctx: Node, input: Array) -> Array:
    """Return y = x·tanh(log(1 + eˣ)).

    Args:
        input: a tensor of floats.
    """
    return with_slope(ctx, input, kernels.mish, kernels.mish_with_slope)


@mish.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·(t + x·(1 − t²)·σ(x)), t = tanh(log(1 + eˣ))"""
    return kernels.mul(dy, ctx.saved[0])


@mish.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·(t + x·(1 − t²)·σ(x)), t = tanh(log(1 + eˣ))"""
    x = ctx.input(0, ctx.saved[1])
    t = softplus(x, threshold=1e30).tanh()
    return dy * (t + x * (1 - t * t) * x.sigmoid())


@op
def sigmoid(ctx: Node, input: Array) -> Array:
    """Return the logistic function: y = σ(x) = 1/(1 + e⁻ˣ).

    Args:
        input: a tensor; integers and booleans are converted to float32.
    """
    try:
        y = kernels.sigmoid(input)
    except TypeError:  # integers
        y = kernels.sigmoid(as_float(input))
    ctx.save(y)
    return y


@sigmoid.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·y·(1 − y)"""
    (y,) = ctx.saved
    return kernels.sigmoid_backward(dy, y)


def scaled(x: Array, factor: float) -> Array:
    return kernels.mul(x, kernels.number(factor, x.dtype))


@op
def sigmoid_rule(ctx: Node, input: Array, output: Array) -> Array:
    """dx = dy·y·(1 − y), as one op"""
    ctx.save(input, output)
    return kernels.sigmoid_backward(input, output)


@sigmoid_rule.gradient
def _(ctx: Node, ddx: Array) -> tuple[Array | None, Array | None]:
    """d(dy) = ddx·y·(1 − y), d(y) = ddx·dy·(1 − 2y)"""
    dy, y = ctx.saved
    d_output = None
    if ctx.needs[1]:
        d_output = kernels.mul(kernels.mul(ddx, dy), kernels.sub(kernels.number(1.0, y.dtype), scaled(y, 2.0)))
    return kernels.sigmoid_backward(ddx, y) if ctx.needs[0] else None, d_output


@sigmoid_rule.definition
def _(ctx: Node, ddx: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """d(dy) = ddx·y·(1 − y), d(y) = ddx·dy·(1 − 2y)"""
    dy, y = ctx.input(0, ctx.saved[0]), ctx.input(1, ctx.saved[1])
    return (
        sigmoid_rule(ddx, y) if ctx.needs[0] else None,
        ddx * dy * (1 - 2 * y) if ctx.needs[1] else None,
    )


@sigmoid.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·y·(1 − y)"""
    return sigmoid_rule(dy, ctx.output(*ctx.saved))


@op
def tanh(ctx: Node, input: Array) -> Array:
    """Return the hyperbolic tangent: y = (eˣ − e⁻ˣ)/(eˣ + e⁻ˣ).

    Args:
        input: a tensor; integers and booleans are converted to float32.
    """
    try:
        y = kernels.tanh(input)
    except TypeError:  # integers
        y = kernels.tanh(as_float(input))
    ctx.save(y)
    return y


@tanh.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·(1 − y²)"""
    (y,) = ctx.saved
    return kernels.tanh_backward(dy, y)


@op
def tanh_rule(ctx: Node, input: Array, output: Array) -> Array:
    """dx = dy·(1 − y²), as one op"""
    ctx.save(input, output)
    return kernels.tanh_backward(input, output)


@tanh_rule.gradient
def _(ctx: Node, ddx: Array) -> tuple[Array | None, Array | None]:
    """d(dy) = ddx·(1 − y²), d(y) = −2·ddx·dy·y"""
    dy, y = ctx.saved
    return (
        kernels.tanh_backward(ddx, y) if ctx.needs[0] else None,
        scaled(kernels.mul(kernels.mul(ddx, dy), y), -2.0) if ctx.needs[1] else None,
    )


@tanh_rule.definition
def _(ctx: Node, ddx: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """d(dy) = ddx·(1 − y²), d(y) = −2·ddx·dy·y"""
    dy, y = ctx.input(0, ctx.saved[0]), ctx.input(1, ctx.saved[1])
    return tanh_rule(ddx, y) if ctx.needs[0] else None, ddx * dy * y * -2 if ctx.needs[1] else None


@tanh.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·(1 − y²)"""
    return tanh_rule(dy, ctx.output(*ctx.saved))


@op
def softplus(ctx: Node, input: Array, *, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """Return a smooth rectifier: y = log(1 + e^(beta·x))/beta, and x where beta·x > threshold.

    Args:
        input: a tensor of floats.
        beta: the sharpness.
        threshold: above it the result is x itself, for numerical stability.
    """
    ctx.save(input, beta, threshold)
    return kernels.softplus(input, beta, threshold)


@softplus.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·σ(beta·x)"""
    x, beta, threshold = ctx.saved
    return kernels.softplus_backward(dy, x, beta, threshold)


@softplus.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·σ(beta·x), dy above the threshold"""
    x, beta, threshold = ctx.saved
    slope = (beta * ctx.input(0, x)).sigmoid()
    return dy * slope.masked_fill(constant(x) * beta > threshold, 1)
