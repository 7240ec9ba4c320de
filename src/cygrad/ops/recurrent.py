"""Recurrent layers: Elman's network, LSTM and GRU, one layer in one direction over a whole sequence.

J. L. Elman (1990), "Finding structure in time". S. Hochreiter, J. Schmidhuber (1997), "Long short-term memory". K. Cho
et al. (2014), "Learning phrase representations using RNN encoder-decoder for statistical machine translation".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, engine, op
from cygrad.ops.activation import relu, sigmoid, tanh
from cygrad.ops.linear import linear
from cygrad.ops.shape import cat

__all__ = ["recurrent_layer", "unrolled_layer"]


@op
def recurrent_layer(
    ctx: Node,
    input: Array,
    hx: Array | None,
    cx: Array | None,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    /,
    kind: str,
    starts: Array | None,
    reverse: bool,
) -> tuple[Array, ...]:
    """Run a layer over all steps, from the last to the first with `reverse`. ``kind`` is "rnn_tanh", "rnn_relu", "gru"
    or "lstm"; :func:`unrolled_layer` has the formulas.

    The input has shape (steps, batch, inputs), or (rows, inputs) for packed sequences, of which ``starts`` has the
    first row of each step and the number of rows. Without hx and cx, shape (batch, hidden), the states start as zeros.

    Returns the states of all steps and the last ones, of an LSTM the last cells too.
    """
    y, h, c, gates, kept = kernels.recurrent(
        kind, input, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh, starts, reverse
    )
    if True in ctx.needs:
        ctx.save(input, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh, y, gates, kept, kind, starts, reverse)
    return (y, h) if c is None else (y, h, c)


@recurrent_layer.gradient
def _(ctx: Node, dy: Array | None, dh: Array | None, dc: Array | None = None) -> tuple[Array | None, ...]:
    """Backpropagation through time: the gradients dz of what the gates are functions of, of all steps, and from them
    dx = dz·W_ih, dW_ih = dzᵀ·x, dW_hh = Σ dz[t]ᵀ·h[t − 1], db = Σ dz."""
    x, hx, cx, weight_ih, weight_hh, _, _, y, gates, kept, kind, starts, reverse = ctx.saved
    inputs = x, hx, cx, weight_ih, weight_hh
    needs: Any = ctx.needs
    return kernels.recurrent_backward(kind, dy, dh, dc, *inputs, y, gates, kept, starts, reverse, needs)


@recurrent_layer.definition
def _(ctx: Node, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
    """The gradients of the unrolled layer."""
    arrays, (kind, starts, reverse) = ctx.saved[:7], ctx.saved[10:]
    # Views, so that the gradients end here where one input depends on another.
    inputs: list[Any] = [None if x is None else ctx.input(number, x).expand(x.shape) for number, x in enumerate(arrays)]
    x, hx, cx, w_ih, w_hh, b_ih, b_hh = inputs
    outputs = unrolled_layer(kind, x, hx, cx, w_ih, w_hh, b_ih, b_hh, None, starts, reverse)
    given = [number for number, dy in enumerate(upstream) if dy is not None]
    wanted = [number for number, need in enumerate(ctx.needs) if need]
    sources, gradients = [outputs[number] for number in given], [upstream[number] for number in given]
    found = engine.gradients(sources, [inputs[number] for number in wanted], gradients, True, True)
    return tuple([found[wanted.index(number)] if number in wanted else None for number in range(7)])


recurrent_layer.materialize = False


def unrolled_layer(
    kind: str,
    x: Any,
    h: Any,
    c: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    weight_hr: Any,
    starts: Array | None,
    reverse: bool,
) -> tuple[Any, ...]:
    """The same layer in differentiable ops, step by step; with ``weight_hr`` the states of an LSTM are projected.

    With z = W_ih·x + b_ih and p = W_hh·h + b_hh, cut into the gates in PyTorch's order:

    rnn_tanh: h = tanh(z + p)
    rnn_relu: h = relu(z + p)
    lstm: i, f, o = σ(z + p), g = tanh(z + p), c = f·c + i·g, h = o·tanh c
    gru: r, u = σ(z + p), m = tanh(z + r·p), h = (1 − u)·m + u·h
    """
    steps, batch = x.shape[:2] if starts is None else (len(starts) - 1, int(starts[1]))
    bounds = np.arange(steps + 1) * batch if starts is None else starts
    z = linear(x.reshape(steps * batch, x.shape[-1]) if starts is None else x, weight_ih, bias_ih)
    sizes = weight_hh.shape[1], weight_hh.shape[0] // 4
    first = [engine.wrap(np.zeros((batch, n), z.array.dtype)) if s is None else s for s, n in zip((h, c), sizes)]
    states = [s[:0] for s in first]
    ended: list[list[Any]] = [[], []]
    outputs: list[Any] = [None] * steps
    for t in range(steps - 1, -1, -1) if reverse else range(steps):
        begin, end = int(bounds[t]), int(bounds[t + 1])
        states = [resized(*parts, end - begin) for parts in zip(states, first, ended)]
        states = next_state(kind, z[begin:end], states[0], states[1], weight_hh, bias_hh, weight_hr)
        outputs[t] = states[0]
    last = [cat([s, *parts]) if parts else s for s, parts in zip(states, ended)]
    y = cat(outputs)
    y = y.reshape(steps, batch, y.shape[-1]) if starts is None else y
    return (y, *last) if kind == "lstm" else (y, last[0])


def resized(state: Any, first: Any, ended: list[Any], size: int) -> Any:
    """The state with `size` rows: of sequences that end it goes to the front of `ended`, others begin as in `first`."""
    rows = state.shape[0]
    if size < rows:
        ended.insert(0, state[size:])
        return state[:size]
    if size == rows:
        return state
    return cat([state, first[rows:size]]) if rows else first[:size]


def next_state(kind: str, z: Any, h: Any, c: Any, weight_hh: Any, bias_hh: Any, weight_hr: Any) -> list[Any]:
    """One step: [h, c] from the input's part z of the gates and the state before."""
    p: Any = linear(h, weight_hh, bias_hh)
    n = c.shape[1]
    if kind == "gru":
        n = h.shape[1]
        r, u = sigmoid(z[:, :n] + p[:, :n]), sigmoid(z[:, n : 2 * n] + p[:, n : 2 * n])
        m = tanh(z[:, 2 * n :] + r * p[:, 2 * n :])
        return [m + u * (h - m), c]
    if kind != "lstm":
        return [(relu if kind == "rnn_relu" else tanh)(z + p), c]
    z = z + p
    i, f, o = [sigmoid(z[:, k * n : (k + 1) * n]) for k in (0, 1, 3)]
    c = f * c + i * tanh(z[:, 2 * n : 3 * n])
    h = o * tanh(c)
    return [h if weight_hr is None else linear(h, weight_hr), c]
