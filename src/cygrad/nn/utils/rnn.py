"""Sequences of different lengths in one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cygrad import functions as f
from cygrad._missing import attribute_error
from cygrad.creation import full
from cygrad.ops.shape import checked_tensors
from cygrad.tensor import Tensor

__all__ = ["pad_sequence", "unpad_sequence"]


def pad_sequence(
    sequences: Sequence[Tensor] | Tensor,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack sequences, padded to the longest. As ``torch.nn.utils.rnn.pad_sequence``.

    Args:
        sequences: tensors of shapes (length, …).
        batch_first: whether the result has shape (batch, length, …) instead of (length, batch, …), default False.
        padding_value: what fills the rest, default 0.
        padding_side: "right" (default) or "left".

    Raises:
        RuntimeError: there is no sequence, or padding_side is unknown.

    >>> cg.nn.utils.rnn.pad_sequence([cg.tensor([1, 2]), cg.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    tensors = checked_tensors("pad_sequence", sequences)
    if not tensors or padding_side not in ("left", "right"):
        reason = f"padding_side must be left or right, got {padding_side!r}" if tensors else "there is no sequence"
        raise RuntimeError(f"pad_sequence: {reason}")
    longest = max([len(x) for x in tensors])
    padded = []
    for x in tensors:
        parts = [x, full((longest - len(x), *x.shape[1:]), padding_value, dtype=x.dtype)]
        padded.append(f.cat(parts if padding_side == "right" else parts[::-1]) if len(x) < longest else x)
    return f.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """Return the sequences that ``pad_sequence`` has stacked. As ``torch.nn.utils.rnn.unpad_sequence``.

    Args:
        padded_sequences: shape (length, batch, …).
        lengths: length of each sequence, shape (batch,).
        batch_first: whether the shape is (batch, length, …), default False.
    """
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(length)] for row, length in zip(rows.unbind(0), lengths.tolist())]


def __getattr__(name: str) -> Any:
    raise attribute_error(__name__, name)
