"""DataLoader: a dataset in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.data.dataset import Shuffler, Subset, TensorDataset, shuffler
from cygrad.generator import Generator
from cygrad.tensor import Tensor

__all__ = ["DataLoader", "default_collate"]


class DataLoader:
    """The dataset's items in batches of `batch_size`; every ``for`` over it is one epoch.

    Without `shuffle` the items come in order, with it in a new order every epoch, drawn from `generator`, or
    in the order of `sampler`, an iterable of indices. The last batch may be smaller, or is left out with
    `drop_last`. ``len(loader)`` is the number of batches.

    A batch is what `collate_fn` makes of the list of its items, ``default_collate`` unless given. The batches
    of a TensorDataset, or of a Subset of one, are cut from the whole arrays: a list of one tensor for each,
    new memory, or a view of the dataset's where the rows stand side by side in order.

    With `transform` every batch is what that makes of it: a transform of ``cygrad.data.augment``, or any function of
    the batch's parts. What is random in a transform is drawn from `generator` by the epoch and the batch's number.

    With `num_workers` so many threads make batches ahead of time, `prefetch_factor` each; the batches come in the
    same order. The numbers are the same too, unless the dataset or `collate_fn` draw from a generator that others
    share; they must allow calls from several threads where there are several. An error comes in its batch's turn.

    As ``torch.utils.data.DataLoader``, with threads in the place of processes. Raises ValueError for a batch size
    below 1, a negative number of workers, or where both `shuffle` and `sampler` are given.

    >>> data = cg.data.TensorDataset(np.zeros((10, 3)), np.arange(10))
    >>> loader = cg.data.DataLoader(data, batch_size=4, shuffle=True, generator=np.random.default_rng(0))
    >>> [x.array.shape for x, y in loader]
    [(4, 3), (4, 3), (2, 3)]
    >>> sorted(int(label) for x, y in loader for label in y.array) == list(range(10))
    True
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        sampler: Iterable[int] | None = None,
        *,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        drop_last: bool = False,
        generator: Shuffler | None = None,
        num_workers: int = 0,
        prefetch_factor: int = 2,
        transform: Callable[..., Any] | None = None,
    ) -> None:
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"DataLoader: batch_size must be an integer of at least 1, got {batch_size!r}")
        if shuffle and sampler is not None:
            raise ValueError("DataLoader: got both shuffle and a sampler, which fixes the order itself")
        whole = isinstance(num_workers, (int, np.integer)) and isinstance(prefetch_factor, (int, np.integer))
        if not whole or num_workers < 0 or prefetch_factor < 1:
            raise ValueError(
                "DataLoader: num_workers must be an integer of at least 0 and prefetch_factor one of at least 1, "
                f"got {num_workers!r} and {prefetch_factor!r}"
            )
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise TypeError(f"DataLoader: a dataset must have a length and items, got {type(dataset).__name__}")
        self.dataset = dataset
        self.batch_size = int(batch_size)
        self.shuffle = bool(shuffle)
        self.sampler = sampler
        self.collate_fn = collate_fn
        self.drop_last = bool(drop_last)
        self.generator = generator
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.transform = transform

    def __len__(self) -> int:
        """The number of batches: n / batch_size, rounded up, or down with ``drop_last``."""
        if self.sampler is None:
            n = len(self.dataset)
        elif isinstance(self.sampler, Sized):
            n = len(self.sampler)
        else:
            raise TypeError(f"DataLoader: the sampler, a {type(self.sampler).__name__}, has no length")
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        """The batches of one epoch."""
        make, rows = self.maker()
        return self.ahead(make, rows) if self.num_workers else self.in_turn(make, rows)

    def order(self, rows: range | Array) -> Iterator[range | Array]:
        """The rows of each batch of an epoch, out of those that the dataset consists of."""
        if self.sampler is not None:
            indices = iter(self.sampler)
            batches = iter(lambda: list(islice(indices, self.batch_size)), [])
            return (choose(rows, batch) for batch in batches if len(batch) == self.batch_size or not self.drop_last)
        n = len(rows)
        end = n - n % self.batch_size if self.drop_last else n
        every = choose(rows, shuffler(self.generator).permutation(n)) if self.shuffle else rows
        return (every[start : start + self.batch_size] for start in range(0, end, self.batch_size))

    def maker(self) -> tuple[Callable[[Any], Any], range | Array]:
        """What makes a batch of some of its rows, and all rows."""
        if self.collate_fn is None and (table := rows_of(self.dataset)) is not None:
            arrays, rows = table
            return partial(cut, arrays), rows
        return partial(collect, self.dataset, self.collate_fn or default_collate), range(len(self.dataset))

    def jobs(self, make: Callable[[Any], Any], rows: range | Array) -> Iterator[Callable[[], Any]]:
        """What makes each batch of an epoch. What is random in them is fixed here, so that it makes no difference
        which thread does a job, and when."""
        order = self.order(rows)
        if self.transform is None:
            return (partial(make, batch) for batch in order)
        seed, transform = epoch_seed(self.generator), self.transform
        return (partial(changed, transform, make, batch, (seed + number) % 2**64) for number, batch in enumerate(order))

    def in_turn(self, make: Callable[[Any], Any], rows: range | Array) -> Iterator[Any]:
        """The batches of an epoch, each made when it is asked for."""
        for job in self.jobs(make, rows):
            yield job()

    def ahead(self, make: Callable[[Any], Any], rows: range | Array) -> Iterator[Any]:
        """The batches of an epoch, made by threads ahead of time."""
        from concurrent.futures import ThreadPoolExecutor

        jobs = self.jobs(make, rows)
        threads = ThreadPoolExecutor(self.num_workers, "cygrad-loader")
        try:
            waiting = deque(threads.submit(job) for job in islice(jobs, self.num_workers * self.prefetch_factor))
            while waiting:
                batch = waiting.popleft().result()
                waiting.extend(threads.submit(job) for job in islice(jobs, 1))
                yield batch
        finally:
            threads.shutdown(cancel_futures=True)


