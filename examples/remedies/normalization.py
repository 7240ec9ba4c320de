"""Batch norm and layer norm in a deep perceptron, over learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from setting import SEEDS, Run, digits, learn, over_seeds, table

import cygrad as cg
from cygrad import nn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Results = dict[str, tuple[np.ndarray, list[float]]]  # accuracies (rates, seeds), and spreads by layer

DEPTH, WIDTH, EPOCHS = 6, 64, 5
RATES = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
NORMS = {"without": None, "batch norm": nn.BatchNorm1d, "layer norm": nn.LayerNorm}


def network(norm: type[nn.Module] | None) -> nn.Sequential:
    """Linear, norm, ReLU, six times, as it begins in PyTorch."""
    layers: list[nn.Module] = []
    for _ in range(DEPTH):
        layers += [nn.Linear(WIDTH, WIDTH), *([norm(WIDTH)] if norm else []), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 10))


def run(seed: int, norm: type[nn.Module] | None, rate: float) -> Run:
    model = network(norm)
    optimizer = cg.optim.SGD(model.parameters(), lr=rate)
    return learn(model, optimizer, digits(seed, rows=1000, wrong=0.0), EPOCHS)


def spreads(norm: type[nn.Module] | None) -> list[float]:
    """The standard deviation over the rows, averaged over the units, of what enters each ReLU before training."""
    cg.manual_seed(0)
    x, found = digits(0).train.tensors[0], []
    with cg.no_grad():
        for layer in network(norm):
            if isinstance(layer, nn.ReLU):
                found.append(float(x.array.std(0).mean()))
            x = layer(x)
    return found


def measure() -> Results:
    return {
        name: (
            np.array([[each.accuracy for each in over_seeds(run, norm, rate)] for rate in RATES]),
            spreads(norm),
        )
        for name, norm in NORMS.items()
    }


def report(results: Results) -> str:
    rows = [[name, *(f"{100 * each.mean():.0f} %" for each in found)] for name, (found, _) in results.items()]
    return table(["test accuracy at a rate of", *map(str, RATES)], rows)


def picture(results: Results) -> Figure:
    from drawing import curve, figure

    titles = f"test accuracy after {EPOCHS} epochs, {len(SEEDS)} seeds", "what enters each ReLU, before training"
    made, (accuracies, signals) = figure(*titles)
    for name, (found, deviations) in results.items():
        curve(accuracies, found.T, name, RATES, marker="o", markersize=3)
        signals.plot(range(1, DEPTH + 1), deviations, marker="o", markersize=3, label=name)
    accuracies.set(xlabel="learning rate", ylabel="accuracy", xscale="log", ylim=(0, 1))
    signals.set(xlabel="layer", ylabel="standard deviation over the rows", yscale="log")
    signals.legend(fontsize=8)
    return made
