"""SummaryWriter: writes event files for TensorBoard, with the methods of ``torch.utils.tensorboard``."""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._files import append
from cygrad._typing import Array
from cygrad.integrations.tensorboard import plugins, summary
from cygrad.integrations.tensorboard.graph import graph_def, trace_boxes
from cygrad.integrations.tensorboard.projector import save_embedding
from cygrad.integrations.tensorboard.tfrecord import record
from cygrad.nn.module import Module
from cygrad.tensor import Tensor

__all__ = ["SummaryWriter"]

FILE_NUMBERS = itertools.count()  # within this process


class SummaryWriter:
    """Writes an event file, which ``tensorboard --logdir runs`` shows.

    The methods have PyTorch's names and arguments. In all of them `global_step` is an int (default 0), and `walltime`
    is in seconds since 1970 (default: now). Events are queued, and written when the queue is full, after `flush_secs`
    seconds, and by ``flush`` and ``close``. As a context manager the writer closes itself.

    Args:
        log_dir: the folder to write to. Default: a new folder in ``runs``.
        comment: suffix of the default folder's name.
        purge_step: hide events from this step on that earlier files in the folder contain.
        max_queue: largest number of queued events.
        flush_secs: largest number of seconds between two writes.
        filename_suffix: suffix of the file's name.

    Raises:
        OSError: the file cannot be written.

    Example:
        >>> import os, tempfile
        >>> from cygrad.integrations.tensorboard import SummaryWriter
        >>> folder = tempfile.mkdtemp()
        >>> with SummaryWriter(folder) as writer:
        ...     writer.add_scalar("loss", 0.5, global_step=1)
        >>> os.listdir(folder)
        ['events.out.tfevents...']

    https://docs.pytorch.org/docs/stable/tensorboard.html
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
        self._suffix = filename_suffix
        self.forget_other_threads()
        kernels.in_child(self.forget_other_threads)
        self._chart_writers: dict[str, SummaryWriter] = {}  # of add_scalars, by folder
        self._open(purge_step)

    def _open(self, purge_step: int | None = None) -> None:
        """Begins a file."""
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(FILE_NUMBERS)}"
        self._path = os.path.join(self.log_dir, name + self._suffix)
        self._due = time.monotonic() + self.flush_secs
        self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115 # until close
        try:
            self._add(summary.version(), 0, None)
            if purge_step is not None:
                self._add(data_restart(), purge_step, None)
            self.flush()
        except OSError:
            self._file.close()
            os.unlink(self._path)  # it is empty
            raise

    def forget_other_threads(self) -> None:
        """Called in a forked child too, whose parent writes what is queued."""
        self._lock = threading.RLock()
        self._queue: list[bytes] = []

    def get_logdir(self) -> str:
        """Returns the folder."""
        return self.log_dir

    # Adding events

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: int | None = None, walltime: float | None = None, **_: Any
    ) -> None:
        """Adds a scalar: a number, or a tensor or array with one element."""
        self.add_values([summary.scalar(tag, to_float(scalar_value))], global_step, walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Adds several scalars that TensorBoard draws in one chart. Each is written as a run in a subfolder."""
        for tag, value in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, f"{main_tag.replace('/', '_')}_{tag}")
            if folder not in self._chart_writers:
                self._chart_writers[folder] = SummaryWriter(
                    folder, max_queue=self.max_queue, flush_secs=self.flush_secs
                )
            self._chart_writers[folder].add_scalar(main_tag, value, global_step, walltime)

    def add_custom_scalars(self, layout: summary.Layout) -> None:
        """Says which scalars the tab "Custom Scalars" draws in one chart; once for each writer.

        Args:
            layout: by category and chart, ``["Multiline", tags]``, or ``["Margin", [value, lower, upper]]`` for a line
                between two others. Tags of lines are regular expressions for the beginning of a tag.

        Raises:
            ValueError: another kind of chart.
        """
        self.add_values([summary.custom_scalars(layout)])

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: int | None = None,
        bins: summary.Bins = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Adds a histogram of the finite elements of a tensor or array.

        Args:
            tag: name of the histogram.
            values: tensor or array of any shape.
            global_step: the step.
            bins: number of buckets of equal width, "tensorflow" (each bucket a tenth wider than the one before), the
                edges, or a method name of ``numpy.histogram``.
            walltime: the time.
            max_bins: largest number of buckets; neighbors are merged.

        Raises:
            ValueError: `values` has no finite elements, or none within the edges.
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
        """Adds an image with 1, 3 or 4 channels.

        Args:
            tag: name of the image.
            img_tensor: uint8, or floats from 0 to 1.
            global_step: the step.
            walltime: the time.
            dataformats: the order of axes, "CHW", "HWC" or "HW".

        Raises:
            ValueError: an invalid order of axes or number of channels.
        """
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
        """Adds several images of equal size as one image, eight per row.

        Args:
            tag: name of the image.
            img_tensor: uint8, or floats from 0 to 1.
            global_step: the step.
            walltime: the time.
            dataformats: the order of axes, "NCHW", "NHWC" or "NHW".

        Raises:
            ValueError: an invalid order of axes or number of channels.
        """
        pixels = grid(pixels_of("add_images", array_of(img_tensor), dataformats, "NHWC"))
        self.add_values([summary.image(tag, pixels)], global_step, walltime)

    def add_text(
        self, tag: str, text_string: str, global_step: int | None = None, walltime: float | None = None
    ) -> None:
        """Adds a Markdown text."""
        self.add_values([summary.text(tag, text_string)], global_step, walltime)

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: int | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Adds a picture of a figure of Matplotlib, or of each in a list.

        Args:
            tag: name of the image.
            figure: the figure, or a list of figures of one size.
            global_step: the step.
            close: whether to close the figures.
            walltime: the time.
        """
        figures = figure if isinstance(figure, list) else [figure]
        self.add_images(tag, np.stack([drawn(each, close) for each in figures]), global_step, walltime, "NHWC")

    def add_pr_curve(
        self,
        tag: str,
        labels: Any,
        predictions: Any,
        global_step: int | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Adds a precision-recall curve of a binary classifier.

        Args:
            tag: name of the curve.
            labels: whether each item is positive.
            predictions: its probability, in [0, 1].
            global_step: the step.
            num_thresholds: the number of thresholds, at most 127.
            weights: of the items, default 1.
            walltime: the time.

        Raises:
            ValueError: a prediction lies outside of [0, 1].
        """
        weight = None if weights is None else array_of(weights)
        rows = plugins.pr_curve_of(array_of(labels), array_of(predictions), num_thresholds, weight)
        self.add_values([plugins.pr_curve(tag, rows)], global_step, walltime)

    def add_audio(
        self,
        tag: str,
        snd_tensor: Any,
        global_step: int | None = None,
        sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:
        """Adds a sound.

        Args:
            tag: name of the sound.
            snd_tensor: samples of one channel, from −1 to 1.
            global_step: the step.
            sample_rate: samples per second.
            walltime: the time.

        Raises:
            ValueError: there is more than one channel.
        """
        self.add_values([plugins.audio(tag, array_of(snd_tensor), sample_rate)], global_step, walltime)

    def add_tensor(self, tag: str, tensor: Any, global_step: int | None = None, walltime: float | None = None) -> None:
        """Adds a tensor, for programs that read the file."""
        self.add_values([plugins.tensor(tag, array_of(tensor))], global_step, walltime)

    def add_custom_scalars_multilinechart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Adds one chart of several scalars."""
        self.add_custom_scalars({category: {title: ("Multiline", tags)}})

    def add_custom_scalars_marginchart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Adds one chart of a scalar with a lower and an upper bound."""
        self.add_custom_scalars({category: {title: ("Margin", tags)}})

    def add_embedding(
        self,
        mat: Any,
        metadata: Sequence[Any] | None = None,
        label_img: Any = None,
        global_step: int | None = None,
        tag: str = "default",
        metadata_header: Sequence[str] | None = None,
    ) -> None:
        """Adds vectors for the projector.

        Args:
            mat: shape (N, D).
            metadata: N labels, or rows of several labels if there is a header.
            label_img: N images, shape (N, C, H, W).
            global_step: the step.
            tag: name of the embedding.
            metadata_header: the names of several labels.

        Raises:
            ValueError: the sizes differ.
        """
        images = None
        if label_img is not None:
            pixels = pixels_of("add_embedding", array_of(label_img), "NCHW", "NHWC")
            images = np.repeat(pixels, 3, -1) if pixels.shape[-1] == 1 else pixels[..., :3]
        save_embedding(self.log_dir, tag, int(global_step or 0), array_of(mat), metadata, metadata_header, images)

    def add_graph(self, model: Module, input_to_model: Any = None, verbose: bool = False) -> None:
        """Adds the graph of a forward pass: every operation, in boxes that stand for modules.

        Args:
            model: a module; it is copied and does not change.
            input_to_model: a tensor, an array, or a tuple of several.
            verbose: print every operation.

        Raises:
            ValueError: `input_to_model` is missing, or the output depends on neither a parameter nor a float input.
        """
        if input_to_model is None:
            raise ValueError("add_graph: input_to_model is required, because the graph is recorded in a forward pass")
        inputs = input_to_model if isinstance(input_to_model, (tuple, list)) else (input_to_model,)
        boxes = trace_boxes(model, tuple(inputs))
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
        """Adds a run to the table of hyperparameters.

        Args:
            hparam_dict: hyperparameters, each a bool, int, float or str.
            metric_dict: the metrics of the run.
            hparam_domain_discrete: all values that a hyperparameter can have, by name.
            run_name: folder of the run in ``log_dir``, "." for ``log_dir`` itself. Default: the time.
            global_step: the step of the metrics.
        """
        folder = os.path.join(self.log_dir, run_name or str(time.time()))
        same_folder = os.path.realpath(folder) == os.path.realpath(self.log_dir)
        writer = self if same_folder else SummaryWriter(folder)
        writer.add_session(hparam_dict, metric_dict, hparam_domain_discrete)
        for tag, value in metric_dict.items():
            writer.add_scalar(tag, value, global_step)
        writer.flush() if same_folder else writer.close()

    def add_session(
        self,
        hparams: Mapping[str, Any],
        metrics: Iterable[str],
        domains: Mapping[str, Sequence[Any]] | None = None,
        success: bool = True,
    ) -> None:
        """Adds this run to the table of hyperparameters, with metrics that it has already written.

        Args:
            hparams: hyperparameters, each a bool, int, float or str.
            metrics: tags of scalars.
            domains: all values that a hyperparameter can have, by name.
            success: whether the run succeeded.
        """
        now = time.time()
        self.add_values([summary.experiment(hparams, metrics, domains)])
        self.add_values([summary.session_start(hparams, now)])
        self.add_values([summary.session_end(now, success)])

    def add_values(
        self, values: Iterable[bytes], global_step: int | None = None, walltime: float | None = None
    ) -> None:
        """Adds several messages of ``cygrad.integrations.tensorboard.summary`` as one event."""
        self._add(summary.summary(values), global_step, walltime)

    # The file

    def _add(self, content: bytes, step: int | None, wall_time: float | None) -> None:
        framed = record(summary.event(time.time() if wall_time is None else wall_time, int(step or 0), content))
        with self._lock:
            if self._file.closed:
                self._open()
            self._queue.append(framed)
            if len(self._queue) >= self.max_queue or time.monotonic() > self._due:
                self._write()

    def _write(self) -> None:
        """Writes the queue. If the disk is full, the queue is kept, and the file ends with a complete record."""
        append(self._file, b"".join(self._queue))
        self._queue.clear()
        self._due = time.monotonic() + self.flush_secs

    def flush(self) -> None:
        """Writes the queue."""
        with self._lock:
            if not self._file.closed and self._queue:
                self._write()
        for writer in self._chart_writers.values():
            writer.flush()

    def close(self) -> None:
        """Writes the queue and closes the file. What is added later is in another file of the folder."""
        try:
            self.flush()
        finally:
            self._file.close()
            for writer in self._chart_writers.values():
                writer.close()

    def discard(self) -> None:
        """Closes the file without writing the queue."""
        with self._lock:
            self._queue.clear()
        self.close()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def data_restart() -> bytes:
    """The content of an event that hides earlier events of its step and later ones: SessionLog's START."""
    from cygrad.integrations.tensorboard.protobuf import data, integer

    return data(7, integer(1, 1))


def default_folder(comment: str) -> str:
    """A folder in ``runs``, named after the time and the machine."""
    return os.path.join("runs", f"{time.strftime('%b%d_%H-%M-%S')}_{socket.gethostname()}{comment}")


def array_of(value: Any) -> Array:
    return value.array if isinstance(value, Tensor) else np.asarray(value)


def drawn(figure: Any, close: bool) -> Array:
    """A figure of Matplotlib as uint8 pixels (H, W, 3)."""
    from matplotlib import pyplot
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    if close:
        pyplot.close(figure)
    return pixels


def to_float(value: Any) -> float:
    """A number, or the first element of a tensor or array."""
    return float(array_of(value).reshape(-1)[0])


# Images


def pixels_of(op: str, array: Array, axes: str, target: str) -> Array:
    """An image as uint8 with its axes in the order `target`; a missing axis C is added."""
    names = axes.upper()
    if len(names) != array.ndim or sorted({*names, "C"}) != sorted(target) or len(set(names)) < len(names):
        raise ValueError(f"{op}: dataformats {axes!r} does not name the axes of shape {array.shape}")
    if "C" not in names:
        array, names = array[..., None], names + "C"
    array = np.transpose(array, [names.index(name) for name in target])
    if array.shape[-1] not in (1, 3, 4) or not array.size:
        raise ValueError(f"{op}: images must have 1, 3 or 4 channels, got {array.shape[-1]} in shape {array.shape}")
    if array.dtype == np.uint8:
        return array
    return np.rint(np.clip(np.nan_to_num(array.astype(np.float64)), 0, 1) * 255).astype(np.uint8)


def grid(images: Array, columns: int = 8) -> Array:
    """Images (N, H, W, C) as one image, with two pixels between them."""
    n, height, width, channels = images.shape
    columns = min(n, columns)
    rows = -(-n // columns)
    result = np.zeros((rows * (height + 2) - 2, columns * (width + 2) - 2, channels), np.uint8)
    for i, image in enumerate(images):
        y, x = (i // columns) * (height + 2), (i % columns) * (width + 2)
        result[y : y + height, x : x + width] = image
    return result
