"""Linear layers and embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad._arguments import integer
from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.nn.functional.checks import check_tensor
from cygrad.ops.embedding import embedding_rows, one_hot_rows
from cygrad.ops.linear import ensemble_linear, linear

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["embedding", "ensemble_linear", "linear", "one_hot"]


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Look up rows by index: y[i…] = weight[input[i…]]. As ``torch.nn.functional.embedding``.

    Args:
        input: integer tensor of any shape, indices of rows.
        weight: the table, shape (rows, size of a row).
        padding_idx: row that receives no gradient, default None.
        max_norm: largest norm of a row that is looked up; rows beyond it are scaled first, in place. Default None.
        norm_type: order of that norm, default 2.
        scale_grad_by_freq: whether a row's gradient is divided by the number of its look-ups, default False.
        sparse: accepted as in PyTorch, without effect: gradients are dense.

    Raises:
        IndexError: an index or padding_idx is out of range.
        RuntimeError: weight is not a matrix.
        TypeError: max_norm or norm_type is not a number.

    >>> cg.nn.functional.embedding(cg.tensor([1, 0]), cg.eye(2))
    tensor([[0., 1.],
            [1., 0.]])
    """
    check_tensor("embedding", "weight", weight)
    if weight.ndim != 2:
        raise RuntimeError(f"embedding: weight must be a matrix, got shape {weight.shape}")
    rows = weight.shape[0]
    padding_idx = None if padding_idx is None else integer("embedding", "padding_idx", padding_idx)
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise IndexError(f"embedding: padding_idx {padding_idx} is out of range for {rows} rows")
    by_frequency = bool(scale_grad_by_freq)
    if max_norm is not None or by_frequency:
        check_tensor("embedding", "input", input)
    if max_norm is not None:
        embedding_rows(weight.detach(), input, padding_idx=-1)  # raises before anything is written
        recording.call_again(limit_rows, weight, input, number("max_norm", max_norm), number("norm_type", norm_type))
    y = embedding_rows(weight, input, padding_idx=-1 if padding_idx is None else padding_idx % rows)
    if not by_frequency:
        return y
    share = type(y.detach())(recording.produced(shares, input.array, y.array.dtype))
    return y.detach() + (y - y.detach()) * share


def number(name: str, value: Any) -> float:
    """An argument of ``embedding`` as a float; a tensor of one element counts as one."""
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
        raise TypeError(f"embedding: {name} must be a number, got {type(value).__name__}")
    return float(value)


def shares(indices: Array, dtype: np.dtype[Any]) -> Array:
    """1/n for each index that appears n times, with a last dimension of 1."""
    _, inverse, counts = np.unique(indices, return_inverse=True, return_counts=True)
    return np.asarray((1 / counts)[inverse].reshape(*indices.shape, 1), dtype)


def limit_rows(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows that are looked up to a norm of at most max_norm."""
    table, rows = weight.array, np.unique(input.array)
    norms = np.linalg.norm(table[rows], norm_type, axis=1)
    beyond = norms > max_norm
    table[rows[beyond]] *= (max_norm / (norms[beyond, None] + 1e-7)).astype(table.dtype)
    weight.version.value += 1


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
