"""DataLoader: batches of a dataset."""

from __future__ import annotations

import os
from _thread import get_ident
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import partial
from itertools import chain, count, islice
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd.arrays import plain
from cygrad.data.combined import IterableDataset
from cygrad.data.dataset import Permuter, Subset, TensorDataset, permuter
from cygrad.data.rows import Indices, Rows, as_range, select
from cygrad.data.sampler import BatchSampler, RandomSampler, SequentialSampler
from cygrad.data.worker import starter
from cygrad.generator import Generator
from cygrad.tensor import Tensor

__all__ = ["DataLoader", "default_collate", "default_convert"]


class DataLoader:
    """Iterate over a dataset in batches; each iteration is one epoch. ``len(loader)`` is the number of batches.

    Batches of a ``TensorDataset``, or of a ``Subset`` of one, are copied from whole arrays: each batch is a list with
    one tensor per array. For other datasets, and with `collate_fn`, items are requested one by one, and their tensors
    and arrays are copied. So a batch may be changed in place without changing the dataset.

    With `num_workers`, threads prepare batches ahead of time. The order and the values of the batches do not change,
    unless the dataset or `collate_fn` draws from a generator that others share; both must be thread-safe. An exception
    in a worker is raised when its batch is due.

    Like ``torch.utils.data.DataLoader``, with threads instead of processes.

    Args:
        dataset: object with ``__len__`` and ``__getitem__``, or an ``IterableDataset``.
        batch_size: number of items per batch; None for single items instead of batches.
        shuffle: draw a new order for each epoch.
        sampler: iterable of indices that fixes the order; excludes `shuffle`.
        batch_sampler: iterable of lists of indices, one for each batch; excludes `batch_size`, `shuffle`, `sampler` and
            `drop_last`.
        collate_fn: function from a list of items to a batch, by default ``default_collate``; with `batch_size` None
            from an item, by default ``default_convert``.
        drop_last: drop the last batch if it is smaller than `batch_size`.
        worker_init_fn: called with its number by each thread when it starts.
        pin_memory, timeout, multiprocessing_context, persistent_workers, pin_memory_device, in_order: accepted as in
            PyTorch, without effect.
        generator: source of the order and of the seeds of `transform`: a ``cygrad.Generator`` or a
            ``numpy.random.Generator``; by default the default generator.
        num_workers: number of threads.
        prefetch_factor: number of batches that each thread prepares ahead.
        transform: function applied to each batch, called with its elements: a transform of ``cygrad.data.augment``,
            whose random numbers depend on the epoch's seed and the batch's index, or any other function.

    Raises:
        TypeError: if `dataset` has no length or no items.
        ValueError: if an argument is out of range, or two of them exclude each other.

    >>> data = cg.data.TensorDataset(np.zeros((10, 3)), np.arange(10))
    >>> loader = cg.data.DataLoader(data, batch_size=4, shuffle=True, generator=np.random.default_rng(0))
    >>> [x.shape for x, y in loader]
    [(4, 3), (4, 3), (2, 3)]
    >>> sorted(int(label) for x, y in loader for label in y.array) == list(range(10))
    True
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        multiprocessing_context: object = None,
        generator: Permuter | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        transform: Callable[..., Any] | None = None,
    ) -> None:
        prefetch_factor = 2 if prefetch_factor is None else prefetch_factor
        if batch_size is not None and (not isinstance(batch_size, (int, np.integer)) or batch_size < 1):
            raise ValueError(f"DataLoader: batch_size must be an integer of at least 1, got {batch_size!r}")
        if shuffle and sampler is not None:
            raise ValueError("DataLoader: shuffle and sampler are mutually exclusive, got both")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError("DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last")
        if batch_size is None and drop_last:
            raise ValueError("DataLoader: batch_size=None excludes drop_last")
        integers = isinstance(num_workers, (int, np.integer)) and isinstance(prefetch_factor, (int, np.integer))
        if not integers or num_workers < 0 or prefetch_factor < 1:
            raise ValueError(
                "DataLoader: num_workers must be a non-negative integer and prefetch_factor a positive one, "
                f"got {num_workers!r} and {prefetch_factor!r}"
            )
        if isinstance(dataset, IterableDataset):
            if shuffle or sampler is not None or batch_sampler is not None:
                raise ValueError("DataLoader: an IterableDataset excludes shuffle, sampler and batch_sampler")
        elif not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise TypeError(f"DataLoader: a dataset must define __len__ and __getitem__, got {type(dataset).__name__}")
        self.dataset = dataset
        self.batch_size = None if batch_size is None or batch_sampler is not None else int(batch_size)
        self._shuffle = bool(shuffle)
        self._order = sampler
        self._batch_order = batch_sampler
        self.worker_init_fn = worker_init_fn
        self.collate_fn = collate_fn
        self.drop_last = bool(drop_last)
        self.generator = generator
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.transform = transform
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.timeout, self.persistent_workers, self.in_order = timeout, persistent_workers, in_order
        self.multiprocessing_context = multiprocessing_context

    @property
    def sampler(self) -> Any:
        """The sampler that was given, or what the loader does without one."""
        if self._order is not None:
            return self._order
        return (
            RandomSampler(self.dataset, generator=self.generator) if self._shuffle else SequentialSampler(self.dataset)
        )

    @property
    def batch_sampler(self) -> Any:
        """The batch sampler that was given, or what the loader does without one; None for single items."""
        if self._batch_order is not None or self.batch_size is None:
            return self._batch_order
        return BatchSampler(self.sampler, self.batch_size, self.drop_last)

    @property
    def _auto_collation(self) -> bool:
        """Whether items are collated into batches; a subclass may override it."""
        return self.batch_size is not None or self._batch_order is not None

    @property
    def _index_sampler(self) -> Any:
        """What gives an index, or the indices of a batch, at a time; a subclass may override it."""
        return self.batch_sampler if self._auto_collation else self.sampler

    def __len__(self) -> int:
        """Number of batches per epoch: n / batch_size, rounded up, or down with ``drop_last``."""
        source = self._batch_order if self._batch_order is not None else self._order
        if source is None:
            source = self.dataset
        elif not isinstance(source, Sized):
            raise TypeError(f"DataLoader: the sampler, a {type(source).__name__}, has no length")
        n = len(source)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the batches of one epoch."""
        if isinstance(self.dataset, IterableDataset):
            return self.build_from_items()
        build, rows = self.batch_builder()
        return self.prefetch(build, rows) if self.num_workers else self.build_in_turn(build, rows)

    def overrides(self, name: str) -> bool:
        """Whether a subclass has a property of its own in the place of one of this class."""
        return getattr(type(self), name) is not getattr(DataLoader, name)

    def batch_indices(self, rows: Indices) -> Iterator[Any]:
        """The indices of each batch of an epoch, out of the dataset's rows; single ones without a batch size."""
        if self.overrides("_index_sampler"):
            return iter(self._index_sampler)
        if self._batch_order is not None:
            return (select(rows, list(batch), "DataLoader") for batch in self._batch_order)
        if self.batch_size is None:
            return iter(self.sampler)
        if self._order is not None:
            return (select(rows, batch, "DataLoader") for batch in self.batch_sampler)
        n = len(rows)
        end = n - n % self.batch_size if self.drop_last else n
        order = select(rows, permuter(self.generator).permutation(n), "DataLoader") if self._shuffle else rows
        return (order[start : start + self.batch_size] for start in range(0, end, self.batch_size))

    def batch_builder(self) -> tuple[Callable[[Indices], Any], Indices]:
        """A function from indices to a batch, and the indices of all rows."""
        if not self._auto_collation:
            return partial(convert_item, self.dataset, self.collate_fn), range(len(self.dataset))
        ordinary = self.collate_fn is None and not self.overrides("_index_sampler")
        if ordinary and (rows := tensor_rows(self.dataset)) is not None:
            return partial(slice_batch, rows.columns), rows.indices
        return partial(collate_batch, self.dataset, self.collate_fn), range(len(self.dataset))

    def build_from_items(self) -> Iterator[Any]:
        """The batches of an epoch of an iterable dataset, in this thread."""
        items = iter(self.dataset)
        seeds: Iterable[int] = range(0)
        if self.transform is not None:
            first = epoch_seed(self.generator)
            seeds = ((first + number) % 2**64 for number in count())
        if self.batch_size is None:
            groups: Iterable[Any] = items
            build = default_convert if self.collate_fn is None else self.collate_fn
        else:
            size = self.batch_size
            groups = (g for g in iter(lambda: list(islice(items, size)), []) if len(g) == size or not self.drop_last)
            build = default_collate if self.collate_fn is None else self.collate_fn
        if self.transform is None:
            yield from map(build, groups)
        else:
            for group, seed in zip(groups, seeds):
                yield transformed_batch(self.transform, build, group, seed)

    def jobs(self, build: Callable[[Indices], Any], rows: Indices) -> Iterator[Callable[[], Any]]:
        """A function for each batch of an epoch that builds it. Seeds are fixed here, so that it does not matter which
        thread runs a job, and when."""
        batches = self.batch_indices(rows)
        if self.transform is None:
            return (partial(build, batch) for batch in batches)
        seed, transform = epoch_seed(self.generator), self.transform
        return (
            partial(transformed_batch, transform, build, batch, (seed + number) % 2**64)
            for number, batch in enumerate(batches)
        )

    def build_in_turn(self, build: Callable[[Indices], Any], rows: Indices) -> Iterator[Any]:
        """The batches of an epoch, each built on request."""
        for job in self.jobs(build, rows):
            yield job()

    def prefetch(self, build: Callable[[Indices], Any], rows: Indices) -> Iterator[Any]:
        """The batches of an epoch, built ahead of time by threads. A forked child does not have them, and builds the
        rest itself. What interrupts this thread interrupts them too."""
        from concurrent.futures import ThreadPoolExecutor

        jobs, process, interrupted = self.jobs(build, rows), os.getpid(), False
        start_worker = starter(self.dataset, self.num_workers, self.worker_init_fn)
        threads = ThreadPoolExecutor(self.num_workers, "cygrad-loader", start_worker)
        pending: deque[tuple[Any, Any, Any]] = deque()

        def start(count: int) -> None:
            for job in islice(jobs, count):
                task = kernels.Task(get_ident())
                pending.append((job, task, threads.submit(task.run, job, ())))

        try:
            start(self.num_workers * self.prefetch_factor)
            while pending and os.getpid() == process:
                batch = pending[0][2].result()
                pending.popleft()
                start(1)
                yield batch
            for job in chain([job for job, *_ in pending], jobs):
                yield job()
        except BaseException as error:
            interrupted = not isinstance(error, (Exception, GeneratorExit))
            if interrupted:
                kernels.interrupt_all([task for _, task, _ in pending])
            raise
        finally:
            if os.getpid() == process:
                threads.shutdown(wait=not interrupted, cancel_futures=True)


