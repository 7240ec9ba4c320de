# The floors below tensor.py return tensors without importing the class; here type checkers learn which class it is.
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from cygrad.tensor import Tensor as Tensor

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Dim: TypeAlias = int | Sequence[int] | None
DType: TypeAlias = DTypeLike | None
Nested: TypeAlias = ArrayLike | Tensor | Sequence[Nested]
Operand: TypeAlias = Tensor | Array | np.generic | float
Size: TypeAlias = int | Sequence[int]
