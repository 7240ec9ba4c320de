"""Shards of one batch that exchange statistics while they are computed: each runs in a thread, one at a time.

A shard runs until it needs numbers of all shards, and waits; the next one runs up to the same place, and the last one
combines what all have brought, with those of the other ranks. So the shards of a rank proceed as ranks do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.distributed.tree import Branch, Terms, Tree

__all__ = ["Lockstep", "current_shard"]


class Lockstep:
    """Runs the shards of this rank.

    Args:
        tree: of the batch, in which each shard has rows.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.shards = list(tree.shards_of(tree.rank))
        self.turns = [threading.Semaphore(0) for _ in self.shards]
        self.brought: list[Any] = [None] * len(self.shards)
        self.combined: Any = None
        self.error: BaseException | None = None

    def run(self, function: Callable[[int], Any]) -> list[Any]:
        """Return function(shard) for each shard of this rank."""
        results: list[Any] = [None] * len(self.shards)

        def work(place: int) -> None:
            _current.set(Shard(self, place))
            self.turns[place].acquire()
            try:
                if self.error is None:
                    results[place] = function(self.shards[place])
            except BaseException as error:
                self.error = self.error or error
            self.pass_on(place)

        threads = [
            threading.Thread(target=copy_context().run, args=(work, place), name=f"cygrad-shard-{place}", daemon=True)
            for place in range(len(self.shards))
        ]
        for thread in threads:
            thread.start()
        self.turns[0].release()
        try:
            for thread in threads:
                thread.join()
        except BaseException as error:  # Ctrl-C: the shards end where they meet next
            self.error = self.error or error
            for thread in threads:
                thread.join()
            raise
        if self.error is not None:
            raise self.error
        return results

    def pass_on(self, place: int) -> None:
        """Let the next shard run. After an error all of them end in turn, those that wait for others too."""
        if place + 1 < len(self.turns) or self.error is not None:
            self.turns[(place + 1) % len(self.turns)].release()

    def meet(self, place: int, value: Array, combine: Callable[[list[Array]], Any]) -> Any:
        """What all shards' values are together, once each has brought its own."""
        self.brought[place] = value
        if place + 1 == len(self.shards):
            self.combined = combine(self.brought)
            if place == 0:
                return self.combined
            self.turns[0].release()
        else:
            self.turns[place + 1].release()
        self.turns[place].acquire()
        if self.error is not None:
            raise RuntimeError("another shard failed") from self.error
        return self.combined

    def stack(self, arrays: list[Array]) -> Array:
        """The arrays of all shards of all ranks, (S, …): the sum of stacks that are zero elsewhere."""
        places = np.zeros((self.tree.count, *arrays[0].shape), arrays[0].dtype)
        places[self.shards[0] : self.shards[0] + len(arrays)] = arrays
        members = self.tree.members
        if members is None or self.tree.size == 1:
            return places
        counts = [len(self.tree.shards_of(rank)) * arrays[0].nbytes for rank in range(self.tree.size)]
        from mpi4py import MPI

        from cygrad.distributed.tree import as_message

        result = np.empty_like(places)
        mine = np.ascontiguousarray(np.stack(arrays)).reshape(-1).view(np.uint8)
        members.count_operation()
        request = members.communicator.Iallgatherv([mine, MPI.BYTE], as_message(result, counts, MPI.BYTE))
        members.wait("SyncBatchNorm", [request])
        return result

    def sum(self, arrays: list[Array]) -> Array:
        """The sum over all shards of all ranks, in the order of the tree."""
        copies = {(shard, shard + 1): [array.copy()] for shard, array in zip(self.shards, arrays)}

        def part(branch: Branch) -> Terms | None:
            return copies.get(branch)

        tree = self.tree
        if tree.size == 1:
            return np.asarray(tree.sum((0, tree.count), part)[0])
        return np.asarray(tree.exchanged([tree.sum(branch, part) for branch in tree.branches_of(tree.rank)])[0])


class Shard:
    """One shard of a lockstep, in whose thread it is found.

    Args:
        lockstep: that runs it.
        place: its number among those of this rank.
    """

    def __init__(self, lockstep: Lockstep, place: int) -> None:
        self.lockstep = lockstep
        self.place = place
        self.is_first = place == 0

    def stacked(self, array: Array) -> Array:
        """The arrays of all shards, (S, …)."""
        result: Array = self.lockstep.meet(self.place, array, self.lockstep.stack)
        return result.copy()

    def part_of_sum(self, upstream: Array) -> Array:
        """The part of this shard, out of the sum of the gradients that all shards have for the stack."""
        total: Array = self.lockstep.meet(self.place, upstream, self.lockstep.sum)
        return total[self.lockstep.shards[self.place]].copy()


_current: ContextVar[Shard | None] = ContextVar("shard", default=None)


def current_shard() -> Shard | None:
    """The shard that runs in this context, None outside of a lockstep."""
    return _current.get()
