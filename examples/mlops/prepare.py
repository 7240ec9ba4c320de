"""Stage 1: splits the digits into a training, a validation and a test set, stratified by class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from project import NAMES, SPLITS, params

import cygrad as cg


def split(labels: np.ndarray, fractions: Sequence[float], seed: int) -> list[np.ndarray]:
    """Indices of each split: random fractions of every class, and the rest."""
    rng = np.random.default_rng(seed)
    splits: list[list[np.ndarray]] = [[] for _ in range(len(fractions) + 1)]
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        ends = np.rint(np.cumsum(fractions) * len(rows)).astype(int)
        for indices, chunk in zip(splits, np.split(rows, ends)):
            indices.append(chunk)
    return [np.sort(np.concatenate(indices)) for indices in splits]


def main() -> None:
    images, labels = cg.data.load_digits()
    rows = images.reshape(len(images), -1)
    # Duplicates could end up in two splits.
    first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    rows, labels = rows[first], labels[first]
    settings = params("prepare")
    arrays = {}
    for name, indices in zip(NAMES, split(labels, settings["fractions"], settings["seed"])):
        arrays |= {f"{name}_rows": rows[indices], f"{name}_labels": labels[indices]}
        print(f"{name}: {len(indices)} rows")
    Path(SPLITS).parent.mkdir(exist_ok=True)
    np.savez(SPLITS, **arrays)


if __name__ == "__main__":
    main()
