"""Linear layers and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad.autograd import recording
from cygrad.nn.functional.checks import check_tensor
from cygrad.ops.embedding import embedding_rows, one_hot_rows
from cygrad.ops.linear import linear

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["embedding", "linear", "one_hot"]


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Rows of weight (rows, dim) by number: y[i…] = weight[input[i…]]. The row padding_idx receives no gradient.

    Raises IndexError for a number that is no row.

    >>> cg.nn.functional.embedding(cg.tensor([1, 0]), cg.eye(2))
    tensor([[0., 1.],
            [1., 0.]])
    """
    check_tensor("embedding", "weight", weight)
    rows = weight.shape[0] if weight.ndim else 0
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise IndexError(f"embedding: padding_idx {padding_idx} is not one of the {rows} rows")
    return embedding_rows(weight, input, padding_idx=-1 if padding_idx is None else padding_idx % rows)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Class numbers as rows with a single 1, in int64. Without num_classes there are as many as the largest needs."""
    check_tensor("one_hot", "input", tensor)
    numbers = tensor.array
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"one_hot: input must hold integers, got {numbers.dtype}")
    if numbers.size == 0 and num_classes <= 0:
        raise RuntimeError("one_hot: num_classes must be given for an empty input")
    if num_classes == -1:
        recording.reading("one_hot without num_classes")
    classes = int(numbers.max()) + 1 if num_classes == -1 else num_classes
    return one_hot_rows(tensor, classes=classes)
