"""Transforms of pixel values: color, blur, noise, erasing, normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.data.augment.arguments import Interval, as_interval, as_probability, uniform_in
from cygrad.data.augment.geometry import box_sizes
from cygrad.data.augment.transform import ImageTransform, Transform
from cygrad.generator import Generator

__all__ = ["ColorJitter", "GaussianBlur", "GaussianNoise", "Normalize", "RandomErasing", "ToDtype"]


class ColorJitter(ImageTransform):
    """Change brightness, contrast and saturation, in this order, by random factors b, c and s.

    v = b·x; v ← c·v + (1 − c)·mean(gray(v)); v ← s·v + (1 − s)·gray(v). The mean is over the image; the gray value of
    three channels is 0.2989 R + 0.587 G + 0.114 B (ITU-R BT.601), otherwise the mean over the channels.

    Like ``torchvision.transforms.v2.ColorJitter``, but without hue, in a fixed order, and with factors per image.

    Args:
        brightness: range (min, max) of the factor, or f for (max(0, 1 − f), 1 + f).
        contrast: likewise.
        saturation: likewise.
        clip: range that the result is clamped to; None for no clamping.

    Raises:
        ValueError: if a range is negative or not ascending.

    >>> jitter = cg.data.augment.ColorJitter(brightness=(0.5, 0.5))
    >>> float(jitter(np.ones((1, 1, 2, 2))).max())
    0.5
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0.0,
        contrast: float | Sequence[float] = 0.0,
        saturation: float | Sequence[float] = 0.0,
        *,
        clip: Interval | None = (0.0, 1.0),
    ) -> None:
        self.brightness = as_interval("ColorJitter", "brightness", brightness, 1.0, 0.0)
        self.contrast = as_interval("ColorJitter", "contrast", contrast, 1.0, 0.0)
        self.saturation = as_interval("ColorJitter", "saturation", saturation, 1.0, 0.0)
        self.clip = checked_clip("ColorJitter", clip)

    def images(self, x: Array, generator: Generator) -> Array:
        u = generator.numpy().random((len(x), 3))
        ranges = (self.brightness, self.contrast, self.saturation)
        factors = np.stack([uniform_in(pair, column) for column, pair in zip(u.T, ranges, strict=True)], 1)
        return kernels.color(x, factors.astype(x.dtype), *clip_bounds(self.clip))


class GaussianBlur(ImageTransform):
    """Blur each image with a separable Gaussian kernel; the image is mirrored at its borders.

    Args:
        kernel_size: number of taps per axis, odd.
        sigma: standard deviation in pixels, a number or the range (min, max) it is drawn from per image.

    Raises:
        ValueError: if an argument is out of range, or, on a call, if the kernel is too large for the image.

    >>> blur = cg.data.augment.GaussianBlur(5, sigma=(0.1, 2.0))
    >>> blur(np.ones((8, 3, 28, 28), np.float32)).shape
    (8, 3, 28, 28)
    """

    def __init__(self, kernel_size: int, sigma: float | Sequence[float] = (0.1, 2.0)) -> None:
        if not isinstance(kernel_size, int) or kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"GaussianBlur: kernel_size must be a positive odd integer, got {kernel_size!r}")
        self.kernel_size = kernel_size
        self.sigma = as_interval("GaussianBlur", "sigma", sigma, low=1e-3)

    def images(self, x: Array, generator: Generator) -> Array:
        sigma = uniform_in(self.sigma, generator.numpy().random((len(x), 1)))
        offsets = np.arange(self.kernel_size) - self.kernel_size // 2
        weights = np.exp(-0.5 * (offsets / sigma) ** 2)
        return kernels.blur(x, (weights / weights.sum(1, keepdims=True)).astype(x.dtype))


class GaussianNoise(ImageTransform):
    """Add Gaussian noise: x + mean + σ·z with z from N(0, 1) per element and σ per image.

    Like ``torchvision.transforms.v2.GaussianNoise``, with a range for σ.

    Args:
        mean: mean of the noise.
        sigma: standard deviation, a number or the range (min, max) it is drawn from.
        clip: clamp the result to [0, 1], to the pair given, or not at all (False).

    Raises:
        ValueError: if `sigma` is negative or not ascending.

    >>> noise = cg.data.augment.GaussianNoise(sigma=0.1, clip=False)
    >>> y = noise(np.zeros((100, 1, 28, 28), np.float32))
    >>> bool(0.099 < y.std() < 0.101)
    True
    """

    def __init__(self, mean: float = 0.0, sigma: float | Sequence[float] = 0.1, clip: bool | Interval = True) -> None:
        self.mean = float(mean)
        self.sigma = as_interval("GaussianNoise", "sigma", sigma, low=0.0)
        pair = ((0.0, 1.0) if clip else None) if isinstance(clip, bool) else clip
        self.clip = checked_clip("GaussianNoise", pair)

    def images(self, x: Array, generator: Generator) -> Array:
        sigmas = uniform_in(self.sigma, generator.numpy().random(len(x))).astype(x.dtype)
        seed, offset = generator.advance(kernels.gaussian_noise_draws(x))
        return kernels.gaussian_noise(x, sigmas, seed, offset, self.mean, *clip_bounds(self.clip))


