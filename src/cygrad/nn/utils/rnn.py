"""Sequences of different lengths in one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cygrad import functions as f
from cygrad._attributes import ShapeError
from cygrad._missing import attribute_error
from cygrad._typing import Array
from cygrad.autograd import Value, recording
from cygrad.creation import full
from cygrad.ops.shape import checked_tensors
from cygrad.tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class Packed(NamedTuple):
    """The fields of a PackedSequence."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(Packed):
    """Sequences of different lengths without padding, step after step. As ``torch.nn.utils.rnn.PackedSequence``.

    ``pack_padded_sequence`` and ``pack_sequence`` make it, recurrent layers take and return it.

    Attributes:
        data: the elements, shape (sum of the lengths, …): those of the first step of all sequences, the longest
            sequence first, then those of the second step, and so on.
        batch_sizes: the number of sequences that have the step, int64, shape (steps,).
        sorted_indices: which sequence was which, before they were sorted; None if they were sorted already.
        unsorted_indices: the inverse permutation.

    >>> cg.nn.utils.rnn.pack_sequence([cg.tensor([1, 2]), cg.tensor([3])]).data
    tensor([1, 3, 2])
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise TypeError(f"PackedSequence: data must be a pair (data, batch_sizes), got {type(data).__name__}")
            data, batch_sizes = data
        for name, value in (("data", data), ("batch_sizes", batch_sizes)):
            if not isinstance(value, Value):
                raise TypeError(f"PackedSequence: {name} must be a tensor, got {type(value).__name__}")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Convert the data, as ``Tensor.to`` does."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def cpu(self) -> PackedSequence:
        """Return the sequences themselves."""
        return self

    def double(self) -> PackedSequence:
        """Convert the data to float64."""
        return self.to(np.float64)

    def float(self) -> PackedSequence:
        """Convert the data to float32."""
        return self.to(np.float32)

    def long(self) -> PackedSequence:
        """Convert the data to int64."""
        return self.to(np.int64)

    def int(self) -> PackedSequence:
        """Convert the data to int32."""
        return self.to(np.int32)

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU: never."""
        return False

    def is_pinned(self) -> bool:
        """Whether the data is in pinned memory: never."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the inverse of a permutation of indices, None for None. As ``torch.nn.utils.rnn.invert_permutation``.

    >>> cg.nn.utils.rnn.invert_permutation(cg.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    if not isinstance(permutation, Value):
        raise TypeError(f"invert_permutation: permutation must be a tensor, got {type(permutation).__name__}")
    return f.argsort(permutation)


def checked_lengths(name: str, lengths: Any, batch: int, longest: int) -> Array:
    """The lengths as int64. Raises unless there is one in 1..longest for each sequence."""
    recording.reading(name)
    values = np.asarray(lengths.array if isinstance(lengths, Value) else lengths)
    if values.shape != (batch,) or values.dtype.kind not in "iu" or not batch:
        got = f"{values.dtype} of shape {values.shape}"
        raise ShapeError(f"{name}: lengths must be {batch} integers, one for each sequence, got {got}")
    if values.min() < 1 or values.max() > longest:
        raise ShapeError(f"{name}: a length must lie between 1 and {longest}, got {values.min()} to {values.max()}")
    return values.astype(np.int64)


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack padded sequences of different lengths. As ``torch.nn.utils.rnn.pack_padded_sequence``.

    Args:
        input: shape (steps, batch, …).
        lengths: length of each sequence, shape (batch,).
        batch_first: whether the shape is (batch, steps, …), default False.
        enforce_sorted: whether the lengths must fall, default True; if False, the sequences are sorted.

    Raises:
        RuntimeError: the lengths do not fit, or do not fall and enforce_sorted is True.

    >>> padded = cg.tensor([[1, 2, 0], [3, 0, 0], [4, 5, 6]])
    >>> packed = cg.nn.utils.rnn.pack_padded_sequence(padded, [2, 1, 3], batch_first=True, enforce_sorted=False)
    >>> packed.data, packed.batch_sizes
    (tensor([4, 1, 3, 5, 2, 6]), tensor([3, 2, 1]))
    """
    if not isinstance(input, Value):
        raise TypeError(f"pack_padded_sequence: input must be a tensor, got {type(input).__name__}")
    if input.ndim < 2:
        raise ShapeError(f"pack_padded_sequence: input must have at least 2 dimensions, got shape {tuple(input.shape)}")
    first, second = input.shape[:2]
    steps, batch = (second, first) if batch_first else (first, second)
    sizes = checked_lengths("pack_padded_sequence", lengths, batch, steps)
    order = None
    if enforce_sorted and (np.diff(sizes) > 0).any():
        raise RuntimeError("pack_padded_sequence: the lengths must fall, or enforce_sorted must be False")
    if not enforce_sorted:
        order = np.argsort(-sizes, kind="stable")
        sizes = sizes[order]
    step, sequence = np.nonzero(np.arange(sizes[0])[:, None] < sizes)
    column = sequence if order is None else order[sequence]
    rows = column * second + step if batch_first else step * second + column
    data = f.index_select(input.reshape(first * second, *input.shape[2:]), 0, Tensor(rows))
    return PackedSequence(data, Tensor(np.bincount(step)), None if order is None else Tensor(order))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return padded sequences and their lengths from packed ones. As ``torch.nn.utils.rnn.pad_packed_sequence``.

    Args:
        sequence: packed sequences.
        batch_first: whether the result has shape (batch, steps, …) instead of (steps, batch, …), default False.
        padding_value: what fills the rest, default 0.
        total_length: number of steps of the result, default None for that of the longest sequence.

    Raises:
        ValueError: total_length is less than that.

    >>> packed = cg.nn.utils.rnn.pack_sequence([cg.tensor([1, 2]), cg.tensor([3])])
    >>> cg.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    sizes, lengths = step_sizes("pad_packed_sequence", sequence)
    steps = len(sizes)
    if total_length is not None:
        if not isinstance(total_length, (int, np.integer)) or total_length < steps:
            wanted = f"an integer of at least {steps}"
            raise ValueError(f"pad_packed_sequence: total_length must be {wanted}, got {total_length!r}")
        steps = int(total_length)
    rows = np.full((steps, sizes[0]), sizes.sum())  # the row of padding behind all others
    rows[: len(sizes)][np.arange(sizes[0]) < sizes[:, None]] = np.arange(sizes.sum())
    if sequence.unsorted_indices is not None:
        order = sequence.unsorted_indices.array
        rows, lengths = rows[:, order], lengths[order]
    rows = np.ascontiguousarray(rows.T) if batch_first else rows
    data = sequence.data
    extended = f.cat([data, full((1, *data.shape[1:]), padding_value, dtype=data.dtype)])
    padded = f.index_select(extended, 0, Tensor(rows.reshape(-1))).reshape(*rows.shape, *data.shape[1:])
    return padded, Tensor(lengths)


