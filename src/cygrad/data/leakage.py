"""Leakage: rows of a validation or test set that also occur in the training set."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from mmap import mmap
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.dataset import Subset, TensorDataset
from cygrad.data.loader import DataLoader
from cygrad.data.rows import Indices, Rows
from cygrad.data.tables.table import Table
from cygrad.tensor import Tensor

__all__ = ["LeakageWarning", "repeated_rows", "warn_of_leakage"]

SLICE_BYTES = 32  # bytes of a row that are hashed in one step
SAMPLE_ROWS = 64  # rows sampled to determine which slices vary most
MIX = [(np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB))]


class LeakageWarning(UserWarning):
    """Rows of the validation or test set also occur in the training set."""


def repeated_rows(part: Any, train: Any) -> Array:
    """Find the rows of `part` that also occur in `train`, with equal values in all columns, inputs and targets alike.

    NaN equals NaN. Rows are compared by 64-bit hashes. Columns that vary most are hashed first, and rows are dropped
    from the comparison as soon as their hash cannot match, so most rows are never read completely. Searching 10,000
    rows in 60,000 of 784 float32 takes about 1 % of the time of a training epoch of a 784-256-128-10 network.

    Args:
        part: the rows to look up: a ``Table``, an array (n, …), a ``TensorDataset``, a ``Subset`` or ``DataLoader`` of
            one of these, or a list of batches. For a loader, the rows of its dataset before its transform.
        train: the rows to search, of the same columns.

    Returns:
        Indices (k,) into `part`, ascending.

    Raises:
        TypeError: if an argument has an unsupported type.
        ValueError: if the columns differ in number or shape.

    >>> cg.data.repeated_rows(np.array([[1, 2], [3, 4]]), np.array([[3, 4], [5, 6]]))
    array([1])
    """
    return matching_rows(*require_comparable(part, train))


def warn_of_leakage(train: Any, validation: Any, *, stacklevel: int = 2) -> int:
    """Issue a ``LeakageWarning`` if rows of the validation set also occur in the training set.

    Early stopping then rewards memorization, and validation scores are too high.

    Args:
        train: the training set, as in ``repeated_rows``.
        validation: the validation set, likewise.
        stacklevel: as in ``warnings.warn``.

    Returns:
        The number of repeated rows.

    Raises:
        TypeError: if an argument has an unsupported type.
        ValueError: if the columns differ in number or shape.

    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     count = cg.data.warn_of_leakage(np.array([[1.0, 2.0]]), np.array([[1.0, 2.0], [1.0, 3.0]]))
    >>> count, caught[0].category.__name__
    (1, 'LeakageWarning')
    """
    rows, known = require_comparable(validation, train)
    repeated = matching_rows(rows, known)
    if len(repeated):
        warnings.warn(leakage_message(repeated, len(rows)), LeakageWarning, stacklevel=stacklevel)
    return len(repeated)


def is_comparable(train: Any, validation: Any) -> bool:
    """Whether ``repeated_rows`` can compare the two cheaply: both are in memory, not in a memory-mapped file, and have
    the same columns."""
    known, rows = comparable_rows(train), comparable_rows(validation)
    if known is None or rows is None or not same_columns(rows, known):
        return False
    return not any(is_mapped(column) for column in (*known.columns, *rows.columns))


def is_mapped(array: Any) -> bool:
    """Whether an array is a view of a memory-mapped file."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap)


def require_comparable(part: Any, train: Any) -> tuple[Rows, Rows]:
    """The rows of both. Raises TypeError or ValueError if they can't be compared."""
    rows, known = comparable_rows(part), comparable_rows(train)
    if rows is None or known is None:
        got = type(part if rows is None else train).__name__
        raise TypeError(
            f"repeated_rows: expected tables, arrays, TensorDatasets, loaders or lists of batches, got {got}"
        )
    if not same_columns(rows, known):
        raise ValueError(
            "repeated_rows: both sets must have columns of the same shapes, "
            f"got {column_shapes(rows)} and {column_shapes(known)}"
        )
    return rows, known


