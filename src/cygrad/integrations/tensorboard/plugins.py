"""The messages of TensorBoard's plugins for curves, sounds and tensors.

Field numbers are those of tensorflow/core/framework/*.proto and tensorboard/plugins/pr_curve/plugin_data.proto.
"""

from __future__ import annotations

import io
import wave

import numpy as np

from cygrad._typing import Array
from cygrad.integrations.tensorboard.protobuf import data, integer, real

__all__ = ["audio", "pr_curve", "pr_curve_of", "tensor"]

MOST_THRESHOLDS = 127
DT_STRING = 7
DTYPES = {"f4": 1, "f8": 2, "i4": 3, "u1": 4, "i2": 5, "i1": 6, "i8": 9, "b1": 10, "f2": 19}  # TensorFlow's DataType


def plugin(name: str, content: bytes = b"") -> bytes:
    """The metadata of a value that belongs to a plugin."""
    return data(9, data(1, data(1, name) + data(2, content)))


def tensor_content(array: Array) -> bytes:
    """A tensor, as the field of a value.

    Raises ValueError for a dtype that TensorFlow has not.
    """
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    if kind not in DTYPES:
        raise ValueError(f"add_tensor: {array.dtype} can't be written")
    shape = b"".join(data(2, integer(1, size)) for size in array.shape)
    content = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return data(8, integer(1, DTYPES[kind]) + data(2, shape) + data(4, content))


def tensor(tag: str, array: Array) -> bytes:
    """A tensor, for programs that read event files."""
    return data(1, tag) + tensor_content(array) + plugin("tensor")


def pr_curve(tag: str, rows: Array) -> bytes:
    """A precision-recall curve. Its rows are true positives, false positives, true negatives, false negatives,
    precision and recall, its columns thresholds from 0 to 1."""
    settings = integer(2, rows.shape[1])
    return data(1, tag) + tensor_content(rows.astype(np.float32)) + plugin("pr_curves", settings)


def pr_curve_of(labels: Array, predictions: Array, thresholds: int, weights: Array | None) -> Array:
    """The rows of a curve.

    Args:
        labels: whether an item is positive.
        predictions: its probability, in [0, 1].
        thresholds: their number, at most 127.
        weights: of the items, None for 1.
    """
    count = min(thresholds, MOST_THRESHOLDS)
    bucket = np.floor(predictions.reshape(-1) * (count - 1)).astype(np.int64)
    if bucket.size and (bucket.min() < 0 or bucket.max() >= count):
        raise ValueError("add_pr_curve: predictions must lie in [0, 1]")
    positive = labels.reshape(-1).astype(np.float64)
    weight = np.broadcast_to(1.0 if weights is None else weights.reshape(-1), positive.shape)
    above = [
        np.bincount(bucket, share * weight, minlength=count)[::-1].cumsum()[::-1] for share in (positive, 1 - positive)
    ]
    true_positive, false_positive = above
    true_negative, false_negative = false_positive[0] - false_positive, true_positive[0] - true_positive
    precision = true_positive / np.maximum(1e-7, true_positive + false_positive)
    recall = true_positive / np.maximum(1e-7, true_positive + false_negative)
    return np.stack([true_positive, false_positive, true_negative, false_negative, precision, recall])


def audio(tag: str, samples: Array, rate: int) -> bytes:
    """A sound of one channel, samples from −1 to 1, as a WAV file of 16 bits.

    Raises ValueError unless the samples have one dimension.
    """
    samples = samples.squeeze()
    if samples.ndim != 1:
        raise ValueError(f"add_audio: expected samples of one channel, got shape {samples.shape}")
    levels = (np.clip(samples, -1, 1) * 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate)
        wav.writeframes(levels.tobytes())
    content = real(1, float(rate)) + integer(2, 1) + integer(3, len(levels))
    return data(1, tag) + data(6, content + data(4, file.getvalue()) + data(5, "audio/wav"))
