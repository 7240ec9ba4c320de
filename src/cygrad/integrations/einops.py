"""einops, which writes the shapes of tensors as words. Registered by ``import cygrad`` where einops is installed."""

from __future__ import annotations

from typing import Any

from einops._backends import AbstractBackend

import cygrad.functions as F
from cygrad.tensor import Tensor

__all__ = ["Backend"]


class Backend(AbstractBackend):  # type: ignore[misc, unused-ignore] # types: not every version
    """Lets einops work on tensors, with gradients; einops finds it as a subclass.

    >>> import einops
    >>> einops.rearrange(cg.arange(6), "(a b) -> b a", a=2).shape
    (3, 2)
    """

    framework_name = "cygrad"

    def is_appropriate_type(self, tensor: Any) -> bool:
        """Returns whether the backend handles an object."""
        return isinstance(tensor, Tensor)

    def from_numpy(self, x: Any) -> Tensor:
        """Returns an array as a tensor."""
        return Tensor(x)

    def to_numpy(self, x: Any) -> Any:
        """Returns a tensor as an array."""
        return x.detach().numpy()

    def transpose(self, x: Any, axes: Any) -> Any:
        """Returns the tensor with its axes in another order."""
        return x.permute(*axes)

    def reduce(self, x: Any, operation: str, axes: Any) -> Any:
        """Reduces axes by sum, mean, max, min, prod, any or all."""
        if operation in ("sum", "mean", "max", "min"):
            name = {"max": "amax", "min": "amin"}.get(operation, operation)
            return getattr(x, name)(dim=tuple(axes))
        for axis in sorted(axes, reverse=True):
            x = getattr(x, operation)(dim=axis)
        return x

    def stack_on_zeroth_dimension(self, tensors: Any) -> Any:
        """Joins tensors along a new first axis."""
        return F.stack(tensors)

    def add_axis(self, x: Any, new_position: int) -> Any:
        """Inserts an axis of size 1."""
        return x.unsqueeze(new_position)

    def tile(self, x: Any, repeats: Any) -> Any:
        """Repeats the tensor along its axes."""
        return x.repeat(*repeats)

    def concat(self, tensors: Any, axis: int) -> Any:
        """Joins tensors along an axis."""
        return F.cat(tensors, axis)

    def is_float_type(self, x: Any) -> bool:
        """Returns whether a tensor holds floats."""
        return bool(x.is_floating_point())

    def einsum(self, pattern: str, *x: Any) -> Any:
        """Sums products over axes that a pattern names."""
        return F.einsum(pattern, *x)
