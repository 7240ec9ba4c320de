"""The check of device arguments: the CPU is the only device."""

from __future__ import annotations

__all__ = ["check_device"]


def check_device(op: str, device: object) -> None:
    """Raise ValueError unless `device` is None or the CPU."""
    if device is not None and str(device).partition(":")[0] != "cpu":
        raise ValueError(f"{op}: cygrad computes on the CPU only, got device {str(device)!r}")