def epoch_seed(generator: Permuter | None) -> int:
    """Draw a 64-bit seed."""
    source: Any = permuter(generator)
    numpy = source.numpy() if isinstance(source, Generator) else source
    return int(numpy.integers(2**64, dtype=np.uint64))


def transformed_batch(transform: Callable[..., Any], build: Callable[[Indices], Any], rows: Indices, seed: int) -> Any:
    """Build a batch and transform it; a transform of ours draws from a generator with this seed."""
    from cygrad.data.augment.transform import Transform

    batch = build(rows)
    parts = batch if isinstance(batch, (list, tuple)) else (batch,)
    if isinstance(transform, Transform):
        result = transform(*parts, generator=Generator().manual_seed(seed))
    else:
        result = transform(*parts)
    return list(result) if isinstance(result, tuple) else result


def tensor_rows(dataset: Any) -> Rows | None:
    """The rows of a TensorDataset, or of a Subset of one, as contiguous arrays; None for any other dataset, subclasses
    included, because those may compute their items."""
    if type(dataset) is TensorDataset:
        return Rows([np.ascontiguousarray(tensor.array) for tensor in dataset.tensors], range(len(dataset)))
    if type(dataset) is not Subset or (rows := tensor_rows(dataset.dataset)) is None:
        return None
    subset = rows.take(dataset.indices, "DataLoader")
    return Rows(subset.columns, as_range(subset.indices))


