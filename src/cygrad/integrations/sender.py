"""Sender: gives rows to a server in a thread, and keeps in a file what the server does not take."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from cygrad._files import atomic_write
from cygrad.integrations.loggers import json_line
from cygrad.integrations.tracker import sentence

__all__ = ["Sender", "unsent_path"]

AT_ONCE = 200
Send = Callable[[list[dict[str, Any]]], None]


class Sender:
    """Calls ``send(rows)`` in a thread, every `seconds`, with the rows that ``put`` was given since, in their order and
    at most 200 at once.

    Before it is sent a row is written to `path`, a file of JSON lines that did not exist; once all are sent the file is
    removed. So while `send` raises errors, or does not return, and after the process was killed, the file has what
    the server has not. What failed is tried again with the next rows. ``problem`` is the first error, in a sentence.
    """

    def __init__(self, send: Send, path: str, seconds: float) -> None:
        self.path = path
        self.problem: str | None = None
        self._send = send
        self._seconds = seconds
        self._new: deque[dict[str, Any]] = deque()  # not in the file
        self._kept: list[dict[str, Any]] = []  # in the file, not sent
        self._lock = threading.Lock()  # of the list and the file
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cygrad-sender", daemon=True)
        self._thread.start()

    def put(self, row: dict[str, Any]) -> None:
        """Takes a row."""
        self._new.append(row)

    def close(self, seconds: float) -> bool:
        """Sends the rest, waiting at most so many seconds for it. False where rows are left, which are in the file."""
        self._closing.set()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._keep()
            self.problem = self.problem or f"it took more than {seconds:g} seconds"
        return not self._kept

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            self._deliver()
        self._deliver()

    def _deliver(self) -> None:
        """Sends what is there; what fails stays in the file."""
        try:
            self._keep()
            while self._kept:
                part = self._kept[:AT_ONCE]
                self._send(part)
                with self._lock:
                    del self._kept[: len(part)]
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
        except Exception as error:  # whatever a client library raises
            self.problem = self.problem or sentence(error)
            self._leave()

    def _keep(self) -> None:
        """Writes the new rows to the file; where it can't be, they are still sent."""
        with self._lock:
            new = [self._new.popleft() for _ in range(len(self._new))]
            self._kept += new
            if new:
                with contextlib.suppress(OSError), open(self.path, "a", encoding="utf-8") as file:
                    file.write("".join(json_line(row) for row in new))

    def _leave(self) -> None:
        """Has the file hold just what was not sent."""
        with self._lock:
            try:
                with atomic_write("Sender", self.path) as file:
                    file.write("".join(json_line(row) for row in self._kept).encode())
            except OSError as error:
                self.problem = f"{self.problem}; and {sentence(error)}"


def unsent_path(name: str) -> str:
    """A new file in the working directory for what is not sent."""
    return os.path.abspath(f"{name}-unsent-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{os.urandom(2).hex()}.jsonl")
