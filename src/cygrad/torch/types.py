"""What tensors and modules of scripts answer: ``torch.Size`` and ``torch.dtype``, and ``__getattr__``."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from cygrad.config import default_float
from cygrad.dtypes import DTYPES, dtype
from cygrad.nn.module import Module, missing_attribute
from cygrad.sizes import Size
from cygrad.tensor import Tensor

__all__ = ["answer_as_torch"]


def answer_as_torch() -> None:
    """Let ``shape``, ``size()`` and ``dtype`` of tensors be of PyTorch's types, and ``Tensor(array)`` be of the default
    dtype.
    NumPy's integers are sizes for ``Tensor``, as Python's are. ``Module`` has a ``__getattr__`` that programs call.
    """
    own: Any = Tensor
    first = own.__init__

    def __init__(self: Any, data: Any = (), *rest: Any, **options: Any) -> None:
        if type(data) is np.ndarray and data.dtype != default_float() and not called_by_cygrad():
            data = data.astype(default_float())
        elif isinstance(data, np.integer) and not called_by_cygrad():
            data, rest = int(data), tuple([int(n) if isinstance(n, np.integer) else n for n in rest])
        first(self, data, *rest, **options)

    def shape(self: Any) -> Size:
        return Size(self.array.shape)

    def size(self: Any, dim: int | None = None) -> Any:
        return Size(self.array.shape) if dim is None else self.array.shape[dim]

    def answer_dtype(self: Any) -> Any:
        plain = self.array.dtype
        return DTYPES.get(plain) or dtype(plain)

    for name, function in {"shape": shape, "dtype": answer_dtype}.items():
        setattr(own, name, property(function, doc=getattr(own, name).__doc__))
    size.__doc__, __init__.__doc__ = own.size.__doc__, first.__doc__
    own.size, own.__init__ = size, __init__
    own.__module__ = "torch"  # by which libraries for several frameworks know a tensor
    own._is_view, own._base = is_view, property(base)
    Module.__getattr__ = missing_attribute  # type: ignore[attr-defined]


def is_view(self: Any) -> bool:
    """Whether the tensor is a view of another, whose memory it shares."""
    return self.base is not None


def base(self: Any) -> Any:
    """The tensor that this one is a view of, or None."""
    return self.base


def called_by_cygrad() -> bool:
    """Whether the caller's caller is code of this library, which makes tensors of any dtype from arrays."""
    return str(sys._getframe(2).f_globals.get("__name__")).startswith("cygrad.")
