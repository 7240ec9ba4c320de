"""``torch.cuda`` for programs that ask: there is no such device."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn

from cygrad import amp as amp
from cygrad import legacy
from cygrad import random as random
from cygrad.accelerator import *  # noqa: F403
from cygrad.accelerator import OutOfMemoryError as OutOfMemoryError
from cygrad.accelerator import current_device, is_available, memory_allocated, synchronize

CUDAGraph = Event = Stream = device = device_of = graph = stream = current_device  # made on a GPU only
default_stream = get_rng_state = set_per_process_memory_fraction = set_rng_state = utilization = current_device
_initialized, _is_in_bad_fork = False, is_available  # which programs ask before they save random states
memory_cached = max_memory_cached = memory_allocated
ipc_collect = reset_max_memory_allocated = reset_max_memory_cached = synchronize
nvtx = SimpleNamespace(mark=synchronize, range_push=synchronize, range_pop=synchronize)


def is_bf16_supported() -> bool:
    """Return False."""
    return False


def memory_summary(device: object = None, abbreviated: bool = False) -> str:
    """Return an empty text."""
    return ""


def memory_stats(device: object = None) -> dict[str, Any]:
    """Return an empty dict."""
    return {}


def get_rng_state_all() -> list[Any]:
    """Return the states of no generators."""
    return []


def set_rng_state_all(new_states: Any) -> None:
    """Restore the states of no generators."""


get_arch_list = get_rng_state_all


class TypeOfNone(type):
    """A type of tensors on a GPU: no tensor is one."""

    def __instancecheck__(cls, value: object) -> bool:
        return False

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(f"cuda.{cls.__name__}: cygrad computes on the CPU only: there is no accelerator")


for name in legacy.__all__:
    globals()[name] = TypeOfNone(name, (), {"__doc__": "No tensor is one.", "__module__": "cygrad.cuda"})
