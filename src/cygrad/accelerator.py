"""``torch.accelerator``, ``cuda``, ``mps`` and ``xpu`` for programs that ask: there is no accelerator."""

from __future__ import annotations

from typing import Any, NoReturn

from cygrad.random import initial_seed, manual_seed, seed

__all__ = [
    "current_accelerator",
    "current_device",
    "current_device_index",
    "current_stream",
    "device_count",
    "empty_cache",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "init",
    "initial_seed",
    "is_available",
    "is_built",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_reserved",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "seed",
    "seed_all",
    "set_device",
    "set_device_index",
    "synchronize",
]

manual_seed_all, seed_all = manual_seed, seed


class OutOfMemoryError(RuntimeError):
    """What scripts catch where a GPU has too little memory; never raised."""


def is_available() -> bool:
    """Return False: the CPU is the only device."""
    return False


def device_count() -> int:
    """Return 0."""
    return 0


def memory_allocated(device: object = None, device_index: object = None) -> int:
    """Return 0, the bytes of tensors on accelerators."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """Return None: there is no accelerator."""


def synchronize(device: object = None, device_index: object = None) -> None:
    """Do nothing: every result is complete when its function returns."""


def current_device(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise RuntimeError: there is no accelerator."""
    raise RuntimeError("cygrad computes on the CPU only: there is no accelerator")


is_built = is_initialized = is_available
max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated
empty_cache = reset_peak_memory_stats = synchronize
current_device_index = current_stream = get_device_capability = get_device_name = get_device_properties = current_device
init = mem_get_info = set_device = set_device_index = current_device
