"""Who speaks? Speeches of eight of Shakespeare's characters, as tokens, with and without some of them dropped.
CYGRAD_DATA names the folder that holds tinyshakespeare/input.txt."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from setting import Parts, Run, accuracy, curves, learn, over_seeds, table

import cygrad as cg
from cygrad import nn, optim
from cygrad.data import augment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCHS, SPEAKERS, WORDS = 30, 8, 40
SHARES = [0.0, 0.2, 0.4, 0.6]
SHOWN = [0.0, 0.6]


def speeches() -> tuple[np.ndarray, np.ndarray]:
    """The first words of each speech of at least 8, tokens (n, 40) with 0 behind the end, and the number of the
    speaker. A word that comes only once is left out."""
    path = Path(os.environ.get("CYGRAD_DATA", "data")) / "tinyshakespeare" / "input.txt"
    parts = [part.split(":\n", 1) for part in path.read_text(encoding="utf-8").split("\n\n") if ":\n" in part]
    speakers = [name for name, _ in Counter(name for name, _ in parts).most_common(SPEAKERS)]
    spoken = [(speakers.index(name), re.findall(r"[a-z']+", text.lower())) for name, text in parts if name in speakers]
    found = [(speaker, words[:WORDS]) for speaker, words in spoken if len(words) >= 8]
    counts = Counter(word for _, words in found for word in words)
    number = {word: i for i, (word, count) in enumerate(counts.most_common(), 1) if count > 1}
    tokens = np.zeros((len(found), WORDS), np.int64)
    for row, (_, words) in zip(tokens, found):
        known = [number[word] for word in words if word in number]
        row[: len(known)] = known
    return tokens, np.array([speaker for speaker, _ in found])


class Bag(nn.Module):
    """The sum of the embeddings of a row's tokens, over the root of their number, through a perceptron."""

    def __init__(self, tokens: int, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width, padding_idx=0)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, SPEAKERS))

    def forward(self, x: cg.Tensor) -> cg.Tensor:
        count = (x != 0).float().sum(1, keepdim=True).clamp(min=1)
        return self.layers(self.embedding(x).sum(1) / count.sqrt())


def run(seed: int, x: np.ndarray, y: np.ndarray, share: float) -> Run:
    order = np.random.default_rng(seed).permutation(len(y))
    train, test = (cg.data.TensorDataset(x[part], y[part]) for part in np.split(order, [len(y) * 3 // 4]))
    model = Bag(int(x.max()) + 1)
    optimizer = optim.AdamW(model.parameters(), lr=2e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    transform = augment.DropTokens(share) if share else None
    parts = Parts(train, test, test)
    return learn(model, optimizer, parts, EPOCHS, batch_size=32, transform=transform, scheduler=schedule)


def measure() -> dict[float, list[Run]]:
    x, y = speeches()
    return {share: over_seeds(run, x, y, share) for share in SHARES}


def report(results: dict[float, list[Run]]) -> str:
    rows = [
        [f"{share:g}", *(f"{curves(runs, name)[:, -1].mean():.2f}" for name in ("loss", "val_loss")), accuracy(runs)]
        for share, runs in results.items()
    ]
    return table(["share dropped", "loss in training", "loss of the test", "test accuracy"], rows)


def picture(results: dict[float, list[Run]]) -> Figure:
    from drawing import curve, figure

    made, (losses, accuracies) = figure("loss of the test part", "accuracy of the test part")
    for share in SHOWN:
        label = f"{100 * share:.0f} % of the tokens dropped" if share else "without augmentation"
        curve(losses, curves(results[share], "val_loss"), label)
        curve(accuracies, curves(results[share], "val_accuracy"), label)
    losses.set(xlabel="epoch", ylabel="loss")
    accuracies.set(xlabel="epoch", ylabel="accuracy", ylim=0)
    accuracies.legend(fontsize=8)
    return made
