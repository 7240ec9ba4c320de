"""Transforms that mix samples, and their labels, within a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.data.augment.transform import Transform, require_images
from cygrad.generator import Generator

__all__ = ["CutMix", "MixUp"]


class Mixing(Transform):
    """Base class of transforms that mix every sample with another one of its batch."""

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None) -> None:
        op = type(self).__name__
        if not 0 < alpha < np.inf:
            raise ValueError(f"{op}: alpha must be positive, got {alpha}")
        if num_classes is not None and num_classes < 1:
            raise ValueError(f"{op}: num_classes must be at least 1, got {num_classes}")
        self.alpha = float(alpha)
        self.num_classes = num_classes

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        op = type(self).__name__
        if len(parts) != 2:
            raise TypeError(f"{op}: a batch must be (inputs, labels), got length {len(parts)}")
        x, labels = parts
        targets = self.targets(op, np.asarray(labels), x)
        index = generator.permutation(len(x))
        x, weights = self.mixed(x, index, generator)
        return [x, kernels.mix(targets, index, weights.astype(targets.dtype))]

    def targets(self, op: str, labels: Array, x: Any) -> Array:
        """Labels in a form that can be averaged: class indices one-hot encoded, floats unchanged."""
        if not isinstance(x, np.ndarray) or not x.ndim or len(labels) != len(x):
            raise ValueError(f"{op}: inputs and labels must have the same first dimension")
        if labels.dtype.kind == "f":
            return labels
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            got = f"{labels.dtype} of shape {labels.shape}"
            raise TypeError(f"{op}: labels must be class indices (N,) or floats, got {got}")
        if self.num_classes is None:
            raise ValueError(f"{op}: num_classes is required for class indices")
        if labels.size and not 0 <= labels.min() <= labels.max() < self.num_classes:
            raise ValueError(
                f"{op}: class indices must be between 0 and {self.num_classes - 1}, "
                f"got {labels.min()} to {labels.max()}"
            )
        return np.eye(self.num_classes, dtype=x.dtype)[labels]

    def mixed(self, x: Array, index: Array, generator: Generator) -> tuple[Array, Array]:
        """Mix the samples x with x[index]. Returns them and the weight (N,) of each sample's own label."""
        raise NotImplementedError(f"{type(self).__name__}: a mixing transform must define mixed")


class MixUp(Mixing):
    """Average every sample, and its label, with another sample of the batch.

    x ← λ·x + (1 − λ)·x′ and y ← λ·y + (1 − λ)·y′ with λ from Beta(α, α) and x′ a random sample of the batch.

    Inputs are floats (N, …). Labels are class indices (N,), which become (N, num_classes), or floats of any shape
    (N, …). ``cross_entropy`` accepts the resulting labels directly.

    Like ``torchvision.transforms.v2.MixUp``, but λ is drawn per sample and the partners are a random permutation.

    H. Zhang et al. (2018), "mixup: beyond empirical risk minimization".

    Args:
        alpha: parameter α of the beta distribution, positive.
        num_classes: number of classes, required for class indices.

    Raises:
        TypeError: on a call, if the batch is not a pair or labels are neither class indices nor floats.
        ValueError: if an argument is out of range, or, on a call, a class index.

    >>> x, y = cg.data.augment.MixUp(alpha=0.4, num_classes=3)(np.ones((4, 2)), np.array([0, 1, 2, 1]))
    >>> y.shape, y.sum(1).round(6).tolist()
    ((4, 3), [1.0, 1.0, 1.0, 1.0])
    """

    def mixed(self, x: Array, index: Array, generator: Generator) -> tuple[Array, Array]:
        weights = generator.numpy().beta(self.alpha, self.alpha, len(x))
        return kernels.mix(x, index, weights.astype(x.dtype)), weights


class CutMix(Mixing):
    """Paste a box from another image of the batch into every image, and mix the labels by area.

    y ← λ·y + (1 − λ)·y′, where λ is the fraction of the image that remains its own. The box covers 1 − λ′ of the area,
    with λ′ from Beta(α, α), and has the proportions of the image. Its center is uniform over the image, so the box may
    be clipped at the border.

    Images are (N, C, H, W); labels as in ``MixUp``.

    S. Yun et al. (2019), "CutMix: regularization strategy to train strong classifiers with localizable features".

    Args:
        alpha: parameter α of the beta distribution, positive.
        num_classes: number of classes, required for class indices.

    Raises:
        TypeError: on a call, if the batch is not a pair or labels are neither class indices nor floats.
        ValueError: if an argument is out of range, or, on a call, a class index.

    >>> x, y = cg.data.augment.CutMix(num_classes=2)(np.ones((4, 1, 8, 8)), np.array([0, 1, 1, 0]))
    >>> x.shape, y.shape
    ((4, 1, 8, 8), (4, 2))
    """

    def mixed(self, x: Array, index: Array, generator: Generator) -> tuple[Array, Array]:
        n, _, height, width = require_images("CutMix", x).shape
        numpy = generator.numpy()
        centers = numpy.random((n, 2))
        half = np.sqrt(1 - numpy.beta(self.alpha, self.alpha, n)) / 2
        rows, columns = (
            np.clip(np.rint((center * extent)[:, None] + half[:, None] * extent * np.array([-1, 1])), 0, extent)
            for center, extent in zip(centers.T, (height, width), strict=True)
        )
        boxes = np.stack([rows[:, 0], columns[:, 0], np.diff(rows)[:, 0], np.diff(columns)[:, 0]], 1).astype(np.int64)
        weights = 1 - boxes[:, 2] * boxes[:, 3] / max(height * width, 1)
        return kernels.paste(x, x, index, boxes), weights
