"""The folder of a run: weights, configuration and metrics."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Sequence
from typing import Any

from cygrad import serialization
from cygrad._files import atomic_write
from cygrad.runs.image_run import ImageConfig, ImageRun
from cygrad.runs.protocols import Run
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

    Each file is written completely or not at all.

    Args:
        folder: created if it does not exist.
        run: model and configuration.
        records: of the epochs, see ``cygrad.train.History``.

    Raises:
        OSError: if the folder or a file can't be written.
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
    serialization.save(run.model.state_dict(), os.path.join(folder, WEIGHTS))
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = [[repr(record.get(name, math.nan)) for name in names] for record in records]
    lines = [",".join(line) + "\n" for line in ([names, *rows] if rows else [])]
    write_text(os.path.join(folder, METRICS), "".join(lines))
    write_text(os.path.join(folder, CONFIG), json.dumps(run.config.to_dict(), indent=2) + "\n")


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
        A ``TableRun`` if the run was trained on a table, else an ``ImageRun``.

    Raises:
        FileNotFoundError: if the folder is not a complete run.
        ValueError: if a file is corrupt, has another version's format, or the weights do not fit the network.
    """
    name = os.fspath(folder)
    if not os.path.isfile(os.path.join(name, CONFIG)):
        unfinished = os.path.isfile(os.path.join(name, JOB))
        hint = f"; its training is unfinished, continue with: cygrad resume {name}" if unfinished else ""
        raise FileNotFoundError(f"runs.load: {name} is not a run folder: {CONFIG} is missing{hint}")
    config = read_config(os.path.join(name, CONFIG))
    path = os.path.join(name, WEIGHTS)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"runs.load: {name} is not a run folder: {WEIGHTS} is missing")
    model = config.network()
    try:
        model.load_state_dict(serialization.load(path))
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"runs.load: the weights in {path} do not fit the network ({error})") from None
    model.eval()
    return TableRun(model, config) if isinstance(config, TableConfig) else ImageRun(model, config)


def read_config(path: str) -> ImageConfig | TableConfig:
    """Read ``config.json``; its ``kind`` tells tables from images."""
    content = read_json("runs.load", path)
    try:
        return TableConfig.from_dict(content) if content.get("kind") == "table" else ImageConfig.from_dict(content)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"runs.load: {path} is corrupt ({error})") from None


def read_json(op: str, path: str) -> dict[str, Any]:
    """Read a JSON object of this version's format, or raise ValueError in the name of `op`."""
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
            if not isinstance(content, dict):
                raise ValueError(f"expected an object, got a {type(content).__name__}")
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{op}: {path} is corrupt ({error})") from None
    if content.get("format", FORMAT) != FORMAT:
        written = f"format {content['format']!r}, written by cygrad {content.get('version')}"
        raise ValueError(f"{op}: {path} has {written}, but this version reads format {FORMAT}")
    return content
