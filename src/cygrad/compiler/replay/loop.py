"""Many runs of a program in one call into C, each on the next rows of the data, without Python in between."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.compiler.record.address_map import address
from cygrad.compiler.replay.replay import Replay

__all__ = ["BatchLoop", "can_loop"]

ANY_DTYPE = 0  # of kernels that move bytes

# Nanoseconds of work, roughly, after which Python checks for Ctrl-C.
TURN = 50e6


def can_loop(replay: Replay) -> bool:
    """Whether a program needs no Python between two runs: it has tensors as inputs, one segment and no calls,
    contiguous results, and leaves each gradient as the next run expects it."""
    return (
        any([buffer is not None for buffer in replay.inputs.buffers])
        and len(replay.parts) == 1
        and isinstance(replay.parts[0], kernels.Segment)
        and all([array.flags.c_contiguous for array in replay.results])
        and all([gradient.repeats for gradient in replay.guards.gradients])
        and not any([place.needs_calls for place in replay.kept or ()])
    )


class BatchLoop:
    """The launches of a program between others, which gather its inputs and store its results.

    Args:
        replay: a replay for which ``can_loop`` holds
    """

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        segment: Any = replay.parts[0]
        buffers = [buffer for buffer in replay.inputs.buffers if buffer is not None]
        rows = len(buffers[0])
        self.gathers = [gather_launch(buffer) for buffer in buffers]
        self.copies = [copy_launch(result) for result in replay.results]
        words = [(launch, "index", 8 * rows) for launch in self.gathers]
        words += [(launch, "y", launch.number("bytes")) for launch in self.copies]
        words += [word for update in replay.effects.updates for word in update.words()]
        words += [word for draws in replay.effects.draws for word in draws.words()]
        parts = [False] * len(self.gathers), segment.barriers, [False] * len(self.copies)
        barriers = [barrier for part in parts for barrier in [True, *part[1:]][: len(part)]]
        self.launches = kernels.Loop([*self.gathers, *segment.launches, *self.copies], barriers, words)
        self.runs_per_turn = max(1, int(TURN / (self.launches.cost + 1000)))

    def run(
        self, sample: Sequence[Any], data: Sequence[Array], order: Array, results: Sequence[Array], times: int
    ) -> tuple[int, Exception | None]:
        """Run the program `times` times.

        Args:
            sample: arguments of one run, flat, which the program accepts
            data: an array for each tensor argument, with a sample in each row
            order: int64, the indices of the rows in the order of use
            results: an array for each result, with a row for each run
            times: the number of runs

        Returns:
            The number of complete runs, and the error that ended the next one, if any. 0 and None where this thread
            runs the program, or another one, already, or where it no longer accepts the arguments.
        """
        run = partial(self.run_alone, sample, data, order, results, times)
        return self.replay.lock.call(True, run, lambda: (0, None))

    def run_alone(
        self, sample: Sequence[Any], data: Sequence[Array], order: Array, results: Sequence[Array], times: int
    ) -> tuple[int, Exception | None]:
        """``run``, in the thread that has the program's lock."""
        if not self.replay.accepts(sample):
            return 0, None
        for launch, array in zip(self.gathers, data):
            launch.set_address("x", 0, address(array))
            launch.set_address("index", 0, address(order))
        for launch, array in zip(self.copies, results):
            launch.set_address("y", 0, address(array))
        done = 0
        while done < times:  # Python checks for Ctrl-C between two turns
            wanted = min(self.runs_per_turn, times - done)
            complete = self.replay.repeat(self.launches, wanted)
            done += complete
            if complete and self.replay.kept is not None:
                self.replay.keep(())
            if complete < wanted:
                return done, self.launches.error()
        return done, None


def gather_launch(buffer: Array) -> Any:
    """The launch that fills a buffer with rows of the data."""
    launch = kernels.new_launch("gather_rows", ANY_DTYPE)
    launch.set_address("y", 0, address(buffer))
    launch.set_number("count", len(buffer))
    launch.set_number("row_bytes", buffer.nbytes // max(1, len(buffer)))
    return launch


def copy_launch(result: Array) -> Any:
    """The launch that stores a result."""
    launch = kernels.new_launch("copy", ANY_DTYPE)
    launch.set_address("x", 0, address(result))
    launch.set_number("bytes", result.nbytes)
    return launch
