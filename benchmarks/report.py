"""Results as text: lines for the terminal, and tables for Markdown pages.

    python -m benchmarks.report runs/benchmarks/threads-1.json benchmarks/README.md

replaces the text between `<!-- benchmarks: PATTERN -->` and `<!-- end of benchmarks -->` by a table of the cases whose
names match the pattern, and that after `<!-- benchmarks: machine -->` by a line about the machine and the versions.
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

__all__ = ["conditions", "lines", "main", "markdown", "rewrite", "threads"]

MARK = re.compile(r"(<!-- benchmarks: (?P<pattern>.+?) -->\n).*?(<!-- end of benchmarks -->)", re.DOTALL)
MACHINE = "machine"


def threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"


def number(microseconds: float) -> str:
    """Three digits, or all digits of an integer: 2.31, 54.0, 1,234."""
    digits = 2 if microseconds < 10 else 1 if microseconds < 100 else 0
    return f"{microseconds:,.{digits}f}"


def lines(case: CaseResult, limits: dict[str, float]) -> str:
    """A case for the terminal: median, spread, ratio to cygrad, and percentage of the machine's limit."""
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
    """A table of the cases whose names match: microseconds, and in parentheses the time relative to cygrad's.

    The last column is the percentage of the machine's limit that cygrad reaches. If all cases belong to one group, it
    is not named.
    """
    cases = [case for case in run.cases if re.search(pattern, case.name)]
    if not cases:
        raise ValueError(f"report: the results have no case that matches {pattern!r}")
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
    """The machine's limit divided by cygrad's best time."""
    ours = [case.times[peer].median for peer in ("cygrad", "cygrad-compiled") if peer in case.times]
    limit = case.limit(run.limits)
    return f"{100 * limit / min(ours):.0f} %" if ours and limit else "–"


def conditions(run: Run) -> str:
    """The machine, the versions, and how the times were measured."""
    named = {"cygrad": "cygrad", "numpy": "NumPy", "torch": "PyTorch", "jax": "JAX"}
    versions = [f"{title} {run.versions[peer][peer]}" for peer, title in named.items() if peer in run.versions]
    limits = ""
    if run.limits:
        limits = (
            f" (measured limits: {run.limits['gflops']:.0f} GFLOP/s and {run.limits['gbytes']:.0f} GB/s, of which the "
            "last column is a percentage)"
        )
    return (
        f"Medians of {run.rounds} interleaved rounds, {threads(run.threads)}, on {run.machine['cpu']} with "
        f"{run.machine['cores']} cores{limits}; {', '.join(versions)}; {run.date[:10]}."
    )


def rewrite(run: Run, text: str) -> str:
    """The text with its marked parts replaced.

    Raises ValueError if nothing is marked.
    """

    def part(match: re.Match[str]) -> str:
        text = conditions(run) if match["pattern"] == MACHINE else markdown(run, match["pattern"])
        return f"{match[1]}{text}\n{match[3]}"

    changed, count = MARK.subn(part, text)
    if not count:
        raise ValueError("report: the text has no <!-- benchmarks: PATTERN --> … <!-- end of benchmarks -->")
    return changed


def main(arguments: Sequence[str]) -> int:
    if len(arguments) < 2:
        print("usage: python -m benchmarks.report RESULTS.json README.md …", file=sys.stderr)
        return 2
    run = results.read(arguments[0])
    for path in map(Path, arguments[1:]):
        text = rewrite(run, path.read_text(encoding="utf-8"))
        with atomic_write("report", path) as file:
            file.write(text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
