"""Geometric transforms of images: affine maps, each applied with one bilinear warp.

A map sends the coordinates (column u, row v) of an output pixel to coordinates in the input, as a 3 × 3 matrix acting
on (u, v, 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd.arrays import check_unmasked
from cygrad.data.augment.arguments import Interval, as_interval, as_probability, as_size, uniform_in
from cygrad.data.augment.transform import ImageTransform, require_images
from cygrad.generator import Generator

__all__ = [
    "RandomAffine",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
]

Size = tuple[int, int]
PADDING_MODES = ("constant", "edge", "reflect")


class GeometricTransform(ImageTransform):
    """Base class of transforms that move pixels."""

    fill: float = 0.0
    padding_mode: str = "constant"

    def padding_rule(self) -> tuple[str, float] | None:
        """Padding mode and fill value outside the image; None if the maps never leave it."""
        return self.padding_mode, self.fill if self.padding_mode == "constant" else 0.0

    def maps(self, n: int, size: Size, generator: Generator) -> tuple[Array, Size]:
        """Draw n maps (n, 3, 3) of float64 for images of a size (height, width). Returns them and the output size."""
        raise NotImplementedError(f"{type(self).__name__}: a geometric transform must define maps")

    def images(self, x: Array, generator: Generator) -> Array:
        return warp_images([self], x, generator)


def share_padding(transforms: Sequence[GeometricTransform]) -> bool:
    """Whether the transforms pad alike, so that a single warp can apply them all."""
    return len({transform.padding_rule() for transform in transforms} - {None}) <= 1


def warp_batch(transforms: Sequence[GeometricTransform], parts: list[Any], generator: Generator) -> list[Any]:
    """Apply the transforms to the images of a batch, its first element, with one warp."""
    if not transforms:
        return parts
    return [warp_images(transforms, require_images(type(transforms[0]).__name__, parts[0]), generator), *parts[1:]]


def warp_images(transforms: Sequence[GeometricTransform], x: Array, generator: Generator) -> Array:
    """Apply transforms that pad alike, in order, with one warp."""
    size: Size = (x.shape[2], x.shape[3])
    total = np.broadcast_to(np.eye(3), (len(x), 3, 3))
    for transform in transforms:
        maps, size = transform.maps(len(x), size, generator)
        total = total @ maps
    padding, fill = next((rule for t in transforms if (rule := t.padding_rule()) is not None), ("edge", 0.0))
    return kernels.warp(x, np.ascontiguousarray(total[:, :2], x.dtype), *size, padding, fill)


def translation(left: Array, top: Array) -> Array:
    """Maps (n, 3, 3) from (u, v) to (u + left, v + top)."""
    maps = np.zeros((len(left), 3, 3))
    maps[:, 0, 0] = maps[:, 1, 1] = maps[:, 2, 2] = 1
    maps[:, 0, 2], maps[:, 1, 2] = left, top
    return maps


def check_padding_mode(op: str, padding_mode: str) -> str:
    """Return the mode if it is a known one."""
    if padding_mode not in PADDING_MODES:
        raise ValueError(f"{op}: padding_mode must be constant, edge or reflect, got {padding_mode!r}")
    return padding_mode


class RandomAffine(GeometricTransform):
    """Rotate, translate, scale and shear each image about its center.

    y(M·p) = x(p) with M = T·C·R(a)·S·C⁻¹, where C moves the origin to the center. Pixels are interpolated bilinearly.

    Like ``torchvision.transforms.v2.RandomAffine`` with bilinear interpolation, but parameters are drawn per image.

    Args:
        degrees: range (min, max) of the rotation angle a, or d for (−d, d).
        translate: (a, b); the shift is at most a·width horizontally and b·height vertically, not rounded to pixels.
        scale: range (min, max) of the scale factor.
        shear: shear angle in degrees: s for (−s, s) or (min, max) along the rows; four numbers add the range along the
            columns.
        fill: value of pixels outside the image with ``padding_mode="constant"``.
        padding_mode: ``"constant"``, ``"edge"`` (repeat the border) or ``"reflect"`` (mirror at the border).

    Raises:
        ValueError: if a range is not ascending or an argument is out of range.

    >>> x = np.zeros((2, 1, 5, 5))
    >>> x[:, :, 1, 2] = 1
    >>> quarter = cg.data.augment.RandomAffine((90, 90))
    >>> quarter(x).round(6).argmax(axis=3).max(axis=2).tolist(), quarter(x).round(6)[0, 0, 2, 3].item()
    ([[3], [3]], 1.0)
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        fill: float = 0.0,
        *,
        padding_mode: str = "constant",
    ) -> None:
        op = type(self).__name__
        self.degrees = as_interval(op, "degrees", degrees, 0.0)
        self.translate = (0.0, 0.0) if translate is None else tuple(translate)
        self.scale = (1.0, 1.0) if scale is None else as_interval(op, "scale", scale, low=1e-6)
        self.shear = shear_intervals(op, shear)
        self.fill = float(fill)
        self.padding_mode = check_padding_mode(op, padding_mode)
        if len(self.translate) != 2 or any(not 0 <= t <= 1 for t in self.translate):
            raise ValueError(f"{op}: translate must be two numbers in [0, 1], got {translate!r}")

    def maps(self, n: int, size: Size, generator: Generator) -> tuple[Array, Size]:
        height, width = size
        u = generator.numpy().random((n, 6)).T
        ranges = (self.degrees, *self.shear)
        angle, shear_x, shear_y = (np.radians(uniform_in(pair, v)) for v, pair in zip(u[:3], ranges, strict=True))
        factor = uniform_in(self.scale, u[3])
        across = uniform_in((-self.translate[0], self.translate[0]), u[4]) * width
        down = uniform_in((-self.translate[1], self.translate[1]), u[5]) * height
        # The inverse of M: C·(R·S)⁻¹·C⁻¹·T⁻¹; the determinant of R(a) times the shears is 1.
        c, s, t = np.cos(angle - shear_y) / np.cos(shear_y), np.sin(angle - shear_y) / np.cos(shear_y), np.tan(shear_x)
        inverse = np.zeros((n, 3, 3))
        inverse[:, 0, 0], inverse[:, 0, 1] = (np.cos(angle) - s * t) / factor, (c * t + np.sin(angle)) / factor
        inverse[:, 1, 0], inverse[:, 1, 1] = -s / factor, c / factor
        inverse[:, 2, 2] = 1
        x, y = np.full(n, (width - 1) / 2), np.full(n, (height - 1) / 2)
        return translation(x, y) @ inverse @ translation(-x - across, -y - down), size


