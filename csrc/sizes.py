"""Measures how many bytes of machine code each family of kernels takes at each CPU level, and updates the table in
csrc/README.md.

    python csrc/sizes.py

Compiles every level with line numbers, which do not change the code, and adds up the functions of each header.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from csrc import build_flags  # noqa: E402

README = ROOT / "csrc/README.md"
START, END = "<!-- sizes -->", "<!-- end of sizes -->"


def family_sizes(level: str, flags: list[str]) -> Counter[str]:
    """Bytes of code of each header of csrc/kernels/, at one level."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    sizes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/{level}.o"
        command = [*compiler, *build_flags.KERNELS, *flags, "-fPIC", "-g1", "-Icsrc", "-c", f"csrc/isa/{level}.c"]
        subprocess.run([*command, "-o", output], cwd=ROOT, check=True)
        symbols = subprocess.run(["nm", "-S", "-l", output], capture_output=True, text=True, check=True).stdout
    for line in symbols.splitlines():
        if match := re.match(r"\w+ (\w+) [tT] \S+\s+.*/(\w+)\.h:\d+$", line):
            sizes[match[2]] += int(match[1], 16)
    return sizes


def table(levels: dict[str, Counter[str]]) -> str:
    """A Markdown table of kilobytes, families in decreasing order of their total."""
    total = sum(levels.values(), Counter[str]())
    names = [name for name, _ in total.most_common()]
    lines = [f"| family | {' | '.join(levels)} | total |", "| --- |" + " ---: |" * (len(levels) + 1)]
    for name in [*names, "all"]:
        columns = [sizes.total() if name == "all" else sizes[name] for sizes in (*levels.values(), total)]
        lines.append(f"| {name} | {' | '.join([f'{size / 1000:.1f}' for size in columns])} |")
    return "\n".join(lines)


def main() -> None:
    levels = {level: family_sizes(level, flags) for level, flags in build_flags.cpu_levels().items()}
    before, _, rest = README.read_text(encoding="utf-8").partition(START)
    README.write_text(f"{before}{START}\n{table(levels)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
