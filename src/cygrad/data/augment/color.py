"""Images changed in their values: colours, blur, noise, and parts covered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.data.augment.geometry import parts_of
from cygrad.data.augment.transform import ImageTransform, Transform, interval, probability, spread
from cygrad.generator import Generator

__all__ = ["ColorJitter", "GaussianBlur", "GaussianNoise", "Normalize", "RandomErasing", "ToDtype"]

Pair = tuple[float, float]


class ColorJitter(ImageTransform):
    """Brightness, contrast and saturation, in this order, each times a factor from a pair, or from (1 − f, 1 + f) of
    one number f, then held inside `clip`, which None leaves out.

    v = b·x; v ← c·v + (1 − c)·mean of the image's grey; v ← s·v + (1 − s)·grey of the pixel. The grey of three channels
    is 0.2989 R + 0.587 G + 0.114 B (ITU-R BT.601), else the channels' mean.

    As ``torchvision.transforms.v2.ColorJitter``, but always in this order, without hue, and for every image on its own.

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
        clip: Pair | None = (0.0, 1.0),
    ) -> None:
        self.brightness = interval("ColorJitter", "brightness", brightness, 1.0, 0.0)
        self.contrast = interval("ColorJitter", "contrast", contrast, 1.0, 0.0)
        self.saturation = interval("ColorJitter", "saturation", saturation, 1.0, 0.0)
        self.clip = clip

    def images(self, x: Array, generator: Generator) -> Array:
        u = generator.numpy().random((len(x), 3))
        bounds = (self.brightness, self.contrast, self.saturation)
        factors = np.stack([spread(column, pair) for column, pair in zip(u.T, bounds, strict=True)], 1)
        return kernels.color(x, factors.astype(x.dtype), *limits(self.clip))


class GaussianBlur(ImageTransform):
    """Convolution with a Gaussian of `kernel_size` taps, an odd number, down the columns and along the rows; its
    standard deviation, in pixels, comes from the pair `sigma`, or is that number. Beyond the edges lies the mirror.

    >>> blur = cg.data.augment.GaussianBlur(5, sigma=(0.1, 2.0))
    >>> blur(np.ones((8, 3, 28, 28), np.float32)).shape
    (8, 3, 28, 28)
    """

    def __init__(self, kernel_size: int, sigma: float | Sequence[float] = (0.1, 2.0)) -> None:
        if not isinstance(kernel_size, int) or kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"GaussianBlur: kernel_size must be an odd integer of at least 1, got {kernel_size!r}")
        self.kernel_size = kernel_size
        self.sigma = interval("GaussianBlur", "sigma", sigma, low=1e-3)

    def images(self, x: Array, generator: Generator) -> Array:
        sigma = spread(generator.numpy().random((len(x), 1)), self.sigma)
        places = np.arange(self.kernel_size) - self.kernel_size // 2
        weights = np.exp(-0.5 * (places / sigma) ** 2)
        return kernels.blur(x, (weights / weights.sum(1, keepdims=True)).astype(x.dtype))


class GaussianNoise(ImageTransform):
    """x + mean + σ·z, z from N(0, 1) for every number of its own, σ from the pair `sigma`, or that number, for every
    image; held inside [0, 1] with `clip`, inside a pair, or as it is with ``clip=False``.

    >>> noise = cg.data.augment.GaussianNoise(sigma=0.1, clip=False)
    >>> y = noise(np.zeros((100, 1, 28, 28), np.float32))
    >>> bool(0.099 < y.std() < 0.101)
    True
    """

    def __init__(self, mean: float = 0.0, sigma: float | Sequence[float] = 0.1, clip: bool | Pair = True) -> None:
        self.mean = float(mean)
        self.sigma = interval("GaussianNoise", "sigma", sigma, low=0.0)
        self.clip = ((0.0, 1.0) if clip else None) if isinstance(clip, bool) else clip

    def images(self, x: Array, generator: Generator) -> Array:
        sigmas = spread(generator.numpy().random(len(x)), self.sigma).astype(x.dtype)
        seed, offset = generator.advance(kernels.gaussian_noise_draws(x))
        return kernels.gaussian_noise(x, sigmas, seed, offset, self.mean, *limits(self.clip))


