"""What all transforms are, and how they are put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.generator import Generator, current_generator
from cygrad.tensor import Tensor

__all__ = ["Compose", "RandomApply", "Transform"]


class Transform:
    """Changes a batch at random: ``transform(x)`` gives x changed, ``transform(x, y)`` the pair of both.

    Tensors come back as tensors, arrays as arrays, in new memory. The random numbers come from `generator`, a
    ``cygrad.Generator``, the default one unless given. A transform of one's own gives ``apply``, which changes a list
    of arrays.

    >>> class Negative(cg.data.augment.Transform):
    ...     def apply(self, parts, generator):
    ...         return [-parts[0], *parts[1:]]
    >>> x, y = Negative()(np.ones((2, 1, 4, 4)), np.array([3, 5]))
    >>> float(x.max()), y.tolist()
    (-1.0, [3, 5])
    """

    def __call__(self, *batch: Any, generator: Generator | None = None) -> Any:
        """The batch changed: its first part, and for some transforms the labels behind it."""
        if not batch:
            raise TypeError(f"{type(self).__name__}: got no batch to change")
        recording.reading("augmentation")
        parts = [part.array if isinstance(part, Tensor) else part for part in batch]
        changed = self.apply(parts, current_generator() if generator is None else generator)
        result = tuple(
            Tensor(np.asarray(new)) if isinstance(old, Tensor) and not isinstance(new, Tensor) else new
            for old, new in zip(batch, changed, strict=True)
        )
        return result[0] if len(result) == 1 else result

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        """The parts of a batch, arrays, changed; none is written to."""
        raise NotImplementedError(f"{type(self).__name__}: a transform must define apply")

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({options})"


class ImageTransform(Transform):
    """A transform of images (N, C, H, W), which leaves labels as they are."""

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        return [self.images(demand_images(type(self).__name__, parts[0]), generator), *parts[1:]]

    def images(self, x: Array, generator: Generator) -> Array:
        """The images changed."""
        raise NotImplementedError(f"{type(self).__name__}: images is not defined")


class Compose(Transform):
    """One transform after the other.

    Those that move pixels (``RandomAffine``, ``RandomRotation``, ``RandomCrop``, ``RandomResizedCrop`` and the flips)
    and stand next to each other become one warp: the pixels are interpolated once, and what one moves out of the
    image and the next back in is not lost.

    Raises TypeError for what is no transform.

    >>> from cygrad.data import augment
    >>> transform = augment.Compose([augment.RandomCrop(28, padding=4), augment.RandomHorizontalFlip()])
    >>> transform(np.ones((8, 1, 28, 28), np.float32)).shape
    (8, 1, 28, 28)
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = list(transforms)
        for transform in self.transforms:
            if not isinstance(transform, Transform):
                raise TypeError(f"Compose: wanted transforms, got a {type(transform).__name__}")

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        from cygrad.data.augment.geometry import Geometric, together, warp_all

        waiting: list[Geometric] = []
        for transform in self.transforms:
            if isinstance(transform, Geometric) and together([*waiting, transform]):
                waiting.append(transform)
                continue
            parts, waiting = warp_all(waiting, parts, generator), []
            if isinstance(transform, Geometric):
                waiting.append(transform)
            else:
                parts = transform.apply(parts, generator)
        return warp_all(waiting, parts, generator)


class RandomApply(Transform):
    """Transforms applied to each sample with probability `p`, to the others not; they must keep the shape.

    >>> from cygrad.data import augment
    >>> sometimes = augment.RandomApply([augment.GaussianBlur(3)], p=0.3)
    >>> sometimes(np.ones((8, 1, 28, 28), np.float32)).shape
    (8, 1, 28, 28)
    """

    def __init__(self, transforms: Sequence[Transform], p: float = 0.5) -> None:
        self.transform = Compose(transforms)
        self.p = probability("RandomApply", p)

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        arrays = [np.asarray(part) for part in parts]
        chosen = np.flatnonzero(generator.numpy().random(len(arrays[0])) < self.p)
        changed = self.transform.apply([array[chosen] for array in arrays], generator)
        for array, new in zip(arrays, changed, strict=True):
            if new.shape[1:] != array.shape[1:]:
                raise ValueError(f"RandomApply: samples of shape {array.shape[1:]} became {new.shape[1:]}")
        results = [np.array(array, new.dtype) for array, new in zip(arrays, changed, strict=True)]
        for result, new in zip(results, changed, strict=True):
            result[chosen] = new
        return results


# Options


def demand_images(op: str, x: Any) -> Array:
    """x, which must be an array of images, float32 or float64."""
    if not isinstance(x, np.ndarray) or x.ndim != 4:
        got = f"shape {x.shape}" if isinstance(x, np.ndarray) else f"a {type(x).__name__}"
        raise ValueError(f"{op}: images must be an array (N, C, H, W), got {got}")
    if x.dtype.kind != "f" or x.dtype.itemsize not in (4, 8):
        raise TypeError(f"{op}: images must be float32 or float64, which ToDtype makes of others, got {x.dtype}")
    return x


def probability(op: str, p: float) -> float:
    """p, which must lie in [0, 1]."""
    if not 0 <= p <= 1:
        raise ValueError(f"{op}: p must lie in [0, 1], got {p}")
    return float(p)


def interval(op: str, name: str, value: Any, around: float | None = None, low: float = -np.inf) -> tuple[float, float]:
    """(least, most) of a pair, or of one number v: (around − v, around + v), without `around` (v, v). Not below
    `low`."""
    if isinstance(value, (int, float)):
        if around is not None and value < 0:
            raise ValueError(f"{op}: {name} must not be negative, got {value}")
        pair = (value, value) if around is None else (max(around - value, low), around + value)
    else:
        pair = tuple(value)
    if len(pair) != 2 or not low <= pair[0] <= pair[1] < np.inf:
        bound = "" if low == -np.inf else f" and at least {low:g}"
        raise ValueError(f"{op}: {name} must be a number or a pair in rising order{bound}, got {value!r}")
    return float(pair[0]), float(pair[1])


def size_of(op: str, size: Any) -> tuple[int, int]:
    """(height, width) of a pair or one number."""
    pair = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
    if len(pair) != 2 or any(not isinstance(n, (int, np.integer)) or n < 1 for n in pair):
        raise ValueError(f"{op}: size must be one or two integers of at least 1, got {size!r}")
    return int(pair[0]), int(pair[1])


def spread(uniform: Array, least_most: tuple[float, float]) -> Array:
    """Numbers of [0, 1) in an interval."""
    least, most = least_most
    return least + (most - least) * uniform
