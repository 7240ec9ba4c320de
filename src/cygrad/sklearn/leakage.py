"""Leakage: rows that an estimator is given both to learn from and to validate with."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.dataset import TensorDataset
from cygrad.data.leakage import hashed, warn_of_leakage, words
from cygrad.sklearn.samples import Samples

__all__ = ["warn_of_repeated"]


def warn_of_repeated(train: Samples, held: Samples, stacklevel: int) -> None:
    """Warns of rows of the held part that are trained on, inputs and targets alike. A row of a sparse matrix is one of
    an array with the same numbers."""
    a, b = train.x, held.x
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        a, b = codes(a), codes(b)
    warn_of_leakage(TensorDataset(a, train.y), TensorDataset(b, held.y), stacklevel=stacklevel + 1)


def codes(x: Any) -> Array:
    """A number (N) for each row of a matrix, of 64 bits: the sum of a hash of column and value over what is not 0."""
    from scipy.sparse import csr_array

    x = csr_array(x, copy=True)
    x.sum_duplicates()
    places = hashed(x.indices.astype(np.uint64)[:, None], np.zeros(x.nnz, np.uint64))
    there = np.where(x.data != 0, hashed(words(x.data[:, None]), places), np.uint64(0))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(there)])
    return np.asarray(sums[x.indptr[1:]] - sums[x.indptr[:-1]])