def epoch_seed(generator: Shuffler | None) -> int:
    """A number of 64 bits."""
    source: Any = shuffler(generator)
    numpy = source.numpy() if isinstance(source, Generator) else source
    return int(numpy.integers(2**64, dtype=np.uint64))


def changed(transform: Callable[..., Any], make: Callable[[Any], Any], rows: Any, seed: int) -> Any:
    """A batch made and transformed, by random numbers of a seed."""
    from cygrad.data.augment.transform import Transform

    batch = make(rows)
    parts = batch if isinstance(batch, (list, tuple)) else (batch,)
    if isinstance(transform, Transform):
        result = transform(*parts, generator=Generator().manual_seed(seed))
    else:
        result = transform(*parts)
    return list(result) if isinstance(result, tuple) else result


def cut(arrays: list[Array], rows: range | Array) -> list[Tensor]:
    """A batch from whole arrays."""
    if isinstance(rows, range):
        return [Tensor(array[rows.start : rows.stop]) for array in arrays]
    return [Tensor(gather(array, rows)) for array in arrays]


def collect(dataset: Any, collate: Callable[[list[Any]], Any], rows: Iterable[int]) -> Any:
    """A batch item by item."""
    return collate([dataset[int(i)] for i in rows])


def gather(x: Array, index: Array) -> Array:
    """x[index], in new memory."""
    return kernels.gather_rows(x, index)[0]


def rows_of(dataset: Any) -> tuple[list[Array], range | Array] | None:
    """The arrays of a TensorDataset, or of the one that a Subset is of, and the rows of them in use."""
    if type(dataset) is TensorDataset:
        return [np.ascontiguousarray(tensor.array) for tensor in dataset.tensors], range(len(dataset))
    if type(dataset) is not Subset or (table := rows_of(dataset.dataset)) is None:
        return None
    arrays, rows = table
    return arrays, as_range(choose(rows, dataset.indices))


def choose(rows: range | Array, indices: Sequence[int] | Array) -> range | Array:
    """rows[indices], a range where both are ranges that rise by 1."""
    if isinstance(rows, range) and isinstance(indices, range) and indices.step == 1:
        if len(indices) and not 0 <= indices.start <= indices.stop <= len(rows):
            raise IndexError(f"DataLoader: {indices} reaches outside a dataset of {len(rows)} items")
        return rows[indices.start : indices.stop]
    index = np.asarray(indices, None if len(indices) else np.int64)
    n = len(rows)
    if index.ndim != 1 or index.dtype.kind not in "iu":
        raise TypeError(f"DataLoader: indices must be integers, got {index.ndim}-d {index.dtype}")
    if index.size and not -n <= index.min() <= index.max() < n:
        raise IndexError(f"DataLoader: the indices reach from {index.min()} to {index.max()} in a dataset of {n} items")
    index = index.astype(np.int64)
    index[index < 0] += n
    return rows.start + index if isinstance(rows, range) else rows[index]


def as_range(rows: range | Array) -> range | Array:
    """The rows as a range, where they are one that rises by 1."""
    if isinstance(rows, range) or not rows.size or (np.diff(rows) != 1).any():
        return rows
    return range(int(rows[0]), int(rows[-1]) + 1)


def default_collate(batch: list[Any]) -> Any:
    """A batch of a list of items: tensors, arrays and numbers are stacked to a tensor along a new first
    dimension; tuples, lists and dicts are taken apart, and the parts collated; strings stay a list.

    Python's integers become int64, its floats float64, as in ``torch.utils.data.default_collate``. A tuple's
    or list's parts stand in a list, a named tuple's in a named tuple. Raises ValueError where shapes or
    lengths differ, TypeError for items of other types.

    >>> x, y = cg.data.default_collate([(np.zeros(3), 1), (np.ones(3), 0)])
    >>> x.array.shape, y.array.tolist()
    ((2, 3), [1, 0])
    """
    if not batch:
        raise ValueError("default_collate: got no items")
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray, np.generic)):
        return stack([item.array if isinstance(item, Tensor) else np.asarray(item) for item in batch])
    if isinstance(first, (bool, int, float)):
        return stack([np.asarray(item) for item in batch])
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, dict):
        if any(not isinstance(item, dict) or item.keys() != first.keys() for item in batch):
            raise ValueError("default_collate: the items are dicts of different keys")
        return {key: default_collate([item[key] for item in batch]) for key in first}
    if isinstance(first, (tuple, list)):
        if any(not isinstance(item, (tuple, list)) or len(item) != len(first) for item in batch):
            raise ValueError("default_collate: the items differ in length")
        parts = [default_collate(list(part)) for part in zip(*batch, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else parts
    raise TypeError(
        "default_collate: items must be tensors, arrays, numbers, strings, or tuples, lists or dicts of "
        f"these, got {type(first).__name__}"
    )


def stack(arrays: list[Array]) -> Tensor:
    """One tensor with a row for each array."""
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(f"default_collate: the items' shapes differ: {', '.join(map(str, sorted(shapes)))}")
    return Tensor(np.stack(arrays))
