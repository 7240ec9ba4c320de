"""Recurrent networks of several layers and directions: ``cg.lstm``, ``cg.gru``, ``cg.rnn_tanh``, ``cg.rnn_relu`` and
their cells, under the names and with the arguments of ``torch``'s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import functions as f
from cygrad._attributes import ShapeError
from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.nn.functional.checks import check_tensor
from cygrad.nn.functional.dropout import dropout as drop
from cygrad.ops.recurrent import recurrent_layer, unrolled_layer

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell"]


def lstm(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Run an LSTM of several layers. As ``torch.lstm``, which has two forms:

    | ``lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)``
    | ``lstm(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)``

    Args:
        input: shape (steps, batch, inputs), or (batch, steps, inputs) with batch_first.
        data, batch_sizes: those of a :class:`cygrad.nn.utils.rnn.PackedSequence`, in place of `input`.
        hx: the pair (h, c), each of shape (layers·directions, batch, hidden).
        params: weight_ih, weight_hh and, with has_biases, bias_ih, bias_hh of each layer and direction; weight_hr too
            if h is smaller than c.
        has_biases, num_layers, dropout, train, bidirectional, batch_first: as in :class:`cygrad.nn.LSTM`.

    Returns:
        The states of the last layer, and the last h and c of every layer and direction.
    """
    y, h, c = run("lstm", args, kwargs)
    return y, h, c


