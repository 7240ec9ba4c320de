"""What a thread of a loader knows of itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

from cygrad.random import initial_seed

__all__ = ["WorkerInfo", "get_worker_info", "starter"]

_local = threading.local()


class WorkerInfo(NamedTuple):
    """The number of a thread, how many there are, its seed, and the dataset, which all of them share."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


def get_worker_info() -> WorkerInfo | None:
    """Return what is known of the loader's thread that asks, None in any other. As ``torch.utils.data``'s."""
    return getattr(_local, "info", None)


def starter(dataset: Any, workers: int, init: Callable[[int], object] | None) -> Callable[[], None]:
    """A function that each thread calls when it starts."""
    numbers = count()

    def start() -> None:
        number = next(numbers)
        _local.info = WorkerInfo(number, workers, initial_seed() + number, dataset)
        if init is not None:
            init(number)

    return start
