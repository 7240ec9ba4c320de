"""The fuzzers: programs, arguments, files and schedules that nobody wrote down, tried until something is wrong.

    python -m tests.fuzz --minutes 30 --seed 7               # every fuzzer for thirty minutes
    python -m tests.fuzz --minutes 5 eager                  # one of them
    python -m tests.fuzz --seed 7 --case 1234 eager         # one case again; prints its program, passed or failed
    python -m tests.fuzz --list

It prints cases per second, what the cases were, and each finding as a short program that fails when it is pasted into Python at
the root of the checkout. The exit code is 1 if there is a finding. `tests/test_fuzz.py` runs a few hundred cases of each fuzzer
in the ordinary suite, `.github/workflows/fuzz.yml` runs each for an hour every night. Fuzzers need `os.fork`.

Write a fuzzer
--------------
A module of this folder with a subclass of `Fuzzer` and the line `FUZZERS = [MyFuzzer()]`; it is found by that name. A fuzzer says

    name        how it is called on the command line
    case(rng)   a case, drawn from the `random.Random` and from nothing else: a case is known by seed and number
    run(case)   try it; return None, or a message that says what is wrong
    shrink(case)    smaller cases, the boldest first; they need not be valid
    show(case)      the case as a program of about ten lines that fails

and may set `requires` (modules without which it is skipped; they are imported before the first fork, so import PyTorch and other
slow ones inside functions), `optional` (modules that are imported there if they are installed), `timeout` (seconds of a case), `memory` (bytes a case may ask for),
`batch` (cases per child) and `quick` (cases in the ordinary suite: about three seconds). `start()` is called once in each child
before its first case. `self.counts["…"] += 1` in `run` counts kinds of cases for the report: look at it, a fuzzer whose cases
are all refused finds nothing. If a case is a list of source lines, derive from `ScriptFuzzer`, which has `run`, `shrink` and
`show` already.

What `run` need not care about
------------------------------
Cases run in a forked child, `batch` of them in a row; the next child starts afresh. A child that dies (a signal, `os._exit`)
or outlasts its time is a finding of the case it was at; so is an exception that leaves `run`. What it wrote to stdout and stderr,
faulthandler's traceback and a sanitizer's report with it, is kept for the finding. A child is the leader of a process group,
which is killed with it. The parent draws cases and never runs one, so it has no threads of the engine when it forks:
`case` and `shrink` must not call the engine or PyTorch beyond importing them.

The message's first line, numbers left out, is the finding's identity: equal ones are reported once and counted, and a case is
shrunk only as long as the line stays the same. So begin with what is wrong and where ("gradient differs: cg.sum"), and put
figures behind it on further lines.
"""

from __future__ import annotations

import importlib
import pkgutil

from tests.fuzz.fuzzer import Fuzzer, ScriptFuzzer, fewer

__all__ = ["Fuzzer", "ScriptFuzzer", "fewer", "fuzzers"]


def fuzzers() -> dict[str, Fuzzer]:
    """Name → fuzzer, for each module of this folder that has any."""
    names = [m.name for m in pkgutil.iter_modules(__path__) if m.name != "__main__"]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {f.name: f for module in modules for f in getattr(module, "FUZZERS", [])}
