"""Products of vectors and matrices. Positional and keyword arguments are those of PyTorch."""

from __future__ import annotations

from cygrad._typing import Tensor
from cygrad.autograd.calls import requires_tensor
from cygrad.ops import linear, shape

__all__ = ["bmm", "dot", "mm", "mv", "outer"]


def _product(name: str, input: Tensor, other: Tensor, dims: tuple[int, int]) -> Tensor:
    if (input.ndim, other.ndim) != dims:
        raise RuntimeError(
            f"{name}: operands must have {dims[0]} and {dims[1]} dimensions, "
            f"got shapes {tuple(input.shape)} and {tuple(other.shape)}"
        )
    return linear.matmul(input, other)


@requires_tensor
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Multiply two matrices.

    Args:
        input: a matrix of shape (n, m).
        mat2: a matrix of shape (m, p).

    Returns:
        A matrix of shape (n, p).
    """
    return _product("mm", input, mat2, (2, 2))


@requires_tensor
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Multiply a matrix and a vector.

    Args:
        input: a matrix of shape (n, m).
        vec: a vector of m elements.
    """
    return _product("mv", input, vec, (2, 1))


@requires_tensor
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Multiply two batches of matrices.

    Args:
        input: shape (batch, n, m).
        mat2: shape (batch, m, p).

    Returns:
        A tensor of shape (batch, n, p).
    """
    if input.shape[:1] != mat2.shape[:1]:
        raise RuntimeError(
            f"bmm: the batch sizes must be equal, got shapes {tuple(input.shape)} and {tuple(mat2.shape)}"
        )
    return _product("bmm", input, mat2, (3, 3))


@requires_tensor
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Return the dot product of two vectors, Σ input·tensor.

    Args:
        input: a vector.
        tensor: a vector with as many elements.
    """
    return _product("dot", input, tensor, (1, 1))


@requires_tensor
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Return the outer product of two vectors, y[i, j] = input[i]·vec2[j].

    Args:
        input: a vector.
        vec2: a vector.
    """
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(f"outer: operands must be vectors, got shapes {tuple(input.shape)} and {tuple(vec2.shape)}")
    return shape.unsqueeze(input, dim=1) * vec2
