"""cygrad and its peers on the same cases, turn by turn, each in its own process: equal results first, then times."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import picture, results, table
from benchmarks.cases import CASES, select
from benchmarks.measure import measure
from benchmarks.peers import PEERS

DISAGREED, MISUSED, INTERRUPTED = 1, 2, 130  # 130 as a shell reports SIGINT: 128 + 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 0, 1 where peers disagree, 2 for wrong options."""
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
    print(f"microseconds a call, medians of {options.rounds} rounds, {table.threads(options.threads)}")
    run, wrong = measure(
        cases,
        options.peers,
        threads=options.threads,
        rounds=options.rounds,
        seconds=options.seconds,
        pythons=pythons,
        with_limits=options.limits,
        report=lambda line: print(line, flush=True),
        done=lambda case, limits: print(f"\n{table.lines(case, limits)}", flush=True),
    )
    write(run, options.out)
    return DISAGREED if wrong else 0


def write(run: results.Run, folder: Path) -> None:
    """The numbers and, with matplotlib, the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"threads-{run.threads}.json"
    results.write(run, path)
    written = [str(path)]
    try:
        picture.write(run, path.with_suffix(".png"))
        written.append(str(path.with_suffix(".png")))
    except ImportError as error:
        print(f"left out: the picture ({error}; pip install 'cygrad[bench]')")
    print(f"\nwritten: {', '.join(written)}")


def interpreter_of(text: str) -> tuple[str, str]:
    peer, equals, path = text.partition("=")
    if not equals or peer not in PEERS:
        raise ValueError(f"--python wants PEER=PATH with one of {', '.join(PEERS)}, got {text!r}")
    return peer, path


def positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = top.add_argument
    add("cases", nargs="*", metavar="PATTERN", help="regular expressions that the cases' names contain (default: all)")
    add("--list", action="store_true", help="print the names of the cases and end")
    add("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER", help=f"of {', '.join(PEERS)}")
    add("--threads", type=positive, default=1, help="threads of each peer (default: 1)")
    add("--rounds", type=positive, default=3, help="how often each peer has its turn (default: 3)")
    add("--seconds", type=float, default=0.2, help="length of a turn (default: 0.2)")
    add("--python", action="append", default=[], metavar="PEER=PATH",
        help="interpreter for a peer; CYGRAD_BENCH_<PEER>_PYTHON does the same")  # fmt: skip
    add("--no-limits", dest="limits", action="store_false", help="do not measure the machine's limits")
    add("--out", type=Path, default=Path("runs/benchmarks"), metavar="DIR",
        help="folder for threads-N.json and .png (default: runs/benchmarks)")  # fmt: skip
    return top


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
