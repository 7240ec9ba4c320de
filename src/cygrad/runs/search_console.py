"""What a search shows: one bar over all trials, a line for each trial that ends, and the best one."""

from __future__ import annotations

import os
import textwrap
import threading
import time
from typing import Any

from cygrad.report.commands import next_commands
from cygrad.runs.console import WIDTH, Console, bar_line, clock, terminal_width, write
from cygrad.train.history import Record
from cygrad.train.protocols import TrainerLike
from cygrad.train.search import Search, Trial
from cygrad.train.search.worker import Listener

__all__ = ["SearchConsole", "Watched"]

SECONDS = 0.1  # between two pictures of the bar


class SearchConsole(Console, Listener):
    """Shows a search.

    Args:
        search: its settings.
        epochs: of a trial that is not pruned.
        quiet: whether to show nothing but the result.
    """

    def __init__(self, search: Search, epochs: int, quiet: bool) -> None:
        super().__init__(quiet)
        self.search = search
        self.epochs = epochs
        self.count = self.done = self.before = 0
        self.storage: Any = None
        self.best: float | None = None
        self.running: dict[int, int] = {}  # epochs of the trials that run here
        self.lock = threading.RLock()

    def opened(self, storage: Any, count: int) -> None:
        self.storage, self.count, self.start = storage, count, time.monotonic()

    def counted(self, done: int, best: float | None) -> None:
        with self.lock:
            if self.before == 0 and not self.running:
                self.before = done
            self.done, self.best = done, best

    def begun(self, trial: Trial) -> None:
        with self.lock:
            self.running[trial.number] = 0

    def ended(self, trial: Trial, result: Any) -> None:
        with self.lock:
            self.running.pop(trial.number, None)
            if self.bar:
                write("\r\x1b[K")
            if not self.quiet:
                self.result(self.line(trial, result))
            self.redraw()

    def epoch(self, trial: Trial, number: int) -> None:
        """Called after an epoch of a trial."""
        with self.lock:
            self.running[trial.number] = number
            if time.monotonic() - self.shown >= SECONDS:
                self.redraw()

    def redraw(self) -> None:
        """Draw the bar."""
        if not self.bar:
            return
        self.shown = time.monotonic()
        partly = sum(min(1.0, epochs / self.epochs) for epochs in self.running.values())
        now, total = min(self.count, self.done + partly), max(self.count, 1)
        pace = (now - self.before) / max(self.shown - self.start, 1e-9)
        left = f"{clock((total - now) / pace)} left" if pace > 0 else ""
        best = "" if self.best is None else f"best {self.search.metric} {self.best:.4f}"
        write("\r" + bar_line(f"{self.done}/{self.count} trials", now / total, best, left, terminal_width()) + "\x1b[K")

    def line(self, trial: Trial, result: Any) -> str:
        """The line of a trial, with as many parameters as there is room for."""
        state = result.state.name
        if state == "COMPLETE":
            what = f"{self.search.metric} {result.value:.4f}{'*' if self.is_best(result.value) else ' '}"
        elif state == "PRUNED":
            what = f"pruned after {trial.epochs} epoch{'s' * (trial.epochs != 1)}"
        else:
            what = f"failed: {result.user_attrs.get('error', '')}"
        line = f"trial {trial.number:{len(str(self.count - 1))}}  {what:{len(self.search.metric) + 8}}"
        for name, value in trial.params.items() if state != "FAIL" else ():
            part = f"  {name} {value:.3g}" if isinstance(value, float) else f"  {name} {value}"
            line += part if len(line) + len(part) <= self.width else ""
        return line[: self.width].rstrip()

    def is_best(self, value: float) -> bool:
        """Whether no trial has a better value."""
        return self.best is None or (value >= self.best if self.search.maximizes else value <= self.best)

    @property
    def width(self) -> int:
        """Columns of a line."""
        return terminal_width() if self.bar else WIDTH

    def conclude(self, best: Any, folder: str, report: str, finished: bool) -> None:
        """Print the best trial, and what to type next."""
        if self.bar:
            write("\r\x1b[K")
        if best is not None:
            numbers = "  ".join(
                f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in best.params.items()
            )
            text = f"best: {self.search.metric} {best.value:.4f} with {numbers}"
            self.result("\n".join(textwrap.wrap(text, self.width, subsequent_indent="  ")))
            here = os.path.isdir(folder)
            self.result(f"saved in {folder}{'' if here else ' on ' + str(best.user_attrs.get('host'))}")
        self.result(f"report: {report}")
        if not finished:
            self.result("continue with the same command")
        elif best is not None:
            self.tell(f"next: {next_commands(folder)[0].command}")


class Watched(Console):
    """Shows nothing of a trial's training, but reports its epochs to the study and to the search's console.

    Args:
        trial: the trial.
        console: of the search.
    """

    def __init__(self, trial: Trial, console: SearchConsole) -> None:
        super().__init__(quiet=True)
        self.trial = trial
        self.console = console
        self.pruning = trial.pruning()

    def result(self, text: str) -> None:
        """Show nothing."""

    def on_fit_begin(self, trainer: TrainerLike) -> None:
        self.pruning.on_fit_begin(trainer)

    def on_epoch_end(self, trainer: TrainerLike, metrics: Record) -> None:
        self.pruning.on_epoch_end(trainer, metrics)
        self.console.epoch(self.trial, trainer.epoch)

    def on_fit_end(self, trainer: TrainerLike) -> None:
        self.pruning.on_fit_end(trainer)