class RandomRotation(RandomAffine):
    """Rotate each image about its center, as ``RandomAffine(degrees)`` does.

    Args:
        degrees: range (min, max) of the angle, or d for (−d, d).
        fill: value of pixels outside the image with ``padding_mode="constant"``.
        padding_mode: ``"constant"``, ``"edge"`` or ``"reflect"``.

    >>> x = np.arange(4.0).reshape(1, 1, 2, 2)
    >>> cg.data.augment.RandomRotation((180, 180))(x).round(6).tolist()
    [[[[3.0, 2.0], [1.0, 0.0]]]]
    """

    def __init__(self, degrees: float | Sequence[float], fill: float = 0.0, *, padding_mode: str = "constant") -> None:
        super().__init__(degrees, fill=fill, padding_mode=padding_mode)


def shear_intervals(op: str, shear: Any) -> tuple[Interval, Interval]:
    """Ranges of the shear angles along the rows and along the columns."""
    if shear is None:
        return (0.0, 0.0), (0.0, 0.0)
    if isinstance(shear, (int, float)) or len(shear) == 2:
        return as_interval(op, "shear", shear, 0.0), (0.0, 0.0)
    if len(shear) != 4:
        raise ValueError(f"{op}: shear must be one, two or four numbers, got {shear!r}")
    return as_interval(op, "shear", shear[:2]), as_interval(op, "shear", shear[2:])


class RandomFlip(GeometricTransform):
    """Base class of flips along one axis."""

    axis: int

    def __init__(self, p: float = 0.5) -> None:
        self.p = as_probability(type(self).__name__, p)

    def padding_rule(self) -> None:
        return None

    def maps(self, n: int, size: Size, generator: Generator) -> tuple[Array, Size]:
        flipped = generator.numpy().random(n) < self.p
        maps = translation(np.zeros(n), np.zeros(n))
        maps[flipped, self.axis, self.axis] = -1
        maps[flipped, self.axis, 2] = size[1 - self.axis] - 1
        return maps, size


class RandomHorizontalFlip(RandomFlip):
    """Flip each image left to right with probability `p`.

    Args:
        p: probability in [0, 1].

    >>> flip = cg.data.augment.RandomHorizontalFlip(p=1.0)
    >>> flip(np.arange(3.0).reshape(1, 1, 1, 3)).tolist()
    [[[[2.0, 1.0, 0.0]]]]
    """

    axis = 0


class RandomVerticalFlip(RandomFlip):
    """Flip each image upside down with probability `p`.

    Args:
        p: probability in [0, 1].

    >>> flip = cg.data.augment.RandomVerticalFlip(p=1.0)
    >>> flip(np.arange(3.0).reshape(1, 1, 3, 1)).ravel().tolist()
    [2.0, 1.0, 0.0]
    """

    axis = 1


