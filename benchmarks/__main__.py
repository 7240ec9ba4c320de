"""Time cygrad and other libraries on the same cases, each in its own process, once their results agree."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import picture, report, results
from benchmarks.cases import CASES, select
from benchmarks.measure import measure
from benchmarks.peers import PEERS

DISAGREED, MISUSED, INTERRUPTED = 1, 2, 130  # 130 as a shell reports SIGINT: 128 + 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 if peers disagree, 2 for wrong options."""
    options = parser().parse_args(arguments)
    if options.list:
        print(*[case.name for case in CASES], sep="\n")
        return 0
    try:
        cases = select(options.cases)
        pythons = dict(interpreter_of(text) for text in options.python)
    except ValueError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return MISUSED
    print(f"microseconds per call, medians of {options.rounds} rounds, {report.threads(options.threads)}")
    run, wrong = measure(
        cases,
        options.peers,
        threads=options.threads,
        rounds=options.rounds,
        seconds=options.seconds,
        pythons=pythons,
        with_limits=options.limits,
        report=lambda line: print(line, flush=True),
        done=lambda case, limits: print(f"\n{report.lines(case, limits)}", flush=True),
    )
    write(run, options.out)
    return DISAGREED if wrong else 0


def write(run: results.Run, folder: Path) -> None:
    """Write the figures and, with matplotlib, the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"threads-{run.threads}.json"
    results.write(run, path)
    written = [str(path)]
    try:
        picture.write(run, path.with_suffix(".png"))
        written.append(str(path.with_suffix(".png")))
    except ImportError as error:
        print(f"skipped: the picture ({error}; pip install 'cygrad[bench]')")
    print(f"\nwritten: {', '.join(written)}")


def interpreter_of(text: str) -> tuple[str, str]:
    peer, equals, path = text.partition("=")
    if not equals or peer not in PEERS:
        raise ValueError(f"--python expects PEER=PATH with one of {', '.join(PEERS)}, got {text!r}")
    return peer, path


def positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = top.add_argument
    add("cases", nargs="*", metavar="PATTERN", help="regular expressions for the names of cases (default: all)")
    add("--list", action="store_true", help="print the names of the cases and exit")
    add(
        "--peers",
        nargs="+",
        choices=PEERS,
        default=list(PEERS),
        metavar="PEER",
        help=f"{', '.join(PEERS)} (default: all)",
    )
    add("--threads", type=positive, default=1, help="threads per peer (default: 1)")
    add("--rounds", type=positive, default=3, help="rounds, in each of which every peer runs once (default: 3)")
    add("--seconds", type=float, default=0.2, help="seconds that a peer runs in each round (default: 0.2)")
    add("--python", action="append", default=[], metavar="PEER=PATH",
        help="Python interpreter for a peer; same as CYGRAD_BENCH_<PEER>_PYTHON")  # fmt: skip
    add("--no-limits", dest="limits", action="store_false", help="skip measuring the machine's limits")
    add("--out", type=Path, default=Path("runs/benchmarks"), metavar="DIR",
        help="folder for threads-N.json and .png (default: runs/benchmarks)")  # fmt: skip
    return top


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
