"""Folders of files that belong together: replaced as one, and locked while they are written.

A commit writes the new files to a folder of its own and renames that to ``.commit``. From this rename on they are the
folder's files, although they are moved to their places only afterwards, one by one. A process that is killed before the
rename has changed nothing; after it, ``committed`` finds each file where it is, and the next commit moves the rest.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, TypeVar

from cygrad._files import flush_folder, try_lock

__all__ = ["FolderInUseError", "commit", "committed", "digest", "locked", "read_stable"]

Result = TypeVar("Result")
ATTEMPTS = 10  # at reading a folder that others write to
COMMIT, STAGING, LOCK = ".commit", ".new-", ".lock"


# Commits


@contextlib.contextmanager
def commit(op: str, folder: str) -> Iterator[str]:
    """Give the path of an empty folder; the files that the block writes to it replace those of `folder` together.

    Args:
        op: the operation that error messages name.
        folder: an existing folder, which no other process writes to.

    Raises:
        OSError: if a file can't be written; the old ones stay.

    Example:
        >>> import os, tempfile
        >>> from cygrad._folders import commit, committed
        >>> folder = tempfile.mkdtemp()
        >>> with commit("save", folder) as new, open(os.path.join(new, "a.txt"), "w") as file:
        ...     _ = file.write("new")
        >>> os.path.basename(committed(folder, "a.txt"))
        'a.txt'
    """
    try:
        finish(folder)
        remove_staging(folder)
        staging = tempfile.mkdtemp(prefix=STAGING, dir=folder)
    except OSError as error:
        raise OSError(error.errno, f"{op}: {folder} can't be written ({error.strerror})") from None
    try:
        yield staging
        keep_modes(staging, folder)
        flush_folder(staging)
        os.rename(staging, os.path.join(folder, COMMIT))
    except BaseException as error:
        remove(staging)
        if isinstance(error, OSError) and error.strerror:
            message = error.strerror.replace(staging, folder)
            if not message.endswith(")"):  # it does not name the file yet
                message = f"{op}: {folder} can't be written ({message})"
            raise OSError(error.errno, message) from error
        raise
    flush_folder(folder)
    with contextlib.suppress(OSError):  # the new files count already, wherever they are
        finish(folder)


def keep_modes(staging: str, folder: str) -> None:
    """Give new files the permissions of those that they replace."""
    for name in os.listdir(staging):
        with contextlib.suppress(FileNotFoundError):
            os.chmod(os.path.join(staging, name), os.stat(os.path.join(folder, name)).st_mode & 0o7777)


def finish(folder: str) -> None:
    """Move the files of a commit to their places."""
    source = os.path.join(folder, COMMIT)
    if not os.path.isdir(source):
        return
    for name in os.listdir(source):
        os.replace(os.path.join(source, name), os.path.join(folder, name))
    flush_folder(folder)
    os.rmdir(source)


def remove_staging(folder: str) -> None:
    """Remove what killed processes left of commits that did not happen."""
    for name in os.listdir(folder):
        if name.startswith(STAGING):
            remove(os.path.join(folder, name))


def remove(staging: str) -> None:
    """Remove a folder of files, if it is there."""
    with contextlib.suppress(OSError):
        for name in os.listdir(staging):
            os.unlink(os.path.join(staging, name))
        os.rmdir(staging)


def committed(folder: str, name: str) -> str:
    """The path of a file in a folder, which an interrupted commit may not have moved to its place."""
    waiting = os.path.join(folder, COMMIT, name)
    return waiting if os.path.isfile(waiting) else os.path.join(folder, name)


def read_stable(folder: str, names: Sequence[str], read: Callable[[], Result]) -> Result:
    """Return what ``read()`` returns; call it again after an error if another process has replaced the files meanwhile.

    Args:
        folder: the folder.
        names: the files that ``read`` reads.
        read: raises FileNotFoundError or ValueError if files are missing or do not belong together.
    """
    for _ in range(ATTEMPTS):
        before = signature(folder, names)
        try:
            return read()
        except (FileNotFoundError, ValueError):
            if signature(folder, names) == before:
                raise
    return read()


def signature(folder: str, names: Sequence[str]) -> list[tuple[str, int, int]]:
    """What changes if one of the files is replaced or moved."""
    result = []
    for path in (committed(folder, name) for name in names):
        try:
            status = os.stat(path)
            result.append((path, status.st_ino, status.st_mtime_ns))
        except OSError:
            result.append((path, 0, 0))
    return result


def digest(file: IO[bytes]) -> str:
    """The SHA-256 of an open file, in hexadecimal. Who reads a file and checks it opens it once: another process may
    replace what is at its path."""
    result = hashlib.sha256()
    file.seek(0)
    while part := file.read(2**20):
        result.update(part)
    return result.hexdigest()


# Locks


class FolderInUseError(OSError):
    """Another process is writing to a folder; the message names it."""


@contextlib.contextmanager
def locked(op: str, folder: str) -> Iterator[None]:
    """Lock a folder for the block. The system releases the lock of a process that ends, however it ends.

    Args:
        op: the operation that error messages name.
        folder: an existing folder.

    Raises:
        FolderInUseError: if another process, or another block of this one, has locked it.
        OSError: if the folder can't be written to.
    """
    path = os.path.join(folder, LOCK)
    descriptor = open_lock(op, folder, path)
    try:
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        with contextlib.suppress(OSError):  # a full disk; the text only informs
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(owner).encode() + b"\n")
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(descriptor)


def open_lock(op: str, folder: str, path: str) -> int:
    """Open the file of a lock and lock it; return its descriptor."""
    while True:
        descriptor = None
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            if not try_lock(descriptor):
                owner = describe_owner(os.read(descriptor, 1000))
                raise FolderInUseError(errno.EBUSY, f"is in use by {owner}")
            if is_at(descriptor, path):
                return descriptor
            os.close(descriptor)  # its owner has removed the file in the meantime
        except OSError as error:
            if descriptor is not None:
                os.close(descriptor)
            if isinstance(error, FolderInUseError):
                raise FolderInUseError(error.errno, f"{op}: {folder} {error.strerror}") from None
            raise OSError(error.errno, f"{op}: {folder} can't be written ({error.strerror})") from None


def is_at(descriptor: int, path: str) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def describe_owner(content: bytes) -> str:
    """The process that the content of a lock names."""
    try:
        owner: dict[str, Any] = json.loads(content)
        return f"process {owner['pid']} on {owner['host']} since {owner['since']}"
    except (ValueError, TypeError, KeyError, RecursionError):
        return "another process"
