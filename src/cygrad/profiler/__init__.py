"""Where the time of a program goes, by op: ``torch.profiler``."""

from cygrad.profiler.events import Average, Event, EventList
from cygrad.profiler.profile import (
    ProfilerAction,
    ProfilerActivity,
    emit_nvtx,
    kineto_available,
    profile,
    record_function,
    schedule,
    supported_activities,
    tensorboard_trace_handler,
)

__all__ = [
    "Average",
    "Event",
    "EventList",
    "ProfilerAction",
    "ProfilerActivity",
    "emit_nvtx",
    "kineto_available",
    "profile",
    "record_function",
    "schedule",
    "supported_activities",
    "tensorboard_trace_handler",
]
