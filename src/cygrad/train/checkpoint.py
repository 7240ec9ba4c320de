"""Checkpoints: the whole state of a training in one file, from which it goes on as if it had never ended."""

from __future__ import annotations

import contextlib
import glob
import os
from dataclasses import dataclass
from typing import Any

from cygrad.serialization import file_suffix, load, save

__all__ = ["Checkpoint", "read_checkpoint", "write_checkpoint"]

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """Where and when a ``Trainer`` writes checkpoints: at the end of every epoch, and with `every_steps` after as
    many updates too, but none sooner than `every_seconds` after the last, so that short epochs don't wait for the disk.
    `path` ends in ``.npz``, or in ``.safetensors`` where that package is installed, and belongs
    to one training.

    The file is replaced as a whole: it is written beside the old one, flushed to the disk and renamed. So
    whatever happens, and where the disk is full, the last good one stays. It holds numbers and text, and to load
    it runs no code.

    Raises ValueError for another ending, `every_steps` below 1, or `every_seconds` below 0.

    >>> cg.train.Checkpoint("run.npz", every_steps=100)
    Checkpoint(path='run.npz', every_steps=100, every_seconds=0.0)
    """

    path: str | os.PathLike[str]
    every_steps: int | None = None
    every_seconds: float = 0.0

    def __post_init__(self) -> None:
        file_suffix("Checkpoint", self.path)
        if self.every_steps is not None and not self.every_steps >= 1:
            raise ValueError(f"Checkpoint: every_steps must be at least 1, got {self.every_steps}")
        if not self.every_seconds >= 0:
            raise ValueError(f"Checkpoint: every_seconds must not be negative, got {self.every_seconds}")


def write_checkpoint(path: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Writes the state of a trainer. Raises OSError where that fails, and the old file stays."""
    save({"format": FORMAT, **state}, path)


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The state in a checkpoint.

    Raises FileNotFoundError where there is none, and ValueError for a file that is truncated, corrupt, no
    checkpoint, or one of another format.
    """
    state = load(path)
    if not isinstance(state, dict) or "format" not in state:
        raise ValueError(f"resume: {os.fspath(path)} is no checkpoint")
    if state["format"] != FORMAT:
        raise ValueError(f"resume: {os.fspath(path)} has format {state['format']!r}, wanted {FORMAT}")
    return state


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Removes what writers that were killed have left beside a checkpoint."""
    folder, name = os.path.split(os.path.realpath(path))
    for leftover in glob.glob(os.path.join(glob.escape(folder), f".{glob.escape(name)}.*.tmp")):
        with contextlib.suppress(OSError):
            os.unlink(leftover)
