"""The gradient of a batch that several ranks share, with and without logical shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import engine, recording
from cygrad.distributed.collectives import reduction
from cygrad.distributed.lockstep import Lockstep
from cygrad.distributed.process_group import ProcessGroup
from cygrad.distributed.reducer import Reducer
from cygrad.distributed.reductions import ReduceOp
from cygrad.distributed.tree import Terms, Tree
from cygrad.generator import Generator, current_generator, use_generator
from cygrad.tensor import Tensor

__all__ = ["SharedBatch", "rows_between"]

Function = Callable[..., Any]  # from rows of the batch to their mean loss and anything else


class SharedBatch:
    """Computes the gradient of a mean over a batch of which each rank has some shards.

    Args:
        named: the parameters by name.
        members: the ranks, None for this process alone.
        count: the number of logical shards, by which bits are the same at any number of ranks; None for one shard of
            each rank, whose gradients MPI adds while backward goes on.
        synchronized: whether shards exchange statistics (SyncBatchNorm).
        in_turn: the number of networks whose rows follow each other in a batch, so that each of them is cut.
        bucket_bytes: of the reduction.
    """

    def __init__(
        self,
        named: Mapping[str, Tensor],
        members: ProcessGroup | None,
        count: int | None,
        synchronized: bool = False,
        in_turn: int = 1,
        bucket_bytes: float = 4e6,
    ) -> None:
        self.params = [p for p in named.values() if p.requires_grad]
        self.members = members
        self.size = 1 if members is None else members.size()
        self.count = count
        self.synchronized = synchronized
        self.in_turn = in_turn
        self.reducer: Reducer | None = None
        if count is None and members is not None and self.size > 1:
            trained = {name: p for name, p in named.items() if p.requires_grad}
            self.reducer = Reducer(trained, members, bucket_bytes)

    def tree(self, rows: int) -> Tree:
        """The shards of a batch."""
        return Tree(self.size if self.count is None else self.count, rows // self.in_turn, self.members)

    def local_rows(self, rows: int) -> tuple[int, int]:
        """The first row of this rank, and the one after its last, among those of each network."""
        tree = self.tree(rows)
        mine = tree.shards_of(tree.rank)
        return tree.start(mine.start), tree.start(mine.stop)

    def backward(
        self, function: Function, batch: Sequence[Any], rows: int, share: float = 1.0
    ) -> tuple[Tensor, list[tuple[int, Any]]]:
        """Add the gradient of the batch's mean loss to that of the parameters, on all ranks.

        Args:
            function: from tensors, rows of those of the batch, to (their mean loss, anything).
            batch: tensors or arrays with the rows of this rank: see ``local_rows``.
            rows: of the whole batch.
            share: factor of the gradient.

        Returns:
            The mean loss, and for each shard of this rank its number of rows and the second value of `function`.
        """
        tree = self.tree(rows)
        first, _ = self.local_rows(rows)
        state = recording_draw()
        extras: list[tuple[int, Any]] = []

        def of_shard(shard: int) -> tuple[Any, float]:
            start, stop = tree.start(shard), tree.start(shard + 1)
            part = [rows_between(each, start - first, stop - first, self.in_turn) for each in batch]
            loss, extra = function(*part)
            extras.append((stop - start, extra))
            return loss, (stop - start) / tree.rows

        if self.count is None:
            mean = self.reduced(of_shard, tree, share, state)
        else:
            mean = self.summed(of_shard, tree, share, state)
        state.leave()
        return Tensor(mean), extras

    def reduced(self, of_shard: Callable[[int], tuple[Any, float]], tree: Tree, share: float, state: Draw) -> Array:
        """The mean loss, after a backward pass in which MPI adds the gradients."""
        total = np.zeros((), self.params[0].dtype)
        active = recording.recorder()
        if active is not None:
            active.learn(total)
        if self.reducer is not None:
            self.reducer.active = sum([tree.has_rows((rank, rank + 1)) for rank in range(self.size)])
        if tree.has_rows((tree.rank, tree.rank + 1)):
            state.enter(tree.rank)
            loss, weight = of_shard(tree.rank)
            (loss * (weight * share * self.size)).backward()  # of which the reducer takes the mean
            recording.overwrite(total, (loss.detach() * weight).array)
        else:
            recording.fill(total, 0)
            if self.reducer is not None:
                self.reducer.join(takes=True)
        if self.members is not None and self.size > 1:
            reduction("loss", self.members, [total], ReduceOp.SUM).launch().wait()
        return total

    def summed(self, of_shard: Callable[[int], tuple[Any, float]], tree: Tree, share: float, state: Draw) -> Array:
        """The mean loss, after the gradients of all shards have been added in the order of the tree."""

        def terms_of(shard: int) -> Terms:
            loss, weight = of_shard(shard)
            scaled = loss * (weight * share)
            gradients = engine.gradients([scaled], self.params, [engine.seed("backward", scaled)], False)
            return [*gradients, recording.copied((loss.detach() * weight).array)]

        if self.synchronized:
            if tree.rows < tree.count:
                raise ValueError(
                    f"deterministic_shards: {tree.rows} rows can't be cut into {tree.count} shards for SyncBatchNorm; "
                    "the loader's drop_last=True leaves out a smaller last batch"
                )
            found = dict(zip(tree.shards_of(tree.rank), Lockstep(tree).run(state.inside(terms_of))))
            terms = tree.total(found.__getitem__)
        else:

            def in_turn(shard: int) -> Terms:
                state.enter(shard)
                return terms_of(shard)

            terms = self.total(tree, in_turn)
        for param, gradient in zip(self.params, terms):
            if gradient is not None:
                engine.accumulate(param, gradient, True)
        return np.asarray(terms[-1])

    def total(self, tree: Tree, of_shard: Callable[[int], Terms]) -> Terms:
        """The sum over all shards, also on a rank without rows."""
        if tree.size > 1 and not tree.branches_of(tree.rank):
            return tree.exchanged([], [*[p.array for p in self.params], np.zeros((), self.params[0].dtype)])
        return tree.total(of_shard)


def rows_between(value: Any, start: int, stop: int, in_turn: int) -> Any:
    """Rows of a tensor or an array; with `in_turn`, the same of each of so many parts."""
    if in_turn == 1:
        return value[start:stop]
    parts = value.reshape(in_turn, -1, *value.shape[1:])[:, start:stop]
    return parts.reshape(-1, *value.shape[1:])


# Random numbers of shards


class Draw:
    """The random state of a step: each shard has a generator of its own, and the default one is moved on by one number,
    whatever the shards draw.

    Args:
        generator: the default one.
    """

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.seed, self.offset = generator.__getstate__()

    def begin(self) -> None:
        """Look at the default generator."""
        self.seed, self.offset = self.generator.__getstate__()

    def of(self, shard: int) -> tuple[int, int]:
        """The state of a shard's generator."""
        return mixed(self.seed, self.offset, shard), 0

    def enter(self, shard: int) -> None:
        """Let the default generator be that of a shard."""
        recording.call_again(self.set, shard)

    def set(self, shard: int) -> None:
        self.generator.__setstate__(self.of(shard))

    def leave(self) -> None:
        """Let the default generator go on after the step."""
        recording.call_again(self.go_on)

    def go_on(self) -> None:
        self.generator.__setstate__((self.seed, (self.offset + 1) % 2**64))

    def inside(self, function: Callable[[int], Any]) -> Callable[[int], Any]:
        """A function of a shard, with a default generator of its own in its context."""

        def call(shard: int) -> Any:
            own = Generator()
            own.__setstate__(self.of(shard))
            use_generator(own)
            return function(shard)

        return call


def recording_draw() -> Draw:
    """The random state of a step, also in a recorded one."""
    draw = Draw(current_generator())
    recording.call_again(draw.begin)
    return draw


def mixed(*words: int) -> int:
    """A 64-bit number of which each bit depends on all words: the finalizer of SplitMix64, word by word.

    G. Steele, D. Lea, C. Flood (2014), "Fast splittable pseudorandom number generators".
    """
    state = 0
    for word in words:
        state = (state + word + 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
        state ^= state >> 31
    return state
