"""The handwritten digits that are included in the package.

Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository,
doi 10.24432/C50P49, licensed CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). Its test file, with
the values as 8-bit integers and the labels in a separate array; see digits.LICENSE.txt.
"""

from __future__ import annotations

import os

import numpy as np

from cygrad._typing import Array

__all__ = ["load_digits"]


def load_digits() -> tuple[Array, Array]:
    """Load the handwritten digits included in the package; nothing is downloaded.

    Each pixel is the number of dark pixels in a 4 × 4 block of a 32 × 32 scan.

    Returns:
        Images (1797, 8, 8) of uint8 from 0 to 16, and labels (1797,) of int64 from 0 to 9, in new arrays.

    >>> images, labels = cg.data.load_digits()
    >>> images.shape, labels[:4].tolist()
    ((1797, 8, 8), [0, 1, 2, 3])
    """
    with np.load(os.path.join(os.path.dirname(__file__), "digits.npz"), allow_pickle=False) as file:
        pixels, labels = file["pixels"], file["labels"].astype(np.int64)
    images = np.empty((len(labels), 8, 8), pixels.dtype)
    # The file holds each pixel of all images, sorted by label, which takes a quarter less than image by image.
    images[np.argsort(labels, kind="stable")] = np.moveaxis(pixels, -1, 0)
    return images, labels
