"""Images turned, cut, shifted, scaled, sheared and mirrored: affine maps of pixels, done in one bilinear warp.

A map takes the place (column u, row v) of a pixel in the output to a place in the input, as a 3 × 3 matrix on (u, v,
1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.data.augment.transform import ImageTransform, demand_images, interval, probability, size_of, spread
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
PADDINGS = ("constant", "edge", "reflect")


class Geometric(ImageTransform):
    """A transform that moves pixels."""

    fill: float = 0.0
    padding_mode: str = "constant"

    def outside(self) -> tuple[str, float] | None:
        """What lies outside the image, None where the maps never go there."""
        return self.padding_mode, self.fill if self.padding_mode == "constant" else 0.0

    def maps(self, n: int, size: Size, generator: Generator) -> tuple[Array, Size]:
        """n maps, (n, 3, 3) of float64, for images of a size (height, width), and the size of the output."""
        raise NotImplementedError(f"{type(self).__name__}: maps is not defined")

    def images(self, x: Array, generator: Generator) -> Array:
        return warped([self], x, generator)


def together(transforms: Sequence[Geometric]) -> bool:
    """Whether one warp can do them: they agree on what lies outside."""
    return len({transform.outside() for transform in transforms} - {None}) <= 1


def warp_all(transforms: Sequence[Geometric], parts: list[Any], generator: Generator) -> list[Any]:
    """The parts of a batch, the images in front warped by the transforms, if there are any."""
    if not transforms:
        return parts
    return [warped(transforms, demand_images(type(transforms[0]).__name__, parts[0]), generator), *parts[1:]]


def warped(transforms: Sequence[Geometric], x: Array, generator: Generator) -> Array:
    """Images moved by transforms that agree on what lies outside, one after the other."""
    size: Size = (x.shape[2], x.shape[3])
    total = np.broadcast_to(np.eye(3), (len(x), 3, 3))
    for transform in transforms:
        maps, size = transform.maps(len(x), size, generator)
        total = total @ maps
    padding, fill = next((o for t in transforms if (o := t.outside()) is not None), ("edge", 0.0))
    return kernels.warp(x, np.ascontiguousarray(total[:, :2], x.dtype), *size, padding, fill)


def shift(left: Array, top: Array) -> Array:
    """Maps from (u, v) to (u + left, v + top)."""
    maps = np.zeros((len(left), 3, 3))
    maps[:, 0, 0] = maps[:, 1, 1] = maps[:, 2, 2] = 1
    maps[:, 0, 2], maps[:, 1, 2] = left, top
    return maps


def check_padding(op: str, padding_mode: str) -> str:
    """The mode, which must be one of those known."""
    if padding_mode not in PADDINGS:
        raise ValueError(f"{op}: padding_mode must be constant, edge or reflect, got {padding_mode!r}")
    return padding_mode


class RandomAffine(Geometric):
    """Rotation, shift, scaling and shearing about the centre: y(M·p) = x(p), M = T·C·R(a)·S·C⁻¹.

    - `degrees`: the angle a, from a pair, or from (−d, d).
    - `translate`: (a, b); the shift is at most a·width across and b·height down, in parts of pixels too.
    - `scale`: a pair of factors.
    - `shear`: degrees, (−s, s) of one number or a pair along the rows; of four numbers the last two down the columns.
    - `fill` lies outside the image, or with `padding_mode` its ``"edge"`` or what is ``"reflect"``\\ ed there.

    As ``torchvision.transforms.v2.RandomAffine``, but bilinear, and with numbers of its own for every image.

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
        self.degrees = interval(op, "degrees", degrees, 0.0)
        self.translate = (0.0, 0.0) if translate is None else tuple(translate)
        self.scale = (1.0, 1.0) if scale is None else interval(op, "scale", scale, low=1e-6)
        self.shear = shears(op, shear)
        self.fill = float(fill)
        self.padding_mode = check_padding(op, padding_mode)
        if len(self.translate) != 2 or any(not 0 <= t <= 1 for t in self.translate):
            raise ValueError(f"{op}: translate must be two numbers in [0, 1], got {translate!r}")

    def maps(self, n: int, size: Size, generator: Generator) -> tuple[Array, Size]:
        height, width = size
        u = generator.numpy().random((n, 6)).T
        bounds = (self.degrees, *self.shear)
        angle, shear_x, shear_y = (np.radians(spread(v, pair)) for v, pair in zip(u[:3], bounds, strict=True))
        factor = spread(u[3], self.scale)
        across = spread(u[4], (-self.translate[0], self.translate[0])) * width
        down = spread(u[5], (-self.translate[1], self.translate[1])) * height
        # The inverse of M: C·(R·S)⁻¹·C⁻¹·T⁻¹, with the determinant of R(a)·shears being 1.
        c, s, t = np.cos(angle - shear_y) / np.cos(shear_y), np.sin(angle - shear_y) / np.cos(shear_y), np.tan(shear_x)
        inverse = np.zeros((n, 3, 3))
        inverse[:, 0, 0], inverse[:, 0, 1] = (np.cos(angle) - s * t) / factor, (c * t + np.sin(angle)) / factor
        inverse[:, 1, 0], inverse[:, 1, 1] = -s / factor, c / factor
        inverse[:, 2, 2] = 1
        x, y = np.full(n, (width - 1) / 2), np.full(n, (height - 1) / 2)
        return shift(x, y) @ inverse @ shift(-x - across, -y - down), size


class RandomRotation(RandomAffine):
    """Rotation about the centre, by degrees of a pair, or of (−d, d). As ``RandomAffine(degrees)``."""

    def __init__(self, degrees: float | Sequence[float], fill: float = 0.0, *, padding_mode: str = "constant") -> None:
        super().__init__(degrees, fill=fill, padding_mode=padding_mode)


