"""Recurrent layers and their cells."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from cygrad._attributes import ShapeError
from cygrad.autograd import Value
from cygrad.nn import init
from cygrad.nn.functional import recurrent as R
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import bound_of, checked_size, empty_parameter
from cygrad.nn.utils.rnn import PackedSequence

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.nn.parameter import Parameter
    from cygrad.tensor import Tensor

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]


def is_tensor(value: object) -> bool:
    return isinstance(value, Value)


GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """The base of :class:`RNN`, :class:`LSTM` and :class:`GRU`. As ``torch.nn.RNNBase``.

    Args:
        mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".
        input_size: size of an element of a sequence.
        hidden_size: size of the state.
        num_layers: number of layers, each on the states of the one before, default 1.
        bias: whether there are bias_ih and bias_hh, default True.
        batch_first: whether sequences have shape (batch, steps, …) instead of (steps, batch, …), default False. States
            do not depend on it.
        dropout: probability of dropout between two layers, default 0.
        bidirectional: whether each layer also runs from the last step to the first, default False.
        proj_size: size of an LSTM's states after a projection, default 0 for none.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    Raises:
        ValueError: a size, the probability or the mode is invalid.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        kind = type(self).__name__
        if mode not in GATES:
            raise ValueError(f"{kind}: mode must be one of {', '.join(GATES)}, got {mode!r}")
        self.mode = mode
        self.input_size = checked_size(kind, "input_size", input_size, 1)
        self.hidden_size = checked_size(kind, "hidden_size", hidden_size, 1)
        self.num_layers = checked_size(kind, "num_layers", num_layers, 1)
        self.bias, self.batch_first, self.bidirectional = bool(bias), bool(batch_first), bool(bidirectional)
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
            raise ValueError(f"{kind}: dropout must be a number in [0, 1], got {dropout!r}")
        self.dropout = float(dropout)
        if dropout and num_layers == 1:
            warnings.warn(f"{kind}: dropout is between layers, and there is one layer", stacklevel=3)
        self.proj_size = checked_size(kind, "proj_size", proj_size)
        if self.proj_size and mode != "LSTM":
            raise ValueError(f"{kind}: only an LSTM has a proj_size")
        if self.proj_size >= self.hidden_size:
            raise ValueError(f"{kind}: proj_size must be smaller than hidden_size {hidden_size}, got {proj_size}")
        for names, shapes in zip(self._all_weights, self.parameter_shapes()):
            for name, shape in zip(names, shapes):
                setattr(self, name, empty_parameter(kind, shape, device, dtype))
        self.reset_parameters()

    @property
    def _all_weights(self) -> list[list[str]]:
        """The names of the parameters of each layer and direction."""
        names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if self.bias else [])]
        names += ["weight_hr"] if self.proj_size else []
        suffixes = ["", "_reverse"] if self.bidirectional else [""]
        return [[f"{n}_l{layer}{end}" for n in names] for layer in range(self.num_layers) for end in suffixes]

    def parameter_shapes(self) -> list[list[tuple[int, ...]]]:
        """The shapes of the parameters of each layer and direction."""
        directions, width = 2 if self.bidirectional else 1, GATES[self.mode] * self.hidden_size
        size = self.proj_size or self.hidden_size
        shapes: list[list[tuple[int, ...]]] = []
        for number in range(self.num_layers * directions):
            inputs = self.input_size if number < directions else size * directions
            biases: list[tuple[int, ...]] = [(width,), (width,)] if self.bias else []
            projection: list[tuple[int, ...]] = [(size, self.hidden_size)] if self.proj_size else []
            shapes.append([(width, inputs), (width, size), *biases, *projection])
        return shapes

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Do nothing: parameters have no other layout here."""

    def reset_parameters(self) -> None:
        """Initialize all parameters again, uniform in ±1/√hidden_size."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def run(self, input: Any, hx: Any, cx: Any = None) -> tuple[Any, ...]:
        """The layers on a tensor or packed sequences, with first states or None: (output, h) or (output, h, c)."""
        kind, packed = type(self).__name__, isinstance(input, PackedSequence)
        x: Any = input.data if packed else input
        if not is_tensor(x):
            raise TypeError(f"{kind}: input must be a tensor or a PackedSequence, got {type(x).__name__}")
        single = not packed and x.ndim == 2
        if not packed and x.ndim not in (2, 3):
            raise ShapeError(f"{kind}: input must have 2 or 3 dimensions, got shape {tuple(x.shape)}")
        transposed = self.batch_first and not packed and not single
        x = x.unsqueeze(1) if single else x.transpose(0, 1) if transposed else x
        starts = R.first_rows(kind, input.batch_sizes) if packed else None
        if x.shape[-1] != self.input_size:
            raise ShapeError(f"{kind}: input has shape {tuple(x.shape)}, but input_size is {self.input_size}")
        if not packed and not x.shape[0]:
            raise ShapeError(f"{kind}: a sequence must have at least one step, got an input of shape {tuple(x.shape)}")
        batch = x.shape[1] if starts is None else int(starts[1])
        order = input.sorted_indices if packed else None
        hx = self.first_state("hx", hx, self.proj_size or self.hidden_size, batch, single, order)
        cx = self.first_state("cx", cx, self.hidden_size, batch, single, order)
        params = [parameter for group in self.all_weights for parameter in group]
        options = self.bias, self.num_layers, self.dropout, self.training, self.bidirectional
        y, *states = R.run_layers(self.mode.lower(), x, starts, hx, cx, params, *options, transposed)
        if packed:
            y = PackedSequence(y, input.batch_sizes, input.sorted_indices, input.unsorted_indices)
            if input.unsorted_indices is not None:
                states = [state.index_select(1, input.unsorted_indices) for state in states]
        elif single:
            y, *states = [value.squeeze(1) for value in (y, *states)]
        return y, *states

    def first_state(self, name: str, state: Any, size: int, batch: int, single: bool, order: Any) -> Any:
        """A given first state, checked, in the order of packed sequences; None for zeros."""
        if state is None:
            return None
        kind, count = type(self).__name__, self.num_layers * (2 if self.bidirectional else 1)
        if not is_tensor(state):
            raise TypeError(f"{kind}: {name} must be a tensor, got {type(state).__name__}")
        wanted = (count, size) if single else (count, batch, size)
        if tuple(state.shape) != wanted:
            raise ShapeError(f"{kind}: {name} must have shape {wanted}, got {tuple(state.shape)}")
        return state.unsqueeze(1) if single else state if order is None else state.index_select(1, order)

    def extra_repr(self) -> str:
        defaults = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
        options = {name: getattr(self, name) for name in (*defaults, "bidirectional")}
        changed = [f"{n}={v}" for n, v in options.items() if v != defaults.get(n, False)]
        return ", ".join([str(self.input_size), str(self.hidden_size), *changed])


