"""Files as the library reads and writes them: only regular ones, complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import IO, Any

__all__ = [
    "append",
    "atomic_write",
    "expansion_limit",
    "flush_folder",
    "one_line",
    "open_file",
    "read_json",
    "remove_leftovers",
    "try_lock",
]

LONGEST_CAUSE = 300  # characters of an error that another one quotes
MOST_JSON = 2**26  # bytes; the values may take 30 times as many
LONGEST_STEM = 120  # bytes of a file's name that its temporary file repeats; most file systems allow 255


# Reading


def open_file(op: str, path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a regular file for reading. A pipe without a writer would block, and a device may never end.

    Args:
        op: the operation that error messages name.
        path: the file.

    Raises:
        OSError: if the file can't be opened, such as FileNotFoundError, or is not a regular file.
        ValueError: if the path contains a null byte.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except ValueError as error:
        raise ValueError(f"{op}: {os.fspath(path)!r} is not a path ({error})") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(code, f"{op}: {os.fspath(path)} can't be read ({kind})")
    return os.fdopen(descriptor, "rb")


def one_line(error: BaseException | None) -> str:
    """What an error says, to be quoted in another: on one line, and without the end of a long one."""
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST_CAUSE else f"{text[:LONGEST_CAUSE]}…"


def read_json(op: str, path: str | os.PathLike[str]) -> Any:
    """Read the value in a file of JSON.

    Raises:
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if it is not valid JSON, nested too deeply or larger than 64 MiB. The message does not name it.
    """
    import json

    with open_file(op, path) as file:
        if os.fstat(file.fileno()).st_size > MOST_JSON:
            raise ValueError(f"it has more than {MOST_JSON:,} bytes")
        data = file.read()
    try:
        return json.loads(data.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def expansion_limit(size: int) -> int:
    """The most bytes that a compressed file of `size` bytes may expand to: 1 GiB, or 100 times its size if that is
    more. Deflate could reach 1,032 times its size (RFC 1951), other formats more."""
    return max(2**30, 100 * size)


# Writing


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
        ValueError: if the path contains a null byte.
    """
    try:
        target = os.path.realpath(path)
        if os.path.exists(target) and not os.path.isfile(target) and not os.path.isdir(target):
            raise OSError(errno.EINVAL, "not a regular file")
        folder, name = os.path.split(target)
        temporary = os.path.join(folder, f"{temporary_stem(name)}{os.getpid()}-{os.urandom(4).hex()}.tmp")
        # Mode 0o666 minus the umask, as for any new file; the mode of an existing file is preserved below.
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise OSError(error.errno, f"{op}: {os.fspath(path)} can't be written ({error.strerror})") from None
    except ValueError as error:
        raise ValueError(f"{op}: {os.fspath(path)!r} is not a path ({error})") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            try_lock(descriptor)  # so that ``remove_leftovers`` of another process leaves it alone
            yield file
            file.flush()
            os.fsync(descriptor)
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


def temporary_stem(name: str) -> str:
    """What the names of a file's temporary files start with: of a long name the beginning, and a checksum."""
    import zlib

    data = os.fsencode(name)
    if len(data) > LONGEST_STEM:
        name = f"{data[:LONGEST_STEM].decode(errors='ignore')}~{zlib.crc32(data):08x}"
    return f".{name}."


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove the temporary files that killed processes left beside a file. Those that are being written are locked, and
    stay."""
    import glob

    folder, name = os.path.split(os.path.realpath(path))
    for leftover in glob.glob(os.path.join(glob.escape(folder), f"{glob.escape(temporary_stem(name))}*.tmp")):
        with contextlib.suppress(OSError), open(leftover, "rb+") as file:
            if try_lock(file.fileno()):
                os.unlink(leftover)


def append(file: IO[bytes], data: bytes) -> None:
    """Append bytes to an unbuffered file, all of them or none.

    Raises:
        OSError: if they can't be written; the file ends as before.
    """
    end = file.seek(0, os.SEEK_END)
    written = 0
    try:
        while written < len(data):
            written += file.write(data[written:])
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(end)
        raise


def flush_folder(folder: str) -> None:
    """Flush a folder's entries to disk, if the system supports it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process, until it is closed or the process ends; return whether no other one holds the
    lock. A file system without locks counts as unlocked."""
    try:
        import fcntl
    except ImportError:
        return try_lock_on_windows(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def try_lock_on_windows(descriptor: int) -> bool:
    """``try_lock``, by a byte behind the end that any file may have."""
    import msvcrt

    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, 2**30, os.SEEK_SET)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False
    finally:
        os.lseek(descriptor, position, os.SEEK_SET)
    return True
