"""Count what docs/testing.md tells: prints the table, and with ``--write`` puts it into the page.

Lines are those that are neither blank nor only a comment. Tests are what pytest collects: install PyTorch first.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "testing.md"
START, END = "<!-- figures -->\n", "<!-- end of figures -->"
sys.path[:0] = [str(ROOT), str(ROOT / "src")]


def tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in done.stdout.split("\0") if name]


def lines(paths: Iterable[Path]) -> int:
    """Lines with code or documentation."""
    text = [line.strip() for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    return sum(bool(line) and not line.startswith(("#", "//", "/*", "*")) for line in text)


def collected(*args: str) -> int:
    """Number of tests that pytest collects."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *args]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    per_file = re.findall(r"^tests/\S+: (\d+)$", done.stdout, re.MULTILINE)
    return sum(map(int, per_file)) or len(re.findall(r"^tests/\S+::", done.stdout, re.MULTILINE))


def figures() -> list[tuple[str, str]]:
    from cygrad import _kernels as kernels
    from tests.fuzz import fuzzers
    from tests.fuzz.arguments import targets
    from tests.op_db import ROWS

    c_tests = tracked("csrc/tests/*")
    c_code = [path for path in tracked("csrc/*.c", "csrc/*.h", "csrc/*.def") if path not in c_tests]
    code = c_code + tracked("src/cygrad/*.py", "src/cygrad/*.pyx", "src/cygrad/*.pxi", "src/cygrad/*.pxd")
    tests = tracked("tests/*.py") + c_tests
    rng = np.random.default_rng(0)
    samples = sum(1 for row in ROWS for dtype in row.dtypes for _ in row.samples(rng, dtype))
    return [
        ("lines of code (C, Cython, Python)", f"{lines(code):,}"),
        ("lines of tests", f"{lines(tests):,}"),
        ("tests that pytest runs", f"{collected():,}"),
        ("of these, generated from the table of ops", f"{collected('tests/test_ops.py', 'tests/test_tests.py'):,}"),
        ("rows of the table of ops / their samples", f"{len(ROWS)} / {samples:,}"),
        ("kernels, each compared with a second implementation", str(len(kernels.kernel_names()))),
        ("fuzzers", str(len(fuzzers()))),
        ("public callables that the fuzzers call with odd arguments", f"{len(targets()):,}"),
    ]


def table(rows: list[tuple[str, str]]) -> str:
    return (
        "\n".join(["| what | how many |", "| --- | ---: |", *(f"| {name} | {count} |" for name, count in rows)]) + "\n"
    )


def main() -> None:
    text = table(figures())
    if "--write" in sys.argv:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
        PAGE.write_text(before + START + text + "\n" + rest[rest.index(END) :], encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
