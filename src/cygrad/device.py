"""The one device that there is."""

from __future__ import annotations

from typing import Any

__all__ = ["check_device"]


def check_device(op: str, device: Any) -> None:
    """Raises unless `device` is the CPU, or None."""
    if device is not None and str(device).partition(":")[0] != "cpu":
        raise ValueError(f"{op}: cygrad computes on the CPU only, got device {str(device)!r}")
