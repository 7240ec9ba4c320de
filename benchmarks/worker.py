"""A peer's process: reads requests from standard input, one line of JSON each, and answers in the same way.

    python -m benchmarks.worker PEER

First it reports its versions, or the reason why the peer is absent. Then `{"prepare": case, "results": path}` builds a
case and writes the arrays to compare to an .npz file, and `{"time": seconds}` times it.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
from timeit import Timer
from typing import Any

import numpy as np

from benchmarks.cases import CASES
from benchmarks.peers import Builder, Work, builder

__all__ = ["main"]

SAMPLES = 5  # measurements per round
Answer = dict[str, Any]


def main(peer: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the controlling process handles Ctrl-C and ends this one
    # Output of libraries must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(message: Answer) -> None:
        print(json.dumps(message), file=answers, flush=True)

    try:
        library = builder(peer)
    except ImportError as error:
        answer({"absent": " ".join(str(error).split())})
        return
    answer({"versions": {**library.versions(), "python": platform.python_version()}})
    worker = Worker(library)
    for line in sys.stdin:
        try:
            answer(worker.answer(json.loads(line)))
        except Exception as error:
            # A case that fails must not end the process.
            answer({"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"})


class Worker:
    def __init__(self, library: Builder) -> None:
        self.library = library
        self.timer = Timer("pass")
        self.calls: int | None = None

    def answer(self, request: dict[str, Any]) -> Answer:
        if "prepare" in request:
            return {"supported": self.prepare(request["prepare"], request["results"])}
        return {"seconds": self.time(request["time"])}

    def prepare(self, name: str, path: str) -> bool:
        """Write the results to the path; return whether the peer supports the case."""
        (case,) = (case for case in CASES if case.name == name)
        self.timer, self.calls = Timer("pass"), None  # frees the previous case
        work: Work | None = self.library.build(case, check=True)
        if work is None:
            return False
        np.savez(path, **work.results())  # type: ignore[arg-type]
        del work
        timed = self.library.build(case, check=False)
        assert timed is not None
        timed.call()
        self.timer = Timer(timed.call)
        return True

    def time(self, seconds: float) -> list[float]:
        """Seconds per call, several times, after a warm-up; like `timeit`, with garbage collection off."""
        share = seconds / SAMPLES
        if self.calls is None:
            self.calls = self.repetitions(share)
        self.timer.timeit(self.calls)
        return [self.timer.timeit(self.calls) / self.calls for _ in range(SAMPLES)]

    def repetitions(self, seconds: float) -> int:
        """The number of calls that takes about as long."""
        calls = 1
        while (elapsed := self.timer.timeit(calls)) < seconds / 4:
            calls *= 2
        return max(1, round(calls * seconds / elapsed))


if __name__ == "__main__":
    main(sys.argv[1])
