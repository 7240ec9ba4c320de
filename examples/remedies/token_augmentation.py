"""Tell which of eight Shakespeare characters speaks, from the words of a speech, with and without dropped tokens.
CYGRAD_DATA is the folder that contains tinyshakespeare/input.txt."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from setting import Run, Splits, accuracy, curves, learn, over_seeds, table

import cygrad as cg
from cygrad import nn, optim
from cygrad.data import augment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCHS, SPEAKERS, WORDS = 30, 8, 40
FRACTIONS = [0.0, 0.2, 0.4, 0.6]
PLOTTED = [0.0, 0.6]


def speeches() -> tuple[np.ndarray, np.ndarray]:
    """The first 40 words of each speech of at least 8 words, as tokens (n, 40) padded with 0, and the speakers' indices
    (n,). Words that occur only once are omitted."""
    path = Path(os.environ.get("CYGRAD_DATA", "data")) / "tinyshakespeare" / "input.txt"
    parts = [part.split(":\n", 1) for part in path.read_text(encoding="utf-8").split("\n\n") if ":\n" in part]
    speakers = [name for name, _ in Counter(name for name, _ in parts).most_common(SPEAKERS)]
    spoken = [(speakers.index(name), re.findall(r"[a-z']+", text.lower())) for name, text in parts if name in speakers]
    selected = [(speaker, words[:WORDS]) for speaker, words in spoken if len(words) >= 8]
    counts = Counter(word for _, words in selected for word in words)
    index = {word: i for i, (word, count) in enumerate(counts.most_common(), 1) if count > 1}
    tokens = np.zeros((len(selected), WORDS), np.int64)
    for row, (_, words) in zip(tokens, selected):
        known = [index[word] for word in words if word in index]
        row[: len(known)] = known
    return tokens, np.array([speaker for speaker, _ in selected])


class Bag(nn.Module):
    """The sum of the tokens' embeddings, divided by the square root of their number, followed by a perceptron."""

    def __init__(self, tokens: int, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width, padding_idx=0)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, SPEAKERS))

    def forward(self, x: cg.Tensor) -> cg.Tensor:
        count = (x != 0).float().sum(1, keepdim=True).clamp(min=1)
        return self.layers(self.embedding(x).sum(1) / count.sqrt())


def run(seed: int, x: np.ndarray, y: np.ndarray, fraction: float) -> Run:
    order = np.random.default_rng(seed).permutation(len(y))
    train, test = (cg.data.TensorDataset(x[rows], y[rows]) for rows in np.split(order, [len(y) * 3 // 4]))
    model = Bag(int(x.max()) + 1)
    optimizer = optim.AdamW(model.parameters(), lr=2e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    transform = augment.DropTokens(fraction) if fraction else None
    splits = Splits(train, test, test)
    return learn(model, optimizer, splits, EPOCHS, batch_size=32, transform=transform, scheduler=schedule)


def measure() -> dict[float, list[Run]]:
    x, y = speeches()
    return {fraction: over_seeds(run, x, y, fraction) for fraction in FRACTIONS}


def report(results: dict[float, list[Run]]) -> str:
    rows = [
        [f"{fraction:g}", *(f"{curves(runs, name)[:, -1].mean():.2f}" for name in ("loss", "val_loss")), accuracy(runs)]
        for fraction, runs in results.items()
    ]
    return table(["fraction dropped", "training loss", "test loss", "test accuracy"], rows)


def plot(results: dict[float, list[Run]]) -> Figure:
    from drawing import curve, figure

    fig, (losses, accuracies) = figure("test loss", "test accuracy")
    for fraction in PLOTTED:
        label = f"{100 * fraction:.0f} % of tokens dropped" if fraction else "without augmentation"
        curve(losses, curves(results[fraction], "val_loss"), label)
        curve(accuracies, curves(results[fraction], "val_accuracy"), label)
    losses.set(xlabel="epoch", ylabel="loss")
    accuracies.set(xlabel="epoch", ylabel="accuracy", ylim=0)
    accuracies.legend(fontsize=8)
    return fig
