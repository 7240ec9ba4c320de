"""Leakage: rows that are both in the training set and in the validation set of an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.dataset import TensorDataset
from cygrad.data.leakage import as_words, hash_words, warn_of_leakage
from cygrad.sklearn.samples import Samples

__all__ = ["warn_of_repeated"]


def warn_of_repeated(train: Samples, validation: Samples, stacklevel: int) -> None:
    """Warns if the training set contains rows of the validation set with equal inputs and targets. A row of a sparse
    matrix equals a row of an array with the same values."""
    a, b = train.x, validation.x
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        a, b = row_hashes(a), row_hashes(b)
    warn_of_leakage(TensorDataset(a, train.y), TensorDataset(b, validation.y), stacklevel=stacklevel + 1)


def row_hashes(x: Any) -> Array:
    """A 64-bit hash of each row of a matrix (N): the sum of the hashes of (column, value) over its nonzero elements."""
    from scipy.sparse import csr_array

    x = csr_array(x, copy=True)
    x.sum_duplicates()
    columns = hash_words(x.indices.astype(np.uint64)[:, None], np.zeros(x.nnz, np.uint64))
    nonzero = np.where(x.data != 0, hash_words(as_words(x.data[:, None]), columns), np.uint64(0))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(nonzero)])
    return np.asarray(sums[x.indptr[1:]] - sums[x.indptr[:-1]])
