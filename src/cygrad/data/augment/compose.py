"""Transforms built from other transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad.data.augment.arguments import as_probability
from cygrad.data.augment.geometry import GeometricTransform, share_padding, warp_batch
from cygrad.data.augment.transform import Transform
from cygrad.generator import Generator

__all__ = ["Compose", "RandomApply"]


class Compose(Transform):
    """Apply several transforms one after another.

    Adjacent geometric transforms (``RandomAffine``, ``RandomRotation``, ``RandomCrop``, ``RandomResizedCrop`` and the
    flips) are merged into a single warp. Pixels are interpolated only once, and pixels that one transform moves out of
    the image and the next moves back in are preserved.

    Args:
        transforms: the transforms, in order.

    Raises:
        TypeError: if an element is not a ``Transform``.

    >>> from cygrad.data import augment
    >>> transform = augment.Compose([augment.RandomCrop(28, padding=4), augment.RandomHorizontalFlip()])
    >>> transform(np.ones((8, 1, 28, 28), np.float32)).shape
    (8, 1, 28, 28)
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = list(transforms)
        for transform in self.transforms:
            if not isinstance(transform, Transform):
                raise TypeError(f"Compose: expected transforms, got a {type(transform).__name__}")

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        pending: list[GeometricTransform] = []  # merged into the next warp
        for transform in self.transforms:
            if isinstance(transform, GeometricTransform) and share_padding([*pending, transform]):
                pending.append(transform)
                continue
            parts, pending = warp_batch(pending, parts, generator), []
            if isinstance(transform, GeometricTransform):
                pending.append(transform)
            else:
                parts = transform.apply(parts, generator)
        return warp_batch(pending, parts, generator)


class RandomApply(Transform):
    """Apply transforms to each sample with probability `p`, independently; the transforms must preserve the shape.

    Args:
        transforms: the transforms, in order.
        p: probability in [0, 1].

    Raises:
        TypeError: if an element is not a ``Transform``.
        ValueError: if `p` is out of range, or, on a call, if the transforms change the shape of a sample.

    >>> from cygrad.data import augment
    >>> sometimes = augment.RandomApply([augment.GaussianBlur(3)], p=0.3)
    >>> sometimes(np.ones((8, 1, 28, 28), np.float32)).shape
    (8, 1, 28, 28)
    """

    def __init__(self, transforms: Sequence[Transform], p: float = 0.5) -> None:
        self.transform = Compose(transforms)
        self.p = as_probability("RandomApply", p)

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        arrays = [np.asarray(part) for part in parts]
        selected = np.flatnonzero(generator.numpy().random(len(arrays[0])) < self.p)
        changed = self.transform.apply([array[selected] for array in arrays], generator)
        for array, new in zip(arrays, changed, strict=True):
            if new.shape[1:] != array.shape[1:]:
                raise ValueError(
                    f"RandomApply: the transforms must preserve the shape of a sample, "
                    f"got {new.shape[1:]} from {array.shape[1:]}"
                )
        results = [np.array(array, new.dtype) for array, new in zip(arrays, changed, strict=True)]
        for result, new in zip(results, changed, strict=True):
            result[selected] = new
        return results