def slice_batch(columns: Iterable[Array], rows: Indices) -> list[Tensor]:
    """A batch of whole arrays, copied."""
    if isinstance(rows, range):
        return [Tensor(kernels.pooled(column[rows.start : rows.stop].copy)) for column in columns]
    return [Tensor(kernels.gather_rows(column, rows)[0]) for column in columns]


def collate_batch(dataset: Any, collate: Callable[[list[Any]], Any] | None, rows: Indices) -> Any:
    """A batch of items that are requested one by one."""
    items = [dataset[int(i)] for i in rows]
    return default_collate(items) if collate is None else collate([copied(item) for item in items])


def convert_item(dataset: Any, convert: Callable[[Any], Any] | None, index: Any) -> Any:
    """A single item, converted."""
    item = copied(dataset[index])
    return default_convert(item) if convert is None else convert(item)


def default_convert(data: Any) -> Any:
    """Return an item with tensors in place of its arrays. As ``torch.utils.data.default_convert``.

    Args:
        data: anything; arrays are looked for in tuples, lists and dicts.

    Raises:
        ValueError: the data is nested too deeply, or contains itself.
    """
    try:
        return converted(data)
    except RecursionError:
        raise ValueError("default_convert: the data is nested too deeply, or contains itself") from None


def converted(data: Any) -> Any:
    """``default_convert`` of what can be nested."""
    if isinstance(data, (np.ndarray, np.generic)):
        return Tensor(plain("default_convert", np.asarray(data)))
    if isinstance(data, dict):
        return {key: converted(value) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(converted, data))
    return [converted(value) for value in data] if isinstance(data, (tuple, list)) else data


