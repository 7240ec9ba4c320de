"""Sums of logical shards in a fixed tree, whose bits do not depend on the number of ranks.

The shards 0, …, S − 1 are the leaves of a binary tree, which is halved from the top. A rank adds the shards that it has
as far as whole branches of the tree go. Of what is left, each rank adds the branches of all ranks for its part of the
elements, in the order of the tree, and all parts are then sent to all ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import recording, rehearsal
from cygrad.distributed.process_group import ProcessGroup

__all__ = ["Branch", "Tree"]

Branch = tuple[int, int]  # the shards from the first up to, not including, the second
Terms = list[Any]  # arrays, or None where there is nothing to add


class Tree:
    """The sum over the shards of a batch.

    Args:
        count: S, the number of shards.
        rows: of the batch. Of fewer rows than shards, some shards have none.
        members: the ranks that share the work, None for this process alone.
    """

    def __init__(self, count: int, rows: int, members: ProcessGroup | None) -> None:
        self.count = count
        self.rows = rows
        self.members = members
        self.size = 1 if members is None else members.size()
        self.rank = 0 if members is None else members.rank()

    def start(self, shard: int) -> int:
        """The first row of a shard. The first shard always has one."""
        return -(-shard * self.rows // self.count)

    def has_rows(self, branch: Branch) -> bool:
        return self.start(branch[0]) < self.start(branch[1])

    def shards_of(self, rank: int) -> range:
        """The shards of a rank."""
        return range(rank * self.count // self.size, (rank + 1) * self.count // self.size)

    def branches_of(self, rank: int) -> list[Branch]:
        """The largest branches of the tree that a rank has as a whole."""
        mine = self.shards_of(rank)

        def within(low: int, high: int) -> list[Branch]:
            if high <= mine.start or low >= mine.stop or not self.has_rows((low, high)):
                return []
            if mine.start <= low and high <= mine.stop:
                return [(low, high)]
            middle = (low + high) // 2
            return [*within(low, middle), *within(middle, high)]

        return within(0, self.count)

    def sum(self, branch: Branch, part: Callable[[Branch], Terms | None]) -> Terms:
        """The sum over a branch, from the branches that `part` has; it returns None for others."""
        terms = part(branch)
        if terms is not None:
            return terms
        middle = (branch[0] + branch[1]) // 2
        halves = [half for half in ((branch[0], middle), (middle, branch[1])) if self.has_rows(half)]
        sums = [self.sum(half, part) for half in halves]
        return sums[0] if len(sums) == 1 else added(*sums)

    def total(self, of_shard: Callable[[int], Terms]) -> Terms:
        """The sum over all shards, on all ranks.

        Args:
            of_shard: computes the terms of a shard: arrays that nobody else has, or None, of the same shapes and
                dtypes for all shards. It is called for the shards of this rank in order.
        """

        def leaf(branch: Branch) -> Terms | None:
            return of_shard(branch[0]) if branch[1] == branch[0] + 1 else None

        if self.size == 1:
            return self.sum((0, self.count), leaf)
        return self.exchanged([self.sum(branch, leaf) for branch in self.branches_of(self.rank)])

    # Between ranks

    def exchanged(self, sums: Sequence[Terms], like: Sequence[Any] | None = None) -> Terms:
        """The total from the sums of this rank's branches.

        Args:
            sums: for each branch; all None at the same places.
            like: arrays of the terms' shapes and dtypes, for a rank without branches.
        """
        model = list(sums[0] if like is None else like)
        result: Terms = [None] * len(model)
        for dtype in dict.fromkeys([term.dtype for term in model if term is not None]):
            places = [i for i, term in enumerate(model) if term is not None and term.dtype == dtype]
            sizes = [model[i].size for i in places]
            ends = np.cumsum(sizes)
            packed = np.empty((len(sums), sum(sizes)), dtype)
            total = np.empty(sum(sizes), dtype)
            active = recording.recorder()
            if active is not None:
                active.learn([packed, total])
            for row, terms in zip(packed, sums):
                for i, end, size in zip(places, ends, sizes):
                    recording.overwrite(row[end - size : end].reshape(model[i].shape), terms[i])
            if active is not None:
                active.before_write(total)
            recording.call_again(self.add_up, [total, packed])
            for i, end, size in zip(places, ends, sizes):
                result[i] = total[end - size : end].reshape(model[i].shape)
        return result

    def add_up(self, buffers: Sequence[Array]) -> None:
        """Write the total of all ranks' branches to the first buffer; the second has this rank's."""
        total, packed = buffers
        rehearsal.communicate(lambda: self.communicate(total, packed), [total])

    def communicate(self, total: Array, packed: Array) -> None:
        """As :meth:`add_up`, with the other ranks."""
        assert self.members is not None
        from mpi4py import MPI

        members, size = self.members, total.dtype.itemsize
        bounds = [len(total) * rank // self.size for rank in range(self.size + 1)]
        mine = slice(bounds[self.rank], bounds[self.rank + 1])
        width = mine.stop - mine.start
        branches = [self.branches_of(rank) for rank in range(self.size)]
        sent = np.concatenate([packed[:, a:b].reshape(-1) for a, b in pairwise(bounds)])
        received = np.empty((sum(map(len, branches)), width), total.dtype)
        give = [len(packed) * (b - a) * size for a, b in pairwise(bounds)]
        take = [len(of_rank) * width * size for of_rank in branches]
        members.count_operation()
        messages = [as_message(sent, give, MPI.BYTE), as_message(received, take, MPI.BYTE)]
        members.wait("deterministic_shards", [members.communicator.Ialltoallv(*messages)])
        parts = dict(zip([branch for of_rank in branches for branch in of_rank], received))

        def part(branch: Branch) -> Terms | None:
            return [parts[branch]] if branch in parts else None

        (own,) = self.sum((0, self.count), part)
        widths = [(b - a) * size for a, b in pairwise(bounds)]
        members.count_operation()
        messages = [[own.view(np.uint8), MPI.BYTE], as_message(total, widths, MPI.BYTE)]
        members.wait("deterministic_shards", [members.communicator.Iallgatherv(*messages)])


def as_message(flat: Array, sizes: Sequence[int], kind: Any) -> list[Any]:
    """A message of MPI with a number of bytes for each rank."""
    starts = np.cumsum([0, *sizes[:-1]])
    return [flat.reshape(-1).view(np.uint8), np.array(sizes), starts, kind]


def added(terms: Terms, others: Terms) -> Terms:
    """The sums of two lists of terms, in the memory of the first."""
    for term, other in zip(terms, others):
        if term is not None and other is not None:
            recording.add_into(term, other)
    return [other if term is None else term for term, other in zip(terms, others)]
