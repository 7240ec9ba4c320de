"""``python -m tests.fuzz``: see the package's documentation."""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz import Fuzzer, fuzzers
from tests.fuzz.hunt import Report, hunt


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Try cases that nobody wrote down.")
    parser.add_argument("names", nargs="*", help="fuzzers to run; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, help="for each fuzzer; 1 by default")
    parser.add_argument("--cases", type=int, help="cases of each fuzzer, instead of minutes")
    parser.add_argument("--case", type=int, help="run from this case, and that one alone without --cases")
    parser.add_argument("--quick", action="store_true", help="as many cases as in the ordinary suite")
    parser.add_argument("--shrink", type=float, default=30.0, help="seconds for each finding")
    parser.add_argument("--list", action="store_true", help="list the fuzzers")
    return parser.parse_args()


def chosen(names: list[str]) -> list[Fuzzer]:
    known = fuzzers()
    if unknown := sorted(set(names) - set(known)):
        sys.exit(f"no fuzzer is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return [known[name] for name in names or sorted(known)]


def run(fuzzer: Fuzzer, options: argparse.Namespace) -> Report:
    cases, until = options.cases or sys.maxsize, float("inf")
    if options.quick:
        cases = fuzzer.quick
    elif options.case is not None:
        cases = options.cases or 1
    elif options.cases is None:
        until = time.monotonic() + 60 * (options.minutes or 1)
    return hunt(fuzzer, options.seed, options.case or 0, cases, until, shrinking=options.shrink)


def main() -> None:
    options = arguments()
    reports = []
    for fuzzer in chosen(options.names):
        if options.list:
            print(f"{fuzzer.name:16} {(type(fuzzer).__doc__ or '').splitlines()[0]}")
        elif missing := fuzzer.missing():
            print(f"{fuzzer.name}: skipped, {', '.join(missing)} is not installed")
        else:
            if options.case is not None:
                print(fuzzer.show(fuzzer.case_of(options.seed, options.case)), end="\n\n")
            reports.append(run(fuzzer, options))
            print(reports[-1], flush=True)
    sys.exit(any(report.findings for report in reports))


if __name__ == "__main__":
    main()
