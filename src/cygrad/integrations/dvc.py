"""DVC: a callback that writes dvclive's files, which ``dvc metrics`` and ``dvc plots`` read.

It needs no package; ``pip install 'cygrad[dvc]'`` installs DVC itself. The layout is that of https://dvc.org/doc/dvclive:
``metrics.json`` has the latest values, ``params.yaml`` the settings, ``plots/metrics/NAME.tsv`` the values of a metric
over the epochs, and ``dvc.yaml`` lists these files for DVC.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterable, Mapping
from typing import IO, Any

from cygrad._files import append, atomic_write, open_file
from cygrad.integrations.loggers import to_json_value
from cygrad.integrations.tracker import Row, Tracker, settings_of
from cygrad.train.protocols import TrainerLike

__all__ = ["DVC"]

INTERVAL = 5.0  # minimum seconds between two writes of metrics.json
RATES = ("samples_per_second",)  # differ from run to run, so that DVC would see a change in every one


class DVC(Tracker):
    """Writes settings, the record of each epoch and the values of steps as dvclive does.

    ``metrics.json`` is written every 5 seconds and at the end. In a stage of a pipeline no ``dvc.yaml`` is written:
    the pipeline's own lists the metrics, plots and parameters. If a file cannot be written, training continues after a
    ``TrackerWarning``.

    Args:
        folder: the folder to write to; it is created.
        every: also write the loss, gradient norm and learning rate of each `every`-th step, under ``batch/``.
        params: parameters to write in addition to the settings of the training.
        dvcyaml: write ``dvc.yaml``.

    Raises:
        ValueError: `every` is below 1.

    Example:
        >>> import os, tempfile
        >>> from cygrad.integrations.dvc import DVC
        >>> folder = tempfile.mkdtemp()
        >>> model = cg.nn.Linear(2, 1)
        >>> sgd = cg.optim.SGD(model.parameters(), lr=0.1)
        >>> trainer = cg.train.Trainer(
        ...     model, cg.nn.functional.mse_loss, sgd, callbacks=[DVC(folder)], progress=False
        ... )
        >>> _ = trainer.fit([(cg.ones(4, 2), cg.ones(4, 1))], epochs=2)
        >>> sorted(os.listdir(folder))
        ['dvc.yaml', 'metrics.json', 'params.yaml', 'plots']
    """

    failures = (OSError, ValueError)  # the latter if a resumed training finds a table that is not its own

    def __init__(
        self,
        folder: str | os.PathLike[str] = "dvclive",
        every: int | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        dvcyaml: bool = True,
    ) -> None:
        super().__init__(every)
        self.folder = os.fspath(folder)
        self.params = dict(params or {})
        self.dvcyaml = dvcyaml
        self.metrics: dict[str, float] = {}
        self._tables: dict[str, IO[bytes]] = {}
        self._new: dict[str, list[str]] = {}  # lines of each table that are not yet in its file
        self._due = 0.0

    def destination(self) -> str:
        return self.folder

    def begin(self, trainer: TrainerLike) -> None:
        self._close()
        last = trainer.history.records[-1] if trainer.history.records else {}
        self.metrics = {name: value for name, value in last.items() if name not in RATES}
        self._due = time.monotonic() + INTERVAL
        self._truncate_tables(trainer)
        self._write("params.yaml", {**settings_of(trainer), **self.params})
        if self.dvcyaml and "DVC_STAGE" not in os.environ:
            contents = {
                "metrics": ["metrics.json"],
                "params": ["params.yaml"],
                "plots": [{"plots/metrics": {"x": "step"}}],
            }
            self._write("dvc.yaml", contents)

    def _truncate_tables(self, trainer: TrainerLike) -> None:
        """Removes rows after the point where the training continues, which is the start for a new one."""
        for path in tables_below(os.path.join(self.folder, "plots", "metrics")):
            batch = "batch" in os.path.relpath(path, os.path.join(self.folder, "plots", "metrics")).split(os.sep)[:-1]
            last = trainer.step if batch else len(trainer.history)
            with io.TextIOWrapper(open_file("DVC", path), encoding="utf-8") as file:
                header, *lines = file.read().splitlines(keepends=True) or [""]
            remaining = [line for line in lines if line.endswith("\n") and int(line.partition("\t")[0]) <= last]
            if remaining:
                replace("DVC", path, header + "".join(remaining))
            else:
                os.unlink(path)

    def take(self, row: Row, trainer: TrainerLike) -> None:
        at = row.step if row.kind == "batch" else row.epoch
        for name, value in row.values.items():
            if name != "epoch" and name not in RATES:
                full = f"batch/{name}" if row.kind == "batch" else name
                self.metrics[full] = value
                self._new.setdefault(full, []).append(f"{at}\t{value!r}\n")
        if row.kind == "epoch":
            self.metrics["epoch"] = row.epoch
            self._append_lines()
            if time.monotonic() > self._due:
                self._write_metrics(row.epoch)

    def _append_lines(self) -> None:
        """Writes the new lines of each table; after an error those of one table are all there or none."""
        for name, lines in self._new.items():
            append(self._table(name), "".join(lines).encode())
        self._new.clear()

    def _table(self, name: str) -> IO[bytes]:
        """The open file for a metric, with columns ``step`` and the metric. Slashes in its name become folders."""
        if name not in self._tables:
            path = os.path.join(self.folder, "plots", "metrics", *name.split("/")) + ".tsv"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._tables[name] = file = open(path, "ab", buffering=0)  # noqa: SIM115 # until the training ends
            if not file.tell():
                append(file, f"step\t{name.rpartition('/')[2]}\n".encode())
        return self._tables[name]

    def _write_metrics(self, epoch: int) -> None:
        nested: dict[str, Any] = {}
        for name, value in self.metrics.items():
            *folders, last = name.split("/")
            inner = nested
            for folder in folders:
                inner = inner.setdefault(folder, {})
            inner[last] = value
        self._write("metrics.json", {**nested, "step": epoch})
        self._due = time.monotonic() + INTERVAL

    def _write(self, name: str, contents: dict[str, Any]) -> None:
        """Writes a file of JSON, which is also YAML."""
        os.makedirs(self.folder, exist_ok=True)
        replace("DVC", os.path.join(self.folder, name), json.dumps(to_json_value(contents), indent=2) + "\n")

    def end(self, trainer: TrainerLike) -> None:
        try:
            self._append_lines()
            self._write_metrics(len(trainer.history))
        finally:
            self._close()

    def release(self) -> None:
        self._close()

    def _close(self) -> None:
        self._new.clear()
        tables, self._tables = self._tables, {}
        for table in tables.values():
            table.close()


def replace(op: str, path: str, text: str) -> None:
    """Replaces a text file."""
    with atomic_write(op, path) as file:
        file.write(text.encode())


def tables_below(folder: str) -> Iterable[str]:
    """The paths of all tables in a folder and its subfolders."""
    for parent, _, names in os.walk(folder):
        yield from (os.path.join(parent, name) for name in names if name.endswith(".tsv"))
