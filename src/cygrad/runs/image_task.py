"""Images to train on, in parts and standardized."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad._version import __version__
from cygrad.data import TensorDataset, load_digits, load_mnist, stratified_split
from cygrad.data.leakage import leakage_messages
from cygrad.generator import Generator
from cygrad.nn import functional as F
from cygrad.nn.module import Module
from cygrad.runs.held import Held
from cygrad.runs.image_run import ImageConfig, ImageRun, image_network, standardize
from cygrad.runs.measuring import measured
from cygrad.runs.options import Options
from cygrad.train.evaluation import Loss

__all__ = ["PARTS", "ImageTask", "digits", "mnist"]

PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class ImageTask:
    """Rows of pixels with their class indices.

    Args:
        name: of the data.
        train, validation, test: rows (n, pixels) of float32, with mean 0 and standard deviation 1 over the training
            set, and class indices (n,).
        mean, std: of the training set before that.
        classes: label of each class index.
        shape: channels, height and width of an image.
        network_type: of the network to train, one of ``image_run.NETWORKS``.
    """

    name: str
    train: TensorDataset
    validation: TensorDataset
    test: TensorDataset
    mean: float
    std: float
    classes: list[int]
    shape: tuple[int, int, int]
    network_type: str = "mlp"

    @property
    def columns(self) -> int:
        """Pixels per row."""
        return int(self.train.tensors[0].array.shape[1])

    @property
    def outputs(self) -> int:
        """Outputs of a network per row: one per class."""
        return len(self.classes)

    @property
    def loss(self) -> Loss:
        """The function to minimize: cross entropy."""
        return F.cross_entropy

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics to report beside the loss."""
        return ["accuracy"]

    @property
    def notes(self) -> list[str]:
        """Warnings of rows that are in two of the parts."""
        return leakage_messages([self.train, self.validation, self.test], PARTS)

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Fewer epochs, and smaller layers, for a convnet; the general defaults fit a perceptron."""
        fitting = {"hidden": (32, 64), "epochs": 15} if self.network_type == "convnet" else {}
        return {"network": self.network_type, **fitting}

    def network(self, options: Options) -> Module:
        """Build the network that the options describe."""
        sizes = (self.columns, *options.hidden, self.outputs)
        return image_network(self.network_type, self.shape, sizes, options.dropout)

    def run(self, model: Module, options: Mapping[str, Any], results: Mapping[str, Any]) -> ImageRun:
        """Make a run of a model that was trained on this data."""
        config = ImageConfig(
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
            network_type=self.network_type,
            shape=list(self.shape),
        )
        return ImageRun(model, config)

    def results(self, run: ImageRun, held: Held | None = None) -> tuple[dict[str, Any], str]:
        """Return the results of a run on the test set to save, and a line to print."""
        values = measured(run, self.test, self)
        results = {"test_loss": values["loss"], "test_accuracy": values["accuracy"]}
        return results, f"test accuracy {100 * values['accuracy']:.2f} %"


def digits(seed: int = 0) -> ImageTask:
    """Load the 1,797 digits that come with the package: 70 % for training, 10 % for validation, 20 % for the test.

    Every part has the same fraction of each class.

    Args:
        seed: of the split.

    Example:
        >>> task = cg.runs.digits(seed=0)
        >>> len(task.train), len(task.validation), len(task.test), task.columns
        (1258, 180, 359, 64)
    """
    images, labels = load_digits()
    train, validation, test = stratified(labels, (0.7, 0.1, 0.2), seed)
    return prepare_images(
        "digits",
        (images[train], labels[train]),
        (images[validation], labels[validation]),
        (images[test], labels[test]),
    )


def mnist(folder: str | os.PathLike[str], seed: int = 0, name: str = "mnist") -> ImageTask:
    """Load MNIST, or a data set in its format, with a tenth of the training images for validation.

    Args:
        folder: with the files, or one file, see ``cygrad.data.load_mnist``.
        seed: of the split.
        name: of the data.
    """
    data = load_mnist(folder)
    images, labels = data.train_images, data.train_labels
    train, validation = stratified(labels, (0.9, 0.1), seed)
    return prepare_images(
        name,
        (images[train], labels[train]),
        (images[validation], labels[validation]),
        (data.test_images, data.test_labels),
    )


def stratified(labels: Array, fractions: tuple[float, ...], seed: int) -> list[Array]:
    """The indices of parts with these fractions of each class."""
    parts = stratified_split(range(len(labels)), labels, fractions, Generator().manual_seed(seed))
    return [np.asarray(part.indices) for part in parts]


def prepare_images(name: str, *parts: tuple[Array, Array]) -> ImageTask:
    """Standardize the images of the training, validation and test set by the pixels of the training set."""
    for part, (images, _) in zip(PARTS, parts, strict=True):
        if not len(images):
            raise ValueError(f"{name}: the {part} set is empty")
    pixels = parts[0][0]
    mean, std = float(pixels.mean()), float(pixels.std()) or 1.0
    classes = max(int(labels.max()) for _, labels in parts) + 1
    train, validation, test = (
        TensorDataset(standardize(images.reshape(len(images), -1), mean, std), labels) for images, labels in parts
    )
    height, width = pixels.shape[1:]
    return ImageTask(name, train, validation, test, mean, std, list(range(classes)), (1, height, width))
