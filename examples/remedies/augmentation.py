"""Train a 784-256-128-10 perceptron on MNIST's 10,000 test images, with and without augmentation. Each seed draws 8,000
images for training and 2,000 for testing. CYGRAD_DATA is the folder that contains mnist-t10k."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from setting import SEEDS, Run, Splits, accuracy, curves, learn, over_seeds, table

import cygrad as cg
from cygrad import optim
from cygrad.data import augment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCHS = 30
AUGMENT = augment.RandomAffine(degrees=10, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=10)


def images() -> tuple[np.ndarray, np.ndarray]:
    """The images (n, 1, 28, 28), scaled to [0, 1], and labels (n,)."""
    folder = Path(os.environ.get("CYGRAD_DATA", "data")) / "mnist-t10k"
    data = cg.data.load_mnist(folder)
    x = np.concatenate([data.train_images, data.test_images])[:, None]
    return x.astype(np.float32) / 255, np.concatenate([data.train_labels, data.test_labels])


def run(seed: int, x: np.ndarray, y: np.ndarray, transform: augment.Transform | None) -> Run:
    order = np.random.default_rng(seed).permutation(len(y))
    train, test = (cg.data.TensorDataset(x[rows], y[rows]) for rows in np.split(order, [8000]))
    model = cg.train.mlp((784, 256, 128, 10), flatten=True)
    optimizer = optim.AdamW(model.parameters(), lr=2e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    splits = Splits(train, test, test)
    return learn(model, optimizer, splits, EPOCHS, batch_size=64, transform=transform, scheduler=schedule)


def measure() -> dict[str, list[Run]]:
    x, y = images()
    return {name: over_seeds(run, x, y, transform) for name, transform in {"without": None, "with": AUGMENT}.items()}


def report(results: dict[str, list[Run]]) -> str:
    rows = [
        [name, *(f"{100 * each.accuracy:.2f} %" for each in runs), accuracy(runs)] for name, runs in results.items()
    ]
    return table(["augmentation", *(f"seed {seed}" for seed in SEEDS), "mean ± std"], rows)


def plot(results: dict[str, list[Run]]) -> Figure:
    from drawing import curve, figure

    fig, (gallery, accuracies) = figure("an image and eleven augmented versions", "accuracy")
    x, _ = images()
    samples = AUGMENT(np.repeat(x[4:5], 12, axis=0), generator=cg.Generator().manual_seed(0))
    samples[0] = x[4]
    gallery.imshow(samples.reshape(3, 4, 28, 28).transpose(0, 2, 1, 3).reshape(84, 112), cmap="gray_r")
    gallery.axis("off")
    for name, runs in results.items():
        curve(accuracies, curves(runs, "val_accuracy"), f"test, {name} augmentation")
        curve(accuracies, curves(runs, "accuracy"), f"training, {name} augmentation", linestyle=":")
    accuracies.set(xlabel="epoch", ylabel="accuracy", ylim=(0.9, 1.001))
    accuracies.legend(fontsize=8, loc="lower right")
    return fig