class RNN(RNNBase):
    """Run Elman's recurrent network, h = tanh(W_ih·x + b_ih + W_hh·h + b_hh), over sequences. As ``torch.nn.RNN``.
    J. L. Elman (1990), "Finding structure in time".

    The parameters ``weight_ih_l0`` (hidden_size, input_size), ``weight_hh_l0`` (hidden_size, hidden_size),
    ``bias_ih_l0`` and ``bias_hh_l0`` (hidden_size,) of the first layer, those of other layers, ``…_l1``, and those of
    the other direction, ``…_l0_reverse``, start uniform in ±1/√hidden_size.

    Args:
        input_size: size of an element of a sequence.
        hidden_size: size of the state.
        num_layers: number of layers, each on the states of the one before, default 1.
        nonlinearity: "tanh" (default) or "relu".
        bias: whether there are bias_ih and bias_hh, default True.
        batch_first: whether sequences have shape (batch, steps, …) instead of (steps, batch, …), default False. States
            do not depend on it.
        dropout: probability of dropout between two layers, default 0.
        bidirectional: whether each layer also runs from the last step to the first, default False.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    Raises:
        ValueError: a size, the probability or the nonlinearity is invalid.

    >>> output, h = cg.nn.RNN(3, 4)(cg.zeros(5, 2, 3))
    >>> output.shape, h.shape
    ((5, 2, 4), (1, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity must be tanh or relu, got {nonlinearity!r}")
        options = num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, *options)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor | PackedSequence, hx: Tensor | None = None) -> Any:
        """Return (output, h): the states of the last layer at all steps, and the last state of every layer and
        direction, shape (layers·directions, batch, hidden_size). Without hx, in that shape, states start as zeros. A
        sequence without a batch, shape (steps, input_size), gives results without one."""
        return self.run(input, hx)


class GRU(RNNBase):
    """Run gated recurrent units over sequences. As ``torch.nn.GRU``. K. Cho et al. (2014), "Learning phrase
    representations using RNN encoder-decoder for statistical machine translation".

    r, u = σ(W_ih·x + b_ih + W_hh·h + b_hh), m = tanh(W_ih·x + b_ih + r·(W_hh·h + b_hh)), h = (1 − u)·m + u·h, where the
    rows of W_ih, W_hh and the biases are those of r, u and m.

    The parameters ``weight_ih_l0`` (3·hidden_size, input_size), ``weight_hh_l0`` (3·hidden_size, hidden_size),
    ``bias_ih_l0`` and ``bias_hh_l0`` (3·hidden_size,), and so on, as of :class:`RNN`, start uniform in ±1/√hidden_size.

    Args:
        input_size: size of an element of a sequence.
        hidden_size: size of the state.
        num_layers: number of layers, each on the states of the one before, default 1.
        bias: whether there are bias_ih and bias_hh, default True.
        batch_first: whether sequences have shape (batch, steps, …) instead of (steps, batch, …), default False. States
            do not depend on it.
        dropout: probability of dropout between two layers, default 0.
        bidirectional: whether each layer also runs from the last step to the first, default False.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    Raises:
        ValueError: a size or the probability is invalid.

    >>> output, h = cg.nn.GRU(3, 4, num_layers=2, batch_first=True)(cg.zeros(2, 5, 3))
    >>> output.shape, h.shape
    ((2, 5, 4), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        options = num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        super().__init__("GRU", input_size, hidden_size, *options)

    def forward(self, input: Tensor | PackedSequence, hx: Tensor | None = None) -> Any:
        """Return (output, h), as :class:`RNN` does."""
        return self.run(input, hx)


class LSTM(RNNBase):
    """Run long short-term memories over sequences. As ``torch.nn.LSTM``. S. Hochreiter, J. Schmidhuber (1997), "Long
    short-term memory".

    i, f, o = σ(W_ih·x + b_ih + W_hh·h + b_hh), g = tanh(W_ih·x + b_ih + W_hh·h + b_hh), c = f·c + i·g, h = o·tanh c,
    where the rows of W_ih, W_hh and the biases are those of i, f, g and o. With proj_size, h = W_hr·(o·tanh c).

    The parameters ``weight_ih_l0`` (4·hidden_size, input_size), ``weight_hh_l0`` (4·hidden_size, hidden_size),
    ``bias_ih_l0`` and ``bias_hh_l0`` (4·hidden_size,), and so on, as of :class:`RNN`, and ``weight_hr_l0``
    (proj_size, hidden_size) start uniform in ±1/√hidden_size.

    Args:
        input_size: size of an element of a sequence.
        hidden_size: size of the cells, and of the states without a projection.
        num_layers: number of layers, each on the states of the one before, default 1.
        bias: whether there are bias_ih and bias_hh, default True.
        batch_first: whether sequences have shape (batch, steps, …) instead of (steps, batch, …), default False. States
            do not depend on it.
        dropout: probability of dropout between two layers, default 0.
        bidirectional: whether each layer also runs from the last step to the first, default False.
        proj_size: size of the states after a projection, smaller than hidden_size; default 0 for none.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    Raises:
        ValueError: a size or the probability is invalid.

    >>> output, (h, c) = cg.nn.LSTM(3, 4, bidirectional=True)(cg.zeros(5, 2, 3))
    >>> output.shape, h.shape, c.shape
    ((5, 2, 8), (2, 2, 4), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        options = num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype
        super().__init__("LSTM", input_size, hidden_size, *options)

    def forward(self, input: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None = None) -> Any:
        """Return (output, (h, c)), as :class:`RNN` does; hx is a pair (h, c)."""
        y, h, c = self.run(input, *first_pair("LSTM", hx))
        return y, (h, c)


def first_pair(kind: str, hx: Any) -> tuple[Any, Any]:
    """The first (h, c), which may be None together."""
    if hx is None:
        return None, None
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        raise TypeError(f"{kind}: hx must be a pair of tensors (h, c), got {type(hx).__name__}")
    return hx[0], hx[1]


class RNNCellBase(Module):
    """The base of :class:`RNNCell`, :class:`LSTMCell` and :class:`GRUCell`. As ``torch.nn.RNNCellBase``.

    Args:
        input_size: size of the input.
        hidden_size: size of the state.
        bias: whether there are bias_ih and bias_hh.
        num_chunks: number of gates.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.
    """

    nonlinearity: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        kind = type(self).__name__
        self.input_size = checked_size(kind, "input_size", input_size)
        self.hidden_size = checked_size(kind, "hidden_size", hidden_size)
        self.bias = bool(bias)
        self.num_chunks = checked_size(kind, "num_chunks", num_chunks, 1)
        width = self.num_chunks * self.hidden_size
        self.weight_ih = empty_parameter(kind, (width, self.input_size), device, dtype)
        self.weight_hh = empty_parameter(kind, (width, self.hidden_size), device, dtype)
        self.bias_ih = empty_parameter(kind, (width,), device, dtype) if bias else None
        self.bias_hh = empty_parameter(kind, (width,), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize all parameters again, uniform in ±1/√hidden_size."""
        bound = bound_of(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def run(self, operation: str, input: Any, hx: Any, cx: Any = None) -> list[Any]:
        """The next states, from given ones or None for zeros."""
        kind = type(self).__name__
        if not is_tensor(input):
            raise TypeError(f"{kind}: input must be a tensor, got {type(input).__name__}")
        single = input.ndim == 1
        if input.ndim not in (1, 2):
            raise ShapeError(f"{kind}: input must have 1 or 2 dimensions, got shape {tuple(input.shape)}")
        for name, state in (("hx", hx), ("cx", cx)):
            wanted = (self.hidden_size,) if single else (input.shape[0], self.hidden_size)
            if state is not None and (not is_tensor(state) or tuple(state.shape) != wanted):
                got = tuple(state.shape) if is_tensor(state) else type(state).__name__
                raise ShapeError(f"{kind}: {name} must be a tensor of shape {wanted}, got {got}")
        x, h, c = [x.unsqueeze(0) if single and x is not None else x for x in (input, hx, cx)]
        results = R.run_cell(operation, x, h, c, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)[1:]
        return [x.squeeze(0) if single else x for x in results]

    def extra_repr(self) -> str:
        bias = "" if self.bias else f", bias={self.bias}"
        other = getattr(self, "nonlinearity", "tanh")
        return f"{self.input_size}, {self.hidden_size}{bias}" + (f", nonlinearity={other}" if other != "tanh" else "")


class RNNCell(RNNCellBase):
    """Compute one step of Elman's network, tanh(W_ih·x + b_ih + W_hh·h + b_hh). As ``torch.nn.RNNCell``.

    The parameters ``weight_ih`` (hidden_size, input_size), ``weight_hh`` (hidden_size, hidden_size), ``bias_ih`` and
    ``bias_hh`` (hidden_size,) start uniform in ±1/√hidden_size.

    Args:
        input_size: size of the input.
        hidden_size: size of the state.
        bias: whether there are bias_ih and bias_hh, default True.
        nonlinearity: "tanh" (default) or "relu".
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    Raises:
        ValueError: a size or the nonlinearity is invalid.

    >>> cg.nn.RNNCell(3, 4)(cg.zeros(2, 3)).shape
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNNCell: nonlinearity must be tanh or relu, got {nonlinearity!r}")
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state, from x of shape (batch, input_size) or (input_size,) and a state, by default zeros."""
        (h,) = self.run(f"rnn_{self.nonlinearity}", input, hx)
        result: Tensor = h
        return result


class LSTMCell(RNNCellBase):
    """Compute one step of an LSTM; :class:`LSTM` has the formulas. As ``torch.nn.LSTMCell``.

    The parameters ``weight_ih`` (4·hidden_size, input_size), ``weight_hh`` (4·hidden_size, hidden_size), ``bias_ih``
    and ``bias_hh`` (4·hidden_size,) start uniform in ±1/√hidden_size.

    Args:
        input_size: size of the input.
        hidden_size: size of the state.
        bias: whether there are bias_ih and bias_hh, default True.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    >>> h, c = cg.nn.LSTMCell(3, 4)(cg.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return the next (h, c), from x of shape (batch, input_size) or (input_size,) and a pair, by default zeros."""
        h, c = self.run("lstm", input, *first_pair("LSTMCell", hx))
        return h, c


class GRUCell(RNNCellBase):
    """Compute one step of a GRU; :class:`GRU` has the formulas. As ``torch.nn.GRUCell``.

    The parameters ``weight_ih`` (3·hidden_size, input_size), ``weight_hh`` (3·hidden_size, hidden_size), ``bias_ih``
    and ``bias_hh`` (3·hidden_size,) start uniform in ±1/√hidden_size.

    Args:
        input_size: size of the input.
        hidden_size: size of the state.
        bias: whether there are bias_ih and bias_hh, default True.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    >>> cg.nn.GRUCell(3, 4)(cg.zeros(2, 3), cg.zeros(2, 4)).shape
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state, from x of shape (batch, input_size) or (input_size,) and a state, by default zeros."""
        (h,) = self.run("gru", input, hx)
        result: Tensor = h
        return result
