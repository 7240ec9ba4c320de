"""A run on the disk: a folder with the weights, the configuration and the metrics."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cygrad import serialization
from cygrad._files import atomic_write
from cygrad.runs.image_run import ImageConfig, ImageRun
from cygrad.runs.table_run import TableConfig, TableRun
from cygrad.train.history import Record

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "JOB",
    "METRICS",
    "WEIGHTS",
    "AnyRun",
    "load",
    "prepare_folder",
    "read_json",
    "save",
    "write_text",
]

WEIGHTS, CONFIG, METRICS = "weights.npz", "config.json", "metrics.csv"
JOB, CHECKPOINT = "training.json", "checkpoint.npz"  # of a training that is not over
FORMAT = 1

AnyRun = ImageRun | TableRun


def prepare_folder(folder: str | os.PathLike[str]) -> None:
    """Makes the folder where it is missing, and sees that it takes files; OSError says in one sentence why
    not.

    A folder that holds other things than a run is refused with ValueError.
    """
    name = os.fspath(folder)
    try:
        os.makedirs(name, exist_ok=True)
        held = set(os.listdir(name))
    except OSError as error:
        raise OSError(error.errno, f"runs.save: {name} can't be made a folder ({error.strerror})") from None
    strange = [entry for entry in held - {WEIGHTS, METRICS} if not entry.startswith(".")]
    if strange and not held & {CONFIG, JOB}:
        raise ValueError(f"runs.save: {name} holds other things than a run, and stays as it is")
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=name) as probe:  # which a kill does not leave behind
            probe.write(b"\n")
    except OSError as error:
        raise OSError(error.errno, f"runs.save: {name} can't be written ({error.strerror})") from None


def save(folder: str | os.PathLike[str], run: AnyRun, records: Sequence[Record] = ()) -> None:
    """Writes ``weights.npz``, ``metrics.csv``, one line an epoch, and ``config.json``; each file whole or
    not at all.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> config = cg.runs.ImageConfig([4, 8, 2], 0.0, mean=0.0, std=1.0, classes=[0, 1], version=cg.__version__)
    >>> run = cg.runs.ImageRun(cg.train.mlp(config.sizes), config)
    >>> cg.runs.save(folder, run)
    >>> x = np.ones((3, 4), np.float32)
    >>> bool((cg.runs.load(folder).scores(x) == run.scores(x)).all())
    True
    """
    import json

    prepare_folder(folder)
    serialization.save(run.model.state_dict(), os.path.join(folder, WEIGHTS))
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = [[repr(record.get(name, math.nan)) for name in names] for record in records]
    lines = [",".join(line) + "\n" for line in ([names, *rows] if rows else [])]
    write_text(os.path.join(folder, METRICS), "".join(lines))
    write_text(os.path.join(folder, CONFIG), json.dumps(asdict(run.config), indent=2) + "\n")


def write_text(path: str, text: str) -> None:
    """A file of text, in place of the one that was there."""
    with atomic_write("save", path) as file:
        file.write(text.encode())


def load(folder: str | os.PathLike[str]) -> AnyRun:
    """The run that ``save`` wrote, its model in evaluation mode: a ``TableRun`` where it was trained on a table,
    else an ``ImageRun``. No code of the folder's is run.

    Raises FileNotFoundError where the folder holds no run, ValueError where a file is corrupt, the run is of another
    version's format, or the weights do not fit.
    """
    name = os.fspath(folder)
    if not os.path.isfile(os.path.join(name, CONFIG)):
        hint = f"; cygrad resume {name} ends the training" if os.path.isfile(os.path.join(name, JOB)) else ""
        raise FileNotFoundError(f"runs.load: {name} is no run, it has no {CONFIG}{hint}")
    config = read_config(os.path.join(name, CONFIG))
    path = os.path.join(name, WEIGHTS)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"runs.load: {name} is no run, it has no {WEIGHTS}")
    model = config.network()
    try:
        model.load_state_dict(serialization.load(path))
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"runs.load: {path} does not hold the weights of this model ({error})") from None
    model.eval()
    return TableRun(model, config) if isinstance(config, TableConfig) else ImageRun(model, config)


def read_config(path: str) -> ImageConfig | TableConfig:
    """The configuration in a file."""
    content = read_json("runs.load", path)
    try:
        return TableConfig.of(content) if content.get("kind") == "table" else ImageConfig.of(content)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"runs.load: {path} is corrupt ({error})") from None


def read_json(op: str, path: str) -> dict[str, Any]:
    """The values in a file of a run's. Raises ValueError for what is none, or of another format."""
    import json

    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
            if not isinstance(content, dict):
                raise ValueError(f"it holds a {type(content).__name__}")
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{op}: {path} is corrupt ({error})") from None
    if content.get("format", FORMAT) != FORMAT:
        written = f"format {content['format']!r}, of cygrad {content.get('version')!r}"
        raise ValueError(f"{op}: {path} has {written}, but this version reads format {FORMAT}")
    return content
