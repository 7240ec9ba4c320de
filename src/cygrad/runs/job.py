"""Jobs: what is to be trained on what, as the command line, a file, or an earlier process said."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any

from cygrad._version import __version__
from cygrad.data.tables.table import ENDINGS
from cygrad.runs.folder import JOB, read_json, write_text
from cygrad.runs.image_task import ImageTask, digits, mnist
from cygrad.runs.options import CHOICES, TABLE, TRAINING, Options, checked
from cygrad.runs.table_task import TableOptions, TableTask, table_task

__all__ = ["Job", "read_config", "read_job", "write_job"]

SOURCES = ("digits", "mnist")


@dataclass
class Job:
    """What is to be trained on: ``digits``, ``mnist`` with `data`, the folder of its files, or a table's path; and the
    options that were given, by name. Raises ValueError where they do not fit together."""

    source: str
    data: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.source not in SOURCES and not self.source.lower().endswith(ENDINGS):
            endings = f"a .toml file or a table ({', '.join(ENDINGS)})"
            raise ValueError(f"train: the source must be digits, mnist, {endings}, got {self.source!r}")
        if (self.source == "mnist") != (self.data is not None):
            raise ValueError("train: mnist needs --data, the folder with its files; nothing else takes it")
        strange = [name for name in self.options if name in TABLE]
        if strange and not self.of_table:
            raise ValueError(f"train: {strange[0]} is an option of tables, which {self.source} is none of")

    @property
    def of_table(self) -> bool:
        """Whether the data are a table in a file."""
        return self.source not in SOURCES

    @property
    def name(self) -> str:
        """What the run is called, unless it is told otherwise."""
        return os.path.splitext(os.path.basename(self.source))[0]

    @property
    def seed(self) -> int:
        """The seed of everything random."""
        return int(self.options.get("seed", Options.seed))

    def load(self) -> ImageTask | TableTask:
        """The data, split by the seed."""
        if self.of_table:
            chosen = TableOptions(**{name: value for name, value in self.options.items() if name in TABLE})
            return table_task(self.source, chosen, self.seed)
        return digits(self.seed) if self.data is None else mnist(self.data, self.seed)

    def training(self, task: ImageTask | TableTask | None = None) -> Options:
        """The options of the training: those given, and for the others what suits the data. Raises ValueError where one
        is out of range."""
        suited = task.suited() if isinstance(task, TableTask) else {}
        given = {name: value for name, value in self.options.items() if name in TRAINING}
        options = Options(**{**suited, **given})
        options.check()
        return options


# Configurations


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a TOML file says: ``source``, perhaps ``data`` and ``out``, and options under their names on the command
    line. Paths are relative to the file.

    Raises ValueError, naming the file, for what is no TOML, an option that there is not, or a value of another type.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "config.toml")
    >>> _ = path.write_text('source = "digits"\\nepochs = 5\\nbatch-size = 32\\nhidden = [64, 32]')
    >>> cg.runs.read_config(path)
    {'source': 'digits', 'epochs': 5, 'batch_size': 32, 'hidden': (64, 32)}
    """
    name = os.fspath(path)
    content = {}
    for key, value in parsed(name).items():
        option = key.replace("-", "_")
        if option in content:
            raise ValueError(f"train: {name} has {option} twice")
        if option in ("source", "data", "out"):
            content[option] = place(name, option, value)
        elif option in CHOICES:
            content[option] = checked(option, value)
        else:
            near = difflib.get_close_matches(option, ["source", "data", "out", *CHOICES], 1)
            hint = f"; {near[0]} is near" if near else ""
            raise ValueError(f"train: {name} has {key!r}, which is no option{hint}")
    if "source" not in content:
        raise ValueError(f"train: {name} has no source, such as digits or a table's path")
    return content


def parsed(name: str) -> dict[str, Any]:
    """The values of a TOML file."""
    toml = toml_package()
    with open(name, "rb") as file:
        try:
            content: dict[str, Any] = toml.load(file)
        except (toml.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"train: {name} is no TOML ({error})") from None
    return content


def toml_package() -> Any:
    """The standard library's reader, or before Python 3.11 the same as a package."""
    for name in "tomllib", "tomli":
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    raise ImportError("train: a .toml file needs Python 3.11, or the package tomli: pip install 'cygrad[train]'")


def place(name: str, option: str, value: Any) -> str:
    """A source or a path in a file."""
    if not isinstance(value, str):
        raise ValueError(f"train: {option} must be a text, got {value!r}")
    return value if option == "source" and value in SOURCES else os.path.join(os.path.dirname(name), value)


# Trainings that are not over


def write_job(folder: str, job: Job, data: str) -> None:
    """Notes in the run's folder what is trained, and the fingerprint of the data."""
    there = asdict(job)
    if job.of_table:
        there["source"] = os.path.abspath(job.source)
    if job.data is not None:
        there["data"] = os.path.abspath(job.data)
    content = {"format": 1, "version": __version__, **there, "fingerprint": data}
    write_text(os.path.join(folder, JOB), json.dumps(content, indent=2) + "\n")


def read_job(folder: str) -> tuple[Job, str, str]:
    """The job in a run's folder, the fingerprint of its data, and the version that began it."""
    path = os.path.join(folder, JOB)
    content = read_json("resume", path)
    try:
        options = {name: checked(name, value) for name, value in content["options"].items()}
        return Job(content["source"], content["data"], options), content["fingerprint"], content["version"]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"resume: {path} is corrupt ({error})") from None