class RandomCrop(GeometricTransform):
    """Crop each image at a random position, optionally after padding it.

    Args:
        size: size of the crop, one integer or (height, width).
        padding: pixels added around the image: one integer, two (left and right, top and bottom) or four (left, top,
            right, bottom).
        pad_if_needed: pad an image that is still smaller than the crop, on both sides, instead of raising.
        fill: value of the padding with ``padding_mode="constant"``.
        padding_mode: ``"constant"``, ``"edge"`` or ``"reflect"``.

    Raises:
        ValueError: if an argument is out of range, or, on a call, if the crop does not fit into the padded image.

    >>> crop = cg.data.augment.RandomCrop(28, padding=4)
    >>> crop(np.ones((8, 3, 28, 28), np.float32)).shape
    (8, 3, 28, 28)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float = 0.0,
        padding_mode: str = "constant",
    ) -> None:
        self.size = as_size("RandomCrop", size)
        self.padding = pad_widths(padding)
        self.pad_if_needed = bool(pad_if_needed)
        self.fill = float(fill)
        self.padding_mode = check_padding_mode("RandomCrop", padding_mode)

    def padding_rule(self) -> tuple[str, float] | None:
        return super().padding_rule() if any(self.padding) or self.pad_if_needed else None

    def maps(self, n: int, size: Size, generator: Generator) -> tuple[Array, Size]:
        u = generator.numpy().random((n, 2)).T
        left, top, right, bottom = self.padding
        offsets = []
        for uniform, extent, before, after, crop, side in (
            (u[0], size[1], left, right, self.size[1], "width"),
            (u[1], size[0], top, bottom, self.size[0], "height"),
        ):
            padded = before + extent + after
            if crop > padded and not self.pad_if_needed:
                raise ValueError(f"RandomCrop: a crop of {side} {crop} does not fit into the padded {side} {padded}")
            extra = max(crop - padded, 0)  # on each side
            room = padded + 2 * extra - crop
            offsets.append(np.floor(uniform * (room + 1)) - before - extra)
        return translation(offsets[0], offsets[1]), self.size


def pad_widths(padding: Any) -> tuple[int, int, int, int]:
    """Padding as (left, top, right, bottom)."""
    given = () if padding is None else (padding,) if isinstance(padding, (int, np.integer)) else tuple(padding)
    check_unmasked("RandomCrop", padding)
    widths = [int(n) for n in given]
    if len(widths) not in (0, 1, 2, 4) or any(n < 0 for n in widths):
        raise ValueError(f"RandomCrop: padding must be one, two or four integers of at least 0, got {padding!r}")
    if len(widths) == 4:
        return widths[0], widths[1], widths[2], widths[3]
    across, down = (widths * 2)[:2] if widths else (0, 0)
    return across, down, across, down


class RandomResizedCrop(GeometricTransform):
    """Crop each image at random and resize the crop to `size`.

    Like ``torchvision.transforms.v2.RandomResizedCrop`` with bilinear interpolation and without antialiasing.

    Args:
        size: size of the output, one integer or (height, width).
        scale: range (min, max) of the crop's area as a fraction of the image's.
        ratio: range (min, max) of the crop's aspect ratio, width over height. Crops are clipped to the image.

    Raises:
        ValueError: if a range is not ascending or an argument is out of range.

    >>> crop = cg.data.augment.RandomResizedCrop(16, scale=(0.5, 1.0))
    >>> crop(np.ones((8, 3, 28, 28), np.float32)).shape
    (8, 3, 16, 16)
    """

    padding_mode = "edge"

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
    ) -> None:
        self.size = as_size("RandomResizedCrop", size)
        self.scale = as_interval("RandomResizedCrop", "scale", scale, low=1e-6)
        self.ratio = as_interval("RandomResizedCrop", "ratio", ratio, low=1e-6)

    def maps(self, n: int, size: Size, generator: Generator) -> tuple[Array, Size]:
        u = generator.numpy().random((n, 4)).T
        height, width = box_sizes(size, u[0], u[1], self.scale, self.ratio)
        left, top = np.floor(u[2] * (size[1] - width + 1)), np.floor(u[3] * (size[0] - height + 1))
        across, down = width / self.size[1], height / self.size[0]
        maps = translation(left + across / 2 - 0.5, top + down / 2 - 0.5)
        maps[:, 0, 0], maps[:, 1, 1] = across, down
        return maps, self.size


def box_sizes(size: Size, area: Array, shape: Array, scale: Interval, ratio: Interval) -> tuple[Array, Array]:
    """Heights and widths in pixels of boxes within an image of a size (height, width). The area is uniform in `scale`,
    the aspect ratio, width over height, log-uniform in `ratio`; `area` and `shape` are samples from [0, 1)."""
    pixels = uniform_in(scale, area) * size[0] * size[1]
    proportion = np.exp(uniform_in((np.log(ratio[0]), np.log(ratio[1])), shape))
    height = np.clip(np.rint(np.sqrt(pixels / proportion)), 1, size[0])
    width = np.clip(np.rint(np.sqrt(pixels * proportion)), 1, size[1])
    return height, width
