"""Each fuzzer finds nothing in its first cases; and what a fuzzer finds is caught, told apart, shrunk and shown."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.fuzz import fuzzers

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fuzzers fork")


def python(*args: str, **kwargs) -> subprocess.CompletedProcess:
    """Another Python at the root of the checkout: this one has threads and must not fork."""
    return subprocess.run([sys.executable, *args], cwd=ROOT, text=True, capture_output=True, timeout=300, **kwargs)


@pytest.mark.parametrize("name", sorted(fuzzers()))
def test_the_first_cases_pass(name):
    if missing := fuzzers()[name].missing():
        pytest.skip(f"{missing} is not installed")
    result = python("-m", "tests.fuzz", name, "--quick")
    assert result.returncode == 0, result.stdout[-6_000:] + result.stderr[-2_000:]


# The machinery, on fuzzers whose cases are known to fail

HEAD = """
import ctypes, os, signal, sys, time
from tests.fuzz import Fuzzer, ScriptFuzzer
from tests.fuzz.hunt import hunt

class Numbers(ScriptFuzzer):
    name, timeout, batch, memory = "numbers", 1.0, 10, 1 << 30
    def case_of(self, seed, number):
        return [f"a = {number}", "b = 2", "c = a + b", "d = 4", BROKEN if number == 6 else "e = 5"]

class Plain(Fuzzer):
    name, timeout, batch = "plain", 0.5, 10

    def case_of(self, seed, number):
        return number
"""


def hunting(lines: str, broken: str = "", cases: int = 20) -> str:
    script = f"BROKEN = {broken!r}" + textwrap.dedent(HEAD) + textwrap.dedent(lines)
    script += f"\nprint(hunt(FUZZER, 0, 0, {cases}, float('inf'), shrinking=20.0))"
    result = python("-c", script)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("broken, message", [
    ("assert c != 8", "AssertionError"),
    ("import os, signal; c == 8 and os.kill(os.getpid(), signal.SIGSEGV)", "dies of SIGSEGV"),
    ("import os; c == 8 and os._exit(0)", "exits with 0 in the middle of a case"),
    ("import sys; c == 8 and sys.exit()", "SystemExit leaves the fuzzer"),
    ("while c == 8: pass", "hangs"),
    ("c == 8 and bytearray(1 << 40)", "MemoryError"),
])  # fmt: skip
def test_a_failure_is_caught_and_shrunk(broken, message):
    text = hunting("FUZZER = Numbers()", broken)
    assert text.startswith(f"numbers: case 6 of seed 0: {message}")
    assert f"\n{'-' * 40}\na = 6\nb = 2\nc = a + b\n{broken}\n{'-' * 40}\n" in text
    assert "--seed 0 --case 6" in text
    assert "numbers: 20 cases" in text and "1 findings in 1 cases" in text


def test_equal_findings_are_told_once():
    text = hunting("""
    class Same(Plain):
        def run(self, number): return f"wrong by {number}.5" if number % 3 == 0 else None
    FUZZER = Same()
    """)
    assert text.count("again:") == 1 and "1 findings in 7 cases" in text


def test_a_failure_that_needs_earlier_cases_says_so():
    text = hunting(
        """
    class After(Plain):
        seen = 0
        def run(self, number):
            self.seen += 1
            return "late" if self.seen == 5 else None
    FUZZER = After()
    """,
        cases=8,
    )
    assert "only after cases 0 to 3 of its batch" in text


def test_counts_and_cases_add_up_over_children():
    text = hunting(
        """
    class Counting(Plain):
        def run(self, number): self.counts["even" if number % 2 == 0 else "odd"] += 1
    FUZZER = Counting()
    """,
        cases=25,
    )
    assert "25 cases" in text and "(even 13, odd 12)" in text


def test_what_a_case_starts_is_killed_with_it(tmp_path):
    mark = tmp_path / "pid"
    hunting(
        f"""
    class Parent(Plain):
        def run(self, number):
            child = os.fork()
            if not child:
                time.sleep(60)
            open({str(mark)!r}, "w").write(str(child))
            os.waitpid(child, 0)
    FUZZER = Parent()
    """,
        cases=1,
    )
    state = Path("/proc", mark.read_text(), "stat")
    assert not state.exists() or ") Z " in state.read_text()  # where no process reaps orphans, a zombie is left


def test_a_case_is_its_seed_and_number():
    for fuzzer in fuzzers().values():
        if not fuzzer.missing():
            shown = [fuzzer.show(fuzzer.case_of(seed, number)) for seed, number in [(1, 5), (1, 5), (1, 6), (2, 5)]]
            assert shown[0] == shown[1] and len(set(shown)) == 3, fuzzer.name


def test_an_unknown_name_lists_the_known_ones():
    result = python("-m", "tests.fuzz", "nothing")
    assert result.returncode == 1 and "no fuzzer is called nothing" in result.stderr
