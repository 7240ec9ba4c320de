"""Parameters as one vector."""

from __future__ import annotations

from collections.abc import Iterable

from cygrad._arguments import checked
from cygrad.autograd import leaves, recording
from cygrad.ops.shape import cat, checked_tensors
from cygrad.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Concatenate all parameters, flattened, into a vector that gradients flow through. As
    ``torch.nn.utils.parameters_to_vector``.

    Args:
        parameters: the parameters to concatenate.

    >>> cg.nn.utils.parameters_to_vector(cg.nn.Linear(3, 2).parameters()).shape
    (8,)
    """
    return cat([p.reshape(-1) for p in checked_tensors("parameters_to_vector", parameters)])


@checked
def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy the elements of a vector into the parameters, in order. As ``torch.nn.utils.vector_to_parameters``.

    Args:
        vec: 1-d tensor with as many elements as all parameters together.
        parameters: the parameters to write to.

    Raises:
        ValueError: vec has another shape. Nothing is changed then.
    """
    params = checked_tensors("vector_to_parameters", parameters)
    total = sum([p.numel() for p in params])
    if vec.ndim != 1 or vec.numel() != total:
        raise ValueError(f"vector_to_parameters: vec has shape {vec.shape}, wanted ({total},)")
    recording.call_again(copy_parts, params, vec)


def copy_parts(params: list[Tensor], vec: Tensor) -> None:
    """Copy consecutive elements of a vector into the parameters."""
    leaves.note_writes(params)
    start = 0
    for array in leaves.arrays_of(params):
        array[...] = vec.array[start : start + array.size].reshape(array.shape)
        start += array.size
