"""Train a recurrent network with a learning rate that is too high without gradient clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from setting import Run, accuracy, curves, digits, learn, over_seeds, table

import cygrad as cg
from cygrad import nn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Clip = float | tuple[str, float] | None
Results = dict[str, list[tuple[Run, list[float]]]]  # each run with the gradient norm of every step

EPOCHS, RATE, MOMENTUM = 15, 0.1, 0.9
CLIPS: dict[str, Clip] = {"without": None, "by norm, λ = 1": 1.0, "adaptive, λ = 0.05": ("adaptive", 0.05)}


class Reader(nn.Module):
    """Read a digit four pixels at a time: h ← tanh(U·x + b + V·h + c), 16 times, then a linear layer."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.recurrent, self.output = nn.RNN(4, width, batch_first=True), nn.Linear(width, 10)
        nn.init.orthogonal_(self.recurrent.weight_hh_l0)

    def forward(self, x: cg.Tensor) -> cg.Tensor:
        states, _ = self.recurrent(x.reshape(len(x), -1, 4))
        return self.output(states[:, -1])


class Norms(cg.train.Callback):
    """Record the gradient norm of every step, before clipping."""

    def __init__(self) -> None:
        self.norms: list[float] = []

    def on_batch_end(self, trainer: cg.train.Trainer, metrics: dict[str, float]) -> None:
        self.norms.append(metrics["grad_norm"])


def run(seed: int, clip: Clip) -> tuple[Run, list[float]]:
    model, norms = Reader(), Norms()
    optimizer = cg.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    splits = digits(seed, rows=1000, wrong=0.0)
    return learn(model, optimizer, splits, EPOCHS, clip=clip, callbacks=[norms]), norms.norms


def measure() -> Results:
    return {name: over_seeds(run, clip) for name, clip in CLIPS.items()}


def report(results: Results) -> str:
    rows = []
    for name, runs in results.items():
        norms = np.array([norms for _, norms in runs])
        rows.append([name, f"{np.median(norms):.1f}", f"{norms.max():.1f}", accuracy(run for run, _ in runs)])
    return table(["clipping", "median ‖g‖", "largest ‖g‖", "test accuracy"], rows)


def plot(results: Results) -> Figure:
    from drawing import curve, figure

    fig, (losses, norms) = figure("training loss", "gradient norm before clipping, one seed")
    for name, runs in results.items():
        curve(losses, curves((run for run, _ in runs), "loss"), name)
        norms.plot(range(1, 1 + len(runs[0][1])), runs[0][1], linewidth=0.8)
    norms.axhline(
        CLIPS["by norm, λ = 1"], color="black", linestyle="--", linewidth=1, label="λ: limit of clipping by norm"
    )
    losses.set(xlabel="epoch", ylabel="loss", ylim=0)
    norms.set(xlabel="step", ylabel="‖g‖", yscale="log")
    losses.legend(fontsize=8)
    norms.legend(fontsize=8)
    return fig
