"""Limits on what a request may ask for."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import Any

__all__ = ["Limits"]


def option(default: int, metavar: str, text: str) -> Any:
    """Declare a limit that the command line can set."""
    return field(default=default, metadata={"parse": int, "metavar": metavar, "help": text})


@dataclass(frozen=True)
class Limits:
    """Limits on a request.

    Args:
        body: bytes in the body.
        rows: rows in the table.
        values: values in the table.
        seconds: until the body has arrived.
        work: seconds to wait for other requests, and again to predict.

    Raises:
        ValueError: if a limit is not above 0.
    """

    body: int = option(16 * 2**20, "BYTES", "largest body of a request, in bytes")
    rows: int = option(100_000, "N", "most rows in a request")
    values: int = option(2**21, "N", "most values in a request")
    seconds: float = 60.0
    work: float = 30.0

    def __post_init__(self) -> None:
        for name in ("body", "rows", "values", "seconds", "work"):
            if not getattr(self, name) > 0:
                raise ValueError(f"serve: the limit of {name} must be above 0, got {getattr(self, name)}")

    @staticmethod
    def options() -> list[Field[Any]]:
        """The fields that the command line can set."""
        return [limit for limit in fields(Limits) if limit.metadata]
