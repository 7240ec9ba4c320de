"""Train with several dropout probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setting import Run, accuracy, curves, digits, learn, over_seeds, perceptron, table

import cygrad as cg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCHS = 60
PROBABILITIES = [0.0, 0.2, 0.5, 0.7]
PLOTTED = [0.0, 0.5]


def run(seed: int, p: float) -> Run:
    model = perceptron(p)
    return learn(model, cg.optim.Adam(model.parameters()), digits(seed), EPOCHS)


def measure() -> dict[float, list[Run]]:
    return {p: over_seeds(run, p) for p in PROBABILITIES}


def report(results: dict[float, list[Run]]) -> str:
    rows = [
        [f"{p:g}", f"{100 * curves(runs, 'accuracy')[:, -1].mean():.1f} %", accuracy(runs)]
        for p, runs in results.items()
    ]
    return table(["p", "training accuracy", "test accuracy"], rows)


def plot(results: dict[float, list[Run]]) -> Figure:
    from drawing import curve, figure

    fig, (training, validation) = figure("training loss", "validation accuracy")
    for p in PLOTTED:
        label = f"p = {p:g}" if p else "without dropout"
        curve(training, curves(results[p], "loss"), label)
        curve(validation, curves(results[p], "val_accuracy"), label)
    training.set(xlabel="epoch", ylabel="loss", ylim=0)
    validation.set(xlabel="epoch", ylabel="accuracy")
    validation.legend(fontsize=8)
    return fig
