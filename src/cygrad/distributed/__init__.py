"""``torch.distributed`` for programs that ask: there is one process."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = [
    "all_gather",
    "all_reduce",
    "barrier",
    "broadcast",
    "destroy_process_group",
    "get_backend",
    "get_rank",
    "get_world_size",
    "init_process_group",
    "is_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
    "new_group",
    "reduce",
    "scatter",
]


def is_available() -> bool:
    """Return False: a training is one process."""
    return False


def init_process_group(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise RuntimeError: a training is one process; likewise all that needs a group."""
    raise RuntimeError("cygrad trains in one process: torch.distributed.is_available() is False")


is_initialized = is_torchelastic_launched = is_available
is_gloo_available = is_mpi_available = is_nccl_available = is_available
all_gather = all_reduce = barrier = broadcast = destroy_process_group = get_backend = init_process_group
get_rank = get_world_size = new_group = reduce = scatter = init_process_group
