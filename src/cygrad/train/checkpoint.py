"""Checkpoints: the whole state of a training in one file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from cygrad.serialization import OWN, file_suffix, load, save

__all__ = ["Checkpoint", "read_checkpoint", "write_checkpoint"]

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """Where and when a ``Trainer`` writes checkpoints.

    It writes one at the end of every epoch, and with `every_steps` within epochs too. The file is replaced as a whole:
    the new one is written beside it, flushed to the disk and renamed, so that the last good one survives a crash or a
    full disk. It contains numbers and text; loading it runs no code.

    Args:
        path: ends in ``.npz``, or with the package safetensors in ``.safetensors``; for one training only.
        every_steps: updates between checkpoints within an epoch; None for none.
        every_seconds: least time between two checkpoints, so that short epochs do not wait for the disk.

    Raises:
        ValueError: if the path has another ending, `every_steps` is below 1, or `every_seconds` is negative.

    Example:
        >>> cg.train.Checkpoint("run.npz", every_steps=100)
        Checkpoint(path='run.npz', every_steps=100, every_seconds=0.0)
    """

    path: str | os.PathLike[str]
    every_steps: int | None = None
    every_seconds: float = 0.0

    def __post_init__(self) -> None:
        file_suffix("Checkpoint", self.path, OWN)
        if self.every_steps is not None and not self.every_steps >= 1:
            raise ValueError(f"Checkpoint: every_steps must be at least 1, got {self.every_steps}")
        if not self.every_seconds >= 0:
            raise ValueError(f"Checkpoint: every_seconds must not be negative, got {self.every_seconds}")


def write_checkpoint(path: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Write the state of a trainer; if that raises OSError, the old file stays."""
    save({"format": FORMAT, **state}, path)


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the state in a checkpoint.

    Args:
        path: of the file.

    Returns:
        The state of a trainer, as ``Trainer.state_dict`` returns it.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: if it is truncated, corrupt, not a checkpoint, or has another version's format.
    """
    state = load(path)
    if not isinstance(state, dict) or "format" not in state:
        raise ValueError(f"resume: {os.fspath(path)} is not a checkpoint")
    if state["format"] != FORMAT:
        raise ValueError(f"resume: {os.fspath(path)} has format {state['format']!r}, expected {FORMAT}")
    return state
