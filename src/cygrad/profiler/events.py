"""What a profile has measured: events, their averages by name, the table, and the trace for a viewer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

from cygrad._files import atomic_write

__all__ = ["Average", "Event", "EventList"]

SCALES = {"s": 1e6, "ms": 1e3, "us": 1.0}  # microseconds in a unit


class Times:
    """What events and averages of events have: a name, and times in microseconds.

    There is no other device and memory is not measured: PyTorch's numbers for them are 0.
    """

    key: str
    count: int = 1
    cpu_time_total: float  # of the event with all that happened in it
    self_cpu_time_total: float  # without the ops in it
    input_shapes: Sequence[Any] = ()
    cuda_time = cuda_time_total = device_time = device_time_total = 0.0
    self_cuda_time_total = self_device_time_total = 0.0
    cpu_memory_usage = self_cpu_memory_usage = device_memory_usage = self_device_memory_usage = flops = 0

    @property
    def cpu_time(self) -> float:
        """The mean time of an event, in microseconds."""
        return self.cpu_time_total / max(self.count, 1)

    def __repr__(self) -> str:
        times = f"self_cpu_time={shown(self.self_cpu_time_total)} cpu_time={shown(self.cpu_time_total)}"
        return f"<{type(self).__name__} key={self.key} count={self.count} {times}>"


class Event(Times):
    """One op, gradient rule, step of an optimizer, or block of :class:`record_function`.

    Attributes:
        name, key: its name.
        start, cpu_time_total: when it began, and how long it took, in microseconds.
        self_cpu_time_total: the time without the events in it.
        cpu_parent, cpu_children: the event in which it happened, None if there is none, and those that happened in it.
        input_shapes: the shapes of tensors among its arguments, ``()`` for others; empty unless ``record_shapes``.
    """

    def __init__(self, name: str, start: float, parent: Event | None, shapes: Sequence[Any]) -> None:
        self.name = self.key = name
        self.start, self.cpu_parent, self.input_shapes = start, parent, shapes
        self.cpu_children: list[Event] = []
        self.cpu_time_total = 0.0
        if parent is not None:
            parent.cpu_children.append(self)

    @property
    def self_cpu_time_total(self) -> float:  # type: ignore[override]
        """The time without the events in it, in microseconds."""
        return self.cpu_time_total - sum([child.cpu_time_total for child in self.cpu_children])


class Average(Times):
    """The events of one name, and of one list of shapes where shapes are told apart.

    Attributes:
        key, input_shapes: the name and the shapes.
        count: the number of events.
        cpu_time_total, self_cpu_time_total, cpu_time: the sums of their times, and the mean, in microseconds.
    """

    def __init__(self, key: str, events: Sequence[Times], shapes: Sequence[Any] = ()) -> None:
        self.key, self.input_shapes = key, shapes
        self.count = sum([event.count for event in events])
        self.self_cpu_time_total = sum([event.self_cpu_time_total for event in events])
        outer = [event for event in events if not isinstance(event, Event) or not within(event, key)]
        self.cpu_time_total = sum([event.cpu_time_total for event in outer])


def within(event: Event, key: str) -> bool:
    """Whether an event happened in another of the same name, whose time contains its own."""
    parent = event.cpu_parent
    while parent is not None and parent.key != key:
        parent = parent.cpu_parent
    return parent is not None


class EventList(list[Any]):
    """Events, in the order in which they began, or averages."""

    def key_averages(self, group_by_input_shape: bool = False, **options: Any) -> EventList:
        """Return the average of each name.

        Args:
            group_by_input_shape: tell different shapes of inputs apart; needs ``record_shapes``.
            options: of PyTorch, accepted without effect.
        """
        groups: dict[tuple[str, str], list[Any]] = {}
        for event in self:
            groups.setdefault((event.key, str(event.input_shapes) if group_by_input_shape else ""), []).append(event)
        shapes = [events[0].input_shapes if group_by_input_shape else () for events in groups.values()]
        return EventList([Average(key, events, s) for ((key, _), events), s in zip(groups.items(), shapes)])

    @property
    def self_cpu_time_total(self) -> float:
        """The sum of the events' own times, in microseconds."""
        return sum([event.self_cpu_time_total for event in self])

    def total_average(self) -> Average:
        """Return the average of everything."""
        return Average("Total", self)

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        max_shapes_column_width: int = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
        time_unit: str | None = None,
    ) -> str:
        """Return a table with a row for each event or average.

        Args:
            sort_by: the name of an attribute, such as "self_cpu_time_total", "cpu_time_total" or "count": largest
                first; None for the order of the list.
            row_limit: the largest number of rows, −1 for all.
            max_src_column_width: accepted, without effect: there is no column of sources.
            max_name_column_width, max_shapes_column_width: characters after which names and shapes are cut off.
            header: a line above the table.
            top_level_events_only: leave out events that happened in others.
            time_unit: "s", "ms" or "us" for all times; by default each has its own.

        Raises:
            ValueError: there is no such attribute or unit.
        """
        if time_unit is not None and time_unit not in SCALES:
            raise ValueError(f"table: time_unit must be one of {', '.join(SCALES)}, got {time_unit!r}")
        if sort_by is not None and not isinstance(getattr(Average("", []), sort_by, None), (int, float)):
            raise ValueError(f"table: sort_by must name a number, such as cpu_time_total, got {sort_by!r}")
        events = [e for e in self if not (top_level_events_only and getattr(e, "cpu_parent", None) is not None)]
        if sort_by is not None:
            events.sort(key=lambda event: -getattr(event, sort_by))
        chosen = events if row_limit < 0 else events[:row_limit]
        rows = [self.row(event, time_unit, max_name_column_width, max_shapes_column_width) for event in chosen]
        heads = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg", "# of Calls"]
        if any(event.input_shapes for event in self):
            heads.append("Input Shapes")
        lines = aligned([heads, *[row[: len(heads)] for row in rows]])
        total = f"Self CPU time total: {shown(self.self_cpu_time_total, time_unit)}"
        return "\n".join([*([header] if header else []), *lines, total, ""])

    def row(self, event: Times, unit: str | None, name_width: int, shapes_width: int) -> list[str]:
        """The columns of an event or average."""
        everything = self.self_cpu_time_total or 1.0
        own, total = event.self_cpu_time_total, event.cpu_time_total
        shapes = str([list(shape) for shape in event.input_shapes])
        return [
            cut(event.key, name_width),
            f"{own / everything:.2%}",
            shown(own, unit),
            f"{total / everything:.2%}",
            shown(total, unit),
            shown(event.cpu_time, unit),
            str(event.count),
            cut(shapes, shapes_width),
        ]

    def export_chrome_trace(self, path: str | PathLike[str]) -> None:
        """Write the events in the JSON of Chrome's "Trace Event Format", which Perfetto displays.

        Args:
            path: the file.

        Raises:
            OSError: the file can't be written.
        """
        events = [
            {
                "name": event.name,
                "ph": "X",
                "pid": 1,
                "tid": 1,
                "ts": event.start,
                "dur": event.cpu_time_total,
                "args": {"Input Dims": [list(shape) for shape in event.input_shapes]},
            }
            for event in self
        ]
        with atomic_write("export_chrome_trace", path) as file:
            file.write(json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}).encode())

    def __str__(self) -> str:
        return self.table()


def shown(microseconds: float, unit: str | None = None) -> str:
    """A time with its unit."""
    unit = unit or next((name for name, scale in SCALES.items() if abs(microseconds) >= scale), "us")
    return f"{microseconds / SCALES[unit]:.3f}{unit}"


def cut(text: str, width: int) -> str:
    """The text, or its beginning and three dots."""
    return text if len(text) <= width else f"{text[: max(width - 3, 0)]}..."


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table whose first row is the heading; the first column is aligned to the left."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows)]
    rule = "  ".join(["-" * width for width in widths])
    lines = ["  ".join([c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths))]) for row in rows]
    return [rule, lines[0].rstrip(), rule, *[line.rstrip() for line in lines[1:]], rule]
