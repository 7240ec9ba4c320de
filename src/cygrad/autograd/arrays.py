"""What the engine asks of an array. A compiled engine asks in C: arrays.pxd says the same."""

from __future__ import annotations

import numpy as np

from cygrad._typing import Array


def root(array: Array) -> Array:
    """The array that owns its memory."""
    base = array.base
    return base if isinstance(base, np.ndarray) else array


def owns_memory(array: Array) -> bool:
    """Whether it is no view of anything."""
    return array.base is None


def is_float(array: Array) -> bool:
    """Whether it can have a gradient."""
    return array.dtype.kind == "f"


def is_in_order(array: Array) -> bool:
    """Whether its numbers lie in C order, without gaps."""
    return array.flags.c_contiguous
