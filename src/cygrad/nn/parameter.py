"""Parameter: a tensor that is trained."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.autograd import recording
from cygrad.autograd.arrays import plain
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Buffer", "Parameter", "Uninitialized"]


class Parameter(Tensor):
    """A tensor that becomes a parameter of a :class:`Module` when it is assigned to an attribute. As
    ``torch.nn.Parameter``.

    Args:
        data: tensor or array of floats, whose memory the parameter shares. Integers need ``requires_grad=False``.
        requires_grad: whether it is trained, default True.

    Raises:
        RuntimeError: data contains integers and requires_grad is True.

    >>> cg.nn.Parameter(cg.tensor([1.0, 2.0])).requires_grad
    True
    """

    def __init__(self, data: Tensor | ArrayLike, requires_grad: bool = True) -> None:
        array = data.array if isinstance(data, Tensor) else plain("Parameter", data)
        if requires_grad and array.dtype.kind != "f":
            raise RuntimeError(
                f"Parameter: only floats can require a gradient, got {array.dtype}; pass requires_grad=False"
            )
        super().__init__(array, requires_grad)
        if isinstance(data, Tensor):
            self._share_version(data)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"

    def __copy__(self) -> Parameter:
        result = type(self)(self, self.requires_grad)
        result.__dict__.update(self.__dict__)
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        recording.reading("deepcopy")
        result = type(self)(self.array.copy(), self.requires_grad)
        memo[id(self)] = result
        return result

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        recording.reading("pickling")
        return type(self), (self.array, self.requires_grad), self.__dict__ or None


class Buffer(Tensor):
    """A tensor that becomes a buffer of a :class:`Module` when it is assigned to an attribute. As ``torch.nn.Buffer``.

    Args:
        data: tensor or array, whose memory the buffer shares.
        persistent: whether ``state_dict`` includes it, default True.
    """

    persistent = True

    def __init__(self, data: Tensor | ArrayLike, *, persistent: bool = True) -> None:
        super().__init__(data.array if isinstance(data, Tensor) else plain("Buffer", data))
        if isinstance(data, Tensor):
            self._share_version(data)
        self.persistent = persistent

    def __copy__(self) -> Buffer:
        result = type(self)(self, persistent=self.persistent)
        result.requires_grad = self.requires_grad
        result.__dict__.update(self.__dict__)
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Buffer:
        recording.reading("deepcopy")
        memo[id(self)] = result = type(self)(self.array.copy())
        result.requires_grad = self.requires_grad
        result.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return result

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        recording.reading("pickling")
        return type(self), (self.array,), (self.__dict__, {"requires_grad": self.requires_grad})


class Uninitialized:
    """A parameter or buffer without a shape."""

    cls_to_become: type[Tensor]

    def materialize(self: Any, shape: tuple[int, ...], device: Any = None, dtype: Any = None) -> None:
        """Allocate memory of a shape; the values are arbitrary."""
        recording.note_change()
        fresh = Tensor(np.empty(tuple(shape), self.array.dtype if dtype is None else dtype))
        self.array = fresh.array
        self._share_version(fresh)
        self.__class__ = self.cls_to_become

    @property
    def shape(self) -> Any:
        raise RuntimeError(f"{type(self).__name__}: it has no shape yet; call the module on an input first")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __copy__(self: Any) -> Any:
        return self.__deepcopy__({})

    def __deepcopy__(self: Any, memo: dict[int, Any]) -> Any:
        memo[id(self)] = result = type(self)(self.requires_grad, None, self.array.dtype)
        return result

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        return type(self), (self.requires_grad, None, self.array.dtype)
