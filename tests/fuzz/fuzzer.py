"""What a fuzzer is, and the fuzzer whose cases are lines of Python."""

from __future__ import annotations

import importlib.util
import random
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from types import CodeType
from typing import Any, Generic, TypeVar

Case = TypeVar("Case")
Item = TypeVar("Item")


class Fuzzer(Generic[Case]):
    """See the package's documentation."""

    name: str
    requires: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    timeout = 20.0
    memory = 4 << 30
    batch = 200
    quick = 200

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def start(self) -> None:
        """Called once in each child, before its first case."""

    def case(self, rng: random.Random) -> Case:
        raise NotImplementedError

    def run(self, case: Case) -> str | None:
        raise NotImplementedError

    def shrink(self, case: Case) -> Iterator[Case]:
        return iter(())

    def show(self, case: Case) -> str:
        return repr(case)

    def missing(self) -> list[str]:
        """The modules that it needs and that are not installed."""
        return [name for name in self.requires if importlib.util.find_spec(name) is None]

    def case_of(self, seed: int, number: int) -> Case:
        return self.case(random.Random(f"{self.name}:{seed}:{number}"))  # a string seeds the same on every version


class ScriptFuzzer(Fuzzer[list[str]]):
    """A fuzzer whose case is a list of statements. It passes if they run to their end; an exception is a finding."""

    def run(self, case: list[str]) -> str | None:
        try:
            exec(compiled(case), {"__name__": "case"})
        except Exception as error:
            return f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
        return None

    def shrink(self, case: list[str]) -> Iterator[list[str]]:
        return fewer(case)

    def show(self, case: list[str]) -> str:
        return "\n".join(case)


def compiled(lines: list[str]) -> CodeType:
    return compile("\n".join(lines) + "\n", "<case>", "exec")


def fewer(items: Sequence[Item]) -> Iterator[list[Item]]:
    """The list without one of its halves, quarters, eighths, down to single items; the last ones first."""
    size = len(items) // 2
    while size:
        for end in range(len(items), 0, -size):
            yield [*items[: max(0, end - size)], *items[end:]]
        size //= 2
    if len(items) == 1:
        yield []


def sanitized() -> bool:
    """Whether a sanitizer, which reserves terabytes of addresses, is loaded."""
    try:
        with open("/proc/self/maps") as maps:
            return any(name in maps.read() for name in ("libasan", "libtsan", "libclang_rt"))
    except OSError:
        return False


def limit_memory(amount: int) -> None:
    """Let this process ask for so many bytes more than it has: then `MemoryError` instead of a machine that swaps."""
    if not sys.platform.startswith("linux") or sanitized():
        return
    import resource

    with open("/proc/self/statm") as statm:
        now = int(statm.read().split()[0]) * resource.getpagesize()
    limits: Any = (now + amount, resource.getrlimit(resource.RLIMIT_AS)[1])
    resource.setrlimit(resource.RLIMIT_AS, limits)
