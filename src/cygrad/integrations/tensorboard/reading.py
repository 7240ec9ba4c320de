"""Reads event files, to find out what a resumed training has already written."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from cygrad._files import open_file
from cygrad.integrations.tensorboard.protobuf import fields

__all__ = ["last_step"]


def last_step(folder: str | os.PathLike[str], prefix: str) -> int:
    """The largest step of a value whose tag starts with `prefix` in the event files of a folder, or 0. Incomplete
    events are ignored.

    >>> import tempfile
    >>> from cygrad.integrations.tensorboard import SummaryWriter
    >>> folder = tempfile.mkdtemp()
    >>> with SummaryWriter(folder) as writer:
    ...     writer.add_scalar("epoch/loss", 0.5, global_step=3)
    >>> last_step(folder, "epoch/"), last_step(folder, "batch/")
    (3, 0)
    """
    if not os.path.isdir(folder):
        return 0
    paths = [os.path.join(folder, name) for name in os.listdir(folder) if "tfevents" in name]
    paths = [path for path in paths if os.path.isfile(path)]
    return max((step for path in paths for step, tag in tags(path) if tag.startswith(prefix.encode())), default=0)


def tags(path: str) -> Iterator[tuple[int, bytes]]:
    """The step and tag of each value in a file."""
    for message in records(path):
        try:
            event = dict(fields(message))
            step, content = event.get(2, 0), event.get(5, b"")
            values = [dict(fields(value)) for _, value in fields(bytes(content)) if isinstance(value, bytes)]
        except ValueError:
            return
        yield from ((int(step), bytes(value[1])) for value in values if isinstance(value.get(1), bytes))


def records(path: str) -> Iterator[bytes]:
    """The data of each complete record in a TFRecord file. Checksums are not verified."""
    with open_file("last_step", path) as file:
        size = os.fstat(file.fileno()).st_size
        while len(head := file.read(12)) == 12:
            (length,) = struct.unpack("<Q", head[:8])
            if length > size - file.tell() - 4:
                return
            yield file.read(length)
            file.seek(4, os.SEEK_CUR)
