"""Measures with gcov which branches of csrc/ the tests in C take, and fails if one is left without a reason.

    python tools/coverage.py                                     # prints the table, and what is left
    python tools/coverage.py --write                             # puts the table into docs/testing.md
    python tools/coverage.py --suite [arguments of pytest]       # and the lines of the wrappers that the suite takes

The tests run in a copy of the tracked files, built without optimization. A kernel's branch counts once, taken in either
precision and at any CPU level; a level that this machine lacks does not count. A branch that no test can take says why
in a comment on its line or on the line above, `/* untested: reason */`.
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
PAGE = ROOT / "docs" / "testing.md"
START, END = "<!-- branches -->\n", "<!-- end of branches -->"

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
            files = json.loads(text)["files"] if text.startswith("{") else []
            if not any(line["count"] for file in files for line in file["lines"]):
                continue  # a CPU level that this machine lacks
            for file in files:
                if not (match := re.search(r"(csrc/(?!tests/).*|src/cygrad/.*\.p(yx|xi|y))$", file["file"])):
                    continue
                for line in file["lines"]:
                    counts[match[1], line["line_number"], -1] += line["count"]
                    for number, branch in enumerate(line["branches"]):
                        counts[match[1], line["line_number"], number] += branch["count"]
    return counts


def sources_of(counts: Counts) -> dict[str, list[str]]:
    names = {name for name, _, _ in counts}
    return {name: (ROOT / name).read_text(encoding="utf-8").splitlines() for name in names if (ROOT / name).exists()}


def has_reason(lines: list[str], line: int) -> bool:
    """Whether the line, or a comment on the line above, says why its branches are not taken."""
    above = lines[line - 2].strip() if line > 1 else ""
    return REASON in lines[line - 1] or (REASON in above and above.startswith("/*"))


def c_table(counts: Counts) -> tuple[list[str], list[str]]:
    """The table of branches of each file of csrc/, and the lines of those that have neither a test nor a reason."""
    sources = sources_of(counts)
    rows: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])  # branches, taken, with a reason
    left = []
    for (name, line, branch), times in sorted(counts.items()):
        if branch < 0 or name not in sources or not name.startswith("csrc/"):
            continue
        excused = not times and has_reason(sources[name], line)
        for key in (name, "all"):
            rows[key] = [sum(pair) for pair in zip(rows[key], (1, times > 0, excused), strict=True)]
        if not times and not excused:
            left.append(f"{name}:{line}: {sources[name][line - 1].strip()}")
    rows["all"] = rows.pop("all")  # the last
    table = ["| file | branches | taken | with a reason |", "| --- | ---: | ---: | ---: |"]
    table += [f"| {name} | {of:,} | {taken:,} | {excused} |" for name, (of, taken, excused) in rows.items()]
    return table, list(dict.fromkeys(left))


def suite_table(counts: Counts) -> list[str]:
    """The lines of each Cython module that the suite takes: their branches are mostly those of reference counting."""
    sources = sources_of(counts)
    rows: dict[str, list[int]] = defaultdict(lambda: [0, 0])  # lines, taken
    left = []
    for (name, line, branch), times in sorted(counts.items()):
        if branch >= 0 or not name.startswith("src/") or line > len(sources.get(name, ())):
            continue
        if not times and has_reason(sources[name], line):
            continue
        rows[name] = [rows[name][0] + 1, rows[name][1] + (times > 0)]
        if not times:
            left.append(f"{name}:{line}: {sources[name][line - 1].strip()}")
    table = [f"| {name} | {lines:,} | {taken:,} |" for name, (lines, taken) in rows.items()]
    return ["| file | lines | taken |", "| --- | ---: | ---: |", *table, "", *left]


def write(table: list[str]) -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(before + START + "\n".join(table) + "\n\n" + rest[rest.index(END) :], encoding="utf-8")


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_of_tracked_files(Path(folder))
        run_c_tests(tree)
        table, left = c_table(read_counts(tree))
        print("\n".join([*table, "", *left]))
        if "--write" in arguments:
            write(table)
        if arguments[:1] == ["--suite"]:
            run_suite(tree, arguments[1:])
            print("\n".join(["", *suite_table(read_counts(tree))]))
    if left:
        print(f"{len(left)} lines have branches without a test or a reason", file=sys.stderr)
    return bool(left)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
