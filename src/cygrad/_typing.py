"""Types that many files use. Type checkers read ``_typing.pyi`` in place of this file."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Dim = int | Sequence[int] | None
DType = Any
Nested = Any
Operand = Any
Size = Any
Tensor = Any
