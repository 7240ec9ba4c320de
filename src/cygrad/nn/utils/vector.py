"""Parameters as one vector."""

from __future__ import annotations

from collections.abc import Iterable

from cygrad.autograd import leaves
from cygrad.ops.shape import cat
from cygrad.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, flattened, one behind the other. Gradients flow through.

    >>> cg.nn.utils.parameters_to_vector(cg.nn.Linear(3, 2).parameters()).shape
    (8,)
    """
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Writes the numbers of a vector into the parameters, in order. Raises ValueError, and changes nothing, unless
    they are as many."""
    params = list(parameters)
    total = sum([p.numel() for p in params])
    if vec.ndim != 1 or vec.numel() != total:
        raise ValueError(f"vector_to_parameters: the vector has shape {vec.shape}, but there are {total} parameters")
    leaves.note_writes(params)
    begin = 0
    for array in leaves.arrays_of(params):
        array[...] = vec.array[begin : begin + array.size].reshape(array.shape)
        begin += array.size
