"""``FloatTensor`` and its relatives: constructors for one dtype each, from before tensors were made by functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad.creation import tensor, zeros
from cygrad.sizes import sizes_of
from cygrad.tensor import Tensor

__all__ = [
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
]


class TypedTensorType(type):
    """The instances are the tensors of the dtype."""

    dtype: np.dtype[Any]

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Tensor) and value.array.dtype == cls.dtype

    def __call__(cls, *data: Any, device: object = None) -> Tensor:
        """A tensor from data, which become numbers of the dtype at once, or of zeros from sizes."""
        sizes = sizes_of(cls.__name__, data)
        return tensor(data[0], dtype=cls.dtype) if sizes is None else zeros(sizes, dtype=cls.dtype)


def typed(name: str, dtype: Any) -> Any:
    """The constructor of tensors of a dtype."""
    text = f"``{name}(data)`` and ``{name}(2, 3)``: a tensor of {np.dtype(dtype)}. As ``torch.{name}``."
    return TypedTensorType(name, (), {"dtype": np.dtype(dtype), "__doc__": text, "__module__": "cygrad"})


FloatTensor, DoubleTensor = typed("FloatTensor", np.float32), typed("DoubleTensor", np.float64)
HalfTensor = typed("HalfTensor", np.float16)
LongTensor, IntTensor = typed("LongTensor", np.int64), typed("IntTensor", np.int32)
ShortTensor, CharTensor = typed("ShortTensor", np.int16), typed("CharTensor", np.int8)
ByteTensor, BoolTensor = typed("ByteTensor", np.uint8), typed("BoolTensor", np.bool_)