def shears(op: str, shear: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """The bounds of the shears along rows and columns."""
    if shear is None:
        return (0.0, 0.0), (0.0, 0.0)
    if isinstance(shear, (int, float)) or len(shear) == 2:
        return interval(op, "shear", shear, 0.0), (0.0, 0.0)
    if len(shear) != 4:
        raise ValueError(f"{op}: shear must be one, two or four numbers, got {shear!r}")
    return interval(op, "shear", shear[:2]), interval(op, "shear", shear[2:])


class RandomFlip(Geometric):
    """Mirrors an image along one axis with probability `p`."""

    axis: int

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability(type(self).__name__, p)

    def outside(self) -> None:
        return None

    def maps(self, n: int, size: Size, generator: Generator) -> tuple[Array, Size]:
        flipped = generator.numpy().random(n) < self.p
        maps = shift(np.zeros(n), np.zeros(n))
        maps[flipped, self.axis, self.axis] = -1
        maps[flipped, self.axis, 2] = size[1 - self.axis] - 1
        return maps, size


class RandomHorizontalFlip(RandomFlip):
    """Mirrors an image, left for right, with probability `p`.

    >>> flip = cg.data.augment.RandomHorizontalFlip(p=1.0)
    >>> flip(np.arange(3.0).reshape(1, 1, 1, 3)).tolist()
    [[[[2.0, 1.0, 0.0]]]]
    """

    axis = 0


class RandomVerticalFlip(RandomFlip):
    """Mirrors an image, top for bottom, with probability `p`."""

    axis = 1


class RandomCrop(Geometric):
    """A part of `size`, one number or (height, width), at a random place of the image with `padding` around it: one
    number, two (left and right, top and bottom) or four (left, top, right, bottom). With `pad_if_needed` an image
    that is still too small is padded, on both sides, so that the part fits; else it raises ValueError.

    The padding is `fill`, or with `padding_mode` the ``"edge"``, or the image ``"reflect"``\\ ed.

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
        self.size = size_of("RandomCrop", size)
        self.padding = sides(padding)
        self.pad_if_needed = bool(pad_if_needed)
        self.fill = float(fill)
        self.padding_mode = check_padding("RandomCrop", padding_mode)

    def outside(self) -> tuple[str, float] | None:
        return super().outside() if any(self.padding) or self.pad_if_needed else None

    def maps(self, n: int, size: Size, generator: Generator) -> tuple[Array, Size]:
        u = generator.numpy().random((n, 2)).T
        left, top, right, bottom = self.padding
        starts = []
        for number, extent, before, behind, wanted, side in (
            (u[0], size[1], left, right, self.size[1], "width"),
            (u[1], size[0], top, bottom, self.size[0], "height"),
        ):
            missing = wanted - (before + extent + behind)
            if missing > 0 and not self.pad_if_needed:
                raise ValueError(
                    f"RandomCrop: a {side} of {wanted} does not fit into {before + extent + behind}, padding included"
                )
            more = max(missing, 0)
            room = before + extent + behind + 2 * more - wanted
            starts.append(np.floor(number * (room + 1)) - before - more)
        return shift(starts[0], starts[1]), self.size


def sides(padding: Any) -> tuple[int, int, int, int]:
    """(left, top, right, bottom)"""
    given = () if padding is None else (padding,) if isinstance(padding, (int, np.integer)) else tuple(padding)
    whole = [int(n) for n in given]
    if len(whole) not in (0, 1, 2, 4) or any(n < 0 for n in whole):
        raise ValueError(f"RandomCrop: padding must be one, two or four integers of at least 0, got {padding!r}")
    if len(whole) == 4:
        return whole[0], whole[1], whole[2], whole[3]
    across, down = (whole * 2)[:2] if whole else (0, 0)
    return across, down, across, down


class RandomResizedCrop(Geometric):
    """A part of the image brought to `size`: its area is a share of the image's from the pair `scale`, its width over
    its height from the pair `ratio`, held inside the image.

    As ``torchvision.transforms.v2.RandomResizedCrop``, without antialiasing: neighbouring pixels are interpolated.

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
        self.size = size_of("RandomResizedCrop", size)
        self.scale = interval("RandomResizedCrop", "scale", scale, low=1e-6)
        self.ratio = interval("RandomResizedCrop", "ratio", ratio, low=1e-6)

    def maps(self, n: int, size: Size, generator: Generator) -> tuple[Array, Size]:
        u = generator.numpy().random((n, 4)).T
        height, width = parts_of(size, u[0], u[1], self.scale, self.ratio)
        left, top = np.floor(u[2] * (size[1] - width + 1)), np.floor(u[3] * (size[0] - height + 1))
        across, down = width / self.size[1], height / self.size[0]
        maps = shift(left + across / 2 - 0.5, top + down / 2 - 0.5)
        maps[:, 0, 0], maps[:, 1, 1] = across, down
        return maps, self.size


def parts_of(
    size: Size, area: Array, shape: Array, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[Array, Array]:
    """Heights and widths, whole numbers, of parts of an image: areas from `scale`, width over height from `ratio`,
    whose logarithm is uniform; `area` and `shape` are numbers of [0, 1)."""
    pixels = spread(area, scale) * size[0] * size[1]
    proportion = np.exp(spread(shape, (np.log(ratio[0]), np.log(ratio[1]))))
    height = np.clip(np.rint(np.sqrt(pixels / proportion)), 1, size[0])
    width = np.clip(np.rint(np.sqrt(pixels * proportion)), 1, size[1])
    return height, width
