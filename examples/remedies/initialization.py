"""Xavier's start against He's, with tanh and with ReLU, in a deep perceptron."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from setting import Run, accuracy, digits, learn, over_seeds, table

import cygrad as cg
from cygrad import nn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Start = Callable[[cg.Tensor], cg.Tensor]
Results = dict[tuple[str, str], tuple[tuple[np.ndarray, np.ndarray], list[Run]]]

DEPTH, WIDTH, EPOCHS = 20, 128, 20
STARTS = {
    "Xavier": nn.init.xavier_normal_,
    "He": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
}
ACTIVATIONS = {"ReLU": nn.ReLU, "tanh": nn.Tanh}


def network(start: Start, activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise([64, *[WIDTH] * DEPTH, 10]):
        layer = nn.Linear(fan_in, fan_out)
        start(layer.weight)
        nn.init.zeros_(layer.bias)
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


def signals(start: Start, activation: type[nn.Module]) -> tuple[np.ndarray, np.ndarray]:
    """The root of the mean square of each hidden layer's outputs, and of the gradient of the loss by them."""
    cg.manual_seed(0)
    inputs, labels = digits(0, rows=1000).train.tensors
    x, outputs = inputs, []
    for layer in network(start, activation):
        x = layer(x)
        if isinstance(layer, activation):
            x.retain_grad()
            outputs.append(x)
    nn.functional.cross_entropy(x, labels).backward()
    return sizes(outputs), sizes([x.grad for x in outputs])


def sizes(tensors: list[cg.Tensor]) -> np.ndarray:
    """The root of the mean square of each."""
    return np.array([np.sqrt((tensor.array**2).mean()) for tensor in tensors])


def run(seed: int, start: Start, activation: type[nn.Module]) -> Run:
    model = network(start, activation)
    return learn(model, cg.optim.SGD(model.parameters(), lr=0.01), digits(seed, rows=1000, wrong=0.0), EPOCHS)


def measure() -> Results:
    return {
        (kind, name): (signals(start, activation), over_seeds(run, start, activation))
        for kind, activation in ACTIVATIONS.items()
        for name, start in STARTS.items()
    }


def report(results: Results) -> str:
    rows = [
        [kind, name, f"{outputs[-1]:.1g}", f"{gradients[0] / gradients[-1]:.1g}", accuracy(runs)]
        for (kind, name), ((outputs, gradients), runs) in results.items()
    ]
    return table(["activation", "start", "outputs of layer 20", "gradient, layer 1 over 20", "test accuracy"], rows)


def picture(results: Results) -> Figure:
    from drawing import figure

    made, (forward, backward) = figure("outputs of each layer, before training", "gradient of the loss by them")
    colors = {"Xavier": "C0", "He": "C1"}
    for (kind, name), ((outputs, gradients), _) in results.items():
        options = {"color": colors[name], "linestyle": "-" if kind == "ReLU" else ":", "label": f"{kind}, {name}"}
        forward.plot(range(1, DEPTH + 1), outputs, **options)
        backward.plot(range(1, DEPTH + 1), gradients, **options)
    for axes in forward, backward:
        axes.set(xlabel="layer", ylabel="root of the mean square", yscale="log", xticks=range(0, DEPTH + 1, 5))
    forward.legend(fontsize=8)
    return made
