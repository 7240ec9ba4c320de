"""Linear layers and embeddings."""

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
    """Look up rows by index: y[i…] = weight[input[i…]]. As ``torch.nn.functional.embedding``.

    Args:
        input: integer tensor of any shape, indices of rows.
        weight: the table, shape (rows, size of a row).
        padding_idx: row that receives no gradient, default None.

    Raises:
        IndexError: an index or padding_idx is out of range.
        RuntimeError: weight is not a matrix.

    >>> cg.nn.functional.embedding(cg.tensor([1, 0]), cg.eye(2))
    tensor([[0., 1.],
            [1., 0.]])
    """
    check_tensor("embedding", "weight", weight)
    if weight.ndim != 2:
        raise RuntimeError(f"embedding: weight must be a matrix, got shape {weight.shape}")
    rows = weight.shape[0]
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise IndexError(f"embedding: padding_idx {padding_idx} is out of range for {rows} rows")
    return embedding_rows(weight, input, padding_idx=-1 if padding_idx is None else padding_idx % rows)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Encode class indices as rows with a single 1, of int64. As ``torch.nn.functional.one_hot``.

    Args:
        tensor: integer tensor of any shape, class indices.
        num_classes: size of a row, default −1 for the largest index plus 1.

    Raises:
        RuntimeError: an index is out of range, or the tensor is empty and num_classes is not given.
        TypeError: the tensor does not contain integers.
    """
    check_tensor("one_hot", "input", tensor)
    indices = tensor.array
    if indices.dtype.kind not in "iu":
        raise TypeError(f"one_hot: input must contain integers, got {indices.dtype}")
    if indices.size == 0 and num_classes <= 0:
        raise RuntimeError("one_hot: num_classes must be given for an empty input")
    if num_classes == -1:
        recording.reading("one_hot without num_classes")
    classes = int(indices.max()) + 1 if num_classes == -1 else num_classes
    return one_hot_rows(tensor, classes=classes)
