"""Uneven numbers of batches: ranks without further batches take part in the others' reductions."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.distributed.collectives import exchange
from cygrad.distributed.replicas import copy_from

__all__ = ["Join"]


class Join:
    """A block in which ranks may have different numbers of batches: ``DistributedDataParallel.join()``.

    Args:
        model: a DistributedDataParallel.
        by_all: whether gradients are divided by the number of all ranks, not of those that have batches.
        early: whether to raise RuntimeError on all ranks as soon as one has no batch.
    """

    def __init__(self, model: Any, by_all: bool, early: bool) -> None:
        self.model = model
        self.members = model.process_group
        self.by_all = by_all
        self.early = early
        self.root = 0  # a rank of the group that has batches
        self.uneven = False

    def __enter__(self) -> None:
        self.model.joining = self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        try:
            while kind is None and self.round(False):
                self.model.copy_buffers()
                if self.model.reducer is not None:
                    self.model.reducer.join()
            if kind is None and self.uneven:
                copy_from(self.root, "join", self.members, list(self.model.all_tensors().values()))
        finally:
            self.model.joining = None
            self.divide_by(self.members.size())

    def round(self, has_batch: bool) -> bool:
        """Begin a step: tell the others whether this rank has a batch; return whether any rank has one."""
        flags = self.tell(has_batch)
        having = np.flatnonzero(flags)
        if not len(having):
            return False
        self.root = int(having[0])
        if len(having) < len(flags):
            self.uneven = True
            if self.early:
                ended = ", ".join(map(str, np.flatnonzero(flags == 0)))
                raise RuntimeError(f"join: rank {ended} has no more batches")
        self.divide_by(len(having))
        return True

    def divide_by(self, active: int) -> None:
        """Set the number of ranks that have a batch."""
        if self.model.reducer is not None:
            self.model.reducer.active = active
            self.model.reducer.divisor = self.members.size() if self.by_all else active

    def tell(self, has_batch: bool) -> Array:
        """For each rank, whether it has a batch."""
        flags = np.zeros(self.members.size(), np.int8)
        mine = np.array([has_batch], np.int8)
        exchange("join", self.members, np.split(flags, len(flags)), mine, [], "Iallgather").launch().wait()
        return flags
