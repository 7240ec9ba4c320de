"""How all ranks' elements become one."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array

__all__ = ["ReduceOp", "reduce_op"]


class ReduceOp:
    """The names of reductions, as ``torch.distributed.ReduceOp``: sum, mean (of floats), product, least, greatest, and
    bitwise and, or and exclusive or (of integers and booleans)."""

    SUM = "SUM"
    AVG = "AVG"
    PRODUCT = "PRODUCT"
    MIN = "MIN"
    MAX = "MAX"
    BAND = "BAND"
    BOR = "BOR"
    BXOR = "BXOR"
    RedOpType = str  # the type of a name


reduce_op = ReduceOp  # its old name

MPI_NAMES = {
    "SUM": "SUM", "AVG": "SUM", "PRODUCT": "PROD", "MIN": "MIN", "MAX": "MAX", "BAND": "BAND", "BOR": "BOR",
    "BXOR": "BXOR",
}  # fmt: skip
OF_BOOLEANS = {
    "SUM": "LOR", "MAX": "LOR", "BOR": "LOR", "PRODUCT": "LAND", "MIN": "LAND", "BAND": "LAND", "BXOR": "LXOR",
}  # fmt: skip


def check_op(name: str, op: Any, array: Array) -> None:
    """Raise unless `op` is the name of a reduction that is defined for the array's dtype."""
    if op not in MPI_NAMES:
        raise ValueError(f"{name}: op must be one of ReduceOp.{', '.join(MPI_NAMES)}, got {op!r}")
    kind = array.dtype.kind
    wanted = "f" if op == "AVG" else "iub" if op in ("BAND", "BOR", "BXOR") else "fiub"
    if kind not in wanted or array.dtype == np.float16:
        raise TypeError(f"{name}: ReduceOp.{op} is not defined for {array.dtype}")


def mpi_op(op: str, array: Array) -> Any:
    """MPI's operation."""
    from mpi4py import MPI

    return getattr(MPI, OF_BOOLEANS[op] if array.dtype.kind == "b" else MPI_NAMES[op])
