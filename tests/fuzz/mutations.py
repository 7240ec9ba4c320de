"""Mutations of bytes: a case is a list of them, drawn without knowing the bytes that they will change.

mutated(data, edits)    the bytes after the edits
draw(rng, words)        some edits, which may put one of the words into the bytes
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

__all__ = ["Edit", "draw", "mutated"]

Edit = tuple[str, float, float, str]  # what to do, where, how much (both as parts of the bytes), and bytes in latin-1

NUMBERS = ["0", "1", "-1", "2", "7", "255", "256", "65536", "2147483647", "4294967296", "9223372036854775807",
           "18446744073709551616", "1" + "0" * 30, "1e999", "-1e999", "0.5", "nan", "NaN", "Infinity", "1_0",
           "true", "null", '"1"', "[]", "{}", "[1]"]  # fmt: skip
WORDS = ["\0", "\n", "\r", '"', "'", "\\", ",", ";", "[", "]", "{", "}", "(", ")", ":", "=", "#", ".", "\xff", "\xef\xbb\xbf",
         "\xed\xa0\x80"]  # fmt: skip
NUMBER = re.compile(rb"-?\d+(\.\d+)?")
REPEATED = ["[", "(", '{"a":', "a.", "9", "-", "\\", '"', "{", "[1,", "\xff", "\0"]
BINARY = [b"\0" * 4, b"\xff" * 4, b"\0" * 8, b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\xff" * 7 + b"\x7f", b"\0\0\0\x01",
          b"\x01\0\0\0", b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"\x80\0\0\0", b"\0" * 3 + b"\x40"]  # fmt: skip


def draw(rng: random.Random, words: Sequence[str] = ()) -> list[Edit]:
    """Mostly one or two edits, sometimes many."""
    count = rng.choice([1, 1, 1, 2, 2, 3, 5, 20])
    return [edit(rng, words) for _ in range(count)]


def edit(rng: random.Random, words: Sequence[str]) -> Edit:
    kind = rng.choice(
        [
            "flip",
            "set",
            "insert",
            "delete",
            "copy",
            "truncate",
            "overwrite",
            "number",
            "number",
            "word",
            "word",
            "repeat",
        ]
    )
    part = rng.random() ** rng.choice([1, 1, 4, 0.25])
    text = {
        "flip": lambda: chr(1 << rng.randrange(8)),
        "set": lambda: chr(rng.randrange(256)),
        "insert": lambda: "".join(chr(rng.randrange(256)) for _ in range(rng.choice([1, 2, 4, 8, 100]))),
        "overwrite": lambda: rng.choice(BINARY).decode("latin-1"),
        "number": lambda: rng.choice(NUMBERS),
        "repeat": lambda: rng.choice(REPEATED),
        "word": lambda: rng.choice([*words, *WORDS] if not words or rng.random() < 0.4 else list(words)),
    }.get(kind, str)()
    return kind, part, rng.random() ** 3, text


def mutated(data: bytes, edits: Sequence[Edit]) -> bytes:
    for kind, where, amount, text in edits:
        new = text.encode("latin-1") * (int(10 ** (4 * amount)) if kind == "repeat" else 1)
        data = changed(data, kind, int(where * len(data)), int(amount * len(data)) + 1, new)[: 1 << 20]
    return data


def changed(data: bytes, kind: str, at: int, size: int, text: bytes) -> bytes:
    before, after = data[:at], data[at:]
    if kind == "flip":
        return before + bytes([after[0] ^ text[0]]) + after[1:] if after else data
    if kind in ("set", "overwrite"):
        return before + text + after[len(text) :]
    if kind in ("insert", "word", "repeat"):
        return before + text + after
    if kind == "delete":
        return before + after[size:]
    if kind == "copy":
        return before + after[:size] + after
    if kind == "truncate":
        return before
    found = NUMBER.search(data, at) or NUMBER.search(data)
    return data if found is None else data[: found.start()] + text + data[found.end() :]
