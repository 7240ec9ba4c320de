"""The job of an unfinished training, ``training.json``: everything that resuming it needs beside the checkpoint."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from cygrad import _kernels as kernels
from cygrad._files import one_line
from cygrad._version import __version__
from cygrad.runs.folder import JOB, read_json, write_text
from cygrad.runs.options import Options

__all__ = ["Job", "read_job", "write_job"]


class Job(NamedTuple):
    """What a training was started with: its options, the fingerprint of its data, the version of cygrad, and the CPU
    level of the kernels, None in files of earlier versions."""

    options: Options
    fingerprint: str
    version: str
    cpu_level: str | None


def write_job(options: Options, fingerprint: str) -> None:
    """Write the job into the run's folder, with absolute paths."""
    groups = ("training", "table", "series") if options.is_table else ("training",)
    values = {name: value for group in groups for name, value in options.values(group).items()}
    content = {
        "format": 1,
        "version": __version__,
        "cpu_level": kernels.cpu_level(),
        "source": os.path.abspath(options.source) if options.is_table else options.source,
        "data": None if options.data is None else os.path.abspath(options.data),
        "options": {name: value for name, value in values.items() if value is not None},
        "fingerprint": fingerprint,
    }
    write_text(os.path.join(options.folder, JOB), json.dumps(content, indent=2) + "\n")


def read_job(folder: str) -> Job:
    """Read the job in a run's folder; raise ValueError if it is corrupt or has another version's format."""
    path = os.path.join(folder, JOB)
    content = read_json("resume", path)
    try:
        given = content["options"]
        earlier = {"network": "mlp"} if "window" not in given else {}  # which files of earlier versions may leave out
        values = {"source": content["source"], "data": content["data"], "out": folder, **earlier, **given}
        options = Options.from_values({name: value for name, value in values.items() if value is not None})
        return Job(options, content["fingerprint"], content["version"], content.get("cpu_level"))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ValueError(f"resume: {path} is corrupt ({one_line(error)})") from None
