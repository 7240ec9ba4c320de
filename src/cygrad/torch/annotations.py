"""``torch.types``: what annotations of programs name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO, Any

from cygrad.device import device
from cygrad.dtypes import dtype
from cygrad.sizes import Size
from cygrad.tensor import Tensor

__all__ = ["Device", "FileLike", "Number", "Size", "Storage", "Tensor"]

_int, _float, _bool, _bytes, _str = int, float, bool, bytes, str
_device, _dtype = device, dtype
_layout = _qscheme = Storage = Any
_size = Size | list[int] | tuple[int, ...]
_symsize = Size | Sequence[int]
_Number = (int, float, bool)  # for isinstance

Number = int | float | bool
Device = device | str | int | None
FileLike = str | os.PathLike[str] | IO[bytes]
_TensorOrTensors = Tensor | Sequence[Tensor]
_TensorOrOptionalTensors = Tensor | Sequence[Tensor | None]
