"""What happens when a rank fails or ends early: the other ranks end too, within seconds and with one message."""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NoReturn

import numpy as np

__all__ = ["Farewells", "stop_all", "watch"]

FAREWELL = 7  # the tag of messages that say that a rank's program has ended
GRACE = 2.0  # seconds in which an operation may still complete after a rank that takes part in it has ended
STAGGER = 0.3  # seconds between two ranks that notice it, so that the first one's message is the only one
FORWARD = 0.1  # seconds that mpiexec has to forward what a rank has printed, before it ends all ranks
_world: Any = None  # mpi4py's COMM_WORLD, once failures are watched
_exit_code: object = None  # what the program gave to sys.exit


def watch(world: Any) -> Farewells:
    """From now on, let an exception or a nonzero ``sys.exit`` of this rank end all ranks of `world`, once."""
    global _world
    if _world is None:
        _world = world
        sys.excepthook = hooked(sys.excepthook)
        sys.exit = noting(sys.exit)
    return Farewells(world.Dup())


def hooked(before: Callable[..., Any]) -> Callable[..., Any]:
    """An excepthook that ends all ranks after the hook `before` has printed the traceback."""

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        before(kind, error, traceback)
        stop_all(f"{kind.__name__}: {error}" if str(error) else kind.__name__)

    return hook


def noting(exit: Callable[[Any], NoReturn]) -> Any:
    """``sys.exit``, whose code is remembered: no hook is called for a SystemExit."""

    def noted(status: Any = None, /) -> NoReturn:
        global _exit_code
        _exit_code = status
        exit(status)

    return noted


def stop_all(reason: str, code: int = 1) -> NoReturn:
    """Print one message that names this rank, and end all ranks."""
    rank, size = _world.Get_rank(), _world.Get_size()
    sys.stdout.flush()
    first = reason.splitlines()[0] if reason else "unknown"
    sys.stderr.write(f"cygrad.distributed: rank {rank} of {size} failed ({first}); all ranks are stopped\n")
    sys.stderr.flush()
    time.sleep(FORWARD)
    _world.Abort(code)
    os._exit(code)  # Abort does not return


class Farewells:
    """Messages with which the ranks tell each other that their programs have ended, so that none waits for one that
    will not come.

    Args:
        channel: a communicator of all ranks, for these messages alone.
    """

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.ended: dict[int, int] = {}  # rank → the number of operations that it had begun when its program ended
        self.operations = 0  # that this rank has begun
        self.leaving = False
        # One receive for each rank: between machines, MPICH's probe for a message of any rank does not end.
        others = [rank for rank in range(channel.Get_size()) if rank != channel.Get_rank()]
        self.counts = {rank: np.empty(1, np.int64) for rank in others}
        self.awaited = {rank: channel.Irecv(count, rank, FAREWELL) for rank, count in self.counts.items()}
        atexit.register(self.leave)

    def look(self) -> None:
        """Receive what has arrived."""
        for rank in [rank for rank, request in self.awaited.items() if request.Test()]:
            del self.awaited[rank]
            self.ended[rank] = int(self.counts[rank][0])

    def leave(self) -> None:
        """At the end of the program: tell the others, and wait for theirs, since MPI ends for all ranks together."""
        if self.leaving:
            return
        self.leaving = True
        if _exit_code not in (None, 0):
            code = _exit_code if isinstance(_exit_code, int) else 1
            stop_all(f"sys.exit({_exit_code!r})", code if 0 < code < 256 else 1)
        count = np.array([self.operations], np.int64)
        sent = [self.channel.Isend(count, rank, FAREWELL) for rank in self.counts]
        while not all([request.Test() for request in sent]) or self.awaited:
            self.look()
            time.sleep(1e-3)

    def check(self, name: str, ranks: Sequence[int], ended_since: dict[int, float]) -> None:
        """Raise RuntimeError if `name` still waits for a rank whose program has ended a while ago.

        Args:
            name: of the operation, for the message.
            ranks: that take part in it.
            ended_since: rank → when this wait learned that it has ended; updated.
        """
        self.look()
        now, grace = time.monotonic(), GRACE + STAGGER * min(self.channel.Get_rank(), 8)
        for rank in ranks:
            if rank in self.ended and now - ended_since.setdefault(rank, now) > grace:
                raise RuntimeError(
                    f"{name}: rank {rank} ended its program after {self.ended[rank]} collective operations, and this "
                    f"rank waits for it in number {self.operations}: the ranks must run the same code on equally many "
                    "batches; DistributedDataParallel.join() is for uneven ones"
                )
