"""Compare Xavier and He initialization in a deep perceptron, with tanh and with ReLU."""

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

Init = Callable[[cg.Tensor], cg.Tensor]
Results = dict[tuple[str, str], tuple[tuple[np.ndarray, np.ndarray], list[Run]]]

DEPTH, WIDTH, EPOCHS = 20, 128, 20
INITIALIZERS = {
    "Xavier": nn.init.xavier_normal_,
    "He": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
}
ACTIVATIONS = {"ReLU": nn.ReLU, "tanh": nn.Tanh}


def network(init: Init, activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise([64, *[WIDTH] * DEPTH, 10]):
        layer = nn.Linear(fan_in, fan_out)
        init(layer.weight)
        nn.init.zeros_(layer.bias)
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


def signals(init: Init, activation: type[nn.Module]) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square of each hidden layer's outputs, and of the gradient of the loss with respect to them."""
    cg.manual_seed(0)
    inputs, labels = digits(0, rows=1000).train.tensors
    x, outputs = inputs, []
    for layer in network(init, activation):
        x = layer(x)
        if isinstance(layer, activation):
            x.retain_grad()
            outputs.append(x)
    nn.functional.cross_entropy(x, labels).backward()
    return root_mean_squares(outputs), root_mean_squares([x.grad for x in outputs])


def root_mean_squares(tensors: list[cg.Tensor]) -> np.ndarray:
    """The root mean square of each tensor."""
    return np.array([np.sqrt((tensor.array**2).mean()) for tensor in tensors])


def run(seed: int, init: Init, activation: type[nn.Module]) -> Run:
    model = network(init, activation)
    return learn(model, cg.optim.SGD(model.parameters(), lr=0.01), digits(seed, rows=1000, wrong=0.0), EPOCHS)


def measure() -> Results:
    return {
        (kind, name): (signals(init, activation), over_seeds(run, init, activation))
        for kind, activation in ACTIVATIONS.items()
        for name, init in INITIALIZERS.items()
    }


def report(results: Results) -> str:
    rows = [
        [kind, name, f"{outputs[-1]:.1g}", f"{gradients[0] / gradients[-1]:.1g}", accuracy(runs)]
        for (kind, name), ((outputs, gradients), runs) in results.items()
    ]
    return table(
        ["activation", "initialization", "outputs of layer 20", "gradient, layer 1 / layer 20", "test accuracy"], rows
    )


def plot(results: Results) -> Figure:
    from drawing import figure

    fig, (forward, backward) = figure("outputs before training", "gradients with respect to the outputs")
    colors = {"Xavier": "C0", "He": "C1"}
    for (kind, name), ((outputs, gradients), _) in results.items():
        options = {"color": colors[name], "linestyle": "-" if kind == "ReLU" else ":", "label": f"{kind}, {name}"}
        forward.plot(range(1, DEPTH + 1), outputs, **options)
        backward.plot(range(1, DEPTH + 1), gradients, **options)
    for axes in forward, backward:
        axes.set(xlabel="layer", ylabel="root mean square", yscale="log", xticks=range(0, DEPTH + 1, 5))
    forward.legend(fontsize=8)
    return fig
