"""The profile of a block, its schedule of steps, and blocks with a name."""

from __future__ import annotations

import enum
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ContextDecorator
from typing import Any

from cygrad.autograd import engine
from cygrad.autograd.engine import Value
from cygrad.profiler.events import Event, EventList

__all__ = [
    "ProfilerAction",
    "ProfilerActivity",
    "kineto_available",
    "profile",
    "record_function",
    "schedule",
    "supported_activities",
    "tensorboard_trace_handler",
]


class ProfilerAction(enum.Enum):
    """What a profile does in a step. As ``torch.profiler.ProfilerAction``."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


class ProfilerActivity(enum.Enum):
    """What can be measured: the CPU. Other devices are accepted, and have no events."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3


def supported_activities() -> set[ProfilerActivity]:
    """Return what can be measured: the CPU."""
    return {ProfilerActivity.CPU}


def kineto_available() -> bool:
    """Return False: this is another profiler."""
    return False


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """Return a function from the number of a step to what is done in it: cycles of waiting, warming up, recording.

    Args:
        wait, warmup, active: steps of each kind in a cycle.
        repeat: the number of cycles, default 0 for no end.
        skip_first: steps before the first cycle.
        skip_first_wait: 1 to leave out the waiting of the first cycle.

    Raises:
        ValueError: a number is negative, or none is active.

    >>> steps = cg.profiler.schedule(wait=1, warmup=1, active=2)
    >>> [steps(i).name for i in range(5)]
    ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE', 'NONE']
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active < 1:
        raise ValueError("schedule: active must be at least 1, and wait, warmup, repeat and skip_first at least 0")
    cycle = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        number = step - skip_first + (wait if skip_first_wait else 0)
        if step < skip_first or (repeat and number >= repeat * cycle):
            return ProfilerAction.NONE
        place = number % cycle
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < cycle - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


class Timer:
    """Collects events of the thread that made it; the engine calls ``begin`` and ``end``."""

    def __init__(self, record_shapes: bool = False) -> None:
        self.events = EventList()
        self.record_shapes = record_shapes
        self.open: list[Event] = []
        self.thread = threading.get_ident()

    @property
    def active(self) -> bool:
        """Whether this thread is measured."""
        return threading.get_ident() == self.thread

    def begin(self, name: str, operands: Iterable[Any] = ()) -> None:
        """Begin an event, in the one that is open."""
        shapes = [shape_of(operand) for operand in operands] if self.record_shapes else ()
        event = Event(name, 0.0, self.open[-1] if self.open else None, shapes)
        self.events.append(event)
        self.open.append(event)
        event.start = now()

    def end(self) -> None:
        """End the latest event; nothing, if it began before the profile did."""
        if self.open:
            event = self.open.pop()
            event.cpu_time_total = now() - event.start


def now() -> float:
    """The time in microseconds."""
    return time.perf_counter_ns() / 1e3


def shape_of(operand: Any) -> tuple[int, ...]:
    array = operand.array if isinstance(operand, Value) else operand
    return getattr(array, "shape", ())


class profile(ContextDecorator):
    """Measure the ops of a block: forward functions, gradient rules, and steps of optimizers, each with its time on the
    clock. As ``torch.profiler.profile``.

    A recorded step (``cg.compile``) runs as one program, without ops; its ``programs()[0].explain("time")`` shows the
    time of each kernel. Measuring an op takes a microsecond or two.

    Args:
        enabled: whether to measure at all.
        activities: accepted; only the CPU has events.
        schedule: from the number of a step to what is done in it, see :func:`schedule`; by default all is recorded.
        on_trace_ready: called with the profile when the last step of a cycle, or the block, has ended.
        record_shapes: keep the shapes of arguments.
        profile_memory, with_stack, with_flops, with_modules: accepted, without effect.
        acc_events: keep the events of earlier cycles, default False.
        options: others of PyTorch, accepted without effect.

    >>> x = cg.ones(3, requires_grad=True)
    >>> with cg.profiler.profile() as prof:
    ...     x.exp().sum().backward()
    >>> [event.key for event in prof.key_averages()]
    ['exp', 'sum', 'sum backward', 'exp backward']
    """

    def __init__(
        self,
        enabled: bool = True,
        *,
        activities: Iterable[Any] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[Any], object] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        acc_events: bool = False,
        **options: Any,
    ) -> None:
        self.enabled, self.schedule, self.on_trace_ready = enabled, schedule, on_trace_ready
        self.record_shapes, self.acc_events = record_shapes, acc_events
        self.step_num = 0
        self.current_action = ProfilerAction.NONE
        self._timer = Timer(record_shapes)
        self._before: Any = None

    def start(self) -> None:
        """Begin to measure."""
        self._timer = Timer(self.record_shapes)
        self._begin(ProfilerAction.RECORD if self.schedule is None else self.schedule(self.step_num))

    def stop(self) -> None:
        """Stop measuring, and call ``on_trace_ready`` with what has been measured."""
        recording = self.current_action in RECORDING
        self._begin(ProfilerAction.NONE)
        if recording and self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def step(self) -> None:
        """Say that the next step begins."""
        ended = self.current_action
        self.step_num += 1
        if self.schedule is None:
            return
        following = self.schedule(self.step_num)
        if ended is ProfilerAction.RECORD_AND_SAVE:
            self._begin(ProfilerAction.NONE)
            if self.on_trace_ready is not None:
                self.on_trace_ready(self)
        self._begin(following)

    def _begin(self, action: ProfilerAction) -> None:
        """Switch to what is done in the next step."""
        action = action if self.enabled else ProfilerAction.NONE
        was, self.current_action = self.current_action in RECORDING, action
        if action in RECORDING and not was:
            if not self.acc_events:
                self._timer = Timer(self.record_shapes)
            self._before = engine.use_timer(self._timer)
        elif was and action not in RECORDING:
            while self._timer.open:
                self._timer.end()
            engine.use_timer(self._before)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def events(self) -> EventList:
        """Return all events, in the order in which they began."""
        return self._timer.events

    def key_averages(self, group_by_input_shape: bool = False, **options: Any) -> EventList:
        """Return the average of each name; see :meth:`EventList.key_averages`."""
        return self.events().key_averages(group_by_input_shape)

    def total_average(self) -> Any:
        """Return the average of all events."""
        return self.events().total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """The sum of all times, in microseconds."""
        return self.events().self_cpu_time_total

    def table(self, *args: Any, **options: Any) -> str:
        """Return the table of all events; see :meth:`EventList.table`."""
        return self.events().table(*args, **options)

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write a trace for Perfetto; see :meth:`EventList.export_chrome_trace`."""
        self.events().export_chrome_trace(path)

    def add_metadata(self, key: str, value: str) -> None:
        """Do nothing: traces have events only."""

    add_metadata_json = add_metadata

    def __repr__(self) -> str:
        return f"<profile of {len(self.events())} events>"


RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


class record_function(ContextDecorator):
    """Give a block, or the calls of a function, a name among the events of a profile.

    Args:
        name: the name.
        args: accepted, without effect.

    >>> with cg.profiler.profile() as prof, cg.profiler.record_function("my block"):
    ...     y = cg.ones(2).exp()
    >>> prof.events()[0].key, prof.events()[0].cpu_children[0].key
    ('my block', 'exp')
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self._timers: list[Any] = []

    def __enter__(self) -> record_function:
        timer = engine.timer()
        self._timers.append(timer)
        if timer is not None:
            timer.begin(self.name)
        return self

    def __exit__(self, *error: object) -> None:
        timer = self._timers.pop()
        if timer is not None:
            timer.end()


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """Return an ``on_trace_ready`` that writes each trace into a folder, for Perfetto.

    Args:
        dir_name: the folder, which is created.
        worker_name: begins the names of files, by default the machine and the process.
        use_gzip: accepted, without effect.
    """
    worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"

    def write(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        prof.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}.pt.trace.json"))

    return write


class emit_nvtx:
    """A block whose ops PyTorch marks for NVIDIA's profilers. As ``torch.autograd.profiler.emit_nvtx``.

    Args:
        enabled: whether to mark them; only False has an effect here, which is none.
        record_shapes: accepted, without effect.

    Raises:
        NotImplementedError: a block with enabled=True begins.
    """

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        self.enabled = enabled

    def __enter__(self) -> emit_nvtx:
        if self.enabled:
            raise NotImplementedError("emit_nvtx: cygrad computes on the CPU only; profile() measures its ops")
        return self

    def __exit__(self, *error: object) -> None:
        pass
