"""The text of a file: plain, compressed or from standard input, decoded, and its lines."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

from cygrad._files import expansion_limit, one_line, open_file

__all__ = ["STANDARD_INPUT", "Lines", "plain_name", "read_text"]

STANDARD_INPUT = "-"
COMPRESSED = (".gz", ".zip")
CHUNK = 2**20


def plain_name(path: str) -> str:
    """The name of a file without the suffix of a compression; of a zip archive without another one, that of its
    member."""
    stem, suffix = os.path.splitext(path)
    if suffix.lower() not in COMPRESSED:
        return path
    if suffix.lower() == ".zip" and not os.path.splitext(stem)[1] and os.path.isfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                return only_member(path, archive)
        except (zipfile.BadZipFile, OSError, NotImplementedError):
            return stem
    return stem


def only_member(path: str, archive: zipfile.ZipFile) -> str:
    """The name of the file in an archive. Raises ValueError if there is another number of them."""
    hidden = ("__MACOSX/", ".")
    names = [n for n in archive.namelist() if not n.endswith("/") and not n.startswith(hidden)]
    if len(names) != 1:
        listed = ", ".join(map(repr, names[:5])) or "none"
        raise ValueError(f"{path} must contain one file, got {listed}{', …' * (len(names) > 5)}")
    return names[0]


def read_text(op: str, path: str, encoding: str) -> str:
    """The decoded content of a file, without a byte order mark.

    Args:
        op: the operation that error messages name.
        path: the file; a ``.gz`` or ``.zip`` file is decompressed, "-" is standard input.
        encoding: of the text.

    Raises:
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if it is corrupt, expands to more than 1 GiB and 100 times its size, or is not text in `encoding`.
    """
    try:
        codec = codecs.lookup(encoding).name
    except (LookupError, TypeError):
        raise ValueError(f"{op}: unknown encoding {encoding!r}") from None
    raw = read_bytes(op, path)
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode(codec)
    except LookupError:  # a codec of another kind, such as "hex"
        raise ValueError(f"{op}: unknown encoding {encoding!r}") from None
    except UnicodeError as error:
        where = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        other = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        raise ValueError(f"{op}: {path} is not valid {encoding}{where}; try encoding={other!r}") from None
    if "\0" in text:
        raise ValueError(f"{op}: {path} contains zero bytes, so it is not text in {encoding}")
    return text.removeprefix("\ufeff")


def read_bytes(op: str, path: str) -> bytes:
    """The bytes of a file, decompressed."""
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    suffix = os.path.splitext(path)[1].lower()
    with open_file(op, path) as file:
        if suffix not in COMPRESSED:
            return file.read()
        limit = expansion_limit(os.fstat(file.fileno()).st_size)
        try:
            return read_compressed(path, file, suffix, limit)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{op}: {path} can't be decompressed ({one_line(error)})") from None
        except ValueError as error:
            raise ValueError(f"{op}: {one_line(error)}") from None


def read_compressed(path: str, file: IO[bytes], suffix: str, limit: int) -> bytes:
    """The bytes in a compressed file, at most `limit`."""
    if suffix == ".gz":
        return read_at_most(path, gzip.GzipFile(fileobj=file), limit)
    with zipfile.ZipFile(file) as archive, archive.open(only_member(path, archive)) as member:
        return read_at_most(path, member, limit)


def read_at_most(path: str, stream: Any, limit: int) -> bytes:
    """All bytes of a stream. Raises ValueError if there are more than `limit`."""
    content = bytearray()
    while chunk := stream.read(CHUNK):
        content += chunk
        if len(content) > limit:
            raise ValueError(f"{path} expands to more than {limit:,} bytes")
    return bytes(content)


class Lines:
    """The lines of a text, for ``csv.reader``: those in front of the table and comments are skipped.

    Args:
        content: the text.
        skip: number of lines in front of the table.
        comment: the character that comments start with, or None.

    A line inside quotes is not a comment: set ``between`` before each record.
    """

    def __init__(self, content: str, skip: int = 0, comment: str | None = None) -> None:
        self._lines = io.StringIO(content, newline="")
        self._comment = comment
        self.number = 0
        self.between = True
        for _ in range(skip):
            self.number += bool(self._lines.readline())

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            self.number += 1
            if not (self.between and self._comment and line.lstrip().startswith(self._comment)):
                self.between = False
                return line
        raise StopIteration
