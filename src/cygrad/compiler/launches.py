"""What a launch reads and writes, and what it costs: facts about the kernels, told from their argument blocks."""

from __future__ import annotations

from typing import Any

__all__ = ["reads_and_writes"]

# Results that a kernel also reads.
UPDATED = {
    "batch_norm": ("running_mean", "running_var"),
    "divide": ("y",),
    "count": ("y",),
    "gemm": ("c",),  # where it accumulates
    "scale_all": ("g",),
    "clip_value": ("g",),
    "clip_adaptive": ("g",),
    "sgd": ("p", "b"),
    "adam": ("p", "m", "v", "largest"),
    "rmsprop": ("p", "s", "c", "b"),
    "adagrad": ("p", "s"),
}


def reads_and_writes(launch: Any) -> tuple[list[int], list[int]]:
    """The addresses of the arrays that a launch reads, and of those that it writes."""
    reads: list[int] = []
    writes: list[int] = []
    many = "tensors" in dict(launch.fields)
    updated = UPDATED.get(launch.name, ())
    for name, kind in launch.fields:
        if kind in ("OUT", "OUTS"):
            found = [pointer for pointer in launch.addresses(name) if pointer]
            writes += found
            if name in updated and not (launch.name == "gemm" and not launch.number("accumulate")):
                reads += found
        elif kind in ("IN", "INS") or (kind == "IDX" and not many):
            reads += [pointer for pointer in launch.addresses(name) if pointer]
    return reads, writes
