"""TensorBoard's messages: events, and the summaries that they hold.

The numbers of the fields are those of tensorflow/core/util/event.proto, tensorflow/core/framework/*.proto and
tensorboard/plugins/hparams/*.proto.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.integrations.tensorboard.protobuf import data, double, doubles, integer, real

__all__ = ["event", "experiment", "histogram", "image", "png", "scalar", "session_end", "session_start", "text"]

DT_STRING = 7
PART = 16384
STRING, BOOL, FLOAT64 = 1, 2, 3  # hparams' DataType
SUCCESS, FAILURE = 1, 2  # hparams' Status
Bins = int | str | Sequence[float] | Array


def event(wall_time: float, step: int, content: bytes) -> bytes:
    """An Event; its content is a field: a summary, a graph or the version of the file."""
    return double(1, wall_time) + (integer(2, step) if step else b"") + content


def version() -> bytes:
    """The content of the first event of a file."""
    return data(3, "brain.Event:2")


def graph_content(graph: bytes) -> bytes:
    """An event's content that is a GraphDef."""
    return data(4, graph)


def summary(values: Iterable[bytes]) -> bytes:
    """An event's content that is a summary of values."""
    return data(5, b"".join(data(1, value) for value in values))


def scalar(tag: str, value: float) -> bytes:
    """One number."""
    return data(1, tag) + real(2, value)


# Histograms


def tensorflow_edges() -> Array:
    """Edges that grow by a tenth from 1e-12 to 1e20, on both sides of zero, and one for all beyond: those of
    TensorFlow."""
    count = int(np.ceil(np.log(1e32) / np.log(1.1)))
    positive = np.append(1e-12 * 1.1 ** np.arange(count), np.finfo(np.float64).max)
    return np.concatenate([-positive[::-1], [0.0], positive])


def histogram(tag: str, values: Array, bins: Bins = "tensorflow", max_bins: int | None = None) -> bytes:
    """How often the values lie in each bucket, see ``SummaryWriter.add_histogram``."""
    flat = np.asarray(values).reshape(-1)
    flat = flat.astype(np.float64 if flat.dtype.kind != "f" else flat.dtype, copy=False)
    if flat.size and not np.isfinite([flat.min(), flat.max()]).all():
        flat = flat[np.isfinite(flat)]
    if not flat.size:
        raise ValueError(f"add_histogram: {tag} holds no finite number")
    total, squares = sums(flat)
    counts, edges = merged(*counted(flat, bins), max_bins)
    message = (
        double(1, float(flat.min()))
        + double(2, float(flat.max()))
        + double(3, flat.size)
        + double(4, total)
        + double(5, squares)
        + doubles(6, edges[1:])
        + doubles(7, counts)
    )
    return data(1, tag) + data(5, message)


def parts_of(values: Array) -> Iterator[Array]:
    """The values in parts so small that what is computed from one stays near the CPU: four times as fast."""
    return (values[i : i + PART] for i in range(0, len(values), PART))


def sums(values: Array) -> tuple[float, float]:
    """The sums of the values and of their squares, in float64."""
    total = squares = 0.0
    for part in parts_of(values):
        wide = part.astype(np.float64)
        total += float(wide.sum())
        squares += float(np.dot(wide, wide))
    return total, squares


def counted(values: Array, bins: Bins) -> tuple[Array, Array]:
    """The counts of the buckets and their edges, without the empty buckets at both ends."""
    if isinstance(bins, int):
        return equal_buckets(values, bins)
    counts, edges = np.histogram(values, tensorflow_edges() if isinstance(bins, str) and bins == "tensorflow" else bins)
    filled = np.flatnonzero(counts)
    if not filled.size:
        raise ValueError("add_histogram: no value lies in a bucket")
    first, last = filled[0], filled[-1]
    return counts[first : last + 1], edges[first : last + 2]