def copied(item: Any) -> Any:
    """An item with copies of its tensors and arrays: a function of the user may return them as they are. What requires
    a gradient stays."""
    if isinstance(item, Tensor):
        return item if item.requires_grad else Tensor(item.array.copy())
    if isinstance(item, np.ndarray):
        return item.copy()
    if type(item) is dict:
        return {key: copied(value) for key, value in item.items()}
    return type(item)(map(copied, item)) if type(item) in (tuple, list) else item


def default_collate(batch: list[Any]) -> Any:
    """Combine a list of items into a batch.

    Tensors, arrays and numbers are stacked along a new first dimension. Tuples, lists and dicts are collated element by
    element; a list of strings is returned as it is.

    Python integers become int64 and floats float64, as in ``torch.utils.data.default_collate``.

    Args:
        batch: the items, all of the same structure.

    Returns:
        A tensor (n, …); for tuples and lists a list, for named tuples a named tuple, for dicts a dict of batches.

    Raises:
        TypeError: if an item has an unsupported type, or the batch is not a list.
        ValueError: if shapes, lengths or keys differ, or the list is empty.

    >>> x, y = cg.data.default_collate([(np.zeros(3), 1), (np.ones(3), 0)])
    >>> x.shape, y.tolist()
    ((2, 3), [1, 0])
    """
    if not isinstance(batch, (list, tuple)):
        raise TypeError(f"default_collate: batch must be a list of items, got {type(batch).__name__}")
    if not batch:
        raise ValueError("default_collate: expected at least one item, got an empty list")
    first = batch[0]
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, (Tensor, np.ndarray, np.generic, bool, int, float)):
        return stack([item.array if isinstance(item, Tensor) else plain("default_collate", item) for item in batch])
    if isinstance(first, dict):
        if any(not isinstance(item, dict) or item.keys() != first.keys() for item in batch):
            raise ValueError("default_collate: the items are dicts with different keys")
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
    """Stack arrays of one shape along a new first dimension."""
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(f"default_collate: the items have different shapes: {', '.join(map(str, sorted(shapes)))}")
    return Tensor(np.stack(arrays))
