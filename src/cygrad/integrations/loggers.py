"""Records of a training in files of text: CSV and JSON lines."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
from collections.abc import Iterable, Iterator
from typing import IO, Any

from cygrad._files import atomic_write
from cygrad.integrations.tracker import Row, Tracker
from cygrad.train.protocols import TrainerLike

__all__ = ["CSVLogger", "JSONLLogger", "json_line", "read_jsonl"]

Path = str | os.PathLike[str]


class TextTracker(Tracker):
    """A tracker that adds lines to a file. A new training begins a new file; where it is resumed, the lines of
    what is done once more are left out."""

    def __init__(self, path: Path, every: int | None) -> None:
        super().__init__(every)
        self.path = os.fspath(path)
        self._file: IO[str] | None = None

    def place(self) -> str:
        return self.path

    def replace(self, lines: Iterable[str]) -> None:
        """Puts a file of these lines in place of the old one, and opens it for more."""
        self.close()
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        with atomic_write(type(self).__name__, self.path) as file:
            file.write("".join(lines).encode())
        self._file = open(self.path, "a", encoding="utf-8", newline="")  # noqa: SIM115 # until the training ends

    def write(self, line: str) -> None:
        """Adds a line."""
        if self._file is None:
            raise OSError(f"{self.path} is closed")
        self._file.write(line)
        self._file.flush()

    def end(self, trainer: TrainerLike) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class CSVLogger(TextTracker):
    """Writes the record of every epoch as a line of a CSV file; the first line has the names.

    A record with a name that is new has the file written anew, the field left empty in the lines before. So the
    file always holds what ``trainer.history`` does, after a resumption too.

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
    """One line, quoted where it must be (RFC 4180); floats in the shortest form that reads back the same."""
    import csv

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([repr(v) if isinstance(v, float) else v for v in values])
    return text.getvalue()


class JSONLLogger(TextTracker):
    """Writes a JSON object a line: ``kind`` "epoch" with the record of the epoch, and in each `every`-th step ``kind``
    "batch" with its loss, gradient norm and learning rate; all with ``step``, ``epoch`` and ``time``, the seconds since
    1970. NaN and infinities are the strings "NaN", "Infinity" and "-Infinity", since JSON has no such numbers.

    ``read_jsonl(path)`` reads it, and turns these into numbers.
    """

    def __init__(self, path: Path, every: int | None = 50) -> None:
        super().__init__(path, every)

    def begin(self, trainer: TrainerLike) -> None:
        done = read_jsonl(self.path) if trainer.step and os.path.exists(self.path) else []
        self.replace(json_line(line) for line in done if line.get("step", 0) <= trainer.step)

    def take(self, row: Row, trainer: TrainerLike) -> None:
        self.write(json_line({"kind": row.kind, "step": row.step, "epoch": row.epoch, "time": row.time, **row.values}))


NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def json_line(values: dict[str, Any]) -> str:
    """One line of JSON."""
    return json.dumps(finite(values), allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """A float that JSON can't hold as its name, also in a dict; anything else as it is."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def numeric(value: Any) -> Any:
    """What ``finite`` was given."""
    if isinstance(value, dict):
        return {name: numeric(item) for name, item in value.items()}
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines. A last line that a killed process left unfinished does not count.

    Raises ValueError, naming the line, where another one is no JSON object.
    """
    return list(_objects(os.fspath(path)))


def _objects(path: str) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            value = None
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(line)
            if isinstance(value, dict):
                yield numeric(value)
            elif line.endswith("\n"):
                raise ValueError(f"read_jsonl: line {number} of {path} is no JSON object")