def equal_buckets(values: Array, bins: int) -> tuple[Array, Array]:
    """The counts of so many buckets of equal width, from the least value to the greatest. As np.histogram, but for
    values on an edge, which rounding may count on its other side; it takes a fifth of the time."""
    low, high = float(values.min()), float(values.max())
    if not high - low > 1e-300:
        low, high = low - 0.5, high + 0.5
    if not 1e-30 < high - low < 1e30:
        values = values.astype(np.float64)  # float32 has no such factor
    begin, factor = values.dtype.type(low), values.dtype.type(bins / (high - low))
    counts = np.zeros(bins + 1, np.intp)
    for part in parts_of(values):
        counts += np.bincount(((part - begin) * factor).astype(np.intp), minlength=bins + 1)
    counts[-2] += counts[-1]  # the greatest value stands on the last edge
    return counts[:-1], np.linspace(low, high, bins + 1)


def merged(counts: Array, edges: Array, max_bins: int | None) -> tuple[Array, Array]:
    """At most so many buckets: neighbours are added up."""
    if max_bins is None or len(counts) <= max_bins:
        return counts, edges
    width = -(-len(counts) // max_bins)
    starts = np.arange(0, len(counts), width)
    return np.add.reduceat(counts, starts), edges[[*starts, len(counts)]]


# Images and text


def image(tag: str, pixels: Array) -> bytes:
    """A picture (H, W, 1, 3 or 4), see ``png``."""
    height, width, colours = pixels.shape
    message = integer(1, height) + integer(2, width) + integer(3, colours) + data(4, png(pixels))
    return data(1, tag) + data(4, message)


def png(pixels: Array) -> bytes:
    """A picture (H, W, C) of uint8 as a PNG file; C = 1 is grey, 3 red-green-blue, 4 with opacity.
    https://www.w3.org/TR/png/
    """
    height, width, colours = pixels.shape
    kind = {1: 0, 3: 2, 4: 6}[colours]
    rows = np.zeros((height, 1 + width * colours), np.uint8)  # each row begins with its filter, 0: none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, content) for name, content in chunks)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def text(tag: str, content: str) -> bytes:
    """A text, which TensorBoard reads as Markdown: a tensor of one string."""
    shape = data(2, integer(1, 1))
    tensor = integer(1, DT_STRING) + data(2, shape) + data(8, content)
    return data(1, tag) + data(8, tensor) + data(9, data(1, data(1, "text")))


# Hyperparameters: https://github.com/tensorflow/tensorboard/tree/master/tensorboard/plugins/hparams


def experiment(
    hparams: Mapping[str, Any], metrics: Iterable[str], domains: Mapping[str, Sequence[Any]] | None = None
) -> bytes:
    """Which hyperparameters and metrics there are; `domains` are all values that one may have."""
    infos = b"".join(
        data(4, data(1, name) + integer(4, type_of(value)) + domain((domains or {}).get(name)))
        for name, value in hparams.items()
    )
    wanted = b"".join(data(5, data(1, data(2, name))) for name in metrics)
    return plugin_value("_hparams_/experiment", data(2, infos + wanted))


def session_start(hparams: Mapping[str, Any], started: float) -> bytes:
    """The hyperparameters of this run."""
    pairs = b"".join(data(1, data(1, name) + data(2, json_value(value))) for name, value in hparams.items())
    return plugin_value("_hparams_/session_start_info", data(3, pairs + double(5, started)))


def session_end(ended: float, success: bool = True) -> bytes:
    """That the run is over."""
    status = SUCCESS if success else FAILURE
    return plugin_value("_hparams_/session_end_info", data(4, integer(1, status) + double(2, ended)))


def plugin_value(tag: str, content: bytes) -> bytes:
    """A value without numbers, whose content is for the plugin hparams."""
    return data(1, tag) + data(9, data(1, data(1, "hparams") + data(2, content)))


def domain(values: Sequence[Any] | None) -> bytes:
    return b"" if values is None else data(5, b"".join(data(1, json_value(value)) for value in values))


def type_of(value: Any) -> int:
    return BOOL if isinstance(value, bool) else FLOAT64 if isinstance(value, (int, float)) else STRING


def json_value(value: Any) -> bytes:
    """A google.protobuf.Value."""
    if isinstance(value, bool):
        return integer(4, value)
    return double(2, value) if isinstance(value, (int, float)) else data(3, str(value))