def same_columns(rows: Rows, other: Rows) -> bool:
    """Whether both have columns of the same shapes."""
    return column_shapes(rows) == column_shapes(other)


def column_shapes(rows: Rows) -> list[tuple[int, ...]]:
    """The shape of each column, without the first dimension."""
    return [column.shape[1:] for column in rows.columns]


def leakage_message(repeated: Array, rows: int, name: str = "validation") -> str:
    """The text of a warning."""
    return (
        f"{len(repeated)} of {rows} rows of the {name} set (the first is row {repeated[0] + 1}) also occur in the "
        "training set, so scores reward memorization"
    )


def leakage_messages(sets: Sequence[Any], names: Sequence[str]) -> list[str]:
    """A message for each set that repeats rows of the first one, the training set."""
    messages = []
    for data, name in zip(sets[1:], names[1:], strict=True):
        rows, known = require_comparable(data, sets[0])
        repeated = matching_rows(rows, known)
        if len(repeated):
            messages.append(f"LeakageWarning: {leakage_message(repeated, len(rows), name)}")
    return messages


# Extracting rows


def comparable_rows(data: Any) -> Rows | None:
    """The rows of data that is in memory, without a copy except for a list of batches; None for other objects."""
    if isinstance(data, Rows):
        return data
    if isinstance(data, Table):
        return Rows([column for _, column in data.items()], range(len(data)))
    if isinstance(data, TensorDataset):
        return Rows([tensor.array for tensor in data.tensors], range(len(data)))
    if isinstance(data, Subset):
        return subset_rows(data.dataset, data.indices)
    if isinstance(data, DataLoader):
        return comparable_rows(data.dataset) if data._order is None else subset_rows(data.dataset, data._order)
    if isinstance(data, (Tensor, np.ndarray)):
        array = array_of(data)
        return Rows([array], range(len(array))) if array.ndim else None
    return batch_rows(data) if isinstance(data, (list, tuple)) else None


def subset_rows(data: Any, indices: Any) -> Rows | None:
    """The rows of data at some indices; None if these are drawn anew on each iteration."""
    rows = comparable_rows(data)
    if rows is None or not isinstance(indices, (list, tuple, range, np.ndarray)):
        return None
    return rows.take(indices, "repeated_rows")


def batch_rows(batches: Sequence[Any]) -> Rows | None:
    """The rows of a list of batches; None if they do not have the same columns."""
    parts = [batch if isinstance(batch, (list, tuple)) else (batch,) for batch in batches]
    if not all(isinstance(item, (Tensor, np.ndarray)) and array_of(item).ndim for part in parts for item in part):
        return None
    if not parts or len({tuple(array_of(item).shape[1:] for item in part) for part in parts}) > 1:
        return None
    columns = [concatenate([array_of(item) for item in items]) for items in zip(*parts, strict=True)]
    return Rows(columns, range(len(columns[0]))) if len({len(column) for column in columns}) == 1 else None


