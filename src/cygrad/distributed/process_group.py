"""Process groups: which ranks there are, and their start and end."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad._version import __version__
from cygrad.config import set_num_threads
from cygrad.cores import container_quota
from cygrad.distributed.failure import Farewells, watch
from cygrad.distributed.launch import has_mpi, launched_size, mpi

__all__ = [
    "GroupMember",
    "ProcessGroup",
    "destroy_process_group",
    "get_backend",
    "get_global_rank",
    "get_group_rank",
    "get_process_group_ranks",
    "get_rank",
    "get_world_size",
    "group",
    "init_process_group",
    "is_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
    "new_group",
]

BACKENDS = ("mpi", "gloo")  # both mean MPI
SPIN = 0.02  # seconds for which a rank looks for the end of an operation without a pause


give_way: Callable[[], object] = getattr(os, "sched_yield", lambda: None)


class ProcessGroup:
    """Ranks that communicate with each other.

    Args:
        communicator: mpi4py's, None for a group of this process alone.
        ranks: of the members, in the world, in the group's order.
        farewells: of the world's ranks, None for a world of one.
        timeout: seconds after which an operation that other ranks have not joined raises RuntimeError.
    """

    def __init__(
        self, communicator: Any, ranks: Sequence[int], farewells: Farewells | None = None, timeout: float = 1800.0
    ) -> None:
        self.communicator = communicator
        self.ranks = tuple(ranks)
        self.farewells = farewells
        self.timeout = timeout
        self.backend = "mpi"

    def rank(self) -> int:
        """Return the number of this process in the group."""
        return 0 if self.communicator is None else int(self.communicator.Get_rank())

    def size(self) -> int:
        """Return the number of ranks in the group."""
        return len(self.ranks)

    def count_operation(self) -> None:
        """Count an operation that begins, for messages."""
        if self.farewells is not None:
            self.farewells.operations += 1

    def local_rank(self, name: str, rank: Any) -> int:
        """The number in the group of a rank of the world; raise ValueError if it is not a member."""
        if rank not in self.ranks:
            raise ValueError(f"{name}: rank must be one of {list(self.ranks)}, got {rank!r}")
        return self.ranks.index(rank)

    def operate(self, name: str, method: str, *args: Any) -> None:
        """Call a method of the communicator, and wait until its operation is complete."""
        self.count_operation()
        self.wait(name, [getattr(self.communicator, method)(*args)])

    def gathered(self, name: str, obj: Any) -> list[Any]:
        """The object of each rank, which is pickled."""
        if self.communicator is None:
            return [pickle.loads(pickle.dumps(obj))]
        mine = np.frombuffer(pickle.dumps(obj), np.uint8)
        sizes = np.zeros(self.size(), np.int64)
        self.operate(name, "Iallgather", as_bytes(np.array([mine.size], np.int64)), as_bytes(sizes))
        everything = np.empty(sizes.sum(), np.uint8)
        starts = sizes.cumsum() - sizes
        self.operate(name, "Iallgatherv", as_bytes(mine), [*as_bytes(everything)[:1], sizes, starts, as_bytes(mine)[1]])
        return [pickle.loads(everything[at : at + size].tobytes()) for at, size in zip(starts, sizes)]

    def wait(self, name: str, requests: list[Any]) -> None:
        """Wait for requests of MPI, which are complete afterwards; see ``wait_until``."""
        if requests:
            from mpi4py import MPI

            self.wait_until(name, lambda: bool(MPI.Request.Testall(requests)))

    def await_message(self, name: str, tag: int) -> int:
        """Wait until a message of any rank is there, and return the rank; see ``wait_until``.

        Each rank is probed: between machines, MPICH's probe for a message of any rank does not end.
        """
        others = [rank for rank in range(self.size()) if rank != self.rank()]
        found: list[int] = []

        def is_there() -> bool:
            found.extend([rank for rank in others if self.communicator.Iprobe(rank, tag)])
            return bool(found)

        self.wait_until(name, is_there)
        return found[0]

    def wait_until(self, name: str, is_done: Callable[[], bool]) -> None:
        """Wait for other ranks.

        Args:
            name: of the operation, for messages.
            is_done: whether the wait is over; called again and again, since it lets MPI go on.

        Raises:
            RuntimeError: a rank of the group has ended its program, or the time is up.
        """
        started, checked = time.monotonic(), SPIN
        ended_since: dict[int, float] = {}
        while not is_done():
            waited = time.monotonic() - started
            if waited < SPIN:
                give_way()  # to another rank on this core, if there are more ranks than cores
                continue
            if waited > checked + 0.1 and self.farewells is not None:
                checked = waited
                self.farewells.check(name, self.ranks, ended_since)
            if waited > self.timeout:
                raise RuntimeError(f"{name}: waited {self.timeout:.0f} s for the other ranks of {list(self.ranks)}")
            time.sleep(1e-4)

    def __repr__(self) -> str:
        return f"<ProcessGroup of ranks {list(self.ranks)}>"


def as_bytes(flat: Array) -> list[Any]:
    """A message of MPI with the bytes of a flat array, of any dtype."""
    from mpi4py import MPI

    return [flat.view(np.uint8), MPI.BYTE]


class GroupMember:
    """The groups that PyTorch names. As ``torch.distributed.GroupMember``."""

    WORLD: ProcessGroup | None = None
    NON_GROUP_MEMBER = object()  # what ``new_group`` returns on other ranks


group = GroupMember


def is_available() -> bool:
    """Return True: a world of one needs no other package, and more ranks need mpi4py and ``mpiexec``."""
    return True


is_gloo_available = is_available  # the name of a backend, under which MPI is used


def is_mpi_available() -> bool:
    """Whether mpi4py is installed."""
    return has_mpi()


def is_nccl_available() -> bool:
    """Return False: there is no GPU."""
    return False


is_torchelastic_launched = is_nccl_available


def is_initialized() -> bool:
    """Whether ``init_process_group`` has been called."""
    return GroupMember.WORLD is not None


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: object = None,
    group_name: str = "",
    pg_options: object = None,
    device_id: object = None,
) -> None:
    """Join the ranks that ``mpiexec`` started; without one, the world is this process. As
    ``torch.distributed.init_process_group``.

    From then on, an exception that ends the program of one rank ends all ranks, after one message that names it. Ranks
    on one machine share its cores: unless CYGRAD_NUM_THREADS is set, each uses cores / ranks threads.

    Args:
        backend: "mpi", "gloo" or None, which all mean MPI.
        init_method: None or "env://": ``mpiexec`` tells the ranks how to find each other.
        timeout: after which an operation that other ranks have not joined raises RuntimeError, default 30 minutes.
        world_size, rank: if given, checked against those of ``mpiexec``.
        store, group_name, pg_options, device_id: accepted as in PyTorch, without effect.

    Raises:
        RuntimeError: it was called already; mpi4py is missing; or a rank runs other code or another version.
        ValueError: the backend is another one, or world_size or rank is not that of ``mpiexec``.

    >>> cg.distributed.init_process_group()
    >>> cg.distributed.get_rank(), cg.distributed.get_world_size()
    (0, 1)
    >>> cg.distributed.destroy_process_group()
    """
    if GroupMember.WORLD is not None:
        raise RuntimeError("init_process_group: it was called already; destroy_process_group ends the group")
    name = "mpi" if backend is None else str(backend).lower()
    if name not in BACKENDS:
        raise ValueError(
            f"init_process_group: backend must be 'mpi' or 'gloo', which both mean MPI between CPUs, got {backend!r}"
        )
    if init_method not in (None, "env://"):
        raise ValueError(f"init_process_group: mpiexec connects the ranks, but init_method is {init_method!r}")
    seconds = 1800.0 if timeout is None else timeout.total_seconds()
    world = joined_world(seconds)
    asked = os.environ.get("WORLD_SIZE", "") if world.communicator is None else ""
    if asked.isdecimal() and int(asked) > 1:
        raise RuntimeError(
            f"init_process_group: WORLD_SIZE is {asked}, but no mpiexec started this process: start the program with "
            f"mpiexec -n {asked} python …, instead of torchrun"
        )
    for argument, given, found in ("world_size", world_size, world.size()), ("rank", rank, world.rank()):
        if given not in (-1, found):
            raise ValueError(f"init_process_group: {argument} is {found}, as mpiexec says, got {given}")
    world.backend = name
    if world.communicator is not None:
        check_programs(world)
        share_cores(world)
    GroupMember.WORLD = world


_launched: ProcessGroup | None = None  # the ranks that mpiexec started, once they are connected


def joined_world(timeout: float) -> ProcessGroup:
    """The group of all ranks."""
    global _launched
    size = launched_size()
    if size is None:
        return ProcessGroup(None, [0], timeout=timeout)
    if _launched is None:
        world = mpi(size).COMM_WORLD
        _launched = ProcessGroup(world.Dup(), range(world.Get_size()), watch(world))
    return ProcessGroup(_launched.communicator, _launched.ranks, _launched.farewells, timeout)


def check_programs(world: ProcessGroup) -> None:
    """Raise RuntimeError, naming the rank, if one runs another program or version than rank 0."""
    mine = {"version of cygrad": __version__, "version of Python": sys.version.split()[0], "program": program_hash()}
    everyone = world.gathered("init_process_group", mine)
    for rank, theirs in enumerate(everyone):
        for what, value in theirs.items():
            if value != everyone[0][what]:
                got = "the files differ" if what == "program" else f"{value} and {everyone[0][what]}"
                raise RuntimeError(f"init_process_group: the {what} of rank {rank} is not that of rank 0: {got}")


def program_hash() -> str:
    """A checksum of the file that runs as the program; empty for an interactive session."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    try:
        with open(path or "", "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def share_cores(world: ProcessGroup) -> None:
    """Let each rank use its share of the cores of its machine."""
    from mpi4py import MPI

    machine = world.communicator.Split_type(MPI.COMM_TYPE_SHARED)
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    masks = machine.allgather(mine)
    sharing = sum([1 for mask in masks if mask & mine])  # mpiexec may have bound the ranks to different cores
    machine.Free()
    if not os.environ.get("CYGRAD_NUM_THREADS") and len(masks) > 1:
        quota = container_quota()
        cores = len(mine) // sharing if quota is None else min(len(mine) // sharing, quota // len(masks))
        set_num_threads(min(kernels.num_threads(), max(1, cores)))


def destroy_process_group(group: Any = None) -> None:
    """Leave a group, by default the world; ``init_process_group`` may be called again."""
    if group is None or group is GroupMember.WORLD:
        world_of("destroy_process_group", None)
        GroupMember.WORLD = None
    elif isinstance(group, ProcessGroup) and group.communicator is not None:
        group.communicator.Free()


def world_of(name: str, group: Any) -> ProcessGroup:
    """A group, the world where it is None. Raises RuntimeError if there is none, ValueError if this rank is not in it,
    and TypeError for anything else."""
    if GroupMember.WORLD is None:
        raise RuntimeError(f"{name}: init_process_group has not been called")
    if group is None:
        return GroupMember.WORLD
    if group is GroupMember.NON_GROUP_MEMBER:
        raise ValueError(f"{name}: this rank is not a member of the group")
    if not isinstance(group, ProcessGroup):
        raise TypeError(f"{name}: group must be a ProcessGroup, got {type(group).__name__}")
    return group


def get_rank(group: Any = None) -> int:
    """Return the number of this process in a group, by default in the world; −1 if it is not a member."""
    return -1 if group is GroupMember.NON_GROUP_MEMBER else world_of("get_rank", group).rank()


def get_world_size(group: Any = None) -> int:
    """Return the number of ranks of a group, by default of the world; −1 if this process is not a member."""
    return -1 if group is GroupMember.NON_GROUP_MEMBER else world_of("get_world_size", group).size()


def get_backend(group: Any = None) -> str:
    """Return the name that ``init_process_group`` was given, by default "mpi"."""
    return world_of("get_backend", group).backend


def get_process_group_ranks(group: Any) -> list[int]:
    """Return the ranks of a group's members, in the world."""
    return list(world_of("get_process_group_ranks", group).ranks)


def get_group_rank(group: Any, global_rank: int) -> int:
    """Return the number in a group of a rank of the world."""
    return world_of("get_group_rank", group).local_rank("get_group_rank", global_rank)


def get_global_rank(group: Any, group_rank: int) -> int:
    """Return the rank in the world of a member of a group."""
    return world_of("get_global_rank", group).ranks[group_rank]


def new_group(
    ranks: Sequence[int] | None = None,
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: object = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
    device_id: object = None,
) -> Any:
    """Form a group of some ranks. All ranks of the world must call it, in the same order.

    Args:
        ranks: the members, ranks of the world; by default all.
        timeout: as for :func:`init_process_group`, by default the world's.
        backend, pg_options, use_local_synchronization, group_desc, device_id: accepted as in PyTorch, without effect.

    Returns:
        The group; ``GroupMember.NON_GROUP_MEMBER`` on other ranks.
    """
    world = world_of("new_group", None)
    members = sorted(world.ranks if ranks is None else ranks)
    for rank in members:
        world.local_rank("new_group", rank)
    mine = world.rank() in members
    seconds = world.timeout if timeout is None else timeout.total_seconds()
    if world.communicator is None:
        return ProcessGroup(None, members, timeout=seconds) if mine else GroupMember.NON_GROUP_MEMBER
    from mpi4py import MPI

    communicator = world.communicator.Split(0 if mine else MPI.UNDEFINED, world.rank())
    if not mine:
        return GroupMember.NON_GROUP_MEMBER
    made = ProcessGroup(communicator, members, world.farewells, seconds)
    made.backend = world.backend
    return made
