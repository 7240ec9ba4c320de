"""The data sets that the command line trains on, in parts and scaled."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from cygrad._typing import Array
from cygrad.data import TensorDataset, load_digits, load_mnist
from cygrad.random import Generator
from cygrad.train.run import scaled

__all__ = ["Task", "digits", "mnist"]


class Task(NamedTuple):
    """Rows of pixels (n, pixels) of float32, scaled to mean 0 and standard deviation 1 over the training
    part, with their class numbers."""

    name: str
    train: TensorDataset
    validation: TensorDataset
    test: TensorDataset
    mean: float
    std: float
    classes: list[int]

    @property
    def columns(self) -> int:
        """The numbers in a row."""
        return int(self.train.tensors[0].array.shape[1])


def digits(seed: int = 0) -> Task:
    """The 1,797 digits that come with the package: 70 % to train, 10 % to validate, 20 % to test, the same
    parts of every class, drawn by the seed.

    >>> task = cg.train.digits(seed=0)
    >>> len(task.train), len(task.validation), len(task.test), task.columns
    (1258, 180, 359, 64)
    """
    images, labels = load_digits()
    train, validation, test = stratified(labels, (0.7, 0.1), seed)
    return task(
        "digits",
        (images[train], labels[train]),
        (images[validation], labels[validation]),
        (images[test], labels[test]),
    )


def mnist(folder: str | os.PathLike[str], seed: int = 0) -> Task:
    """The data set of IDX files in a folder, see ``cg.data.load_mnist``; a tenth of the images to train,
    drawn by the seed, is for validation.
    """
    data = load_mnist(folder)
    images, labels = data.train_images, data.train_labels
    train, validation = stratified(labels, (0.9,), seed)
    return task(
        "mnist",
        (images[train], labels[train]),
        (images[validation], labels[validation]),
        (data.test_images, data.test_labels),
    )


def stratified(labels: Array, fractions: tuple[float, ...], seed: int) -> list[Array]:
    """Indices in parts: of every class these fractions, and the rest."""
    generator = Generator().manual_seed(seed)
    parts: list[list[Array]] = [[] for _ in range(len(fractions) + 1)]
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        ends = np.rint(np.cumsum(fractions) * len(rows)).astype(int)
        for part, piece in zip(parts, np.split(rows[generator.permutation(len(rows))], ends), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) if part else np.zeros(0, np.int64) for part in parts]


def task(name: str, *parts: tuple[Array, Array]) -> Task:
    """The parts for training, validation and testing, scaled."""
    for part, (images, _) in zip(("train", "validate", "test"), parts, strict=True):
        if not len(images):
            raise ValueError(f"{name}: there is no image to {part} with")
    pixels = parts[0][0]
    mean, std = float(pixels.mean()), float(pixels.std()) or 1.0
    classes = max(int(labels.max()) for _, labels in parts) + 1
    train, validation, test = (
        TensorDataset(scaled(images.reshape(len(images), -1), mean, std), labels) for images, labels in parts
    )
    return Task(name, train, validation, test, mean, std, list(range(classes)))
