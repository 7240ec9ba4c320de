"""Compare an L2 penalty and decoupled weight decay of several strengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from setting import Run, accuracy, curves, digits, learn, over_seeds, perceptron, table

import cygrad as cg
from cygrad import nn, optim

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Results = dict[str, dict[float, list[tuple[Run, list[float]]]]]  # each run with the weight norm after every epoch

EPOCHS = 60
L2 = [0.0, 1e-3, 3e-3, 1e-2, 3e-2]
DECOUPLED = [0.0, 0.3, 1.0, 3.0, 10.0]
PLOTTED = 3.0


class Norm(cg.train.Callback):
    """Record the norm of all weights after each epoch."""

    def __init__(self) -> None:
        self.norms: list[float] = []

    def on_epoch_end(self, trainer: cg.train.Trainer, metrics: dict[str, float]) -> None:
        self.norms.append(float(np.sqrt(sum((layer.weight.array**2).sum() for layer in linear_layers(trainer.model)))))


def linear_layers(model: nn.Module) -> list[nn.Linear]:
    return [module for module in model.modules() if isinstance(module, nn.Linear)]


def run(seed: int, optimizer: type[optim.Optimizer], strength: float) -> tuple[Run, list[float]]:
    model, norm = perceptron(), Norm()
    instance = optimizer(optim.decay_groups(model, strength), lr=1e-3)
    return learn(model, instance, digits(seed), EPOCHS, callbacks=[norm]), norm.norms


def measure() -> Results:
    forms = {"L2": (optim.Adam, L2), "decoupled": (optim.AdamW, DECOUPLED)}
    return {
        name: {strength: over_seeds(run, kind, strength) for strength in strengths}
        for name, (kind, strengths) in forms.items()
    }


def report(results: Results) -> str:
    rows = [
        [name, f"{strength:g}", accuracy(run for run, _ in runs), f"{np.mean([norms[-1] for _, norms in runs]):.1f}"]
        for name, strengths in results.items()
        for strength, runs in strengths.items()
    ]
    return table(["form", "λ", "test accuracy", "final ‖W‖"], rows)


def plot(results: Results) -> Figure:
    from drawing import curve, figure

    fig, (accuracies, norms) = figure("validation accuracy", "norm of the weights")
    for strength in (0.0, PLOTTED):
        runs = results["decoupled"][strength]
        label = f"AdamW, λ = {strength:g}" if strength else "without decay"
        curve(accuracies, curves((run for run, _ in runs), "val_accuracy"), label)
        curve(norms, np.array([norms for _, norms in runs]), label)
    accuracies.set(xlabel="epoch", ylabel="accuracy")
    norms.set(xlabel="epoch", ylabel="‖W‖", ylim=0)
    norms.legend(fontsize=8)
    return fig
