"""Extremes and order. Positional and keyword arguments are those of PyTorch."""

from __future__ import annotations

from typing import Any, NamedTuple, overload

from cygrad._typing import Tensor
from cygrad.autograd import Value
from cygrad.autograd.calls import requires_tensor
from cygrad.ops import arithmetic, reduce
from cygrad.ops import index as index_ops

__all__ = ["max", "min", "sort", "topk"]


class ValuesAndIndices(NamedTuple):
    """Elements selected along a dimension, and their indices along it."""

    values: Tensor
    indices: Tensor


def named(name: str) -> Any:
    """The class of a function's result, which is printed under PyTorch's name of it."""

    def show(self: ValuesAndIndices) -> str:
        return f"torch.return_types.{name}(\nvalues={self.values},\nindices={self.indices})"

    def reduce(self: ValuesAndIndices) -> Any:
        return ValuesAndIndices, tuple(self)

    return type(name, (ValuesAndIndices,), {"__slots__": (), "__repr__": show, "__reduce__": reduce})


Max, Min, Sort, TopK = map(named, ("max", "min", "sort", "topk"))


def _extreme(input: Tensor, dim: Any, keepdim: bool, whole: Any, along: Any, pair: Any, kind: Any) -> Any:
    if dim is None:
        return whole(input)
    if isinstance(dim, Value):
        return pair(input, dim)
    return kind(*along(input, dim=dim, keepdim=keepdim))


@overload
def max(input: Tensor, dim: None = None, keepdim: bool = False) -> Tensor: ...
@overload
def max(input: Tensor, dim: int, keepdim: bool = False) -> ValuesAndIndices: ...
@overload
def max(input: Tensor, dim: Tensor) -> Tensor: ...
@overload
def max(input: Tensor, *, other: Tensor) -> Tensor: ...
@requires_tensor
def max(
    input: Tensor, dim: Tensor | int | None = None, keepdim: bool = False, *, other: Tensor | None = None
) -> Tensor | ValuesAndIndices:
    """Return the largest element, the largest along a dimension, or the larger of each pair of elements.

    Args:
        input: a tensor.
        dim: None for the largest of all elements; a dimension to reduce; or a second tensor, to compare with
            elementwise.
        keepdim: whether the reduced dimension stays, with size 1.
        other: the second tensor, by name.

    Returns:
        A tensor; for a dimension, (values, indices).

    >>> cg.max(cg.tensor([[1.0, 5.0], [7.0, 2.0]]), 1).indices
    tensor([1, 0])
    """
    result: Tensor | ValuesAndIndices = _extreme(
        input, dim if other is None else other, keepdim, reduce.whole_max, reduce.max_along, arithmetic.maximum, Max
    )
    return result


@overload
def min(input: Tensor, dim: None = None, keepdim: bool = False) -> Tensor: ...
@overload
def min(input: Tensor, dim: int, keepdim: bool = False) -> ValuesAndIndices: ...
@overload
def min(input: Tensor, dim: Tensor) -> Tensor: ...
@overload
def min(input: Tensor, *, other: Tensor) -> Tensor: ...
@requires_tensor
def min(
    input: Tensor, dim: Tensor | int | None = None, keepdim: bool = False, *, other: Tensor | None = None
) -> Tensor | ValuesAndIndices:
    """Return the smallest element, the smallest along a dimension, or the smaller of each pair of elements.

    Args:
        input: a tensor.
        dim: None for the smallest of all elements; a dimension to reduce; or a second tensor, to compare with
            elementwise.
        keepdim: whether the reduced dimension stays, with size 1.
        other: the second tensor, by name.

    Returns:
        A tensor; for a dimension, (values, indices).
    """
    result: Tensor | ValuesAndIndices = _extreme(
        input, dim if other is None else other, keepdim, reduce.whole_min, reduce.min_along, arithmetic.minimum, Min
    )
    return result


@requires_tensor
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = True) -> ValuesAndIndices:
    """Sort along a dimension. NaN counts as the largest value.

    Args:
        input: a tensor.
        dim: the dimension, by default the last.
        descending: whether the largest element comes first.
        stable: accepted for compatibility; equal elements always keep their order.

    Returns:
        (values, indices).

    >>> cg.sort(cg.tensor([3.0, 1.0, 2.0])).values
    tensor([1., 2., 3.])
    """
    result: ValuesAndIndices = Sort(*index_ops.sort(input, dim=dim, descending=descending, stable=stable))
    return result


@requires_tensor
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesAndIndices:
    """Return the k largest, or smallest, elements along a dimension.

    Args:
        input: a tensor.
        k: the number of elements.
        dim: the dimension, by default the last.
        largest: whether to return the largest elements, or else the smallest.
        sorted: accepted for compatibility; the elements are always in order.

    Returns:
        (values, indices).
    """
    result: ValuesAndIndices = TopK(*index_ops.topk(input, k=k, dim=dim, largest=largest, sorted=sorted))
    return result
