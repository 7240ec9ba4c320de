"""Base classes of all transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.generator import Generator, source_of
from cygrad.tensor import Tensor

__all__ = ["ImageTransform", "Transform", "require_images"]


class Transform:
    """Base class of random transforms of a batch: ``transform(x)`` returns the transformed x, ``transform(x, y)`` both.

    Tensors come back as tensors and arrays as arrays, always in new memory. To write your own transform, define
    ``apply``, which takes and returns a list of arrays.

    >>> class Negative(cg.data.augment.Transform):
    ...     def apply(self, parts, generator):
    ...         return [-parts[0], *parts[1:]]
    >>> x, y = Negative()(np.ones((2, 1, 4, 4)), np.array([3, 5]))
    >>> float(x.max()), y.tolist()
    (-1.0, [3, 5])
    """

    def __call__(self, *batch: Any, generator: Generator | None = None) -> Any:
        """Transform a batch.

        Args:
            *batch: the inputs, optionally followed by labels and further tensors or arrays.
            generator: source of the random numbers, by default the default generator.

        Returns:
            The transformed inputs, or a tuple if the batch has more than one element.

        Raises:
            TypeError: if the batch is empty.
        """
        if not batch:
            raise TypeError(f"{type(self).__name__}: expected a batch, got no arguments")
        recording.reading("augmentation")
        parts = [part.array if isinstance(part, Tensor) else part for part in batch]
        changed = self.apply(parts, source_of(type(self).__name__, generator))
        result = tuple(
            Tensor(np.asarray(new)) if isinstance(old, Tensor) and not isinstance(new, Tensor) else new
            for old, new in zip(batch, changed, strict=True)
        )
        return result[0] if len(result) == 1 else result

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        """Transform the arrays of a batch without writing to them.

        Args:
            parts: the inputs, followed by any labels.
            generator: source of the random numbers.

        Returns:
            A list of the same length.
        """
        raise NotImplementedError(f"{type(self).__name__}: a transform must define apply")

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({options})"


class ImageTransform(Transform):
    """Base class of transforms of images (N, C, H, W) that leave labels unchanged."""

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        return [self.images(require_images(type(self).__name__, parts[0]), generator), *parts[1:]]

    def images(self, x: Array, generator: Generator) -> Array:
        """Transform the images x."""
        raise NotImplementedError(f"{type(self).__name__}: a transform of images must define images")


def require_images(op: str, x: Any) -> Array:
    """Return x if it is a float32 or float64 array of images (N, C, H, W)."""
    if not isinstance(x, np.ndarray) or x.ndim != 4:
        got = f"shape {x.shape}" if isinstance(x, np.ndarray) else f"a {type(x).__name__}"
        raise ValueError(f"{op}: images must be an array (N, C, H, W), got {got}")
    if x.dtype.kind != "f" or x.dtype.itemsize not in (4, 8):
        raise TypeError(f"{op}: images must be float32 or float64 (convert them with ToDtype), got {x.dtype}")
    return x
