"""``torch.distributed.nn``: sums over processes with gradients. There is one process, so they raise."""

from cygrad.distributed import all_gather, all_reduce, broadcast, reduce, scatter

__all__ = ["all_gather", "all_reduce", "broadcast", "reduce", "scatter"]
