"""Recurrent layers, one layer in one direction: the operators RNN, GRU and LSTM."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.registry import translates
from cygrad.ops import recurrent

# The operator, its attributes, and where each of its gates stands among PyTorch's.
OPERATORS: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "rnn_tanh": ("RNN", {"activations": ["Tanh"]}, (0,)),
    "rnn_relu": ("RNN", {"activations": ["Relu"]}, (0,)),
    "gru": ("GRU", {"linear_before_reset": 1}, (1, 0, 2)),
    "lstm": ("LSTM", {}, (0, 3, 1, 2)),
}


def evaluated_network() -> Any:
    """The operator RNN for onnx's evaluator, with ReLU, which its own lacks."""
    from onnx.reference.ops import op_rnn

    base: Any = op_rnn.RNN_14

    def choose_act(self: Any, name: str, alpha: Any, beta: Any) -> Any:
        return (lambda x: np.maximum(x, 0)) if name == "Relu" else base.choose_act(self, name, alpha, beta)

    return type("RNN", (base,), {"choose_act": choose_act})


@translates(recurrent.recurrent_layer)
def recurrent_layer(call: Call) -> Any:
    operator, attributes, order = OPERATORS[call.options["kind"]]
    if call.options["starts"] is not None:
        call.refuse("for packed sequences")
    hidden = call.tensor(4).shape[1]
    axis = call.integers(0)

    def gates(position: int) -> str:
        """A weight or bias with its gates in the operator's order."""
        if len(order) == 1:
            return call.name(position)
        parts = call.add("Split", call.name(position), call.integers(*[hidden] * len(order)), axis=0, count=len(order))
        return str(call.add("Concat", *[parts[number] for number in order], axis=0))

    inputs = [call.name(), *[call.add("Unsqueeze", gates(position), axis) for position in (3, 4)]]
    biases = [gates(position) for position in (5, 6) if call.has(position)]
    inputs.append(call.add("Unsqueeze", call.add("Concat", *biases, axis=0), axis) if biases else "")
    inputs.append("")  # the lengths of sequences
    states = [position for position in (1, 2) if call.has(position)]
    if states == [2]:
        call.refuse("with cells but no states to begin with")
    inputs += [call.add("Unsqueeze", call.name(position), axis) for position in states]
    direction = "reverse" if call.options["reverse"] else "forward"
    count = len(call.outputs)
    y, *last = call.add(operator, *inputs, count=count, hidden_size=hidden, direction=direction, **attributes)
    return [call.add("Squeeze", y, call.integers(1)), *[call.add("Squeeze", state, axis) for state in last]]