def concatenate(arrays: list[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def array_of(data: Tensor | Array) -> Array:
    return data.array if isinstance(data, Tensor) else data


# Comparing rows


def matching_rows(rows: Rows, known: Rows) -> Array:
    """Positions of the rows that are among the known ones. Slice by slice, the hash of every row is extended, and rows
    whose hash does not occur on the other side are dropped, so that of most rows only one slice is read."""
    columns = [to_common_dtype(a, b) for a, b in zip(rows.columns, known.columns, strict=True)]
    left, right = Candidates(rows.indices), Candidates(known.indices)
    for number, part in slices_by_variation([column for column, _ in columns], rows.indices):
        left_column, right_column = columns[number]
        left.extend(left_column[:, part])
        right.extend(right_column[:, part])
        left.keep(may_occur(left.hashes, right.hashes))
        right.keep(may_occur(right.hashes, left.hashes))
        if not len(left.hashes):
            break
    return left.positions[np.isin(left.hashes, right.hashes)]


class Candidates:
    """Rows of one side that may occur on the other: their positions (n,) among `indices`, and hashes (n,) of the slices
    read so far."""

    def __init__(self, indices: Indices) -> None:
        self.indices = indices
        self.positions = np.arange(len(indices))
        self.hashes = np.zeros(len(indices), np.uint64)

    def extend(self, columns: Array) -> None:
        """Extend the hashes by some columns (N, k)."""
        indices = self.indices
        if not isinstance(indices, range):
            values = columns[indices[self.positions]]
        elif len(self.positions) < len(indices):
            values = columns[self.positions + indices.start]
        else:
            values = columns[indices.start : indices.stop]
        self.hashes = hash_words(as_words(canonical(values)), self.hashes)

    def keep(self, mask: Array) -> None:
        """Drop the other rows."""
        if not mask.all():
            self.positions, self.hashes = self.positions[mask], self.hashes[mask]


def slices_by_variation(columns: Sequence[Array], indices: Indices) -> Iterator[tuple[int, slice]]:
    """Slices of all columns (N, k) as (column number, slice), those first that change most often between consecutive
    rows of a sample."""
    sample = np.asarray(indices[:: max(len(indices) // SAMPLE_ROWS, 1)], np.int64)
    slices = []
    for number, values in enumerate(columns):
        step = max(SLICE_BYTES // values.itemsize, 1)
        starts = np.arange(0, values.shape[1], step)
        rows = values[sample]
        changes = np.add.reduceat((rows[1:] != rows[:-1]).sum(0), starts) if len(starts) else starts
        slices += [(-count, number, slice(start, start + step)) for count, start in zip(changes, starts, strict=True)]
    slices.sort(key=lambda item: item[0])
    return ((number, part) for _, number, part in slices)


def to_common_dtype(a: Array, b: Array) -> tuple[Array, Array]:
    """Two columns as numbers of one dtype, each reshaped to (N, k)."""
    if a.dtype.kind in "OUT" or b.dtype.kind in "OUT":
        codes: dict[Any, int] = {}
        a, b = encode_values(a, codes), encode_values(b, codes)
    dtype = np.result_type(a, b)
    width = int(np.prod(a.shape[1:]))
    return tuple(column.reshape(len(column), width).astype(dtype, copy=False) for column in (a, b))  # type: ignore[return-value]


def encode_values(values: Array, codes: dict[Any, int]) -> Array:
    """Replace each value, such as a text, by an integer code; new values are added to `codes`."""
    return np.array([codes.setdefault(value, len(codes)) for value in values.ravel()], int).reshape(values.shape)


def canonical(values: Array) -> Array:
    """Give −0 and 0, and all NaNs, the same bits."""
    if values.dtype.kind == "f":
        values = values + values.dtype.type(0)  # −0 + 0 = 0
        values[np.isnan(values)] = np.nan
    return values


def as_words(values: Array) -> Array:
    """The bytes of each row (n, k) as uint64 words, padded with zeros."""
    values = np.ascontiguousarray(values)
    length = values.shape[1] * values.itemsize
    if length % 8 == 0:
        return values.view(np.uint64)
    padded = np.zeros((len(values), -(-length // 8) * 8), np.uint8)
    padded[:, :length] = values.view(np.uint8)
    return padded.view(np.uint64)


def hash_words(words: Array, hashes: Array) -> Array:
    """Extend the hashes (n,) by rows of words (n, k): h ← mix(h ⊕ w) for each word, with the 64-bit mix of G. L.
    Steele, D. Lea, C. H. Flood (2014), "Fast splittable pseudorandom number generators"."""
    for word in words.T:
        hashes = hashes ^ word
        for shift, factor in MIX:
            hashes ^= hashes >> shift
            hashes *= factor
        hashes ^= hashes >> np.uint64(31)
    return hashes


def may_occur(hashes: Array, others: Array) -> Array:
    """Whether each hash may occur among the others, judged by its leading bits. Never False for one that does, rarely
    True for one that does not."""
    bits = max(16, (16 * len(others)).bit_length())
    shift = np.uint64(64 - bits)
    occupied = np.zeros(2**bits, bool)
    occupied[others >> shift] = True
    return occupied[hashes >> shift]
