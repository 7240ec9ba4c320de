"""A run as text: lines for the terminal, and tables for README files.

    python -m benchmarks.table runs/benchmarks/threads-1.json README.md

replaces what stands between `<!-- benchmarks: PATTERN -->` and `<!-- end of benchmarks -->` by the table of the cases
whose names match the pattern; `<!-- benchmarks: machine -->` by a sentence about the machine.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import results
from benchmarks.peers import PEERS
from benchmarks.results import CaseResult, Run
from cygrad._files import atomic_write

__all__ = ["lines", "main", "markdown", "rewrite", "threads"]

MARK = re.compile(r"(<!-- benchmarks: (?P<pattern>.+?) -->\n).*?(<!-- end of benchmarks -->)", re.DOTALL)
MACHINE = "machine"


def threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"


def number(microseconds: float) -> str:
    """Three digits or all of a whole number: 2.31, 54.0, 1,234."""
    digits = 2 if microseconds < 10 else 1 if microseconds < 100 else 0
    return f"{microseconds:,.{digits}f}"


def lines(case: CaseResult, limits: dict[str, float]) -> str:
    """A case for the terminal: median, spread, ratio to cygrad, and share of the machine's limit."""
    limit = case.limit(limits)
    text = [case.name + (f", limit {number(limit)}" if limit else "")]
    for peer, times in case.times.items():
        ratio = case.ratio(peer)
        columns = [f"  {PEERS[peer].title:16}{number(times.median):>12}", f"± {100 * times.spread / 2:4.1f} %"]
        columns += [f"{ratio:8.2f} ×"] if ratio else []
        columns += [f"{100 * limit / times.median:6.0f} % of limit"] if limit else []
        text.append("  ".join(columns))
    return "\n".join(text)


def markdown(run: Run, pattern: str) -> str:
    """The cases whose names match, a row each: microseconds, and in brackets how many times cygrad's they are; cygrad's
    share of the machine's limit in the last column. A group that they all belong to is not named."""
    cases = [case for case in run.cases if re.search(pattern, case.name)]
    if not cases:
        raise ValueError(f"table: the run has no case that matches {pattern!r}")
    peers = [peer for peer in PEERS if any([peer in case.times for case in cases])]
    head = ["case", *[PEERS[peer].title for peer in peers], "of the limit"]
    group = {case.name.partition("/")[0] for case in cases}
    names = [case.name if len(group) > 1 else case.name.partition("/")[2] for case in cases]
    rows = [[name, *[cell(case, peer) for peer in peers], share(case, run)] for name, case in zip(names, cases)]
    width = len(head) if run.limits else len(head) - 1
    return "\n".join(["| " + " | ".join(row[:width]) + " |" for row in (head, ["---"] * width, *rows)])


def cell(case: CaseResult, peer: str) -> str:
    """A peer's median and ratio."""
    if peer not in case.times:
        return "–"
    ratio, text = case.ratio(peer), number(case.times[peer].median)
    return text if peer == "cygrad" or ratio is None else f"{text} ({ratio:.{1 if ratio >= 2 else 2}f})"


def share(case: CaseResult, run: Run) -> str:
    """The machine's limit through cygrad's best time."""
    own = [case.times[peer].median for peer in ("cygrad", "cygrad-compiled") if peer in case.times]
    limit = case.limit(run.limits)
    return f"{100 * limit / min(own):.0f} %" if own and limit else "–"


def sentence(run: Run) -> str:
    """Machine, versions, and how it was measured."""
    named = {"cygrad": "cygrad", "numpy": "NumPy", "torch": "PyTorch", "jax": "JAX"}
    versions = [f"{title} {run.versions[peer][peer]}" for peer, title in named.items() if peer in run.versions]
    limits = ""
    if run.limits:
        limits = (
            f", whose limits were measured as {run.limits['gflops']:.0f} GFLOP/s and {run.limits['gbytes']:.0f} GB/s "
            "(the last column is cygrad's share of them)"
        )
    return (
        f"Medians of {run.rounds} rounds that took turns, {threads(run.threads)}, on {run.machine['cpu']} with "
        f"{run.machine['cores']} cores{limits}; {', '.join(versions)}; {run.date[:10]}."
    )


def rewrite(run: Run, text: str) -> str:
    """The text with its marked parts made anew.

    Raises ValueError where nothing is marked.
    """

    def part(match: re.Match[str]) -> str:
        made = sentence(run) if match["pattern"] == MACHINE else markdown(run, match["pattern"])
        return f"{match[1]}{made}\n{match[3]}"

    changed, count = MARK.subn(part, text)
    if not count:
        raise ValueError("table: there is no <!-- benchmarks: PATTERN --> … <!-- end of benchmarks --> in the text")
    return changed


def main(arguments: Sequence[str]) -> int:
    if len(arguments) < 2:
        print("usage: python -m benchmarks.table RESULTS.json README.md …", file=sys.stderr)
        return 2
    run = results.read(arguments[0])
    for path in map(Path, arguments[1:]):
        text = rewrite(run, path.read_text(encoding="utf-8"))
        with atomic_write("table", path) as file:
            file.write(text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
