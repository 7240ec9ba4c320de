"""A program in a loop: it takes its inputs from the rows of whole arrays, and runs without Python in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.compiler.record.address_map import address

if TYPE_CHECKING:
    from cygrad.compiler.program.program import Program

__all__ = ["Loop", "loops"]

ANY_DTYPE = 0  # of kernels that move bytes

# Nanoseconds of work, roughly, after which Python looks for Ctrl-C.
AT_ONCE = 50e6


def loops(program: Program) -> bool:
    """Whether a program can run again and again without Python: it has inputs to take from rows, no calls of Python,
    results in memory of its own, and gradients where the run before left them."""
    replay = program.replay
    return (
        any([buffer is not None for buffer in replay.buffers])
        and len(replay.parts) == 1
        and isinstance(replay.parts[0], kernels.Segment)
        and program.returns_fresh
        and all([array.flags.c_contiguous for array in replay.results])
        and all([gradient_stays(*pair) for pair in zip(replay.grads_before, replay.grads_after)])
    )


def gradient_stays(before: Any, after: Any) -> bool:
    """Whether a run leaves a gradient as it has to find it."""
    return before is Ellipsis or (before is None and after is None) or (after is not None and after.array is before)


class Loop:
    """The launches of a program between others that gather its inputs and keep its results."""

    def __init__(self, program: Program) -> None:
        self.program = program
        replay = program.replay
        segment: Any = replay.parts[0]
        buffers = [buffer for buffer in replay.buffers if buffer is not None]
        self.rows = len(buffers[0])
        self.gathers = [gather(buffer) for buffer in buffers]
        self.copies = [copy(result) for result in replay.results]
        words = [(launch, "index", 8 * self.rows) for launch in self.gathers]
        words += [(launch, "y", launch.number("bytes")) for launch in self.copies]
        words += [word for update in replay.updates for word in update.words()]
        words += [word for draws in replay.draws for word in draws.words()]
        parts = [False] * len(self.gathers), segment.barriers, [False] * len(self.copies)
        barriers = [flag for part in parts for flag in [True, *part[1:]][: len(part)]]
        self.launches = kernels.Loop([*self.gathers, *segment.launches, *self.copies], barriers, words)
        self.at_once = max(1, int(AT_ONCE / (self.launches.cost + 1000)))

    def run(
        self, data: Sequence[Array], order: Array, results: Sequence[Array], times: int
    ) -> tuple[int, Exception | None]:
        """Runs the program `times` times, each time on the next rows of `data`, whose numbers are in `order`; writes
        what it returns to the rows of `results`. Returns how many runs there were before an error, and that."""
        with self.program.replay.lock:
            for launch, array in zip(self.gathers, data):
                launch.move("x", 0, address(array))
                launch.move("index", 0, address(order))
            for launch, array in zip(self.copies, results):
                launch.move("y", 0, address(array))
            done = 0
            while done < times:  # in Python, which looks for Ctrl-C between the turns
                wanted = min(self.at_once, times - done)
                made = self.program.replay.repeat(self.launches, wanted)
                done += made
                if made < wanted:
                    return done, self.launches.error()
            return done, None


def gather(buffer: Array) -> Any:
    """The launch that fills a buffer with rows."""
    launch = kernels.Launch(number_of("gather_rows"), ANY_DTYPE)
    launch.move("y", 0, address(buffer))
    launch.set_number("count", len(buffer))
    launch.set_number("row_bytes", buffer.nbytes // max(1, len(buffer)))
    launch.cost = 0.1 * buffer.nbytes
    return launch


def copy(result: Array) -> Any:
    """The launch that keeps a result."""
    launch = kernels.Launch(number_of("copy"), ANY_DTYPE)
    launch.move("x", 0, address(result))
    launch.set_number("bytes", result.nbytes)
    launch.cost = 0.1 * result.nbytes
    return launch


def number_of(kernel: str) -> int:
    return int(kernels.kernel_names().index(kernel))
