"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import IO

__all__ = ["atomic_write"]


@contextlib.contextmanager
def atomic_write(op: str, path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A new file, open for bytes, that takes the place of `path` when the block ends, and only then.

    The bytes go to a temporary file in the same folder, which is flushed to the disk and renamed. Whatever
    happens before that, the file that was there stays as it is. What is no file, such as a device, is not replaced.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target) and not os.path.isdir(target):
        raise OSError(errno.EINVAL, f"{op}: {os.fspath(path)} can't be written (it is no regular file)")
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        # Mode 0o666 less the umask, as any new file; an old one passes its own on.
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise OSError(error.errno, f"{op}: {os.fspath(path)} can't be written ({error.strerror})") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            os.chmod(temporary, os.stat(target).st_mode & 0o7777)
        os.replace(temporary, target)
        flush_folder(folder)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.strerror:
            raise OSError(error.errno, f"{op}: {os.fspath(path)} can't be written ({error.strerror})") from error
        raise


def flush_folder(folder: str) -> None:
    """Puts the folder's new entry on the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
