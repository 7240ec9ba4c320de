"""Recurrent layers."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["recurrent"]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def recurrent(
    op: str, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, starts: Any, reverse: bool
) -> Any:
    """(y, h, c) of one layer in one direction, row by row of the batch; c is None unless this is an LSTM"""
    wide = [0 if a is None else a.astype(np.float64) for a in (w_ih, w_hh, b_ih, b_hh)]
    n = w_hh.shape[1]
    rows = x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1])
    bounds = np.arange(len(x) + 1) * x.shape[1] if starts is None else starts
    batch = bounds[1]
    y = np.zeros((len(rows), n))
    h, c = [np.zeros((batch, n)) if a is None else a.astype(np.float64) for a in (h0, c0)]
    for i in range(batch):
        steps = [t for t in range(len(bounds) - 1) if i < bounds[t + 1] - bounds[t]]
        for t in reversed(steps) if reverse else steps:
            h[i], c[i] = next_state(op, rows[bounds[t] + i].astype(np.float64), h[i], c[i], *wide)
            y[bounds[t] + i] = h[i]
    return y.reshape(*x.shape[:-1], n).astype(x.dtype), h.astype(x.dtype), c.astype(x.dtype) if op == "lstm" else None


def next_state(op: str, x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    """One step of one row"""
    z, p = w_ih @ x + b_ih, w_hh @ h + b_hh
    if op == "gru":
        (r, u, m), (pr, pu, pm) = np.split(z, 3), np.split(p, 3)
        r, u = sigmoid(r + pr), sigmoid(u + pu)
        return (1 - u) * np.tanh(m + r * pm) + u * h, c
    if op == "lstm":
        i, f, g, o = np.split(z + p, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    return (np.tanh(z + p) if op == "rnn_tanh" else np.maximum(z + p, 0)), c
