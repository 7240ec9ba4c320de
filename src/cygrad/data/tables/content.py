"""The text of a file: plain, compressed or from standard input, decoded, and its lines."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import importlib
import io
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from cygrad._files import expansion_limit, one_line, open_file

__all__ = ["STANDARD_INPUT", "Lines", "plain_name", "read_text", "text_blocks"]

STANDARD_INPUT = "-"
COMPRESSED = (".gz", ".zip", ".zst")
CORRUPT = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error)
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
        path: the file; a ``.gz``, ``.zip`` or ``.zst`` file is decompressed, "-" is standard input.
        encoding: of the text.

    Raises:
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if it is corrupt, expands to more than 1 GiB and 100 times its size, or is not text in `encoding`.
    """
    codec = codec_of(op, encoding)
    with open_stream(op, path) as (stream, limit):
        raw = read_at_most(path, stream, limit) if limit else stream.read()
    return decoded(op, path, encoding, codec, raw.removeprefix(codecs.BOM_UTF8)).removeprefix("\ufeff")


def text_blocks(op: str, path: str, encoding: str, size: int) -> Iterator[str]:
    """The text that ``read_text`` returns, in blocks that end behind a line, outside of quotes.

    Args:
        op, path, encoding: see ``read_text``; there is no limit on what a compressed file expands to.
        size: characters of a block, about.
    """
    decoder: Any = codecs.getincrementaldecoder(codec_of(op, encoding))()
    held, start = "", True
    with open_stream(op, path) as (stream, _):
        while raw := stream.read(size):
            if start:
                raw, start = raw.removeprefix(codecs.BOM_UTF8), False
                text = decoded(op, path, encoding, decoder.decode, raw).removeprefix("\ufeff")
            else:
                text = decoded(op, path, encoding, decoder.decode, raw)
            held += text
            if end := complete_lines(held):
                yield held[:end]
                held = held[end:]
    held += decoded(op, path, encoding, lambda raw: decoder.decode(raw, final=True), b"")
    if held:
        yield held


def complete_lines(text: str) -> int:
    """The number of characters up to the last line break that an even number of quotes precedes."""
    end = text.rfind("\n") + 1
    while end and text.count('"', 0, end) % 2:
        end = text.rfind("\n", 0, text.rfind('"', 0, end)) + 1
    return end


def codec_of(op: str, encoding: str) -> str:
    """The name of the codec of an encoding. Raises ValueError if there is none for text."""
    try:
        found = codecs.lookup(encoding)
    except (LookupError, TypeError):
        found = None
    if found is None or not found._is_text_encoding:
        raise ValueError(f"{op}: unknown encoding {encoding!r}")
    return found.name


def decoded(op: str, path: str, encoding: str, codec: str | Callable[[bytes], str], raw: bytes) -> str:
    """Bytes as text, by a codec or a function. Raises ValueError if they are none."""
    try:
        text = raw.decode(codec) if isinstance(codec, str) else codec(raw)
    except UnicodeError as error:
        where = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) and isinstance(codec, str) else ""
        other = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        raise ValueError(f"{op}: {path} is not valid {encoding}{where}; try encoding={other!r}") from None
    if "\0" in text:
        raise ValueError(f"{op}: {path} contains zero bytes, so it is not text in {encoding}")
    return text


@contextlib.contextmanager
def open_stream(op: str, path: str) -> Iterator[tuple[IO[bytes], int]]:
    """The bytes of a file, decompressed, and the most that a compressed one may expand to, or 0. Errors of the
    decompression become ValueErrors that name the file."""
    if path == STANDARD_INPUT:
        yield sys.stdin.buffer, 0
        return
    suffix = os.path.splitext(path)[1].lower()
    with open_file(op, path) as file:
        if suffix not in COMPRESSED:
            yield file, 0
            return
        try:
            with decompressor(path, file, suffix) as stream:
                yield stream, expansion_limit(os.fstat(file.fileno()).st_size)
        except ValueError as error:
            raise ValueError(f"{op}: {one_line(error).removeprefix(f'{op}: ')}") from None
        except Exception as error:
            if isinstance(error, CORRUPT) or type(error).__name__ == "ZstdError":  # of whichever module there is
                raise ValueError(f"{op}: {path} can't be decompressed ({one_line(error)})") from None
            raise


@contextlib.contextmanager
def decompressor(path: str, file: IO[bytes], suffix: str) -> Iterator[Any]:
    """The content of a compressed file as a stream."""
    if suffix == ".gz":
        yield gzip.GzipFile(fileobj=file)
    elif suffix == ".zst":
        yield zstandard_stream(path, file)
    else:
        with zipfile.ZipFile(file) as archive, archive.open(only_member(path, archive)) as member:
            yield member


def zstandard_stream(path: str, file: IO[bytes]) -> Any:
    """The content of a file that Zstandard compressed, by the first module that is there: Python's from 3.14 on,
    zstandard or pyarrow. Raises ImportError if there is none."""
    with contextlib.suppress(ImportError):
        return importlib.import_module("compression.zstd").ZstdFile(file)
    with contextlib.suppress(ImportError):
        return importlib.import_module("zstandard").ZstdDecompressor().stream_reader(file, read_across_frames=True)
    with contextlib.suppress(ImportError):
        return importlib.import_module("pyarrow").CompressedInputStream(file, "zstd")
    raise ImportError(f"reading {path} needs Python 3.14, zstandard or pyarrow: pip install zstandard")


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
        gap: (a, b) if behind the first a lines, b lines of the file are not in the text.

    ``number`` is that of the last line in the file, ``position`` the number of characters up to its end. A line inside
    quotes is not a comment: set ``between`` before each record.
    """

    def __init__(self, content: str, skip: int = 0, comment: str | None = None, gap: tuple[int, int] = (0, 0)) -> None:
        self._lines = io.StringIO(content, newline="")
        self._comment = comment
        self._gap = gap
        self.number = self.position = 0
        self.between = True
        for _ in range(skip):
            self._count(self._lines.readline())

    def _count(self, line: str) -> None:
        """Count a line that was read; at the end of the text it is empty."""
        if line and self.number == self._gap[0]:
            self.number += self._gap[1]
        self.number += bool(line)
        self.position += len(line)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            self._count(line)
            if not (self.between and self._comment and line.lstrip().startswith(self._comment)):
                self.between = False
                return line
        raise StopIteration
