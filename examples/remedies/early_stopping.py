"""Compare early stopping with training for a fixed number of epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from setting import Run, accuracy, curves, digits, learn, over_seeds, perceptron, table

import cygrad as cg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCHS = 60


def run(seed: int) -> tuple[Run, Run, int]:
    """A run over all epochs, an early stopped run, and the epoch that the latter restores."""
    model = perceptron()
    complete = learn(model, cg.optim.Adam(model.parameters()), digits(seed), EPOCHS)
    cg.manual_seed(seed)
    model = perceptron()
    stopping = cg.train.EarlyStopping(model, patience=10, mode="max")
    options = {"early_stopping": stopping, "monitor": "val_accuracy"}
    stopped = learn(model, cg.optim.Adam(model.parameters()), digits(seed), EPOCHS, **options)
    return complete, stopped, stopping.best_epoch or 0


def measure() -> list[tuple[Run, Run, int]]:
    return over_seeds(run)


def report(results: list[tuple[Run, Run, int]]) -> str:
    ends, stops, best = zip(*results)
    lengths = [len(run.history) for run in stops]
    return table(
        ["training", "epochs", "restored epoch", "test accuracy"],
        [
            ["all epochs", EPOCHS, EPOCHS, accuracy(ends)],
            ["early stopping, patience 10", f"{np.mean(lengths):.0f}", f"{np.mean(best):.0f}", accuracy(stops)],
        ],
    )


def plot(results: list[tuple[Run, Run, int]]) -> Figure:
    from drawing import curve, figure

    fig, (losses, accuracies) = figure("loss", "accuracy")
    ends, stops, best = zip(*results)
    for axes, name in (losses, "loss"), (accuracies, "accuracy"):
        curve(axes, curves(ends, name), "training, a fifth of the labels wrong")
        curve(axes, curves(ends, f"val_{name}"), "validation")
        axes.axvline(np.mean(best), color="black", linestyle="--", label="best epoch (restored)")
        axes.axvline(np.mean([len(run.history) for run in stops]), color="black", linestyle=":", label="training stops")
        axes.set(xlabel="epoch", ylabel=name)
    losses.set_ylim(0)
    accuracies.legend(fontsize=8)
    return fig