def step_sizes(name: str, sequence: PackedSequence) -> tuple[Array, Array]:
    """The number of sequences that have each step, and the length of each sequence."""
    if not isinstance(sequence, PackedSequence):
        raise TypeError(f"{name}: sequence must be a PackedSequence, got {type(sequence).__name__}")
    recording.reading(name)
    sizes = sequence.batch_sizes.array
    valid = sizes.ndim == 1 and sizes.dtype.kind in "iu" and sizes.size and sizes.min() > 0
    if not valid or (np.diff(sizes) > 0).any() or sizes.sum() != sequence.data.shape[0]:
        raise ShapeError(f"{name}: batch_sizes must be positive, fall, and add up to the number of rows in data")
    return sizes, (np.arange(sizes[0])[:, None] < sizes).sum(1)


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of different lengths. As ``torch.nn.utils.rnn.pack_sequence``.

    Args:
        sequences: tensors of shapes (length, …).
        enforce_sorted: whether the lengths must fall, default True; if False, the sequences are sorted.

    Raises:
        RuntimeError: the lengths do not fall and enforce_sorted is True, or there is no sequence.
    """
    tensors = checked_tensors("pack_sequence", sequences)
    return pack_padded_sequence(pad_sequence(tensors), [len(x) for x in tensors], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences that ``pack_sequence`` has packed. As ``torch.nn.utils.rnn.unpack_sequence``."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


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
