"""Samplers: the order in which a loader asks for items. As in ``torch.utils.data``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from cygrad.data.dataset import Permuter, permuter
from cygrad.generator import Generator
from cygrad.tensor import Tensor

__all__ = [
    "BatchSampler",
    "DistributedSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]


class Sampler:
    """Base class of samplers: subclasses define ``__iter__``, and ``__len__`` where the length is known.

    >>> list(cg.data.BatchSampler(cg.data.SequentialSampler(range(5)), 2, False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, data_source: Any = None) -> None:
        pass

    def __class_getitem__(cls, item: Any) -> Any:
        return cls  # Sampler[int]

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the indices of an epoch."""
        raise NotImplementedError(f"{type(self).__name__}: a sampler must define __iter__")


class SequentialSampler(Sampler):
    """The indices in order.

    Args:
        data_source: a dataset.
    """

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


BLOCK = 2**16  # indices that are drawn at a time: an epoch may be longer than memory


class RandomSampler(Sampler):
    """The indices in random order, or drawn with replacement.

    Args:
        data_source: a dataset.
        replacement: whether an index may come more than once.
        num_samples: how many to draw, by default as many as there are items.
        generator: where the numbers come from; the default generator if None.

    Raises:
        ValueError: num_samples is not a positive integer.
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Permuter | None = None,
    ) -> None:
        if num_samples is not None and (not isinstance(num_samples, (int, np.integer)) or num_samples < 1):
            raise ValueError(f"RandomSampler: num_samples must be a positive integer, got {num_samples!r}")
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator

    @property
    def num_samples(self) -> int:
        """How many indices an epoch has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, count = len(self.data_source), self.num_samples
        if self.replacement:
            source = numpy_source(self.generator)
            starts = range(0, count, BLOCK)
            blocks = (source.integers(n, size=min(BLOCK, count - start)).tolist() for start in starts)
            return (index for block in blocks for index in block)
        orders = (permuter(self.generator).permutation(n).tolist() for _ in range(-(-count // n) if n else 0))
        return islice((index for order in orders for index in order), count)

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices in random order.

    Args:
        indices: the indices.
        generator: where the numbers come from; the default generator if None.
    """

    def __init__(self, indices: Sequence[int], generator: Permuter | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        return (self.indices[i] for i in permuter(self.generator).permutation(len(self.indices)))

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Indices drawn with probabilities proportional to weights.

    Args:
        weights: a weight for each item, not negative, with a positive sum.
        num_samples: how many to draw.
        replacement: whether an index may come more than once.
        generator: where the numbers come from; the default generator if None.

    Raises:
        ValueError: num_samples is not a positive integer, or a weight is negative or not finite.
    """

    def __init__(
        self, weights: Any, num_samples: int, replacement: bool = True, generator: Permuter | None = None
    ) -> None:
        if isinstance(num_samples, bool) or not isinstance(num_samples, (int, np.integer)) or num_samples < 1:
            raise ValueError(f"WeightedRandomSampler: num_samples must be a positive integer, got {num_samples!r}")
        values = weights.numpy() if isinstance(weights, Tensor) else weights
        self.weights = np.array(values, np.float64)
        if self.weights.ndim != 1 or not np.isfinite(self.weights).all() or (self.weights < 0).any():
            raise ValueError("WeightedRandomSampler: weights must be a sequence of finite numbers of at least 0")
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        p = self.weights / self.weights.sum()
        draws = numpy_source(self.generator).choice(len(p), self.num_samples, self.replacement, p)
        return iter(draws.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of indices, one for each batch.

    Args:
        sampler: an iterable of indices.
        batch_size: the number of indices in a list.
        drop_last: drop the last list if it is shorter.

    Raises:
        ValueError: batch_size is not a positive integer.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"BatchSampler: batch_size must be a positive integer, got {batch_size!r}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        batches = iter(lambda: list(islice(indices, self.batch_size)), [])
        return (batch for batch in batches if len(batch) == self.batch_size or not self.drop_last)

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


class DistributedSampler(Sampler):
    """Every num_replicas-th index, from `rank` on, of an order that depends on the seed and the epoch alone.

    Args:
        dataset: a dataset.
        num_replicas: the number of processes, by default those of the process group.
        rank: the number of this process, by default that in the process group.
        shuffle: whether the order is random.
        seed: of the order.
        drop_last: drop what does not fill all ranks; otherwise the first indices fill them.

    Raises:
        ValueError: rank is not below num_replicas.
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            from cygrad.distributed import get_rank, get_world_size, is_initialized

            in_group = is_initialized()
            num_replicas = num_replicas if num_replicas is not None else get_world_size() if in_group else 1
            rank = rank if rank is not None else get_rank() if in_group else 0
        self.num_replicas, self.rank = num_replicas, rank
        if not 0 <= self.rank < self.num_replicas or self.num_replicas < 1:
            raise ValueError(f"DistributedSampler: rank must lie in 0 to {self.num_replicas - 1}, got {rank}")
        self.dataset, self.shuffle, self.seed, self.drop_last = dataset, shuffle, seed, drop_last
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, and with it the order."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        n, total = len(self.dataset), len(self) * self.num_replicas
        order = Generator().manual_seed(self.seed + self.epoch).permutation(n) if self.shuffle else np.arange(n)
        return iter(np.resize(order, total)[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        n = len(self.dataset)
        return n // self.num_replicas if self.drop_last else -(-n // self.num_replicas)


def numpy_source(generator: Permuter | None) -> np.random.Generator:
    """NumPy's generator behind a source of permutations."""
    source: Any = permuter(generator)
    numpy: np.random.Generator = source.numpy() if isinstance(source, Generator) else source
    return numpy
