"""Loggers that write text files: CSV and JSON lines."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
from collections.abc import Iterable, Iterator
from typing import IO, Any

from cygrad._files import append, atomic_write, open_file
from cygrad.integrations.tracker import Row, Tracker
from cygrad.train.protocols import TrainerLike

__all__ = ["CSVLogger", "JSONLLogger", "json_line", "read_jsonl"]

Path = str | os.PathLike[str]


class TextTracker(Tracker):
    """A tracker that appends lines to a file. A new training starts a new file; a resumed one removes the lines of
    steps that are repeated."""

    def __init__(self, path: Path, every: int | None) -> None:
        super().__init__(every)
        self.path = os.fspath(path)
        self._file: IO[bytes] | None = None

    def destination(self) -> str:
        return self.path

    def replace(self, lines: Iterable[str]) -> None:
        """Replaces the file by one with these lines, and opens it for appending."""
        self.close()
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        with atomic_write(type(self).__name__, self.path) as file:
            file.write("".join(lines).encode())
        self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 # until the training ends

    def write(self, line: str) -> None:
        """Appends a line, or after an error nothing."""
        if self._file is None:
            raise OSError(f"{self.path} is closed")
        append(self._file, line.encode())

    def end(self, trainer: TrainerLike) -> None:
        self.close()

    def release(self) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class CSVLogger(TextTracker):
    """Writes the record of each epoch as a line of a CSV file, with a header.

    The file always matches ``trainer.history``, in a resumed training too: if a record has a new column, the file is
    rewritten, with empty fields in earlier lines. If the file cannot be written, training continues after a
    ``TrackerWarning``.

    Args:
        path: the file to write. Missing folders are created.

    Example:
        >>> import os, tempfile
        >>> from cygrad.integrations.loggers import CSVLogger
        >>> path = os.path.join(tempfile.mkdtemp(), "metrics.csv")
        >>> model = cg.nn.Linear(2, 1)
        >>> sgd = cg.optim.SGD(model.parameters(), lr=0.1)
        >>> trainer = cg.train.Trainer(
        ...     model, cg.nn.functional.mse_loss, sgd, callbacks=[CSVLogger(path)], progress=False
        ... )
        >>> _ = trainer.fit([(cg.ones(4, 2), cg.ones(4, 1))], epochs=2)
        >>> with open(path) as file:
        ...     print(file.readline(), len(file.readlines()))
        epoch,loss,grad_norm,lr,samples_per_second
         2
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, None)
        self.names: list[str] = []

    def begin(self, trainer: TrainerLike) -> None:
        self._rewrite(trainer)

    def take(self, row: Row, trainer: TrainerLike) -> None:
        if set(row.values) <= set(self.names):
            self.write(csv_line(row.values.get(name, "") for name in self.names))
        else:
            self._rewrite(trainer)

    def _rewrite(self, trainer: TrainerLike) -> None:
        records = trainer.history.records
        self.names = trainer.history.names()
        lines = [csv_line(self.names)] if self.names else []
        self.replace([*lines, *(csv_line(record.get(name, "") for name in self.names) for record in records)])


def csv_line(values: Iterable[Any]) -> str:
    """A line of CSV, quoted where necessary (RFC 4180); floats in the shortest form that round-trips."""
    import csv

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([repr(v) if isinstance(v, float) else v for v in values])
    return text.getvalue()


class JSONLLogger(TextTracker):
    """Writes one JSON object per line, for each epoch and for each `every`-th step.

    Each object has ``kind``, ``step``, ``epoch`` and ``time`` (seconds since 1970). Kind "epoch" adds the record of the
    epoch, kind "batch" the loss, gradient norm and learning rate of the step. NaN and infinities are the strings "NaN",
    "Infinity" and "-Infinity", because JSON has no such numbers; ``read_jsonl`` converts them back. If the file cannot
    be written, training continues after a ``TrackerWarning``.

    Args:
        path: the file to write. Missing folders are created.
        every: log each `every`-th step; None logs epochs only.

    Raises:
        ValueError: `every` is below 1.

    Example:
        >>> import os, tempfile
        >>> from cygrad.integrations.loggers import JSONLLogger, read_jsonl
        >>> path = os.path.join(tempfile.mkdtemp(), "log.jsonl")
        >>> model = cg.nn.Linear(2, 1)
        >>> sgd = cg.optim.SGD(model.parameters(), lr=0.1)
        >>> trainer = cg.train.Trainer(
        ...     model, cg.nn.functional.mse_loss, sgd, callbacks=[JSONLLogger(path, every=1)], progress=False
        ... )
        >>> _ = trainer.fit([(cg.ones(4, 2), cg.ones(4, 1))], epochs=2)
        >>> [(row["kind"], row["step"]) for row in read_jsonl(path)]
        [('batch', 1), ('epoch', 1), ('batch', 2), ('epoch', 2)]
    """

    def __init__(self, path: Path, every: int | None = 50) -> None:
        super().__init__(path, every)

    failures = (OSError, ValueError)  # the latter if a resumed training finds a file that is not its own

    def begin(self, trainer: TrainerLike) -> None:
        earlier = read_jsonl(self.path) if trainer.step and os.path.exists(self.path) else []
        self.replace(json_line(row) for row in earlier if row.get("step", 0) <= trainer.step)

    def take(self, row: Row, trainer: TrainerLike) -> None:
        self.write(json_line({"kind": row.kind, "step": row.step, "epoch": row.epoch, "time": row.time, **row.values}))


NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def json_line(values: dict[str, Any]) -> str:
    """A dict as a line of JSON."""
    return json.dumps(to_json_value(values), allow_nan=False) + "\n"


def to_json_value(value: Any) -> Any:
    """A non-finite float as its name, also inside dicts; anything else unchanged."""
    if isinstance(value, dict):
        return {name: to_json_value(item) for name, item in value.items()}
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def from_json_value(value: Any) -> Any:
    """The inverse of ``to_json_value``."""
    if isinstance(value, dict):
        return {name: from_json_value(item) for name, item in value.items()}
    return NON_FINITE.get(value, value) if isinstance(value, str) else value


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Reads a file of JSON lines, such as ``JSONLLogger`` writes.

    Args:
        path: the file. An unfinished last line, left by a killed process, is ignored.

    Returns:
        The objects, with NaN and infinities as floats.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line is not a JSON object; the message names it.

    Example:
        >>> import os, tempfile
        >>> from cygrad.integrations.loggers import read_jsonl
        >>> path = os.path.join(tempfile.mkdtemp(), "log.jsonl")
        >>> with open(path, "w") as file:
        ...     _ = file.write('{"loss": 0.5}' + chr(10) + '{"loss": "NaN"}' + chr(10))
        >>> read_jsonl(path)
        [{'loss': 0.5}, {'loss': nan}]
    """
    return list(_objects(os.fspath(path)))


def _objects(path: str) -> Iterator[dict[str, Any]]:
    with io.TextIOWrapper(open_file("read_jsonl", path), encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            value = None
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(line)
            if isinstance(value, dict):
                yield from_json_value(value)
            elif line.endswith("\n"):
                raise ValueError(f"read_jsonl: line {number} of {path} is not a JSON object")
