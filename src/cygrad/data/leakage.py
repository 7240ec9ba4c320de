"""Leakage: rows of the validation part that also stand in the training part."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.dataset import Subset, TensorDataset
from cygrad.data.tables.table import Table
from cygrad.tensor import Tensor

__all__ = ["LeakageWarning", "repeated_rows", "warn_of_leakage"]


class LeakageWarning(UserWarning):
    """Rows of the part that judges also stand in the part that is learnt from."""


def repeated_rows(part: Any, train: Any) -> Array:
    """The indices of the rows of `part` that stand in `train` too, with the same values in every column: inputs and
    targets, if it has them. Both are tables, TensorDatasets, Subsets of one, or arrays (n, …). NaN equals NaN.

    Raises ValueError where they do not have the same columns, TypeError for other things.

    >>> cg.data.repeated_rows(np.array([[1, 2], [3, 4]]), np.array([[3, 4], [5, 6]]))
    array([1])
    """
    rows, known = parts_of(part), parts_of(train)
    if [column.shape[1:] for column in rows] != [column.shape[1:] for column in known]:
        raise ValueError("repeated_rows: the parts have other columns or shapes")
    codes = [in_common(a, b) for a, b in zip(rows, known, strict=True)]
    seen = set(lines([b for _, b in codes]))
    return np.array([i for i, line in enumerate(lines([a for a, _ in codes])) if line in seen], np.int64)


def warn_of_leakage(train: Any, validation: Any) -> int:
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
    repeated = repeated_rows(validation, train)
    if len(repeated):
        warnings.warn(sentence(repeated, len(parts_of(validation)[0])), LeakageWarning, stacklevel=2)
    return len(repeated)


def sentence(repeated: Array, rows: int, part: str = "validation") -> str:
    """What the warning says."""
    which = f"{len(repeated)} of the {rows} rows of the {part} part (row {repeated[0] + 1} is the first)"
    return f"{which} also stand in the training part: what was learnt by heart looks like what was understood"


def parts_of(data: Any) -> list[Array]:
    """The columns of a table, or the arrays of a dataset."""
    if isinstance(data, Table):
        return [column for _, column in data.items()]
    if isinstance(data, Subset):
        indices = np.asarray(data.indices, np.int64)
        return [column[indices] for column in parts_of(data.dataset)]
    if isinstance(data, TensorDataset):
        return [tensor.array for tensor in data.tensors]
    if isinstance(data, (Tensor, np.ndarray)):
        array = np.asarray(data.array if isinstance(data, Tensor) else data)
        if array.ndim:
            return [array]
    raise TypeError(f"repeated_rows: wanted tables, TensorDatasets or arrays of rows, got {type(data).__name__}")


def in_common(a: Array, b: Array) -> tuple[Array, Array]:
    """Two columns such that equal values have equal bytes."""
    if a.dtype.kind in "OUT" or b.dtype.kind in "OUT":
        numbers: dict[Any, int] = {}
        return coded(a, numbers), coded(b, numbers)
    dtype = np.result_type(a, b)
    return canonical(a.astype(dtype)), canonical(b.astype(dtype))


def coded(values: Array, numbers: dict[Any, int]) -> Array:
    """Texts as numbers in the order in which they are met."""
    return np.array([numbers.setdefault(value, len(numbers)) for value in values.ravel()]).reshape(values.shape)


def canonical(values: Array) -> Array:
    """One zero, and one NaN."""
    if values.dtype.kind == "f":
        values = values + values.dtype.type(0)  # −0 + 0 = 0
        values[np.isnan(values)] = np.nan
    return values


def lines(columns: Sequence[Array]) -> list[bytes]:
    """The bytes of each row."""
    n = len(columns[0]) if columns else 0
    if not n:
        return []
    flat = [np.ascontiguousarray(column.reshape(n, -1)).view(np.uint8).reshape(n, -1) for column in columns]
    return [row.tobytes() for row in np.concatenate(flat, 1)]