class RandomErasing(ImageTransform):
    """Erase a random box of each image with probability `p` (cutout). The box lies within the image.

    Like ``torchvision.transforms.v2.RandomErasing``, with parameters drawn per image.

    T. DeVries, G. W. Taylor (2017), "Improved regularization of convolutional neural networks with cutout"; Z. Zhong
    et al. (2020), "Random erasing data augmentation".

    Args:
        p: probability in [0, 1].
        scale: range (min, max) of the box's area as a fraction of the image's.
        ratio: range (min, max) of the box's aspect ratio, height over width.
        value: value of erased pixels: a number, one per channel, or ``"random"`` for samples from N(0, 1).

    Raises:
        ValueError: if an argument is out of range, or, on a call, if `value` does not match the channels.

    >>> erase = cg.data.augment.RandomErasing(p=1.0, scale=(0.25, 0.25), ratio=(1.0, 1.0))
    >>> float(erase(np.ones((2, 1, 8, 8))).mean())
    0.75
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | Sequence[float] | str = 0.0,
    ) -> None:
        self.p = as_probability("RandomErasing", p)
        self.scale = as_interval("RandomErasing", "scale", scale, low=0.0)
        self.ratio = as_interval("RandomErasing", "ratio", ratio, low=1e-6)
        if isinstance(value, str) and value != "random":
            raise ValueError(f"RandomErasing: value must be a number, one per channel, or 'random', got {value!r}")
        self.value = value

    def images(self, x: Array, generator: Generator) -> Array:
        n, channels, height, width = x.shape
        u = generator.numpy().random((n, 5)).T
        # box_sizes takes width over height, `ratio` is height over width: swap the axes.
        columns, rows = box_sizes((width, height), u[1], u[2], self.scale, self.ratio)
        selected = (u[0] < self.p) & (height * width > 0)
        top, left = np.floor(u[3] * (height - rows + 1)), np.floor(u[4] * (width - columns + 1))
        boxes = (np.stack([top, left, rows, columns], 1) * selected[:, None]).astype(np.int64)
        if isinstance(self.value, str):
            seed, offset = generator.advance(kernels.gaussian_noise_draws(x))
            noise = kernels.gaussian_noise(np.zeros_like(x), np.ones(n, x.dtype), seed, offset)
            return kernels.paste(x, noise, np.arange(n), boxes)
        values = np.asarray(self.value, x.dtype)
        if values.shape not in ((), (1,), (channels,)):
            raise ValueError(
                f"RandomErasing: value must be one number or one per channel, "
                f"got shape {values.shape} for {channels} channels"
            )
        return kernels.erase(x, boxes, np.ascontiguousarray(np.broadcast_to(values, channels)))


class Normalize(ImageTransform):
    """Standardize each channel: (x − mean)/std.

    Like ``torchvision.transforms.v2.Normalize``.

    Args:
        mean: a number, or one per channel.
        std: a positive number, or one per channel.

    Raises:
        ValueError: if `std` is not positive, or, on a call, if the lengths do not match the channels.

    >>> cg.data.augment.Normalize(0.5, 0.5)(np.ones((1, 1, 1, 2))).tolist()
    [[[[1.0, 1.0]]]]
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        self.mean, self.std = mean, std
        if not (np.asarray(std) > 0).all():
            raise ValueError(f"Normalize: std must be positive, got {std!r}")

    def images(self, x: Array, generator: Generator) -> Array:
        mean, std = (np.asarray(v, x.dtype).reshape(-1, 1, 1) for v in (self.mean, self.std))
        for name, v in (("mean", mean), ("std", std)):
            if len(v) not in (1, x.shape[1]):
                raise ValueError(f"Normalize: {name} has {len(v)} values for {x.shape[1]} channels")
        return np.asarray((x - mean) / std)


class ToDtype(Transform):
    """Convert the inputs of a batch to another dtype; labels stay unchanged.

    Like ``torchvision.transforms.v2.ToDtype``.

    Args:
        dtype: the NumPy dtype.
        scale: divide integers by the largest value of their dtype, so that uint8 is mapped to [0, 1].

    Raises:
        ValueError: if `scale` is set and `dtype` is not a floating-point dtype.

    >>> cg.data.augment.ToDtype(np.float32, scale=True)(np.array([0, 255], np.uint8)).tolist()
    [0.0, 1.0]
    """

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        self.dtype = np.dtype(dtype)
        self.scale = bool(scale)
        if self.scale and self.dtype.kind != "f":
            raise ValueError(f"ToDtype: scale=True needs a floating-point dtype, got {self.dtype}")

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        x = np.asarray(parts[0])
        y = x.astype(self.dtype)
        if self.scale and x.dtype.kind in "iu":
            y /= self.dtype.type(np.iinfo(x.dtype).max)
        return [y, *parts[1:]]


def checked_clip(name: str, clip: Any) -> Interval | None:
    """The range that results are clamped to, two numbers, or None."""
    if clip is None:
        return None
    try:
        low, high = map(float, clip)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: clip must be a pair of numbers, got {clip!r}") from None
    return low, high


def clip_bounds(clip: Interval | None) -> Interval:
    """(low, high) that values are clamped to; infinite for no clamping."""
    return (-np.inf, np.inf) if clip is None else clip
