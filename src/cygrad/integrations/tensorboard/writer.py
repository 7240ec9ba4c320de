"""SummaryWriter: event files for TensorBoard, under the names of ``torch.utils.tensorboard``."""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.integrations.tensorboard import summary
from cygrad.integrations.tensorboard.graph import graph_def, trace
from cygrad.integrations.tensorboard.tfrecord import record
from cygrad.nn.module import Module
from cygrad.tensor import Tensor

__all__ = ["SummaryWriter"]

NUMBERS = itertools.count()  # of the files of this process


class SummaryWriter:
    """Writes an event file in `log_dir`, which TensorBoard shows: ``tensorboard --logdir runs``. Without `log_dir` it
    is a new folder in ``runs``, with `comment` at the end of its name.

    The methods have PyTorch's names and arguments. Events are gathered, and written when there are `max_queue` of
    them, after `flush_secs` seconds, by ``flush`` and by ``close``. As a context manager it closes the file in the end.
    Every `global_step` is an int; without one it is 0. `walltime` is in seconds since 1970; without one it is now.

    Raises OSError where the file can't be written.

    >>> import os, tempfile
    >>> from cygrad.integrations.tensorboard import SummaryWriter
    >>> folder = tempfile.mkdtemp()
    >>> with SummaryWriter(folder) as writer:
    ...     writer.add_scalar("loss", 0.5, global_step=1)
    >>> os.listdir(folder)
    ['events.out.tfevents...']
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 1000,
        flush_secs: float = 120,
        filename_suffix: str = "",
    ) -> None:
        self.log_dir = os.fspath(log_dir) if log_dir else default_folder(comment)
        self.max_queue = max_queue
        self.flush_secs = flush_secs
        os.makedirs(self.log_dir, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(NUMBERS)}"
        self._path = os.path.join(self.log_dir, name + filename_suffix)
        self._lock = threading.Lock()
        self._waiting: list[bytes] = []
        self._due = time.monotonic() + flush_secs
        self._parts: dict[str, SummaryWriter] = {}
        self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115 # until close
        self._add(summary.version(), 0, None)
        if purge_step is not None:
            self._add(data_restart(), purge_step, None)
        self.flush()

    def get_logdir(self) -> str:
        """The folder."""
        return self.log_dir

    # What is added

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: int | None = None, walltime: float | None = None, **_: Any
    ) -> None:
        """Adds one number."""
        self.add_values([summary.scalar(tag, number(scalar_value))], global_step, walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Adds several numbers that TensorBoard draws in one chart: each is a run of its own, in a folder below."""
        for tag, value in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, f"{main_tag.replace('/', '_')}_{tag}")
            if folder not in self._parts:
                self._parts[folder] = SummaryWriter(folder, max_queue=self.max_queue, flush_secs=self.flush_secs)
            self._parts[folder].add_scalar(main_tag, value, global_step, walltime)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: int | None = None,
        bins: summary.Bins = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Adds how the numbers of a tensor or an array are distributed; NaN and infinities are left out.

        `bins` is the number of buckets of equal width, "tensorflow" (they grow by a tenth from one to the next), the
        edges, or one of NumPy's names; `max_bins` a bound of their number. Raises ValueError where no number is finite.
        """
        content = summary.histogram(tag, array_of(values), bins, max_bins)
        self.add_values([content], global_step, walltime)

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Adds a picture of 1, 3 or 4 channels: uint8, or floats from 0 to 1. `dataformats` names the axes: "CHW",
        "HWC" or "HW". Raises ValueError for other axes or channels."""
        pixels = pixels_of("add_image", array_of(img_tensor), dataformats, "HWC")
        self.add_values([summary.image(tag, pixels)], global_step, walltime)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Adds several pictures of one size as one, eight a row. `dataformats`: "NCHW", "NHWC" or "NHW"."""
        pixels = grid(pixels_of("add_images", array_of(img_tensor), dataformats, "NHWC"))
        self.add_values([summary.image(tag, pixels)], global_step, walltime)

    def add_text(
        self, tag: str, text_string: str, global_step: int | None = None, walltime: float | None = None
    ) -> None:
        """Adds a text in Markdown."""
        self.add_values([summary.text(tag, text_string)], global_step, walltime)

    def add_graph(self, model: Module, input_to_model: Any = None, verbose: bool = False) -> None:
        """Adds the graph of one forward pass for `input_to_model`, a tensor, an array or a tuple of them: every
        operation, in boxes that are the modules. The model stays as it is. Raises ValueError without an input."""
        if input_to_model is None:
            raise ValueError("add_graph: input_to_model must be given, the graph is that of a forward pass")
        inputs = input_to_model if isinstance(input_to_model, (tuple, list)) else (input_to_model,)
        boxes = trace(model, tuple(inputs))
        if verbose:
            print("\n".join(f"{box.name}: {box.op} of {', '.join(box.inputs) or 'nothing'}" for box in boxes))
        self._add(summary.graph_content(graph_def(boxes)), None, None)

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Mapping[str, Sequence[Any]] | None = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """Adds a row to the table of hyperparameters (bool, int, float or str) and of the metrics that they led to.
        It is a run of its own in the folder `run_name`, "." for this one; else one named by the time."""
        folder = os.path.join(self.log_dir, run_name or str(time.time()))
        own = os.path.realpath(folder) == os.path.realpath(self.log_dir)
        writer = self if own else SummaryWriter(folder)
        writer.add_session(hparam_dict, metric_dict, hparam_domain_discrete)
        for tag, value in metric_dict.items():
            writer.add_scalar(tag, value, global_step)
        writer.flush() if own else writer.close()

    def add_session(
        self,
        hparams: Mapping[str, Any],
        metrics: Iterable[str],
        domains: Mapping[str, Sequence[Any]] | None = None,
        success: bool = True,
    ) -> None:
        """Adds a row to the table of hyperparameters for this run, whose metrics are scalars that it has already;
        `success` tells whether it ended well."""
        now = time.time()
        self.add_values([summary.experiment(hparams, metrics, domains)])
        self.add_values([summary.session_start(hparams, now)])
        self.add_values([summary.session_end(now, success)])

    def add_values(
        self, values: Iterable[bytes], global_step: int | None = None, walltime: float | None = None
    ) -> None:
        """Adds messages of ``cygrad.integrations.tensorboard.summary``, all of them as one event."""
        self._add(summary.summary(values), global_step, walltime)

    # The file

    def _add(self, content: bytes, step: int | None, wall_time: float | None) -> None:
        framed = record(summary.event(time.time() if wall_time is None else wall_time, int(step or 0), content))
        with self._lock:
            if self._file.closed:
                raise ValueError(f"SummaryWriter: {self._path} is closed")
            self._waiting.append(framed)
            if len(self._waiting) >= self.max_queue or time.monotonic() > self._due:
                self._write()

    def _write(self) -> None:
        """Writes what waits; where the disk is full it waits on, and the file ends with a whole record."""
        data = b"".join(self._waiting)
        end = self._file.tell()
        try:
            written = self._file.write(data)
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError:
            self._file.truncate(end)
            self._file.seek(end)
            raise
        self._waiting.clear()
        self._due = time.monotonic() + self.flush_secs

    def flush(self) -> None:
        """Writes what waits."""
        with self._lock:
            if not self._file.closed and self._waiting:
                self._write()
        for part in self._parts.values():
            part.flush()

    def close(self) -> None:
        """Writes what waits and closes the file."""
        try:
            self.flush()
        finally:
            self._file.close()
            for part in self._parts.values():
                part.close()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def data_restart() -> bytes:
    """The content of an event, SessionLog's START, after which those of its step and later that are there do not
    count."""
    from cygrad.integrations.tensorboard.protobuf import data, integer

    return data(7, integer(1, 1))


def default_folder(comment: str) -> str:
    """A folder in ``runs``, named by the time and the machine."""
    return os.path.join("runs", f"{time.strftime('%b%d_%H-%M-%S')}_{socket.gethostname()}{comment}")


def array_of(value: Any) -> Array:
    return value.array if isinstance(value, Tensor) else np.asarray(value)


def number(value: Any) -> float:
    """A number, or a tensor or an array of one."""
    return float(array_of(value).reshape(-1)[0]) if np.ndim(array_of(value)) else float(array_of(value))


# Pictures


def pixels_of(op: str, array: Array, axes: str, wanted: str) -> Array:
    """The picture as uint8 with its axes in the order wanted; an axis C that is missing has one channel."""
    names = axes.upper()
    if len(names) != array.ndim or sorted({*names, "C"}) != sorted(wanted) or len(set(names)) < len(names):
        raise ValueError(f"{op}: dataformats {axes!r} does not name the axes of shape {array.shape}")
    if "C" not in names:
        array, names = array[..., None], names + "C"
    array = np.transpose(array, [names.index(name) for name in wanted])
    if array.shape[-1] not in (1, 3, 4) or not array.size:
        raise ValueError(f"{op}: wanted pictures of 1, 3 or 4 channels, got {array.shape[-1]} in {array.shape}")
    if array.dtype == np.uint8:
        return array
    return np.rint(np.clip(np.nan_to_num(array.astype(np.float64)), 0, 1) * 255).astype(np.uint8)


def grid(pictures: Array, columns: int = 8) -> Array:
    """Pictures (N, H, W, C) as one, with lines of two pixels between them."""
    n, height, width, colours = pictures.shape
    columns = min(n, columns)
    rows = -(-n // columns)
    result = np.zeros((rows * (height + 2) - 2, columns * (width + 2) - 2, colours), np.uint8)
    for i, picture in enumerate(pictures):
        y, x = (i // columns) * (height + 2), (i % columns) * (width + 2)
        result[y : y + height, x : x + width] = picture
    return result
