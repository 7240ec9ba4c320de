"""Atomic writing of files."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import IO

__all__ = ["atomic_write"]


@contextlib.contextmanager
def atomic_write(op: str, path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a binary file that replaces `path` atomically when the block ends without an error.

    The bytes go to a temporary file in the same folder, which is flushed to disk and then renamed. Until then, an
    existing file stays intact. Anything but a regular file, such as a device, is not replaced.

    Args:
        op: the operation that error messages name.
        path: the file.

    Raises:
        OSError: if the file can't be written.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target) and not os.path.isdir(target):
        raise OSError(errno.EINVAL, f"{op}: {os.fspath(path)} can't be written (not a regular file)")
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        # Mode 0o666 minus the umask, as for any new file; the mode of an existing file is preserved below.
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
    """Flush a folder's entries to disk, if the system supports it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
