"""Tensor: an ndarray, its gradient, and the operators. No mathematics stands here."""

from __future__ import annotations

import numpy as np

from cygrad import autograd


class Tensor(autograd.Value):
    """An ndarray that remembers how it was computed."""

    def numpy(self) -> np.ndarray:
        """The ndarray itself, not a copy."""
        if self.requires_grad:
            raise RuntimeError("numpy: the tensor requires a gradient; use tensor.detach().numpy()")
        return self.array


autograd.use_value_type(Tensor)


def tensor(data: object, dtype: object = None, requires_grad: bool = False) -> Tensor:
    """A new tensor over a copy of `data`."""
    return Tensor(np.array(data, dtype), requires_grad)
