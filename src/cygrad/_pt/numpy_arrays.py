"""NumPy's arrays and scalars in PyTorch's files: what their pickles call, for plain dtypes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from cygrad._typing import Array

__all__ = ["NUMPY", "ArrayType", "fill_array"]

PLAIN_DTYPE = re.compile(r"[?biufcSU]\d*")


class ArrayType:
    """The dtype of an array; its byte order follows later."""

    def __init__(self, code: str, *_: Any) -> None:
        if not PLAIN_DTYPE.fullmatch(code):
            raise ValueError(f"an array of dtype {code!r} is not read")
        self.dtype = np.dtype(code)

    def set_state(self, state: tuple[Any, ...]) -> None:
        """Take the byte order from (version, order, …)."""
        if state[1] not in ("<", ">", "|", "="):
            raise ValueError(f"the byte order {state[1]!r} is unknown")
        self.dtype = self.dtype.newbyteorder(state[1])


def unfilled(*_: Any) -> Array:
    """An array whose shape and elements follow."""
    return np.empty(0)


def fill_array(array: Array, state: tuple[Any, ...]) -> None:
    """Give an array its shape, dtype, order and elements: (version, shape, dtype, column order, bytes)."""
    _, shape, kind, columns_first, data = state
    if not isinstance(kind, ArrayType) or not isinstance(data, bytes):
        raise ValueError("an array needs a dtype and bytes")
    state = (1, tuple(map(int, shape)), kind.dtype, bool(columns_first), data)
    array.__setstate__(state)  # type: ignore[arg-type]


def scalar(kind: ArrayType, data: bytes) -> Any:
    """A scalar of NumPy."""
    return np.frombuffer(data, kind.dtype, 1)[0]


def encoded(text: str, codec: str) -> bytes:
    """Bytes that the file has as text."""
    if codec != "latin1":
        raise ValueError(f"the encoding {codec!r} is not read")
    return text.encode(codec)


def no_bytes() -> bytes:
    return b""


NUMPY: dict[str, Callable[..., Any]] = {
    "numpy.core.multiarray._reconstruct": unfilled,
    "numpy._core.multiarray._reconstruct": unfilled,
    "numpy.core.multiarray.scalar": scalar,
    "numpy._core.multiarray.scalar": scalar,
    "numpy.dtype": ArrayType,
    "_codecs.encode": encoded,
    "__builtin__.bytes": no_bytes,
    "builtins.bytes": no_bytes,
}
