"""DVC: a callback that writes the files of dvclive, which ``dvc metrics`` and ``dvc plots`` read.

It needs no package; DVC itself is ``pip install 'cygrad[dvc]'``. The layout is that of https://dvc.org/doc/dvclive:
``metrics.json`` the latest numbers, ``params.yaml`` the settings, ``plots/metrics/NAME.tsv`` a table of every number
over the epochs, and ``dvc.yaml``, which tells DVC of them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from typing import IO, Any

from cygrad._files import atomic_write
from cygrad.integrations.loggers import finite
from cygrad.integrations.tracker import Row, Tracker, settings_of
from cygrad.train.protocols import TrainerLike

__all__ = ["DVC"]

BETWEEN = 5.0  # seconds, at least, from one metrics.json to the next


class DVC(Tracker):
    """Writes the settings of a training and `params`, the record of every epoch, and in each `every`-th step its
    numbers under ``batch/``, as dvclive does, in `folder`. ``metrics.json`` is written every 5 seconds and at the end.

    In a stage of a pipeline, or with ``dvcyaml=False``, it writes no ``dvc.yaml``: the pipeline's own says which of the
    files are metrics, plots and parameters.

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
        self._tables: dict[str, IO[str]] = {}
        self._due = 0.0

    def place(self) -> str:
        return self.folder

    def begin(self, trainer: TrainerLike) -> None:
        self._close()
        self.metrics = dict(trainer.history.records[-1]) if trainer.history.records else {}
        self._due = time.monotonic() + BETWEEN
        self._keep_tables(trainer)
        self._write("params.yaml", {**settings_of(trainer), **self.params})
        if self.dvcyaml and "DVC_STAGE" not in os.environ:
            contents = {
                "metrics": ["metrics.json"],
                "params": ["params.yaml"],
                "plots": [{"plots/metrics": {"x": "step"}}],
            }
            self._write("dvc.yaml", contents)

    def _keep_tables(self, trainer: TrainerLike) -> None:
        """Tables as they were at the position from which a training goes on: empty for a new one."""
        for path in tables_below(os.path.join(self.folder, "plots", "metrics")):
            batch = "batch" in os.path.relpath(path, os.path.join(self.folder, "plots", "metrics")).split(os.sep)[:-1]
            last = trainer.step if batch else len(trainer.history)
            with open(path, encoding="utf-8") as file:
                heading, *lines = file.read().splitlines(keepends=True) or [""]
            kept = [line for line in lines if line.endswith("\n") and int(line.partition("\t")[0]) <= last]
            if kept:
                replace("DVC", path, heading + "".join(kept))
            else:
                os.unlink(path)

    def take(self, row: Row, trainer: TrainerLike) -> None:
        at = row.step if row.kind == "batch" else row.epoch
        for name, value in row.values.items():
            if name != "epoch":
                full = f"batch/{name}" if row.kind == "batch" else name
                self.metrics[full] = value
                self._table(full).write(f"{at}\t{value!r}\n")
        if row.kind == "epoch":
            self.metrics["epoch"] = row.epoch
            for table in self._tables.values():
                table.flush()
            if time.monotonic() > self._due:
                self._write_metrics(row.epoch)

    def _table(self, name: str) -> IO[str]:
        """The open table of one number, ``step`` and the number; slashes in its name are folders."""
        if name not in self._tables:
            path = os.path.join(self.folder, "plots", "metrics", *name.split("/")) + ".tsv"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            file = open(path, "a", encoding="utf-8", newline="")  # noqa: SIM115 # until the training ends
            if not file.tell():
                file.write(f"step\t{name.rpartition('/')[2]}\n")
            self._tables[name] = file
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
        self._due = time.monotonic() + BETWEEN

    def _write(self, name: str, contents: dict[str, Any]) -> None:
        """A file of JSON, which is YAML too."""
        os.makedirs(self.folder, exist_ok=True)
        replace("DVC", os.path.join(self.folder, name), json.dumps(finite(contents), indent=2) + "\n")

    def end(self, trainer: TrainerLike) -> None:
        try:
            self._write_metrics(len(trainer.history))
        finally:
            self._close()

    def _close(self) -> None:
        tables, self._tables = self._tables, {}
        for table in tables.values():
            table.close()


def replace(op: str, path: str, text: str) -> None:
    """A file of text in place of the old one."""
    with atomic_write(op, path) as file:
        file.write(text.encode())


def tables_below(folder: str) -> Iterable[str]:
    """All tables in a folder and those below it."""
    for place, _, names in os.walk(folder):
        yield from (os.path.join(place, name) for name in names if name.endswith(".tsv"))
