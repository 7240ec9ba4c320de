"""Sender: sends rows to a server in a thread, and saves unsent rows in a file."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from cygrad import _kernels as kernels
from cygrad._files import append, atomic_write
from cygrad.integrations.loggers import json_line
from cygrad.integrations.tracker import short_message

__all__ = ["Sender", "unsent_path"]

ROWS_PER_CALL = 200
Send = Callable[[list[dict[str, Any]]], None]


class Sender:
    """Calls ``send(rows)`` in a thread, every `seconds`, with the rows passed to ``put`` since, in order and at most
    200 at a time.

    A row is written to a file of JSON lines before it is sent, and the file is removed once all rows are sent. So while
    `send` fails or hangs, and after the process was killed, the file has the rows that the server lacks. Rows that
    failed are sent again with the next ones.

    Args:
        send: sends a list of rows; raises an exception on failure.
        path: the file for unsent rows, which must not exist.
        seconds: time between two calls of `send`.

    Attributes:
        problem: the message of the first error, or None.
    """

    def __init__(self, send: Send, path: str, seconds: float) -> None:
        self.path = path
        self.problem: str | None = None
        self._send = send
        self._seconds = seconds
        self.forget_other_threads()
        self._forked = False
        kernels.in_child(self.forget_other_threads)
        self._thread = threading.Thread(target=self._run, name="cygrad-sender", daemon=True)
        self._thread.start()

    def forget_other_threads(self) -> None:
        """Called in a forked child too, whose parent sends what was passed before. It sends its own rows at the end."""
        self._new: deque[dict[str, Any]] = deque()  # not yet in the file
        self._unsent: list[dict[str, Any]] = []  # in the file, not yet sent
        self._lock = threading.Lock()  # for the list and the file
        self._closing = threading.Event()
        self._forked = True

    def put(self, row: dict[str, Any]) -> None:
        """Queues a row."""
        self._new.append(row)

    def close(self, seconds: float) -> bool:
        """Sends the remaining rows, waiting at most `seconds`. Returns whether all were sent; the rest is in the
        file."""
        self._closing.set()
        self._thread.join(seconds)
        if self._forked:
            self.path += f"-{os.getpid()}"
            self._deliver()
        if self._thread.is_alive():
            self._save_new()
            self.problem = self.problem or f"it took more than {seconds:g} seconds"
        return not self._unsent

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            self._deliver()
        self._deliver()

    def _deliver(self) -> None:
        """Sends all rows; those that fail stay in the file."""
        try:
            self._save_new()
            while self._unsent:
                rows = self._unsent[:ROWS_PER_CALL]
                self._send(rows)
                with self._lock:
                    del self._unsent[: len(rows)]
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
        except Exception as error:  # client libraries raise many types
            self.problem = self.problem or short_message(error)
            self._rewrite_file()

    def _save_new(self) -> None:
        """Appends new rows to the file. Without a file they are still sent."""
        with self._lock:
            new = [self._new.popleft() for _ in range(len(self._new))]
            self._unsent += new
            if new:
                with contextlib.suppress(OSError), open(self.path, "ab", buffering=0) as file:
                    append(file, "".join(json_line(row) for row in new).encode())

    def _rewrite_file(self) -> None:
        """Writes exactly the unsent rows to the file."""
        with self._lock:
            try:
                with atomic_write("Sender", self.path) as file:
                    file.write("".join(json_line(row) for row in self._unsent).encode())
            except OSError as error:
                self.problem = f"{self.problem}; and {short_message(error)}"


def unsent_path(name: str) -> str:
    """The path of a new file for unsent rows in the working directory."""
    return os.path.abspath(f"{name}-unsent-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{os.urandom(2).hex()}.jsonl")
