"""The peers' processes, seen from the one that asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS

__all__ = ["Absent", "Failed", "Process", "interpreter", "processes"]

ROOT = Path(__file__).resolve().parents[1]
# What the libraries read when they are loaded.
LIMITS = (
    "CYGRAD_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class Absent(Exception):
    """The peer can't take part at all."""


class Failed(Exception):
    """The peer can't do what was asked."""


def interpreter(peer: str, chosen: Mapping[str, str]) -> str:
    """The Python that runs a peer: chosen, or named by CYGRAD_BENCH_<PEER>_PYTHON, or this one."""
    variable = f"CYGRAD_BENCH_{peer.upper().replace('-', '_')}_PYTHON"
    return chosen.get(peer) or os.environ.get(variable) or sys.executable


class Process:
    """A peer at work in its own process, with its own interpreter, on `threads` of the usable cores."""

    def __init__(self, peer: str, threads: int, python: str) -> None:
        self.peer = peer
        settings = {name: value.format(threads=threads) for name, value in PEERS[peer].environment.items()}
        environment = {**os.environ, **dict.fromkeys(LIMITS, str(threads)), **settings}
        try:
            self.process = subprocess.Popen(
                [python, "-m", "benchmarks.worker", peer],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        except OSError as error:
            raise Absent(f"{python} can't be run ({error.strerror})") from None
        keep_to_cores(self.process.pid, threads)

    def hello(self) -> dict[str, str]:
        """The versions at work.

        Raises Absent, with the reason.
        """
        try:
            answer = self.receive()
        except Failed as error:
            raise Absent(str(error)) from None
        if "absent" in answer:
            raise Absent(answer["absent"])
        return answer["versions"]

    def prepare(self, case: str, path: str) -> bool:
        """Builds a case, and writes its results to an .npz file. Whether the peer takes part in it.

        Raises Failed.
        """
        return self.ask({"prepare": case, "results": path})["takes_part"]

    def time(self, seconds: float) -> list[float]:
        """Seconds a call of the case, measured several times within about `seconds`.

        Raises Failed.
        """
        return self.ask({"time": seconds})["seconds"]

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # receive says why
        answer = self.receive()
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"its process ended with code {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """Ends the process, which ends by itself when nothing more can be asked."""
        with self.process:
            self.process.kill()


def keep_to_cores(pid: int, threads: int) -> None:
    """Lets a process that has just begun use as many cores as threads, where the system can: what starts threads for
    every core, as XLA does, counts these."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, sorted(os.sched_getaffinity(0))[-threads:])


@contextmanager
def processes(
    peers: list[str], threads: int, pythons: Mapping[str, str]
) -> Iterator[tuple[dict[str, Process], dict[str, dict[str, str]], dict[str, str]]]:
    """The peers' processes, their versions, and why others are absent."""
    present: dict[str, Process] = {}
    versions: dict[str, dict[str, str]] = {}
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        for peer in peers:
            try:
                process = Process(peer, threads, interpreter(peer, pythons))
                stack.callback(process.close)
                versions[peer] = process.hello()
                present[peer] = process
            except Absent as error:
                absent[peer] = str(error)
        yield present, versions, absent
