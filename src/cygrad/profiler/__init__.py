"""Where the time of a program goes, by op: ``torch.profiler``."""

from cygrad.profiler.events import Average, Event, EventList
from cygrad.profiler.profile import (
    ProfilerAction,
    ProfilerActivity,
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
    "kineto_available",
    "profile",
    "record_function",
    "schedule",
    "supported_activities",
    "tensorboard_trace_handler",
]
