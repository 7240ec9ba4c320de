"""Dropout of several strengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setting import Run, accuracy, curves, digits, learn, over_seeds, perceptron, table

import cygrad as cg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCHS = 60
SHARES = [0.0, 0.2, 0.5, 0.7]
SHOWN = [0.0, 0.5]


def run(seed: int, share: float) -> Run:
    model = perceptron(share)
    return learn(model, cg.optim.Adam(model.parameters()), digits(seed), EPOCHS)


def measure() -> dict[float, list[Run]]:
    return {share: over_seeds(run, share) for share in SHARES}


def report(results: dict[float, list[Run]]) -> str:
    rows = [
        [f"{share:g}", f"{100 * curves(runs, 'accuracy')[:, -1].mean():.1f} %", accuracy(runs)]
        for share, runs in results.items()
    ]
    return table(["p", "accuracy in training", "test accuracy"], rows)


def picture(results: dict[float, list[Run]]) -> Figure:
    from drawing import curve, figure

    made, (training, validation) = figure("loss in training", "accuracy of the validation")
    for share in SHOWN:
        label = f"p = {share:g}" if share else "without dropout"
        curve(training, curves(results[share], "loss"), label)
        curve(validation, curves(results[share], "val_accuracy"), label)
    training.set(xlabel="epoch", ylabel="loss", ylim=0)
    validation.set(xlabel="epoch", ylabel="accuracy")
    validation.legend(fontsize=8)
    return made
