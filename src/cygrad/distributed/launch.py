"""How this process was started: by an ``mpiexec``, by ``torchrun``, or alone."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

__all__ = ["has_mpi", "launched_size", "mpi"]

# Set for each rank: by hydra, the mpiexec of MPICH and Intel MPI; by that of Open MPI; by Slurm's and PBS's over PMIx.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS")
MARKS = ("PMIX_RANK", "PMI_RANK", "PMI_FD")


def has_mpi() -> bool:
    """Whether mpi4py is installed."""
    return find_spec("mpi4py") is not None


def launched_size() -> int | None:
    """The number of ranks with which an ``mpiexec`` started this process, 0 where it does not say; None without one."""
    for name in SIZES:
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    return 0 if any([name in os.environ for name in MARKS]) else None


def mpi(size: int) -> Any:
    """The module ``mpi4py.MPI``, with MPI started.

    Args:
        size: the number of ranks that ``mpiexec`` was asked for, 0 if that is not known.

    Raises:
        RuntimeError: mpi4py is missing or has no MPI library, or that library belongs to a different ``mpiexec``.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise RuntimeError(
            f"init_process_group: mpiexec started this process, but mpi4py can't be used ({error}): "
            "pip install 'cygrad[mpi]'"
        ) from error
    found = MPI.COMM_WORLD.Get_size()
    if size and found != size:
        library = MPI.Get_library_version().split("\n")[0].strip("\0 ")
        raise RuntimeError(
            f"init_process_group: mpiexec started {size} ranks, but {library} sees {found}: mpiexec belongs to a "
            "different MPI than mpi4py's; start it from the environment into which mpi4py was installed"
        )
    return MPI
