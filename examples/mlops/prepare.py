"""Stage 1: the digits in parts to train, validate and test with, the same shares of every class in each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from project import NAMES, PARTS, params

import cygrad as cg


def split(labels: np.ndarray, fractions: Sequence[float], seed: int) -> list[np.ndarray]:
    """Indices of each part: of every class these fractions, drawn by the seed, and the rest."""
    rng = np.random.default_rng(seed)
    parts: list[list[np.ndarray]] = [[] for _ in range(len(fractions) + 1)]
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        ends = np.rint(np.cumsum(fractions) * len(rows)).astype(int)
        for part, piece in zip(parts, np.split(rows, ends)):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]


def main() -> None:
    images, labels = cg.data.load_digits()
    rows = images.reshape(len(images), -1)
    # A row that is there twice could stand in two parts.
    first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    rows, labels = rows[first], labels[first]
    chosen = params("prepare")
    arrays = {}
    for name, indices in zip(NAMES, split(labels, chosen["fractions"], chosen["seed"])):
        arrays |= {f"{name}_rows": rows[indices], f"{name}_labels": labels[indices]}
        print(f"{name}: {len(indices)} rows")
    Path(PARTS).parent.mkdir(exist_ok=True)
    np.savez(PARTS, **arrays)


if __name__ == "__main__":
    main()
