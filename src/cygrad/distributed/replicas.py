"""Equal models on all ranks: how they become equal, and what happens where they are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cygrad.distributed.collectives import distribution, elements
from cygrad.distributed.process_group import ProcessGroup
from cygrad.tensor import Tensor

__all__ = ["check_equal", "copy_from"]


def check_equal(name: str, members: ProcessGroup, tensors: dict[str, Tensor]) -> None:
    """Raise RuntimeError, naming rank and tensor, unless all ranks have tensors of the same names, shapes and dtypes.

    Args:
        name: of the caller, for the message.
        members: the ranks.
        tensors: parameters and buffers by name.
    """
    mine = {key: described(tensor) for key, tensor in tensors.items()}
    everyone = members.gathered(name, mine)
    for rank, theirs in zip(members.ranks, everyone):
        for key in dict.fromkeys([*everyone[0], *theirs]):
            found, wanted = theirs.get(key, "missing"), everyone[0].get(key, "missing")
            if found != wanted:
                raise RuntimeError(
                    f"{name}: the model of rank {rank} is not that of rank {members.ranks[0]}: {key} is {found} on "
                    f"rank {rank}, {wanted} on rank {members.ranks[0]}"
                )
        if list(theirs) != list(everyone[0]):
            raise RuntimeError(f"{name}: the model of rank {rank} has its parameters in another order than rank 0")


def described(tensor: Tensor) -> str:
    """Dtype, shape and use of a parameter or buffer."""
    trained = "trained" if tensor.requires_grad else "not trained"
    return f"{tensor.dtype} of shape {tuple(tensor.shape)}, {trained}"


def copy_from(root: int, name: str, members: ProcessGroup, tensors: Sequence[Any]) -> None:
    """Give tensors the elements that they have on rank `root` of the group."""
    if tensors and members.size() > 1:
        arrays = [elements(name, "module", tensor) for tensor in tensors]
        distribution(name, members, arrays, root, tensors).launch().wait()
