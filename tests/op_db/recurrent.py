"""Rows of recurrent layers: one layer in one direction."""

from __future__ import annotations

import numpy as np

import cygrad as cg
from cygrad.ops.recurrent import recurrent_layer
from tests import reference
from tests.op_db.row import Bad, Row, Sample

GATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}

# Steps, batch, inputs, hidden: rows around blocks of 8 and groups of 64, columns around vectors and tiles.
SIZES = [(1, 1, 1, 1), (3, 1, 2, 17), (2, 7, 1, 5), (4, 9, 3, 16), (3, 17, 2, 33), (2, 65, 3, 3), (5, 2, 0, 4), (3, 0, 2, 3)]
PACKED = [(1,), (3, 3, 2, 1), (9, 9, 8, 8, 3), (5, 1, 1)]  # the sizes of the steps


def drawn(kind):
    def samples(rng, dtype):
        def uniform(*shape):
            return rng.uniform(-1, 1, shape).astype(dtype)

        def sample(n, batch, hidden, inputs, x, sizes):
            width = GATES[kind] * hidden
            states = [uniform(batch, hidden) if n % 2 else None, uniform(batch, hidden) if n % 2 and kind == "lstm" else None]
            biases = [None if n % 4 == 2 else uniform(width) for _ in range(2)]
            return Sample(x, *states, uniform(width, inputs), uniform(width, hidden), *biases, sizes, n % 3 == 1)

        for n, (steps, batch, inputs, hidden) in enumerate(SIZES):
            yield sample(n, batch, hidden, inputs, uniform(steps, batch, inputs), None)
        for n, sizes in enumerate([*PACKED, *PACKED]):
            yield sample(n + (n >= 4), sizes[0], 4 + n, 3, uniform(sum(sizes), 3), sizes)

    return samples


def starts_of(sizes):
    return None if sizes is None else np.concatenate([[0], np.cumsum(sizes)])


def layer(kind):
    return lambda *args: recurrent_layer(*args[:7], kind, starts_of(args[7]), args[8])


def in_numpy(kind):
    return lambda *args: [x for x in reference.recurrent(kind, *args[:7], starts_of(args[7]), args[8]) if x is not None]


def in_torch(kind):
    """PyTorch runs the other direction only beside the first one."""

    def of(torch):
        def call(x, h, c, w_ih, w_hh, b_ih, b_hh, sizes, reverse):
            batch, n = x.shape[1] if sizes is None else sizes[0], w_hh.shape[1]
            h, c = [torch.zeros(batch, n, dtype=x.dtype) if s is None else s for s in (h, c)]
            hx = [torch.stack([s, s] if reverse else [s]) for s in (h, c)]
            params = [w_ih, w_hh] + ([] if b_ih is None else [b_ih, b_hh])
            options = [b_ih is not None, 1, 0.0, False, reverse]
            front = [x] if sizes is None else [x, torch.tensor(sizes)]
            call = getattr(torch, kind)
            states = tuple(hx) if kind == "lstm" else hx[0]
            y, *last = call(*front, states, params * (1 + reverse), *options, *([False] if sizes is None else []))
            return [y[..., n * reverse :], *[s[int(reverse)] for s in last]]

        return call

    return of


def bad(error, match, kind="lstm", **changed):
    """A bad call: arrays of ones of other shapes."""

    def call(cg):
        shapes = {"x": (3, 2, 5), "h": (2, 4), "c": (2, 4), "w": (16, 5), "u": (16, 4), "b": (16,), "d": (16,)}
        options = {"starts": None}
        for name, value in changed.items():
            (options if name in options else shapes)[name] = value
        arrays = [s if s is None else s if isinstance(s, cg.Tensor) else cg.ones(s) for s in shapes.values()]
        return recurrent_layer(*arrays, kind, options["starts"], False)

    return Bad(call, error, match)


def integers(*values):
    return np.array(values, np.int64)


BAD = (
    bad(ValueError, r"lstm: input must have 3 dimensions, got shape \(3, 2\)", x=(3, 2)),
    bad(ValueError, "lstm: input must have 2 dimensions, of packed sequences", starts=integers(0, 3)),
    bad(ValueError, r"lstm: weight_hh must have shape \(4·hidden, hidden\), got \(16, 5\)", u=(16, 5)),
    bad(ValueError, r"lstm: weight_hh must have shape \(4·hidden, hidden\), got \(16,\)", u=(16,)),
    bad(ValueError, r"lstm: weight_ih must have shape \(16, 5\) for an input of shape \(3, 2, 5\), got \(16, 6\)", w=(16, 6)),
    bad(ValueError, r"lstm: hx must have shape \(2, 4\), got \(3, 4\)", h=(3, 4)),
    bad(ValueError, r"lstm: cx must have shape \(2, 4\), got \(2, 5\)", c=(2, 5)),
    bad(ValueError, r"lstm: bias_ih must have shape \(16,\), got \(4,\)", b=(4,)),
    bad(ValueError, r"lstm: bias_hh must have shape \(16,\), got \(1, 16\)", d=(1, 16)),
    bad(TypeError, "lstm: bias_hh is float64, but input is float32", d=cg.ones(16).double()),
    bad(TypeError, "lstm: weight_hh is float64, but input is float32", u=cg.ones(16, 4).double()),
    bad(TypeError, "lstm: input must be float32 or float64, got int64", x=cg.ones(3, 2, 5).long()),
    bad(ValueError, "recurrent: op must be one of rnn_relu, rnn_tanh, gru, lstm, got 'qrnn'", kind="qrnn"),
    *[
        bad(ValueError, "lstm: the sizes of the steps must be positive, fall, and add up to the 6 rows of the input", x=(6, 5), starts=starts)
        for starts in (integers(0, 2, 6), integers(0, 4, 5), integers(0), integers(1, 6), integers(0, 3, 3, 6), integers(0, 7, 6), integers(0, 2, -1, 6))
    ],
    bad(TypeError, "lstm: starts must be a contiguous array of int64 with one axis", x=(6, 5), starts=np.array([0.0, 6.0])),
)  # fmt: skip

ROWS = [
    Row(
        kind,
        layer(kind),
        drawn(kind),
        torch=in_torch(kind),
        reference=in_numpy(kind),
        kernels=("pack_columns", "recurrent", "recurrent_backward", "gemm", "sum", "copy"),
        bad=BAD if kind == "lstm" else (),
        rtol={np.float32: 5e-5, np.float64: 1e-11},
        atol={np.float32: 2e-5, np.float64: 1e-12},
    )
    for kind in GATES
]
