"""Measures which branches of csrc/ and which lines of the wrappers the tests take, with gcov, and prints a table.

    python tools/coverage.py [arguments of pytest]

The C tests and the Python suite run in a copy of the tracked files, built without optimization. A kernel's branch
counts once, taken in either precision and at any CPU level. What no test can take says why in a comment on its line,
`untested: reason`, and is not counted. Below the table stand the branches and lines that are left.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from csrc import build_flags  # noqa: E402

# An inlined function would have branches of its own in every function that calls it.
FLAGS = ["-O0", "--coverage", "-fprofile-update=atomic", "-DINLINE=static", "-DCG_DEBUG", "-Wno-unused-function"]
REASON = "untested:"

Counts = dict[tuple[str, int, int], int]  # (file, line, branch) → times taken; branch −1 is the line itself


def run(*command: str | Path, **options: object) -> None:
    subprocess.run([str(part) for part in command], check=True, **options)  # type: ignore[call-overload]


def copy_of_tracked_files(folder: Path) -> Path:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


def run_c_tests(tree: Path) -> None:
    """Builds csrc/ with its tests, and runs them."""
    flags = [flag for flag in build_flags.KERNELS if not flag.startswith(("-O", "-D_FORTIFY"))]
    build = tree / "coverage"
    build.mkdir()
    for level, options in build_flags.cpu_levels().items():
        machine = [flag for flag in options if flag.startswith("-m")]
        run("cc", *flags, *machine, *FLAGS, "-Icsrc", "-c", f"csrc/isa/{level}.c", "-o", build / f"{level}.o", cwd=tree)
    for source in [*tree.glob("csrc/tests/*.c"), *tree.glob("csrc/*.c")]:
        target = build / f"{source.parent.name}-{source.stem}.o"
        run("cc", *flags, *FLAGS, "-Icsrc", "-c", source.relative_to(tree), "-o", target, cwd=tree)
    run("cc", "--coverage", *sorted(build.glob("*.o")), "-lm", "-lpthread", "-o", build / "tests")
    run(build / "tests", cwd=tree)


def run_suite(tree: Path, arguments: list[str]) -> None:
    """Builds the extension in place, and runs the Python suite."""
    environment = {
        **os.environ,
        "CYGRAD_CFLAGS": " ".join(FLAGS),
        "LDFLAGS": "--coverage",
        "PYTHONPATH": str(tree / "src"),
    }
    run(sys.executable, "setup.py", "-q", "build_clib", "build_ext", "--inplace", cwd=tree, env=environment)
    status = subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments], cwd=tree, env=environment, check=False)
    if status.returncode:
        print(f"pytest ended with {status.returncode}", file=sys.stderr)


def read_counts(tree: Path) -> Counts:
    counts: Counts = defaultdict(int)
    for data in tree.rglob("*.gcda"):
        command = ["gcov", "--json-format", "--stdout", "--branch-probabilities", str(data)]
        for text in subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True).stdout.splitlines():
            for file in json.loads(text)["files"] if text.startswith("{") else ():
                if not (match := re.search(r"(csrc/(?!tests/).*|src/cygrad/.*\.p(yx|xi|y))$", file["file"])):
                    continue
                for line in file["lines"]:
                    counts[match[1], line["line_number"], -1] += line["count"]
                    for number, branch in enumerate(line["branches"]):
                        counts[match[1], line["line_number"], number] += branch["count"]
    return counts


def is_counted(name: str, line: int, branch: int, sources: dict[str, list[str]]) -> bool:
    """Branches of C; lines of Cython, whose branches are mostly those of reference counting. None with a reason."""
    if name not in sources:
        sources[name] = (ROOT / name).read_text(encoding="utf-8").splitlines() if (ROOT / name).exists() else []
    text = sources[name][line - 1] if line <= len(sources[name]) else REASON
    return (branch >= 0) == name.startswith("csrc/") and REASON not in text


def report(counts: Counts) -> str:
    sources: dict[str, list[str]] = {}
    files: dict[str, list[bool]] = defaultdict(list)
    left = []
    for (name, line, branch), times in sorted(counts.items()):
        if is_counted(name, line, branch, sources):
            files[name].append(times > 0)
            if not times:
                left.append(f"{name}:{line}: {sources[name][line - 1].strip()}")
    lines = ["| file | taken | of | % |", "| --- | ---: | ---: | ---: |"]
    for name in ("csrc/", "src/", *files):
        taken = [value for file, values in files.items() if file.startswith(name) for value in values]
        if taken:
            lines.append(f"| {name} | {sum(taken)} | {len(taken)} | {100 * sum(taken) / len(taken):.1f} |")
    return "\n".join([*lines, "", *dict.fromkeys(left)])


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_of_tracked_files(Path(folder))
        run_c_tests(tree)
        run_suite(tree, arguments)
        print(report(read_counts(tree)))


if __name__ == "__main__":
    main(sys.argv[1:])
