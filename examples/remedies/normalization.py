"""Compare batch norm, layer norm and no normalization in a deep perceptron, over learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from setting import SEEDS, Run, digits, learn, over_seeds, table

import cygrad as cg
from cygrad import nn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Results = dict[str, tuple[np.ndarray, list[float]]]  # accuracies (rates, seeds), and standard deviations by layer

DEPTH, WIDTH, EPOCHS = 6, 64, 5
RATES = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
NORMS = {"without": None, "batch norm": nn.BatchNorm1d, "layer norm": nn.LayerNorm}


def network(norm: type[nn.Module] | None) -> nn.Sequential:
    """Six times Linear, norm, ReLU, initialized as in PyTorch."""
    layers: list[nn.Module] = []
    for _ in range(DEPTH):
        layers += [nn.Linear(WIDTH, WIDTH), *([norm(WIDTH)] if norm else []), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 10))


def run(seed: int, norm: type[nn.Module] | None, rate: float) -> Run:
    model = network(norm)
    optimizer = cg.optim.SGD(model.parameters(), lr=rate)
    return learn(model, optimizer, digits(seed, rows=1000, wrong=0.0), EPOCHS)


def deviations(norm: type[nn.Module] | None) -> list[float]:
    """Standard deviation over the samples, averaged over the units, of each ReLU's input before training."""
    cg.manual_seed(0)
    x, result = digits(0).train.tensors[0], []
    with cg.no_grad():
        for layer in network(norm):
            if isinstance(layer, nn.ReLU):
                result.append(float(x.array.std(0).mean()))
            x = layer(x)
    return result


def measure() -> Results:
    return {
        name: (
            np.array([[each.accuracy for each in over_seeds(run, norm, rate)] for rate in RATES]),
            deviations(norm),
        )
        for name, norm in NORMS.items()
    }


def report(results: Results) -> str:
    rows = [[name, *(f"{100 * each.mean():.0f} %" for each in accuracies)] for name, (accuracies, _) in results.items()]
    return table(["test accuracy at learning rate", *map(str, RATES)], rows)


def plot(results: Results) -> Figure:
    from drawing import curve, figure

    titles = f"test accuracy after {EPOCHS} epochs, {len(SEEDS)} seeds", "inputs of each ReLU, before training"
    fig, (left, right) = figure(*titles)
    for name, (accuracies, stds) in results.items():
        curve(left, accuracies.T, name, RATES, marker="o", markersize=3)
        right.plot(range(1, DEPTH + 1), stds, marker="o", markersize=3, label=name)
    left.set(xlabel="learning rate", ylabel="accuracy", xscale="log", ylim=(0, 1))
    right.set(xlabel="layer", ylabel="standard deviation over the samples", yscale="log")
    right.legend(fontsize=8)
    return fig
