"""The peers' processes, seen from the process that controls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS
from cygrad.bench.timing import thread_environment

__all__ = ["Absent", "Failed", "Process", "interpreter", "processes"]

ROOT = Path(__file__).resolve().parents[1]


class Absent(Exception):
    """The peer is not available."""


class Failed(Exception):
    """The peer cannot do what was requested."""


def interpreter(peer: str, chosen: Mapping[str, str]) -> str:
    """The Python interpreter of a peer: the chosen one, CYGRAD_BENCH_<PEER>_PYTHON, or this one."""
    variable = f"CYGRAD_BENCH_{peer.upper().replace('-', '_')}_PYTHON"
    return chosen.get(peer) or os.environ.get(variable) or sys.executable


class Process:
    """A peer in its own process, with its own interpreter, on `threads` of the usable cores."""

    def __init__(self, peer: str, threads: int, python: str) -> None:
        self.peer = peer
        settings = {name: value.format(threads=threads) for name, value in PEERS[peer].environment.items()}
        environment = {**os.environ, **thread_environment(threads), **settings}
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
            raise Absent(f"cannot run {python} ({error.strerror})") from None
        keep_to_cores(self.process.pid, threads)

    def hello(self) -> dict[str, str]:
        """The versions in use.

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
        """Build a case and write its results to an .npz file; return whether the peer supports the case.

        Raises Failed.
        """
        return self.ask({"prepare": case, "results": path})["supported"]

    def time(self, seconds: float) -> list[float]:
        """Seconds per call of the case, measured several times within about `seconds`.

        Raises Failed.
        """
        return self.ask({"time": seconds})["seconds"]

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # receive raises with the reason
        answer = self.receive()
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"its process exited with code {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """Kill the process; a request that it never read is dropped."""
        self.process.kill()
        with suppress(BrokenPipeError), self.process:
            pass


def keep_to_cores(pid: int, threads: int) -> None:
    """Restrict a new process to as many cores as threads, if the system can: XLA, for one, starts a thread per core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, sorted(os.sched_getaffinity(0))[-threads:])


@contextmanager
def processes(
    peers: list[str], threads: int, pythons: Mapping[str, str]
) -> Iterator[tuple[dict[str, Process], dict[str, dict[str, str]], dict[str, str]]]:
    """Start the peers' processes; yields them, their versions, and the reasons why others are absent."""
    available: dict[str, Process] = {}
    versions: dict[str, dict[str, str]] = {}
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        for peer in peers:
            try:
                process = Process(peer, threads, interpreter(peer, pythons))
                stack.callback(process.close)
                versions[peer] = process.hello()
                available[peer] = process
            except Absent as error:
                absent[peer] = str(error)
        yield available, versions, absent
