"""Cases in a forked child, which may crash, hang or eat memory without harm to the parent."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.fuzzer import Fuzzer, limit_memory

PATIENCE = 2.0  # seconds for a traceback after SIGABRT, before SIGKILL


@dataclass
class Outcome:
    """What became of a child: how many cases passed, and the one that did not, if any."""

    passed: int = 0
    number: int | None = None  # of the case that failed
    message: str = ""
    counts: dict[str, int] = field(default_factory=dict)


def run_cases(fuzzer: Fuzzer[Any], cases: Iterator[tuple[int, Any]], until: float = float("inf")) -> Outcome:
    """Run numbered cases in a child, up to the first that fails, or until that time."""
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as output:
        pid = os.fork()
        if not pid:
            child(fuzzer, cases, until, writer, output.fileno())
        os.close(writer)
        try:
            return follow(fuzzer, pid, reader, output)
        finally:
            os.close(reader)
            end(pid)


def child(fuzzer: Fuzzer[Any], cases: Iterator[tuple[int, Any]], until: float, writer: int, output: int) -> None:
    """The child's life; it does not return."""
    try:
        os.setpgid(0, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout = sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
        faulthandler.enable(2)
        limit_memory(fuzzer.memory)
        fuzzer.counts.clear()

        def tell(**message: Any) -> None:
            os.write(writer, json.dumps(message).encode() + b"\n")

        fuzzer.start()
        for number, case in cases:
            if time.monotonic() > until:
                break
            tell(at=number)
            if problem := tried(fuzzer, case):
                tell(failed=number, message=problem[:20_000], counts=fuzzer.counts)
                break
        tell(counts=fuzzer.counts)
    except BaseException:
        traceback.print_exc()
        os._exit(3)
    os._exit(0)


def tried(fuzzer: Fuzzer[Any], case: Any) -> str | None:
    try:
        return fuzzer.run(case)
    except BaseException as error:
        return f"{type(error).__name__} leaves the fuzzer: {error}\n{traceback.format_exc()}"


def follow(fuzzer: Fuzzer[Any], pid: int, reader: int, output: Any) -> Outcome:
    """Read what the child says until it ends, dies or is silent for too long."""
    outcome, at, complete = Outcome(), None, False
    for line in lines_of(pid, reader, fuzzer.timeout):
        if line is None:
            return silent(outcome, at, f"hangs\n{fuzzer.timeout:g} seconds have passed\n{last_words(pid, output)}")
        said = json.loads(line)
        if "at" in said:
            outcome.passed += at is not None
            at = said["at"]
        if "failed" in said:
            outcome.number, outcome.message = said["failed"], said["message"]
        if "counts" in said:
            outcome.counts, complete = said["counts"], True
    status = end(pid, patience=fuzzer.timeout)
    if outcome.number is not None:
        return outcome
    if status or not complete:
        return silent(outcome, at, f"{death(status)}\n{text_of(output)}")
    outcome.passed += at is not None
    return outcome


def silent(outcome: Outcome, at: int | None, message: str) -> Outcome:
    """The outcome of a child that can't say any more what happened; without a case, it did not even start."""
    if at is None:
        raise RuntimeError(f"the fuzzer's start {message}")
    outcome.number, outcome.message = at, message
    return outcome


def lines_of(pid: int, reader: int, timeout: float) -> Iterator[bytes | None]:
    """The lines of a pipe until the child ends; None after so many seconds without any."""
    buffer, last = b"", time.monotonic()
    while True:
        if select.select([reader], [], [], 0.2)[0]:
            data = os.read(reader, 1 << 16)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            yield from lines
            last = time.monotonic()
        elif time.monotonic() - last > timeout:
            yield None
        elif has_ended(pid):  # a process that it started has the pipe open
            return


def has_ended(pid: int) -> bool:
    info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return info is not None


def death(status: int | None) -> str:
    if status is not None and status < 0:
        return f"dies of {signal.Signals(-status).name}"
    return f"exits with {status} in the middle of a case"


def last_words(pid: int, output: Any) -> str:
    """What a hanging child has written, with the tracebacks that faulthandler writes on SIGABRT."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGABRT)
    wait(pid, PATIENCE)
    return text_of(output)


def text_of(output: Any) -> str:
    output.seek(0)
    return output.read()[-6_000:].decode(errors="replace")


def wait(pid: int, seconds: float) -> bool:
    """Wait for the child's end, at most so long; return whether it came."""
    deadline = time.monotonic() + seconds
    while not has_ended(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def end(pid: int, patience: float = 0.0) -> int | None:
    """Kill the child, after so much patience, and its group; return its exit code, or None if that was done before."""
    try:
        if not wait(pid, patience):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return None
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(status)
