"""Embeddings for TensorBoard's projector: tables of numbers and labels, and a picture of small images."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.integrations.tensorboard.summary import png

__all__ = ["save_embedding"]


def save_embedding(
    folder: str,
    tag: str,
    step: int,
    vectors: Array,
    metadata: Sequence[Any] | None,
    header: Sequence[str] | None,
    images: Any,
) -> None:
    """Write an embedding into a folder of the log, and enter it in ``projector_config.pbtxt`` there.

    Args:
        folder: of the log.
        tag: name of the embedding.
        step: the step.
        vectors: shape (N, D).
        metadata: N labels, or rows of several labels if there is a header; or None.
        header: the names of several labels.
        images: uint8 pixels of shape (N, H, W, 3), or None.

    Raises:
        ValueError: the sizes differ.
    """
    if vectors.ndim != 2:
        raise ValueError(f"add_embedding: expected a matrix with a row for each item, got shape {vectors.shape}")
    for what, items in ("labels", metadata), ("images", images):
        if items is not None and len(items) != len(vectors):
            raise ValueError(f"add_embedding: {len(vectors)} rows, but {len(items)} {what}")
    name = f"{step:05d}/{tag.replace('/', '_')}"
    own = os.path.join(folder, name)
    os.makedirs(own, exist_ok=True)
    lines = [f'  tensor_name: "{tag}:{step:05d}"', f'  tensor_path: "{name}/tensors.tsv"']
    write(own, "tensors.tsv", ["\t".join(map(repr, row)) for row in vectors.tolist()])
    if metadata is not None:
        rows = [header, *metadata] if header else [[label] for label in metadata]
        write(own, "metadata.tsv", ["\t".join(map(str, row)) for row in rows])
        lines.append(f'  metadata_path: "{name}/metadata.tsv"')
    if images is not None:
        height, width = images.shape[1:3]
        with open(os.path.join(own, "sprite.png"), "wb") as file:
            file.write(png(sprite(images)))
        size = f"    single_image_dim: {width}\n    single_image_dim: {height}"
        lines.append(f'  sprite {{\n    image_path: "{name}/sprite.png"\n{size}\n  }}')
    with open(os.path.join(folder, "projector_config.pbtxt"), "a", encoding="utf-8") as config:
        config.write("embeddings {\n" + "\n".join(lines) + "\n}\n")


def write(folder: str, name: str, lines: Sequence[str]) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def sprite(images: Array) -> Array:
    """Images (N, H, W, 3) as one, in rows of as many as there are rows."""
    n, height, width, channels = images.shape
    side = math.ceil(n**0.5)
    cells = np.zeros((side * side, height, width, channels), np.uint8)
    cells[:n] = images
    return cells.reshape(side, side, height, width, channels).swapaxes(1, 2).reshape(side * height, side * width, -1)
