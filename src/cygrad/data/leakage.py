"""Leakage: rows of the validation part that also stand in the training part."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.dataset import Subset, TensorDataset
from cygrad.data.loader import DataLoader, choose
from cygrad.data.tables.table import Table
from cygrad.tensor import Tensor

__all__ = ["LeakageWarning", "repeated_rows", "warn_of_leakage"]

PIECE = 32  # bytes of a row that are compared at a time
SAMPLE = 64  # rows that tell which pieces differ most
MIX = [(np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB))]


class LeakageWarning(UserWarning):
    """Rows of the part that judges also stand in the part that is learnt from."""


def repeated_rows(part: Any, train: Any) -> Array:
    """The indices of the rows of `part` that stand in `train` too, with the same values in every column: inputs and
    targets, if it has them. Both are tables, arrays (n, …), TensorDatasets, Subsets, DataLoaders of one of these, or
    lists of batches. A loader's rows are those of its dataset, before its transform. NaN equals NaN.

    Rows are compared by a hash of 64 bits of all their values, a few columns first, by which nearly all rows differ.
    To look for 10,000 rows among 60,000 of 784 float32 takes about a hundredth of an epoch of a 784-256-128-10 network.

    Raises ValueError where they do not have the same columns, TypeError for other things.

    >>> cg.data.repeated_rows(np.array([[1, 2], [3, 4]]), np.array([[3, 4], [5, 6]]))
    array([1])
    """
    return found_in(*both(part, train))


def warn_of_leakage(train: Any, validation: Any, *, stacklevel: int = 2) -> int:
    """Warns with a ``LeakageWarning`` where rows of the validation part also stand in the training part, and returns
    how many: early stopping then rewards what was learnt by heart, and scores are too good. The parts are as for
    ``repeated_rows``.

    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     count = cg.data.warn_of_leakage(np.array([[1.0, 2.0]]), np.array([[1.0, 2.0], [1.0, 3.0]]))
    >>> count, caught[0].category.__name__
    (1, 'LeakageWarning')
    """
    rows, known = both(validation, train)
    repeated = found_in(rows, known)
    if len(repeated):
        warnings.warn(sentence(repeated, len(rows)), LeakageWarning, stacklevel=stacklevel)
    return len(repeated)


def comparable(train: Any, validation: Any) -> bool:
    """Whether ``repeated_rows`` can compare the two, and cheaply: the rows of both are in memory, not in a file that is
    mapped, and have the same columns."""
    known, rows = rows_of(train), rows_of(validation)
    if known is None or rows is None or not rows.like(known):
        return False
    return not any(is_mapped(column) for column in (*known.columns, *rows.columns))


def is_mapped(array: Any) -> bool:
    """Whether an array lies in a file."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap)


def both(part: Any, train: Any) -> tuple[Rows, Rows]:
    """The rows of the two. Raises TypeError or ValueError where they can't be compared."""
    rows, known = rows_of(part), rows_of(train)
    if rows is None or known is None:
        got = type(part if rows is None else train).__name__
        raise TypeError(
            f"repeated_rows: wanted tables, arrays of rows, TensorDatasets, loaders or batches of them, got {got}"
        )
    if not rows.like(known):
        raise ValueError("repeated_rows: the parts have other columns or shapes")
    return rows, known


def sentence(repeated: Array, rows: int, part: str = "validation") -> str:
    """What the warning says."""
    which = f"{len(repeated)} of the {rows} rows of the {part} part (row {repeated[0] + 1} is the first)"
    return f"{which} also stand in the training part: what was learnt by heart looks like what was understood"


def sentences(parts: Sequence[Any], names: Sequence[str]) -> list[str]:
    """A sentence for each part but the first, the training part, that has rows of this one."""
    found = []
    for part, name in zip(parts[1:], names[1:], strict=True):
        rows, known = both(part, parts[0])
        repeated = found_in(rows, known)
        if len(repeated):
            found.append(f"LeakageWarning: {sentence(repeated, len(rows), name)}")
    return found


# Rows


@dataclass
class Rows:
    """Columns (N, …), and which of their rows are meant: a range, or indices (n)."""

    columns: Sequence[Array]
    chosen: range | Array

    def __len__(self) -> int:
        return len(self.chosen)

    def like(self, other: Rows) -> bool:
        """Whether both have columns of the same shapes."""
        return [column.shape[1:] for column in self.columns] == [column.shape[1:] for column in other.columns]


def rows_of(data: Any) -> Rows | None:
    """The rows of what has them in memory, without a copy of more than a list's; None for other things."""
    if isinstance(data, Rows):
        return data
    if isinstance(data, Table):
        return Rows([column for _, column in data.items()], range(len(data)))
    if isinstance(data, TensorDataset):
        return Rows([tensor.array for tensor in data.tensors], range(len(data)))
    if isinstance(data, Subset):
        return some_of(rows_of(data.dataset), data.indices)
    if isinstance(data, DataLoader):
        return rows_of(data.dataset) if data.sampler is None else some_of(rows_of(data.dataset), data.sampler)
    if isinstance(data, (Tensor, np.ndarray)):
        array = array_of(data)
        return Rows([array], range(len(array))) if array.ndim else None
    return batched(data) if isinstance(data, (list, tuple)) else None


def some_of(rows: Rows | None, indices: Any) -> Rows | None:
    """The rows under some indices; None where these are drawn anew whenever they are asked for."""
    if rows is None or not isinstance(indices, (list, tuple, range, np.ndarray)):
        return None
    return Rows(rows.columns, choose(rows.chosen, indices))


