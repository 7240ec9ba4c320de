"""TensorBoard's messages: events, and the summaries that they contain.

Field numbers are those of tensorflow/core/util/event.proto, tensorflow/core/framework/*.proto and
tensorboard/plugins/{hparams,custom_scalar}/*.proto.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.integrations.tensorboard.protobuf import data, double, doubles, integer, real

__all__ = [
    "custom_scalars",
    "event",
    "experiment",
    "histogram",
    "image",
    "png",
    "scalar",
    "session_end",
    "session_start",
    "text",
]

DT_STRING = 7
CHUNK = 16384
STRING, BOOL, FLOAT64 = 1, 2, 3  # hparams' DataType
SUCCESS, FAILURE = 1, 2  # hparams' Status
Layout = Mapping[str, Mapping[str, tuple[str, Sequence[str]]]]  # charts by name, by the name of their category
Bins = int | str | Sequence[float] | Array


def event(wall_time: float, step: int, content: bytes) -> bytes:
    """An Event; its content is a field: a summary, a graph or the file version."""
    return double(1, wall_time) + (integer(2, step) if step else b"") + content


def version() -> bytes:
    """The content of the first event of a file."""
    return data(3, "brain.Event:2")


def graph_content(graph: bytes) -> bytes:
    """The content of an event with a GraphDef."""
    return data(4, graph)


def summary(values: Iterable[bytes]) -> bytes:
    """The content of an event with a summary of values."""
    return data(5, b"".join(data(1, value) for value in values))


def scalar(tag: str, value: float) -> bytes:
    """A scalar value."""
    return data(1, tag) + real(2, value)


# Histograms


def tensorflow_edges() -> Array:
    """TensorFlow's edges: they grow by a tenth from 1e-12 to 1e20 on both sides of zero, with one last bucket for the
    rest."""
    count = int(np.ceil(np.log(1e32) / np.log(1.1)))
    positive = np.append(1e-12 * 1.1 ** np.arange(count), np.finfo(np.float64).max)
    return np.concatenate([-positive[::-1], [0.0], positive])


def histogram(tag: str, values: Array, bins: Bins = "tensorflow", max_bins: int | None = None) -> bytes:
    """The count of values in each bucket, see ``SummaryWriter.add_histogram``."""
    flat = np.asarray(values).reshape(-1)
    flat = flat.astype(np.float64 if flat.dtype.kind != "f" else flat.dtype, copy=False)
    if flat.size and not np.isfinite([flat.min(), flat.max()]).all():
        flat = flat[np.isfinite(flat)]
    if not flat.size:
        raise ValueError(f"add_histogram: {tag} has no finite values")
    total, squares = sum_and_sum_of_squares(flat)
    counts, edges = merge_buckets(*count_values(flat, bins), max_bins)
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


def chunks_of(values: Array) -> Iterator[Array]:
    """The values in chunks whose temporaries fit the cache, which is four times as fast."""
    return (values[i : i + CHUNK] for i in range(0, len(values), CHUNK))


def sum_and_sum_of_squares(values: Array) -> tuple[float, float]:
    """The sum of the values and the sum of their squares, in float64."""
    total = squares = 0.0
    for chunk in chunks_of(values):
        wide = chunk.astype(np.float64)
        total += float(wide.sum())
        squares += float(np.dot(wide, wide))
    return total, squares


def count_values(values: Array, bins: Bins) -> tuple[Array, Array]:
    """The counts of the buckets and their edges, without empty buckets at either end."""
    if isinstance(bins, int):
        return equal_buckets(values, bins)
    counts, edges = np.histogram(values, tensorflow_edges() if isinstance(bins, str) and bins == "tensorflow" else bins)
    nonempty = np.flatnonzero(counts)
    if not nonempty.size:
        raise ValueError("add_histogram: no value lies in a bucket")
    first, last = nonempty[0], nonempty[-1]
    return counts[first : last + 1], edges[first : last + 2]


def equal_buckets(values: Array, bins: int) -> tuple[Array, Array]:
    """The counts of `bins` buckets of equal width between the extremes. Like np.histogram in a fifth of the time, but
    rounding may count a value at an edge on the other side."""
    low, high = float(values.min()), float(values.max())
    if not high - low > 1e-300:
        low, high = low - 0.5, high + 0.5
    if not 1e-30 < high - low < 1e30:
        values = values.astype(np.float64)  # the factor would overflow in float32
    start, factor = values.dtype.type(low), values.dtype.type(bins / (high - low))
    counts = np.zeros(bins + 1, np.intp)
    for chunk in chunks_of(values):
        counts += np.bincount(((chunk - start) * factor).astype(np.intp), minlength=bins + 1)
    counts[-2] += counts[-1]  # the maximum lies on the last edge
    return counts[:-1], np.linspace(low, high, bins + 1)


def merge_buckets(counts: Array, edges: Array, max_bins: int | None) -> tuple[Array, Array]:
    """Merges neighboring buckets, so that at most `max_bins` remain."""
    if max_bins is None or len(counts) <= max_bins:
        return counts, edges
    width = -(-len(counts) // max_bins)
    starts = np.arange(0, len(counts), width)
    return np.add.reduceat(counts, starts), edges[[*starts, len(counts)]]


# Images and text


def image(tag: str, pixels: Array) -> bytes:
    """An image (H, W, C), see ``png``."""
    height, width, channels = pixels.shape
    message = integer(1, height) + integer(2, width) + integer(3, channels) + data(4, png(pixels))
    return data(1, tag) + data(4, message)


def png(pixels: Array) -> bytes:
    """A uint8 image (H, W, C) as a PNG file; C = 1 is grayscale, 3 is RGB, 4 is RGBA.
    https://www.w3.org/TR/png/
    """
    height, width, channels = pixels.shape
    kind = {1: 0, 3: 2, 4: 6}[channels]
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each row starts with its filter type; 0 is none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, content) for name, content in chunks)


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def text(tag: str, content: str) -> bytes:
    """A Markdown text: a tensor of one string."""
    return string_value(tag, "text", content, data(2, integer(1, 1)))


def string_value(tag: str, plugin: str, content: bytes | str, dimensions: bytes = b"") -> bytes:
    """A tensor of one string for a plugin; without dimensions it is a scalar."""
    tensor = integer(1, DT_STRING) + data(2, dimensions) + data(8, content)
    return data(1, tag) + data(8, tensor) + data(9, data(1, data(1, plugin)))


def custom_scalars(layout: Layout) -> bytes:
    """Which scalars are drawn in one chart, see ``SummaryWriter.add_custom_scalars``."""
    return string_value("custom_scalars__config__", "custom_scalars", b"".join(map(category, layout.items())))


def category(named: tuple[str, Mapping[str, tuple[str, Sequence[str]]]]) -> bytes:
    """A Category of charts."""
    title, charts = named
    return data(2, data(1, title) + b"".join(data(2, chart(name, *of)) for name, of in charts.items()))


def chart(title: str, kind: str, tags: Sequence[str]) -> bytes:
    """A Chart of lines, or of a line between two others."""
    if kind == "Multiline":
        return data(1, title) + data(2, b"".join(data(1, tag) for tag in tags))
    if kind == "Margin" and len(tags) == 3:
        value, lower, upper = tags
        return data(1, title) + data(3, data(1, data(1, value) + data(2, lower) + data(3, upper)))
    raise ValueError(
        f"add_custom_scalars: chart {title!r} must be ('Multiline', tags) or ('Margin', [value, lower, upper]), got "
        f"{(kind, tags)!r}"
    )


# Hyperparameters: https://github.com/tensorflow/tensorboard/tree/master/tensorboard/plugins/hparams


def experiment(
    hparams: Mapping[str, Any], metrics: Iterable[str], domains: Mapping[str, Sequence[Any]] | None = None
) -> bytes:
    """The names of hyperparameters and metrics; `domains` lists all values that a hyperparameter can have."""
    infos = b"".join(
        data(4, data(1, name) + integer(4, type_of(value)) + domain((domains or {}).get(name)))
        for name, value in hparams.items()
    )
    metric_infos = b"".join(data(5, data(1, data(2, name))) for name in metrics)
    return plugin_value("_hparams_/experiment", data(2, infos + metric_infos))


def session_start(hparams: Mapping[str, Any], started: float) -> bytes:
    """The hyperparameters of a run."""
    pairs = b"".join(data(1, data(1, name) + data(2, json_value(value))) for name, value in hparams.items())
    return plugin_value("_hparams_/session_start_info", data(3, pairs + double(5, started)))


def session_end(ended: float, success: bool = True) -> bytes:
    """The end of a run."""
    status = SUCCESS if success else FAILURE
    return plugin_value("_hparams_/session_end_info", data(4, integer(1, status) + double(2, ended)))


def plugin_value(tag: str, content: bytes) -> bytes:
    """A value without data, whose content is for the hparams plugin."""
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
