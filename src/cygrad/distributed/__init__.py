"""``torch.distributed`` for programs that ask: there is one process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn

__all__ = [
    "ReduceOp",
    "all_gather",
    "all_gather_object",
    "all_reduce",
    "all_to_all",
    "barrier",
    "broadcast",
    "broadcast_object_list",
    "destroy_process_group",
    "gather",
    "get_backend",
    "get_rank",
    "get_world_size",
    "init_process_group",
    "irecv",
    "is_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
    "isend",
    "new_group",
    "recv",
    "reduce",
    "reduce_scatter",
    "scatter",
    "send",
]

ReduceOp = SimpleNamespace(**{name: name for name in ("SUM", "AVG", "PRODUCT", "MIN", "MAX", "BAND", "BOR", "BXOR")})


def is_available() -> bool:
    """Return False: a training is one process."""
    return False


def init_process_group(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise RuntimeError: a training is one process; likewise all that needs a group."""
    raise RuntimeError("cygrad trains in one process: torch.distributed.is_available() is False")


is_initialized = is_torchelastic_launched = is_available
is_gloo_available = is_mpi_available = is_nccl_available = is_available
all_gather = all_gather_object = all_reduce = all_to_all = barrier = broadcast = init_process_group
broadcast_object_list = destroy_process_group = gather = get_backend = irecv = isend = init_process_group
get_rank = get_world_size = new_group = recv = reduce = reduce_scatter = scatter = send = init_process_group
