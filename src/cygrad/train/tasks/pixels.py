"""Data sets of images, in parts and scaled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from cygrad._typing import Array
from cygrad._version import __version__
from cygrad.data import TensorDataset, load_digits, load_mnist, stratified_split
from cygrad.generator import Generator
from cygrad.nn import functional as F
from cygrad.nn.module import Module
from cygrad.train.evaluation import Loss
from cygrad.train.run import Config, Run
from cygrad.train.run.pixels import scaled

__all__ = ["PARTS", "Task", "digits", "mnist"]

PARTS = ("training", "validation", "test")


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

    @property
    def outputs(self) -> int:
        """The numbers that a network gives for a row."""
        return len(self.classes)

    @property
    def loss(self) -> Loss:
        """What is made smaller."""
        return F.cross_entropy

    @property
    def metrics(self) -> list[str]:
        """What is measured beside the loss."""
        return ["accuracy"]

    @property
    def notes(self) -> list[str]:
        """What is to be known about the data: whether rows stand in two parts."""
        from cygrad.data.leakage import sentences

        return sentences([self.train, self.validation, self.test], PARTS)

    def run(self, model: Module, options: Mapping[str, Any], results: Mapping[str, Any]) -> Run:
        """The run of a model that was trained on it."""
        config = Config(
            sizes=[self.columns, *options["hidden"], self.outputs],
            dropout=options["dropout"],
            mean=self.mean,
            std=self.std,
            classes=self.classes,
            version=__version__,
            seed=options["seed"],
            task=self.name,
            options=dict(options),
            results=dict(results),
        )
        return Run(model, config)

    def results(self, measured: Mapping[str, float]) -> tuple[dict[str, float], str]:
        """What is kept of the measures on the test part, and a sentence about them."""
        return test_accuracy(measured)


def test_accuracy(measured: Mapping[str, float]) -> tuple[dict[str, float], str]:
    """The results of a classification, and the sentence about them."""
    kept = {"test_loss": measured["loss"], "test_accuracy": measured["accuracy"]}
    return kept, f"test accuracy {100 * measured['accuracy']:.2f} %"


def digits(seed: int = 0) -> Task:
    """The 1,797 digits that come with the package: 70 % to train, 10 % to validate, 20 % to test, the same
    parts of every class, drawn by the seed.

    >>> task = cg.train.digits(seed=0)
    >>> len(task.train), len(task.validation), len(task.test), task.columns
    (1258, 180, 359, 64)
    """
    images, labels = load_digits()
    train, validation, test = stratified(labels, (0.7, 0.1, 0.2), seed)
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
    train, validation = stratified(labels, (0.9, 0.1), seed)
    return task(
        "mnist",
        (images[train], labels[train]),
        (images[validation], labels[validation]),
        (data.test_images, data.test_labels),
    )


def stratified(labels: Array, fractions: tuple[float, ...], seed: int) -> list[Array]:
    """The indices of parts with these fractions of every class."""
    parts = stratified_split(range(len(labels)), labels, fractions, Generator().manual_seed(seed))
    return [np.asarray(part.indices) for part in parts]


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
