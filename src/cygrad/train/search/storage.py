"""Where a study is kept: in memory, in a file of SQLite or a journal, or in a database behind a URL."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import re
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from cygrad._files import one_line
from cygrad.train.search.needed import optuna

__all__ = ["Apart", "absolute", "open_storage", "quiet", "shown"]

SQLITE, JOURNAL = (".db", ".sqlite", ".sqlite3"), (".log", ".journal")
ATTEMPTS = 6  # at opening a database
PATIENCE = 60  # seconds that a writer waits for others that write to the same file of SQLite


def open_storage(place: str | None) -> Any:
    """Open a storage of Optuna, or create it.

    Args:
        place: None for memory; a path that ends in .db or .sqlite (SQLite) or .log or .journal (a journal, for network
            file systems); or a URL of SQLAlchemy, such as ``postgresql://user@host/name``.

    Raises:
        ImportError: without Optuna, or the driver of a database.
        OSError: if the storage can't be opened.
        ValueError: if the place is none of these.
    """
    storages = optuna().storages
    if place is None:
        return storages.InMemoryStorage()
    kind = os.path.splitext(place)[1].lower()
    if "://" not in place and kind not in (*SQLITE, *JOURNAL):
        raise ValueError(f"sweep: storage must end in .db (SQLite) or .log (a journal), or be a URL, got {place!r}")
    try:
        if kind in JOURNAL and "://" not in place:
            os.makedirs(os.path.dirname(os.path.abspath(place)), exist_ok=True)
            return storages.JournalStorage(storages.journal.JournalFileBackend(place))
        return open_database(place)
    except ImportError as error:
        cause = one_line(error.__cause__ or error)
        raise ImportError(f"sweep: the storage {shown(place)} needs a package that is not there ({cause})") from None
    except Exception as error:  # SQLAlchemy and each driver have errors of their own
        raise OSError(f"sweep: the storage {shown(place)} can't be opened ({one_line(error)})") from error


def open_database(place: str) -> Any:
    """Open a database. Tries again if it fails, since two workers that create its tables get in each other's way."""
    storages, url, waiting = optuna().storages, place, {}
    if "://" not in place:
        os.makedirs(os.path.dirname(os.path.abspath(place)), exist_ok=True)
        url = f"sqlite:///{os.path.abspath(place)}"
    if url.startswith("sqlite"):
        waiting = {"connect_args": {"timeout": PATIENCE}}
    for attempt in range(ATTEMPTS):
        try:
            return storages.get_storage(storages.RDBStorage(url, waiting))
        except (ImportError, ValueError, OSError):
            raise
        except Exception:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0.1, 0.5))
    raise AssertionError("unreachable")


class Apart:
    """A storage whose calls run in a thread of their own, one after the other.

    Ctrl-C reaches the jobs of ``parallel_map`` between any two bytecodes. In the middle of a transaction it would leave
    a connection open, and the file of SQLite locked for all workers. So they only wait for this thread, in C.

    Args:
        storage: of Optuna.
    """

    def __init__(self, storage: Any) -> None:
        self.requests: SimpleQueue[Any] = SimpleQueue()
        base = optuna().storages.BaseStorage
        names = [name for name in dir(base) if name[0] != "_" and callable(getattr(base, name))]
        methods = {name: self.passing(getattr(storage, name)) for name in names}
        self.storage = type("StorageApart", (base,), methods)()
        self.thread = threading.Thread(target=self.serve, name="cygrad-storage", daemon=True)
        self.thread.start()

    def passing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """A method that passes its call to the thread."""

        def passed(_: Any, *arguments: Any, **options: Any) -> Any:
            answer: SimpleQueue[Any] = SimpleQueue()
            self.requests.put((method, arguments, options, answer))
            while answer.empty() and self.thread.is_alive():
                with contextlib.suppress(Empty):
                    result, error = answer.get(timeout=1.0)
                    break
            else:  # the thread has ended
                result, error = (method(*arguments, **options), None) if answer.empty() else answer.get()
            if error is not None:
                raise error
            return result

        return passed

    def serve(self) -> None:
        """Make the calls, until the end."""
        while (request := self.requests.get()) is not None:
            method, arguments, options, answer = request
            try:
                answer.put((method(*arguments, **options), None))
            except BaseException as error:
                answer.put((None, error))

    def close(self) -> None:
        """End the thread, after the calls that wait."""
        self.requests.put(None)


def shown(place: str | None) -> str:
    """A place for messages, without its password.

    Example:
        >>> from cygrad.train.search.storage import shown
        >>> shown("postgresql://ada:secret@host/studies")
        'postgresql://ada:***@host/studies'
    """
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", str(place))


def absolute(place: str | None, folder: str) -> str | None:
    """A place, its path relative to a folder."""
    return place if place is None or "://" in place else os.path.join(folder, place)


class quiet:
    """Keep Optuna from telling of the studies that it opens.

    Example:
        >>> from cygrad.train.search.storage import quiet
        >>> with quiet():
        ...     pass
    """

    def __enter__(self) -> None:
        self.logger = logging.getLogger("optuna")
        self.level = self.logger.level
        self.logger.setLevel(logging.WARNING)

    def __exit__(self, *error: object) -> None:
        self.logger.setLevel(self.level)
