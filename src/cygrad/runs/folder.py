"""The folder of a run: weights, configuration and metrics."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from cygrad import _files, serialization
from cygrad._files import atomic_write, one_line, open_file
from cygrad._folders import commit, committed, digest, locked, read_stable
from cygrad.nn.modules.factory import allowance
from cygrad.nn.state import count_elements
from cygrad.runs.image_run import ImageConfig, ImageRun
from cygrad.runs.protocols import Run
from cygrad.runs.series_run import SeriesConfig, SeriesRun
from cygrad.runs.table_run import TableConfig, TableRun
from cygrad.train.history import Record

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "JOB",
    "METRICS",
    "WEIGHTS",
    "load",
    "prepare_folder",
    "read_json",
    "save",
    "save_locked",
    "write_text",
]

WEIGHTS, CONFIG, METRICS = "weights.npz", "config.json", "metrics.csv"
JOB, CHECKPOINT = "training.json", "checkpoint.npz"  # while the training is unfinished
FORMAT = 1


def prepare_folder(folder: str | os.PathLike[str]) -> None:
    """Create the folder of a run, or check that files can be written to an existing one.

    Raises:
        OSError: if the folder can't be created or written to.
        ValueError: if it contains files but is not the folder of a run.
    """
    name = os.fspath(folder)
    try:
        os.makedirs(name, exist_ok=True)
        entries = set(os.listdir(name))
    except OSError as error:
        raise OSError(error.errno, f"runs.save: {name} can't be created as a folder ({error.strerror})") from None
    others = [entry for entry in entries - {WEIGHTS, METRICS} if not entry.startswith(".")]
    if others and not entries & {CONFIG, JOB}:
        raise ValueError(f"runs.save: {name} contains other files and is not a run folder; nothing was written")
    try:
        with tempfile.TemporaryFile(dir=name) as probe:  # leaves nothing behind, even if the process is killed
            probe.write(b"\n")
    except OSError as error:
        raise OSError(error.errno, f"runs.save: {name} can't be written ({error.strerror})") from None


def save(folder: str | os.PathLike[str], run: Run, records: Sequence[Record] = ()) -> None:
    """Save a run: ``weights.npz``, ``config.json``, and ``metrics.csv`` with one line per epoch.

    The files are replaced together: whenever the process is killed, the folder holds the old run or the new one.

    Args:
        folder: created if it does not exist.
        run: model and configuration.
        records: of the epochs, see ``cygrad.train.History``.

    Raises:
        OSError: if the folder or a file can't be written, or another process is training in the folder.
        ValueError: if the folder contains other files.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> config = cg.runs.ImageConfig([4, 8, 2], 0.0, mean=0.0, std=1.0, classes=[0, 1], version=cg.__version__)
        >>> run = cg.runs.ImageRun(config.network(), config)
        >>> cg.runs.save(folder, run)
        >>> x = np.ones((3, 4), np.float32)
        >>> bool((cg.runs.load(folder).scores(x) == run.scores(x)).all())
        True
    """
    prepare_folder(folder)
    with locked("runs.save", os.fspath(folder)):
        save_locked(folder, run, records)


def save_locked(folder: str | os.PathLike[str], run: Run, records: Sequence[Record] = ()) -> None:
    """``save``, for a folder that this process has prepared and locked."""
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = [[repr(record.get(name, math.nan)) for name in names] for record in records]
    lines = [",".join(line) + "\n" for line in ([names, *rows] if rows else [])]
    with commit("runs.save", os.fspath(folder)) as new:
        weights = os.path.join(new, WEIGHTS)
        serialization.save(run.model.state_dict(), weights)
        with open_file("runs.save", weights) as file:
            content = {**run.config.to_dict(), "weights_sha256": digest(file)}
        write_text(os.path.join(new, METRICS), "".join(lines))
        write_text(os.path.join(new, CONFIG), json.dumps(content, indent=2) + "\n")


def write_text(path: str, text: str) -> None:
    """Write a text file, replacing an existing one."""
    with atomic_write("runs.save", path) as file:
        file.write(text.encode())


def load(folder: str | os.PathLike[str]) -> Run:
    """Load a run that ``save`` wrote, its model in evaluation mode.

    Loading runs no code from the folder.

    Args:
        folder: the run's folder.

    Returns:
        A ``TableRun`` if the run was trained on a table, a ``SeriesRun`` if it forecasts one, else an ``ImageRun``.

    Raises:
        FileNotFoundError: if the folder is not a complete run.
        ValueError: if a file is corrupt, has another version's format, or the weights do not fit the network.
    """
    name = os.fspath(folder)
    return read_stable(name, (CONFIG, WEIGHTS), lambda: read_run(name))


def read_run(folder: str) -> Run:
    """Read a run. If another process saves one meanwhile, files may be missing or not belong together."""
    for name in CONFIG, WEIGHTS:
        if not os.path.isfile(committed(folder, name)):
            unfinished = name == CONFIG and os.path.isfile(os.path.join(folder, JOB))
            hint = f"; its training is unfinished, continue with: cygrad resume {folder}" if unfinished else ""
            raise FileNotFoundError(f"runs.load: {folder} is not a run folder: {name} is missing{hint}")
    path = committed(folder, WEIGHTS)
    content = read_json("runs.load", committed(folder, CONFIG))
    with open_file("load", path) as file:
        weights, checksum = serialization.load_open(file, path), digest(file)
    elements = count_elements(weights)
    with allowance(elements):
        config = parse_config(content, os.path.join(folder, CONFIG))
    try:
        with allowance(elements):
            model = config.network()
        model.load_state_dict(weights)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"runs.load: the weights in {path} do not fit the network ({one_line(error)})") from None
    if config.weights_sha256 and checksum != config.weights_sha256:
        raise ValueError(f"runs.load: {folder} is damaged: {WEIGHTS} is not the file that {CONFIG} was saved with")
    model.eval()
    if isinstance(config, TableConfig):
        return TableRun(model, config)
    return SeriesRun(model, config) if isinstance(config, SeriesConfig) else ImageRun(model, config)


def parse_config(content: Mapping[str, Any], path: str) -> ImageConfig | TableConfig | SeriesConfig:
    """The configuration in ``config.json``, whose ``kind`` tells tables and series from images."""
    try:
        if content.get("kind") == "table":
            return TableConfig.from_dict(content)
        return SeriesConfig.from_dict(content) if content.get("kind") == "series" else ImageConfig.from_dict(content)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"runs.load: {path} is corrupt ({one_line(error)})") from None


def read_json(op: str, path: str) -> dict[str, Any]:
    """Read a JSON object of this version's format, or raise ValueError in the name of `op`."""
    try:
        content = _files.read_json(op, path)
        if not isinstance(content, dict):
            raise ValueError(f"expected an object, got a {type(content).__name__}")
    except ValueError as error:
        raise ValueError(f"{op}: {path} is corrupt ({one_line(error)})") from None
    if content.get("format", FORMAT) != FORMAT:
        written = f"format {content['format']!r}, written by cygrad {content.get('version')}"
        raise ValueError(f"{op}: {path} has {written}, but this version reads format {FORMAT}")
    return content