def gru(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Run a GRU of several layers. As ``torch.gru``; the arguments are those of :func:`lstm`, with h alone for hx.

    Returns:
        The states of the last layer, and the last state of every layer and direction.
    """
    return run("gru", args, kwargs)[:2]


def rnn_tanh(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Run Elman's network of several layers, with tanh. As ``torch.rnn_tanh``; see :func:`gru`."""
    return run("rnn_tanh", args, kwargs)[:2]


def rnn_relu(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Run Elman's network of several layers, with ReLU. As ``torch.rnn_relu``; see :func:`gru`."""
    return run("rnn_relu", args, kwargs)[:2]


OPTIONS = ("has_biases", "num_layers", "dropout", "train", "bidirectional")
NAMES = ("input", "hx", "params", *OPTIONS, "batch_first")
PACKED_NAMES = ("data", "batch_sizes", "hx", "params", *OPTIONS)


def run(kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The call of a function above: (y, h, c), c of an LSTM only."""
    packed = "batch_sizes" in kwargs or (len(args) > 3 and isinstance(args[3], (list, tuple)))
    names = PACKED_NAMES if packed else NAMES
    given = dict(zip(names, args))
    if len(args) > len(names) or set(given) & set(kwargs) or {*given, *kwargs} != set(names):
        got = f"{len(args)} and {', '.join(kwargs) or 'no names'}"
        raise TypeError(f"{kind}: the arguments are {', '.join(names)}, got {got}")
    given |= kwargs
    starts = first_rows(kind, given["batch_sizes"]) if packed else None
    h, c = given["hx"], None
    if kind == "lstm":
        if not isinstance(h, (tuple, list)) or len(h) != 2:
            raise TypeError(f"lstm: hx must be a pair of tensors (h, c), got {type(h).__name__}")
        h, c = h
    biases, layers, dropout, train, bidirectional = [given[name] for name in OPTIONS]
    transposed = not packed and bool(given["batch_first"])
    x = given["data" if packed else "input"]
    check_tensor(kind, "input", x)
    x = x.transpose(0, 1) if transposed else x
    params = given["params"]
    return run_layers(kind, x, starts, h, c, params, biases, layers, dropout, train, bidirectional, transposed)


def first_rows(kind: str, batch_sizes: Tensor) -> Array:
    """The first row of each step of packed sequences, and the number of rows."""
    check_tensor(kind, "batch_sizes", batch_sizes)
    recording.reading(f"{kind} of packed sequences")
    sizes = batch_sizes.array
    if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or not sizes.size:
        raise ShapeError(f"{kind}: batch_sizes must be integers of shape (steps,), got {sizes.dtype} of {sizes.shape}")
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


def run_layers(
    kind: str,
    x: Tensor,
    starts: Array | None,
    hx: Tensor | None,
    cx: Tensor | None,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    transposed: bool = False,
) -> tuple[Any, ...]:
    """All layers on x, shape (steps, batch, inputs) or the rows of packed sequences; None for hx and cx are zeros.

    Returns (y, h) or, of an LSTM, (y, h, c); y has the first two dimensions swapped if `transposed`.
    """
    directions = 2 if bidirectional else 1
    count, cells = directions * num_layers, len(params) // max(directions * num_layers, 1)
    plain = 4 if has_biases else 2
    if cells * count != len(params) or not count or cells not in ((plain, plain + 1) if kind == "lstm" else (plain,)):
        wanted = f"{count} layers and directions need {plain} parameters each"
        raise ShapeError(f"{kind}: {wanted}, got {len(params)} in all")
    check_initial(kind, "hx", hx, count)
    check_initial(kind, "cx", cx, count)
    last: list[tuple[Any, ...]] = []
    for layer in range(num_layers):
        if layer and dropout and train:
            x = drop(x, dropout)
        outputs = []
        for reverse in (False, True)[:directions]:
            number = len(last)
            weights = params[number * cells : (number + 1) * cells]
            h, c = (None if state is None else state[number] for state in (hx, cx))
            y, *states = run_direction(kind, x, h, c, weights, has_biases, starts, reverse)
            outputs.append(y)
            last.append(tuple(states))
        x = outputs[0] if directions == 1 else f.cat(outputs, -1)
    y = x.transpose(0, 1) if transposed else x
    return y, *[f.stack(states) if count > 1 else states[0].unsqueeze(0) for states in zip(*last)]


def check_initial(kind: str, name: str, state: Tensor | None, count: int) -> None:
    """Raise unless a first state has one part for each layer and direction."""
    if state is None:
        return
    check_tensor(kind, name, state)
    if state.ndim != 3 or state.shape[0] != count:
        raise ShapeError(f"{kind}: {name} must have shape ({count}, batch, hidden), got {tuple(state.shape)}")


def run_direction(
    kind: str,
    x: Tensor,
    h: Tensor | None,
    c: Tensor | None,
    weights: Sequence[Tensor],
    has_biases: bool,
    starts: Array | None,
    reverse: bool,
) -> tuple[Any, ...]:
    """One layer in one direction."""
    w_ih, w_hh = weights[:2]
    b_ih, b_hh = (weights[2], weights[3]) if has_biases else (None, None)
    projection = weights[-1] if len(weights) % 2 else None
    if projection is None:
        return recurrent_layer(x, h, c, w_ih, w_hh, b_ih, b_hh, kind, starts, reverse)
    return unrolled_layer(kind, x, h, c, w_ih, w_hh, b_ih, b_hh, projection, starts, reverse)


def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Compute one step of an LSTM. As ``torch.lstm_cell``.

    Args:
        input: shape (batch, inputs).
        hx: the pair (h, c), each of shape (batch, hidden).
        w_ih, w_hh: weights of shapes (4·hidden, inputs) and (4·hidden, hidden), of the gates i, f, g, o.
        b_ih, b_hh: biases of shape (4·hidden,), default None.

    Returns:
        The next (h, c).

    Raises:
        RuntimeError: the shapes do not fit.
    """
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        raise TypeError(f"lstm_cell: hx must be a pair of tensors (h, c), got {type(hx).__name__}")
    _, h, c = run_cell("lstm", input, hx[0], hx[1], w_ih, w_hh, b_ih, b_hh)
    return h, c


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Compute one step of a GRU, whose gates are r, u and the candidate. As ``torch.gru_cell``; see
    :func:`lstm_cell`."""
    h: Tensor = run_cell("gru", input, hx, None, w_ih, w_hh, b_ih, b_hh)[1]
    return h


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Compute one step of Elman's network: tanh(W_ih·x + b_ih + W_hh·h + b_hh). As ``torch.rnn_tanh_cell``."""
    h: Tensor = run_cell("rnn_tanh", input, hx, None, w_ih, w_hh, b_ih, b_hh)[1]
    return h


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Compute one step of Elman's network: relu(W_ih·x + b_ih + W_hh·h + b_hh). As ``torch.rnn_relu_cell``."""
    h: Tensor = run_cell("rnn_relu", input, hx, None, w_ih, w_hh, b_ih, b_hh)[1]
    return h


def run_cell(
    kind: str,
    input: Tensor,
    h: Tensor | None,
    c: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
) -> tuple[Any, ...]:
    """A sequence of one step: (y, h), or (y, h, c)."""
    check_tensor(f"{kind}_cell", "input", input)
    if input.ndim != 2:
        raise ShapeError(f"{kind}_cell: input must have shape (batch, inputs), got {tuple(input.shape)}")
    return recurrent_layer(input.unsqueeze(0), h, c, w_ih, w_hh, b_ih, b_hh, kind, None, False)