class RandomErasing(ImageTransform):
    """Cutout: with probability `p` a box of the image is covered. Its area is a share of the image's from the pair
    `scale`, its height over its width from the pair `ratio`; it lies inside the image. `value` covers it: a number,
    one for each channel, or ``"random"``, numbers from N(0, 1).

    T. DeVries, G. W. Taylor (2017), "Improved regularization of convolutional neural networks with cutout"; Z. Zhong
    et al. (2020), "Random erasing data augmentation".

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
        self.p = probability("RandomErasing", p)
        self.scale = interval("RandomErasing", "scale", scale, low=0.0)
        self.ratio = interval("RandomErasing", "ratio", ratio, low=1e-6)
        if isinstance(value, str) and value != "random":
            raise ValueError(f"RandomErasing: value must be a number, one for each channel, or 'random', got {value!r}")
        self.value = value

    def images(self, x: Array, generator: Generator) -> Array:
        n, channels, height, width = x.shape
        u = generator.numpy().random((n, 5)).T
        columns, rows = parts_of((width, height), u[1], u[2], self.scale, self.ratio)
        chosen = (u[0] < self.p) & (height * width > 0)
        top, left = np.floor(u[3] * (height - rows + 1)), np.floor(u[4] * (width - columns + 1))
        boxes = (np.stack([top, left, rows, columns], 1) * chosen[:, None]).astype(np.int64)
        if isinstance(self.value, str):
            seed, offset = generator.advance(kernels.gaussian_noise_draws(x))
            noise = kernels.gaussian_noise(np.zeros_like(x), np.ones(n, x.dtype), seed, offset)
            return kernels.paste(x, noise, np.arange(n), boxes)
        values = np.asarray(self.value, x.dtype)
        if values.shape not in ((), (1,), (channels,)):
            raise ValueError(f"RandomErasing: value must be one number, or one for each of {channels} channels")
        return kernels.erase(x, boxes, np.ascontiguousarray(np.broadcast_to(values, channels)))


class Normalize(ImageTransform):
    """(x − mean)/std, with one number for each channel or for all.

    >>> cg.data.augment.Normalize(0.5, 0.5)(np.ones((1, 1, 1, 2))).tolist()
    [[[[1.0, 1.0]]]]
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        self.mean, self.std = mean, std
        if not (np.asarray(std) > 0).all():
            raise ValueError(f"Normalize: std must be above 0, got {std!r}")

    def images(self, x: Array, generator: Generator) -> Array:
        mean, std = (np.asarray(v, x.dtype).reshape(-1, 1, 1) for v in (self.mean, self.std))
        for v in (mean, std):
            if len(v) not in (1, x.shape[1]):
                raise ValueError(f"Normalize: got {len(v)} numbers for {x.shape[1]} channels")
        return np.asarray((x - mean) / std)


class ToDtype(Transform):
    """The first part of a batch in another dtype; with `scale` integers are divided by the largest of their dtype, so
    that bytes lie in [0, 1].

    >>> cg.data.augment.ToDtype(np.float32, scale=True)(np.array([0, 255], np.uint8)).tolist()
    [0.0, 1.0]
    """

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        self.dtype = np.dtype(dtype)
        self.scale = bool(scale)
        if self.scale and self.dtype.kind != "f":
            raise ValueError(f"ToDtype: scale needs a dtype of floats, got {self.dtype}")

    def apply(self, parts: list[Any], generator: Generator) -> list[Any]:
        x = np.asarray(parts[0])
        y = x.astype(self.dtype)
        if self.scale and x.dtype.kind in "iu":
            y /= self.dtype.type(np.iinfo(x.dtype).max)
        return [y, *parts[1:]]


def limits(clip: Pair | None) -> Pair:
    """What numbers are held inside."""
    return (-np.inf, np.inf) if clip is None else (float(clip[0]), float(clip[1]))
