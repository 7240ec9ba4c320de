"""Times of statements. As ``torch.utils.benchmark``."""

from __future__ import annotations

import timeit
from collections.abc import Callable, Iterable, Sequence
from statistics import mean, median, quantiles
from time import perf_counter
from typing import Any

from cygrad import config

__all__ = ["Compare", "Measurement", "Timer", "timer"]

timer = perf_counter
UNITS = ((1e-9, "ns"), (1e-6, "us"), (1e-3, "ms"), (1.0, "s"))


def unit_of(seconds: float) -> tuple[float, str]:
    """The largest unit in which a time is at least 1."""
    return next((unit for unit in reversed(UNITS) if seconds >= unit[0]), UNITS[0])


def shown(seconds: float) -> str:
    """A time with four digits and its unit."""
    scale, unit = unit_of(seconds)
    return f"{seconds / scale:.4g} {unit}"


def counted(number: int, noun: str) -> str:
    """A number and what it counts."""
    return f"{number} {noun}{'s' if number != 1 else ''}"


class Measurement:
    """Times of a statement.

    Args:
        number_per_run: how often the statement ran in each run.
        raw_times: the time of each run, in seconds.
        timer: what was measured.

    ``times`` has seconds for one statement, from each run; ``mean``, ``median`` and ``iqr`` (the distance between the
    first and third quartile) are computed from it.
    """

    def __init__(self, number_per_run: int, raw_times: Sequence[float], timer: Timer) -> None:
        self.number_per_run = number_per_run
        self.raw_times = list(raw_times)
        self.timer = timer
        self.times = sorted(t / number_per_run for t in raw_times)
        self.mean, self.median = mean(self.times), median(self.times)
        self.iqr = 0.0
        if len(self.times) > 1:
            first, _, third = quantiles(self.times, method="inclusive")
            self.iqr = third - first

    @property
    def title(self) -> str:
        """The label and the second label, or the statement."""
        label, second = self.timer.label, self.timer.sub_label
        return ": ".join(text for text in (label, second) if text) or self.timer.stmt

    def __repr__(self) -> str:
        runs, count = len(self.times), self.number_per_run
        lines = [self.title, *([self.timer.description] if self.timer.description else [])]
        if runs > 1:
            lines += [f"  Median: {shown(self.median)}", f"  IQR:    {shown(self.iqr)}"]
        else:
            lines.append(f"  {shown(self.median)}")
        threads = self.timer.num_threads
        each = "" if runs == 1 else " per measurement"
        texts = [counted(runs, "measurement"), counted(count, "run") + each, counted(threads, "thread")]
        return "\n".join([*lines, "  " + ", ".join(texts)])


class Timer:
    """Times a statement.

    Args:
        stmt: the statement.
        setup: statements that run before it, untimed.
        global_setup: likewise.
        timer: a function that returns the time in seconds.
        globals: the names that the statement uses.
        label, sub_label, description: names of rows and columns in a :class:`Compare`.
        env: likewise, for measurements of different libraries.
        num_threads: how many threads cygrad uses in the meantime, default 1.

    >>> from cygrad.utils.benchmark import Timer
    >>> x = cg.ones(10)
    >>> Timer("x * 2", globals={"x": x}).timeit(100).number_per_run
    100
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: object = None,
    ) -> None:
        if not isinstance(stmt, str):
            raise ValueError(f"Timer: stmt must be a string, got {type(stmt).__name__}")
        self.stmt, self.label, self.sub_label, self.description = stmt, label, sub_label, description
        self.env, self.num_threads = env, num_threads
        before = "\n".join(text for text in (global_setup, setup) if text)
        self._timer = timeit.Timer(stmt, before, timer, dict(globals or {}))

    def _run(self, number: int) -> float:
        threads = config.get_num_threads()
        config.set_num_threads(self.num_threads)
        try:
            return self._timer.timeit(number)
        finally:
            config.set_num_threads(threads)

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """Return the time of `number` executions, after a few that are not counted."""
        self._run(max(number // 100, 2))
        return Measurement(number, [self._run(number)], self)

    def block_size(self, min_run_time: float) -> int:
        """How many executions take a thousandth of the time, and at least a millisecond."""
        number = 1
        while (seconds := self._run(number)) < max(min_run_time / 1000, 1e-3) and seconds < min_run_time:
            number *= 10
        return number

    def blocked_autorange(
        self, callback: Callable[[int, float], object] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Return times of runs of equal numbers of executions, until they have taken `min_run_time` seconds."""
        number, times, total = self.block_size(min_run_time), list[float](), 0.0
        while total < min_run_time or not times:
            times.append(self._run(number))
            total += times[-1]
            if callback is not None:
                callback(number, times[-1])
        return Measurement(number, times, self)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Callable[[int, float], object] | None = None,
    ) -> Measurement:
        """Return times of runs, until the quartiles' distance is below `threshold` times the median, or they have taken
        `max_run_time` seconds."""
        number, times, total = self.block_size(min_run_time), list[float](), 0.0
        while True:
            times.append(self._run(number))
            total += times[-1]
            if callback is not None:
                callback(number, times[-1])
            found = Measurement(number, times, self)
            steady = len(times) > 3 and found.iqr < threshold * found.median
            if total >= max_run_time or (total >= min_run_time and steady):
                return found


class Compare:
    """A table of measurements: a row for each ``sub_label``, a column for each ``description``, and a table for each
    ``label``.

    Args:
        results: the measurements.
    """

    def __init__(self, results: Iterable[Measurement]) -> None:
        self.results = list(results)

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Add measurements."""
        self.results += results

    def trim_significant_figures(self) -> None:
        """Do nothing: times are shown with four digits."""

    def colorize(self, rowwise: bool = False) -> None:
        """Do nothing: tables are plain text."""

    highlight_warnings = trim_significant_figures

    def __str__(self) -> str:
        labels = dict.fromkeys(result.timer.label or "" for result in self.results)
        return "\n\n".join(self._table(label) for label in labels)

    def _table(self, label: str) -> str:
        chosen = [result for result in self.results if (result.timer.label or "") == label]
        columns = list(dict.fromkeys(result.timer.description or "" for result in chosen))
        cells: dict[tuple[str, int], dict[str, float]] = {}
        for result in chosen:
            row = " ".join(filter(None, (result.timer.sub_label or result.timer.stmt, result.timer.env)))
            cells.setdefault((row, result.timer.num_threads), {})[result.timer.description or ""] = result.median
        scale, unit = unit_of(min(result.median for result in chosen))
        rows = [["", *columns]]
        threads = None
        for (name, count), found in sorted(cells.items(), key=lambda item: item[0][1]):
            if count != threads:
                rows.append([f"{counted(count, 'thread')}:", *[""] * len(columns)])
                threads = count
            rows.append([f"  {name}", *[f"{found[c] / scale:.4g}" if c in found else "" for c in columns]])
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *[text.rjust(w) for text, w in zip(row[1:], widths[1:])]]).rstrip()
            for row in rows
        ]
        return "\n".join([*([label] if label else []), *lines, f"Times are in {unit}."])

    def print(self) -> None:
        """Print the tables."""
        print(self)
