"""``torch.nn._reduction``: reductions as numbers, and the old flags ``size_average`` and ``reduce``, for modules of
others that were written after PyTorch's own losses."""

from __future__ import annotations

import warnings

__all__ = ["get_enum", "legacy_get_enum", "legacy_get_string"]

NUMBERS = {"none": 0, "mean": 1, "sum": 2}


def get_enum(reduction: str) -> int:
    """Return the number of a reduction: 0 for none, 1 for mean, 2 for sum.

    Raises:
        ValueError: there is no such reduction.
    """
    if reduction not in NUMBERS:
        raise ValueError(f"reduction must be none, mean or sum, got {reduction!r}")
    return NUMBERS[reduction]


def legacy_get_string(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> str:
    """Return the reduction that the old flags mean, with a warning unless that is not wanted."""
    name = "none" if reduce is False else "sum" if size_average is False else "mean"
    if emit_warning:
        warnings.warn(f"size_average and reduce are deprecated, use reduction={name!r}", UserWarning, 2)
    return name


def legacy_get_enum(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> int:
    """Return the number of the reduction that the old flags mean."""
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
