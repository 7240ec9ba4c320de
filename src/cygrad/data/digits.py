"""The handwritten digits that come with the package.

Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository,
doi 10.24432/C50P49, licensed CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). Its test file, with
the values as 8-bit integers and the labels in an array of their own; see digits.LICENSE.txt.
"""

from __future__ import annotations

import os

import numpy as np

from cygrad._typing import Array

__all__ = ["load_digits"]


def load_digits() -> tuple[Array, Array]:
    """The images, (1797, 8, 8) of uint8 from 0 to 16, and the labels, (1797,) of int64 from 0 to 9; new
    arrays at every call.

    A pixel counts the dark ones among 4 × 4 pixels of a scan of 32 × 32. Reads the file in the package, and
    nothing from elsewhere.

    >>> images, labels = cg.data.load_digits()
    >>> images.shape, labels[:4].tolist()
    ((1797, 8, 8), [0, 1, 2, 3])
    """
    with np.load(os.path.join(os.path.dirname(__file__), "digits.npz"), allow_pickle=False) as file:
        return file["images"], file["labels"].astype(np.int64)