def batched(batches: Sequence[Any]) -> Rows | None:
    """The rows of batches that stand in a list."""
    parts = [batch if isinstance(batch, (list, tuple)) else (batch,) for batch in batches]
    if not all(isinstance(item, (Tensor, np.ndarray)) and array_of(item).ndim for part in parts for item in part):
        return None
    if not parts or len({tuple(array_of(item).shape[1:] for item in part) for part in parts}) > 1:
        return None
    columns = [joined([array_of(item) for item in items]) for items in zip(*parts, strict=True)]
    return Rows(columns, range(len(columns[0]))) if len({len(column) for column in columns}) == 1 else None


def joined(arrays: list[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def array_of(data: Tensor | Array) -> Array:
    return data.array if isinstance(data, Tensor) else data


# Comparing them


def found_in(rows: Rows, known: Rows) -> Array:
    """The places of the rows that are among those that are known. Piece by piece a row's hash goes on; at once those
    are left out whose hash so far the other side can't have, so that of most rows one piece is read."""
    columns = [in_common(a, b) for a, b in zip(rows.columns, known.columns, strict=True)]
    here, there = Places(rows.chosen), Places(known.chosen)
    for column, part in pieces(columns, rows.chosen):
        mine, theirs = columns[column]
        here.go_on(mine[:, part])
        there.go_on(theirs[:, part])
        here.keep(likely(here.hashes, there.hashes))
        there.keep(likely(there.hashes, here.hashes))
        if not len(here.hashes):
            break
    return here.places[np.isin(here.hashes, there.hashes)]


class Places:
    """The rows of one side that may stand on the other: their places (n), indices, and hashes of what was read."""

    def __init__(self, chosen: range | Array) -> None:
        self.places = np.arange(len(chosen))
        self.chosen = chosen
        self.hashes = np.zeros(len(chosen), np.uint64)

    def go_on(self, columns: Array) -> None:
        """Takes some columns (N, k) into the hashes."""
        chosen = self.chosen
        if not isinstance(chosen, range):
            values = columns[chosen[self.places]]
        elif len(self.places) < len(chosen):
            values = columns[self.places + chosen.start]
        else:
            values = columns[chosen.start : chosen.stop]
        self.hashes = hashed(words(canonical(values)), self.hashes)

    def keep(self, which: Array) -> None:
        """Leaves out the others."""
        if not which.all():
            self.places, self.hashes = self.places[which], self.hashes[which]


def pieces(columns: Sequence[tuple[Array, Array]], chosen: range | Array) -> Iterator[tuple[int, slice]]:
    """The pieces of all columns, those first in which the rows of a sample change most from one to the next."""
    sample = np.asarray(chosen[:: max(len(chosen) // SAMPLE, 1)], np.int64)
    found = []
    for number, (values, _) in enumerate(columns):
        step = max(PIECE // values.itemsize, 1)
        starts = np.arange(0, values.shape[1], step)
        rows = values[sample]
        changes = np.add.reduceat((rows[1:] != rows[:-1]).sum(0), starts) if len(starts) else starts
        found += [(-count, number, slice(start, start + step)) for count, start in zip(changes, starts, strict=True)]
    found.sort(key=lambda piece: piece[0])
    return ((number, part) for _, number, part in found)


def in_common(a: Array, b: Array) -> tuple[Array, Array]:
    """Two columns as numbers of one dtype, (N, k) each."""
    if a.dtype.kind in "OUT" or b.dtype.kind in "OUT":
        numbers: dict[Any, int] = {}
        a, b = coded(a, numbers), coded(b, numbers)
    dtype = np.result_type(a, b)
    width = int(np.prod(a.shape[1:]))
    return tuple(column.reshape(len(column), width).astype(dtype, copy=False) for column in (a, b))  # type: ignore[return-value]


def coded(values: Array, numbers: dict[Any, int]) -> Array:
    """Texts as numbers in the order in which they are met."""
    return np.array([numbers.setdefault(value, len(numbers)) for value in values.ravel()], int).reshape(values.shape)


def canonical(values: Array) -> Array:
    """One zero, and one NaN."""
    if values.dtype.kind == "f":
        values = values + values.dtype.type(0)  # −0 + 0 = 0
        values[np.isnan(values)] = np.nan
    return values


def words(values: Array) -> Array:
    """The bytes of each row (n, k) as whole words."""
    values = np.ascontiguousarray(values)
    length = values.shape[1] * values.itemsize
    if length % 8 == 0:
        return values.view(np.uint64)
    padded = np.zeros((len(values), -(-length // 8) * 8), np.uint8)
    padded[:, :length] = values.view(np.uint8)
    return padded.view(np.uint64)


def hashed(values: Array, hashes: Array) -> Array:
    """The hashes (n) of rows of words (n, k), going on from some: h ← mix(h ⊕ w) for each word, by the mix of 64 bits
    of G. L. Steele, D. Lea, C. H. Flood (2014), "Fast splittable pseudorandom number generators"."""
    for word in values.T:
        hashes = hashes ^ word
        for shift, factor in MIX:
            hashes ^= hashes >> shift
            hashes *= factor
        hashes ^= hashes >> np.uint64(31)
    return hashes


def likely(hashes: Array, among: Array) -> Array:
    """Whether each may be one of the others, by its first bits: never False for one that is, rarely True else."""
    bits = max(16, (16 * len(among)).bit_length())
    shift = np.uint64(64 - bits)
    table = np.zeros(2**bits, bool)
    table[among >> shift] = True
    return table[hashes >> shift]
