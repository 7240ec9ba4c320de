"""Samples mixed with others of their batch, and the labels with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.data.augment.transform import Transform, demand_images
from cygrad.generator import Generator

__all__ = ["CutMix", "MixUp"]


class Mixing(Transform):
    """Mixes every sample with another of its batch."""

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None) -> None:
        op = type(self).__name__
        if not 0 < alpha < np.inf:
            raise ValueError(f"{op}: alpha must be above 0, got {alpha}")
        if num_classes is not None and num_classes < 1:
            raise ValueError(f"{op}: num_classes must be at least 1, got {num_classes}")
        self.alpha = float(alpha)
        self.num_classes = num_classes

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        op = type(self).__name__
        if len(parts) != 2:
            raise TypeError(f"{op}: a batch must be inputs and labels, got {len(parts)} parts")
        x, labels = parts
        targets = self.targets(op, np.asarray(labels), x)
        index = generator.permutation(len(x))
        x, weights = self.mixed(x, index, generator)
        return [x, kernels.mix(targets, index, weights.astype(targets.dtype))]

    def targets(self, op: str, labels: Array, x: Any) -> Array:
        """Labels as numbers that can be mixed: class numbers as a 1 in the place of the class."""
        if not isinstance(x, np.ndarray) or not x.ndim or len(labels) != len(x):
            raise ValueError(f"{op}: inputs and labels must have the same first dimension")
        if labels.dtype.kind == "f":
            return labels
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            got = f"{labels.dtype} of shape {labels.shape}"
            raise TypeError(f"{op}: labels must be class numbers (N,) or floats, got {got}")
        if self.num_classes is None:
            raise ValueError(f"{op}: class numbers need num_classes")
        if labels.size and not 0 <= labels.min() <= labels.max() < self.num_classes:
            raise ValueError(
                f"{op}: labels must lie between 0 and {self.num_classes - 1}, got {labels.min()} to {labels.max()}"
            )
        return np.eye(self.num_classes, dtype=x.dtype)[labels]

    def mixed(self, x: Array, index: Array, generator: Generator) -> tuple[Array, Array]:
        """The samples mixed with those under `index`, and how much of each is its own."""
        raise NotImplementedError(f"{type(self).__name__}: mixed is not defined")


class MixUp(Mixing):
    """x ← λ·x + (1 − λ)·x′ and the same of the labels, x′ another sample of the batch, λ from Beta(α, α).

    Inputs are floats (N, …). Labels are class numbers (N,), which become (N, `num_classes`), or floats. Such labels
    go into ``cross_entropy`` as they are.

    H. Zhang et al. (2018), "mixup: beyond empirical risk minimization". As ``torchvision.transforms.v2.MixUp``, but
    with a λ for every sample and partners drawn at random.

    >>> x, y = cg.data.augment.MixUp(alpha=0.4, num_classes=3)(np.ones((4, 2)), np.array([0, 1, 2, 1]))
    >>> y.shape, y.sum(1).round(6).tolist()
    ((4, 3), [1.0, 1.0, 1.0, 1.0])
    """

    def mixed(self, x: Array, index: Array, generator: Generator) -> tuple[Array, Array]:
        weights = generator.numpy().beta(self.alpha, self.alpha, len(x))
        return kernels.mix(x, index, weights.astype(x.dtype)), weights


class CutMix(Mixing):
    """A box of every image is that of another image x′ of the batch, and labels are λ·y + (1 − λ)·y′, where λ is the
    share of the image that is its own. The box has 1 − λ′ of the area, λ′ from Beta(α, α), the image's proportions,
    and a centre anywhere, so that it may reach over the edge.

    Images are (N, C, H, W); labels as for ``MixUp``.

    S. Yun et al. (2019), "CutMix: regularization strategy to train strong classifiers with localizable features".

    >>> x, y = cg.data.augment.CutMix(num_classes=2)(np.ones((4, 1, 8, 8)), np.array([0, 1, 1, 0]))
    >>> x.shape, y.shape
    ((4, 1, 8, 8), (4, 2))
    """

    def mixed(self, x: Array, index: Array, generator: Generator) -> tuple[Array, Array]:
        n, _, height, width = demand_images("CutMix", x).shape
        numpy = generator.numpy()
        places = numpy.random((n, 2))
        half = np.sqrt(1 - numpy.beta(self.alpha, self.alpha, n)) / 2
        rows, columns = (
            np.clip(np.rint((place * extent)[:, None] + half[:, None] * extent * np.array([-1, 1])), 0, extent)
            for place, extent in zip(places.T, (height, width), strict=True)
        )
        boxes = np.stack([rows[:, 0], columns[:, 0], np.diff(rows)[:, 0], np.diff(columns)[:, 0]], 1).astype(np.int64)
        weights = 1 - boxes[:, 2] * boxes[:, 3] / max(height * width, 1)
        return kernels.paste(x, x, index, boxes), weights
