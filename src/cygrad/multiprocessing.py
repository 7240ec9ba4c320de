"""``torch.multiprocessing``, on the standard library. Tensors are copied from process to process, not shared."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing import *  # noqa: F403
from multiprocessing.process import BaseProcess
from typing import Any

__all__ = [*multiprocessing.__all__, "get_all_sharing_strategies", "set_sharing_strategy", "spawn"]


def spawn(
    fn: Callable[..., object],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> list[BaseProcess] | None:
    """Call fn(i, *args) in a process for each i below `nprocs`.

    Args:
        fn: a function of a module.
        args: its arguments after the number of the process.
        nprocs: the number of processes.
        join: wait for all of them.
        daemon: end them with this process.
        start_method: "spawn", "fork" or "forkserver".

    Returns:
        The processes, None if they have ended.

    Raises:
        RuntimeError: a process has failed.
    """
    context: Any = multiprocessing.get_context(start_method)
    processes = [context.Process(target=fn, args=(i, *args), daemon=daemon) for i in range(nprocs)]
    for process in processes:
        process.start()
    if not join:
        return processes
    for process in processes:
        process.join()
    if failed := [i for i, process in enumerate(processes) if process.exitcode]:
        raise RuntimeError(f"spawn: processes {failed} have failed")
    return None


def get_all_sharing_strategies() -> set[str]:
    """Return the empty set: no memory is shared."""
    return set()


def set_sharing_strategy(new_strategy: str) -> None:
    """Accept a strategy, without effect."""
