"""The mean of gradients over all ranks, while backward goes on.

Gradients travel in buckets. A large one is its own bucket, reduced in the memory in which backward left it; small ones
are copied to parts of a flat array, of which they are views from then on. Buckets begin with the last parameters, whose
gradients are ready first, and are sent in the same order on all ranks. Their sums are under way while backward computes
the next ones. The last bucket also counts the ranks that have each gradient, so that a parameter which some ranks did
not use is noticed. S. Li et al. (2020), "PyTorch distributed: experiences on accelerating data parallel training".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import arrays, engine, recording
from cygrad.distributed.collectives import reduction
from cygrad.distributed.process_group import ProcessGroup
from cygrad.distributed.reductions import ReduceOp
from cygrad.distributed.work import Work
from cygrad.tensor import Tensor

__all__ = ["Reducer"]

LARGE = 4  # a gradient of at least 1/LARGE of a bucket is a bucket of its own


class Bucket:
    """Gradients that are sent together.

    Args:
        numbers: of the parameters, in the order of their parts.
        sizes: the number of elements of each.
        dtype: of all.
        counts: the number of counts after the gradients.
    """

    def __init__(self, numbers: Sequence[int], sizes: Sequence[int], dtype: Any, counts: int = 0) -> None:
        self.numbers = list(numbers)
        self.starts = {n: sum(sizes[:i]) for i, n in enumerate(numbers)}
        self.elements = sum(sizes)
        self.dtype = dtype
        self.counts = counts
        self.is_flat = len(self.numbers) != 1 or counts > 0
        self.clear()

    def clear(self) -> None:
        """Begin a new backward pass."""
        self.flat: Array | None = None
        self.missing = set(self.numbers)
        self.work: Work | None = None

    def part(self, number: int, shape: tuple[int, ...]) -> Array:
        """Where the gradient of a parameter goes."""
        start = self.starts[number]
        return self.memory()[start : start + math.prod(shape)].reshape(shape)

    def memory(self) -> Array:
        """The array that is sent, of which nothing is set if it is new."""
        if self.flat is None:
            self.flat = np.asarray(kernels.pooled(np.empty, self.elements + self.counts, self.dtype))
            active = recording.recorder()
            if active is not None:
                active.learn(self.flat)
        return self.flat

    def counters(self) -> Array:
        """How many ranks have each gradient."""
        return self.memory()[self.elements :]


class Reducer:
    """Replaces the gradients of parameters by their means over all ranks, in each backward pass.

    Args:
        named: the parameters, by name.
        members: the ranks.
        bucket_bytes: of a bucket, at most.
        find_unused: whether a parameter may be unused on some ranks, where its gradient counts as 0.
    """

    def __init__(
        self, named: Mapping[str, Tensor], members: ProcessGroup, bucket_bytes: float, find_unused: bool = False
    ) -> None:
        self.names = list(named)
        self.params = list(named.values())
        self.numbers = {id(param): i for i, param in enumerate(self.params)}
        self.members = members
        self.find_unused = find_unused
        self.active = self.divisor = members.size()  # ranks with batches, and what sums are divided by
        self.is_on = True  # not under no_sync()
        self.buckets = arranged(self.params, bucket_bytes)
        self.bucket_of = {number: bucket for bucket in self.buckets for number in bucket.numbers}
        self.launched = 0  # buckets of this pass
        engine.reduce_with(self.params, self)

    # Called by the engine

    def ready(self, leaf: Any, array: Array, owned: bool) -> None:
        """Take a gradient, and send the buckets that are complete and whose turn it is."""
        if self.is_on:
            self.take(self.numbers[id(leaf)], array, owned)
            self.launch_complete()

    def finish(self, gradients: dict[Any, Array | None], shared: set[Any]) -> None:
        """Send the rest, wait for all means, and put them in the place of the gradients."""
        if not self.is_on:
            return
        for number, leaf in enumerate(self.params):
            array = gradients.get(leaf)
            if array is not None and number in self.bucket_of[number].missing:
                self.take(number, array, False)
        used = self.send_rest()
        for number in used:
            leaf = self.params[number]
            self.give(leaf, self.bucket_of[number].part(number, leaf.shape), gradients, shared)
        self.clear()

    def clear(self) -> None:
        """Begin a new pass."""
        self.launched = 0
        for bucket in self.buckets:
            bucket.clear()

    def join(self, takes: bool = False) -> None:
        """Take part in a pass of the other ranks, with zeros. If this rank `takes` the means, they become its
        gradients, to which it contributes what these are so far."""
        if takes:
            recording.reading("a batch without rows for this rank")
            for number, param in enumerate(self.params):
                if param.grad_value is not None:
                    self.take(number, np.zeros(param.shape, param.dtype), False)
        self.send_rest()
        if takes:
            for number in map(int, np.flatnonzero(self.buckets[-1].counters())):
                param = self.params[number]
                param.grad_value = None
                engine.accumulate(param, self.bucket_of[number].part(number, param.shape).copy(), True)
        self.clear()

    def refuse(self, what: str) -> None:
        """Raise NotImplementedError."""
        raise NotImplementedError(
            f"DistributedDataParallel: {what} is not supported, since gradients are reduced as arrays; use "
            "autograd.grad and distributed.nn.all_reduce"
        )

    # Buckets

    def take(self, number: int, array: Array, owned: bool) -> None:
        """Put a gradient, and what the parameter's own gradient is so far, into its bucket."""
        leaf, bucket = self.params[number], self.bucket_of[number]
        if not bucket.is_flat and owned and arrays.is_in_order(array) and array.dtype == bucket.dtype:
            bucket.flat = array.reshape(-1)
        else:
            recording.overwrite(bucket.part(number, array.shape), array)
        if leaf.grad_value is not None:
            active = recording.recorder()
            if active is not None:
                active.touch([leaf])
            recording.add_into(bucket.part(number, array.shape), leaf.grad_value.array)
        bucket.missing.discard(number)

    def launch_complete(self) -> None:
        """Send the buckets that are complete, but not the last one, which has the counts."""
        while self.launched < len(self.buckets) - 1 and not self.buckets[self.launched].missing:
            self.launch(self.buckets[self.launched])

    def launch(self, bucket: Bucket) -> None:
        """Send a bucket."""
        work = reduction("backward", self.members, [bucket.memory()], ReduceOp.AVG, divisor=self.divisor)
        bucket.work = work.launch()
        self.launched += 1

    def send_rest(self) -> list[int]:
        """Complete all buckets, with zeros for gradients that this rank lacks; return which parameters have a mean."""
        last, present = self.buckets[-1], np.ones(len(self.params), self.buckets[-1].dtype)
        for bucket in self.buckets:
            for number in sorted(bucket.missing):
                recording.fill(bucket.part(number, self.params[number].shape), 0)
                present[number] = 0
        recording.fill(last.counters(), present)
        for bucket in self.buckets[self.launched :]:
            self.launch(bucket)
        for bucket in self.buckets:
            if bucket.work is not None:
                bucket.work.wait()
        if self.find_unused:
            recording.reading("find_unused_parameters")
            return list(map(int, np.flatnonzero(last.counters())))
        recording.call_again(self.check_counts, last.counters(), present)
        return list(map(int, np.flatnonzero(present)))

    def check_counts(self, shares: Array, present: Array) -> None:
        """Raise RuntimeError on all ranks if some ranks lack a gradient.

        Args:
            shares: of the ranks that have each gradient, times ``active`` / ``divisor``.
            present: 1 for each gradient that this rank has, else 0.
        """
        counts = np.rint(shares * self.divisor)
        some = np.flatnonzero((counts > 0) & (counts < self.active))
        if not len(some):
            return
        number = int(some[0])
        having = self.members.gathered("DistributedDataParallel", bool(present[number]))
        lacking = [str(rank) for rank, has in zip(self.members.ranks, having) if not has]
        raise RuntimeError(
            f"DistributedDataParallel: the parameter {self.names[number]} has a gradient on some ranks, but not on "
            f"rank {', '.join(lacking)}: these run other code, or the model chooses its layers by the data, which "
            "find_unused_parameters=True allows"
        )

    def give(self, leaf: Any, mean: Array, gradients: dict[Any, Array | None], shared: set[Any]) -> None:
        """Let a mean be the gradient of a parameter."""
        if leaf.grad_value is None:
            gradients[leaf] = mean
            shared.discard(leaf)
        else:
            recording.overwrite(leaf.grad_value.array, mean)
            leaf.grad_value.version.value += 1
            gradients[leaf] = None


def arranged(params: Sequence[Tensor], bucket_bytes: float) -> list[Bucket]:
    """The buckets of parameters, the last ones first; the last bucket has the counts."""
    groups: list[list[int]] = []
    open_groups: dict[Any, list[int]] = {}
    for number in reversed(range(len(params))):
        array = params[number].array
        if array.nbytes >= bucket_bytes / LARGE:
            groups.append([number])
            continue
        group = open_groups.get(array.dtype)
        if group is None or sum([params[n].array.nbytes for n in group]) + array.nbytes > bucket_bytes:
            group = open_groups[array.dtype] = []
            groups.append(group)
        group.append(number)
    if params[groups[-1][0]].array.nbytes >= bucket_bytes / LARGE:
        groups.append([])
    dtypes = [params[group[0]].dtype if group else np.dtype(np.float32) for group in groups]
    sizes = [[params[n].array.size for n in group] for group in groups]
    counts = [0] * (len(groups) - 1) + [len(params)]
    return [Bucket(*each) for each in zip(groups, sizes, dtypes, counts)]
