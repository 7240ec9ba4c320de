"""Concurrent requests, predicted together: one pass through the network for all that wait costs little more than one
for a single row."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Hashable
from itertools import groupby
from typing import Any, NamedTuple

from cygrad._typing import Array
from cygrad.runs import Run, SeriesRun, TableRun
from cygrad.serve.request import Request

__all__ = ["Batches", "Predicted", "noted_inputs"]

EXACT = 2**53  # larger integers are text in a column with others
QUICK = 0.003  # seconds


class Predicted(NamedTuple):
    """The predictions of a request, and notes that count its unseen values and outliers."""

    predictions: list[Any]
    notes: list[str]


Answer = Predicted | ValueError


def noted_inputs(run: Run, request: Request) -> tuple[Array, list[str]]:
    """The rows of a request as inputs of the model, with notes that count unseen values and outliers."""
    if isinstance(run, TableRun):
        return run.noted_inputs(request.rows, request.columns)
    return run.inputs(request.rows, request.columns), []


class Waiting(NamedTuple):
    """A request, and the future of its predictions."""

    request: Request
    proba: bool
    future: asyncio.Future[Answer]

    @property
    def key(self) -> Hashable:
        """What requests have in common that are read as one table: the columns, and one type of each column's values.
        None for a request that is read on its own, because the types of its rows differ."""
        kinds = {tuple(map(type, row)) for row in self.request.rows}
        exact = all(not isinstance(v, int) or abs(v) <= EXACT for row in self.request.rows for v in row)
        columns = None if self.request.columns is None else tuple(self.request.columns)
        return (columns, kinds.pop(), self.proba) if len(kinds) == 1 and exact else None


class Batches:
    """Predicts the requests that wait while others are predicted, in another thread; a single one at once, if the last
    prediction took so little time that waking a thread would take longer.

    Args:
        run: predicts.
        rows: most rows to predict at once.
    """

    def __init__(self, run: Run, rows: int) -> None:
        self.run = run
        self.rows = rows
        self.by_row = not isinstance(run, SeriesRun)  # a forecast takes all rows of a request as one series
        self.waiting: list[Waiting] = []
        self.task: asyncio.Task[None] | None = None
        self.seconds = math.inf  # that the last prediction took

    async def predict(self, request: Request, proba: bool) -> Predicted:
        """The predictions of a request.

        Raises:
            ValueError: if the run refuses it.
        """
        entry = Waiting(request, proba, asyncio.get_running_loop().create_future())
        self.waiting.append(entry)
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self.work())  # it starts when all requests that have arrived wait
        answer = await entry.future
        if isinstance(answer, ValueError):
            raise answer
        return answer

    async def work(self) -> None:
        """Predict until no request waits."""
        while self.waiting:
            entries = self.taken()
            try:
                at_once = len(entries) == 1 and self.seconds < QUICK
                answers = self.answers(entries) if at_once else await asyncio.to_thread(self.answers, entries)
            except Exception as error:
                for entry in entries:
                    if not entry.future.done():
                        entry.future.set_exception(error)
                continue
            for entry, answer in zip(entries, answers, strict=True):
                if not entry.future.done():  # the client may have gone
                    entry.future.set_result(answer)

    def taken(self) -> list[Waiting]:
        """Take requests off the queue, in the order of arrival, up to the limit on rows."""
        count, rows = 0, 0
        for entry in self.waiting:
            rows += len(entry.request.rows)
            if count and rows > self.rows:
                break
            count += 1
        entries, self.waiting = self.waiting[:count], self.waiting[count:]
        return entries

    def answers(self, entries: list[Waiting]) -> list[Answer]:
        """The predictions of each request, or why it is refused."""
        start = time.perf_counter()
        found: dict[int, Answer] = {}
        keyed = sorted(((repr(entry.key), number) for number, entry in enumerate(entries)), key=lambda pair: pair[0])
        for key, pairs in groupby(keyed, key=lambda pair: pair[0]):
            numbers = [number for _, number in pairs]
            group = [entries[number] for number in numbers]
            joint = self.by_row and key != "None" and len(group) > 1
            answers = self.together(group) if joint else [self.single(entry) for entry in group]
            found.update(zip(numbers, answers, strict=True))
        self.seconds = time.perf_counter() - start
        return [found[number] for number in range(len(entries))]

    def together(self, group: list[Waiting]) -> list[Answer]:
        """The answers to requests of one kind; if any of them is refused or has notes, each is looked at on its own."""
        first = group[0]
        joint = first.request._replace(rows=[row for entry in group for row in entry.request.rows])
        try:
            inputs, notes = noted_inputs(self.run, joint)
            predictions = [] if notes else self.run.predictions(inputs, first.proba)
        except ValueError:
            notes = [""]
        if notes:
            return [self.single(entry) for entry in group]
        taken = iter(predictions)
        return [Predicted([next(taken) for _ in entry.request.rows], []) for entry in group]

    def single(self, entry: Waiting) -> Answer:
        """The answer to one request."""
        try:
            inputs, notes = noted_inputs(self.run, entry.request)
            return Predicted(self.run.predictions(inputs, entry.proba), notes)
        except ValueError as error:
            return error
