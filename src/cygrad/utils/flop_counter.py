"""``torch.utils.flop_counter``, as far as summaries of models ask for it: nothing is counted."""

from __future__ import annotations

from typing import Any

__all__ = ["FlopCounterMode"]


class FlopCounterMode:
    """A block whose operations PyTorch counts. Here one can be made, and has counted nothing.

    Args:
        mods, depth, display, custom_mapping: accepted, without effect.

    Raises:
        NotImplementedError: a block begins.
    """

    def __init__(self, mods: Any = None, depth: int = 2, display: bool = True, custom_mapping: Any = None) -> None:
        self.flop_counts: dict[str, dict[Any, int]] = {}

    def __enter__(self) -> FlopCounterMode:
        raise NotImplementedError("FlopCounterMode: cygrad counts no operations; cygrad.profiler.profile measures them")

    def __exit__(self, *error: object) -> None:
        pass

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """Return the operations of each module that have been counted."""
        return self.flop_counts

    def get_total_flops(self) -> int:
        """Return the number of operations that have been counted."""
        return sum([sum(counts.values()) for counts in self.flop_counts.values()])
