"""Run a script as Python does, with cygrad as torch."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import NoReturn

from cygrad.torch.install import install

__all__ = ["main"]

USAGE = """\
usage: {program} [-q] script.py [arguments]
       {program} [-q] -m module [arguments]

Runs a PyTorch script on cygrad: `import torch` gives cygrad, whether or not PyTorch is installed.
-q does not say so on stderr."""


def main(arguments: Sequence[str], program: str) -> None:
    """Run the script that the arguments name, with those after it. Errors are those of the script.

    Args:
        arguments: of the command line.
        program: the command that the help names.
    """
    rest = list(arguments)
    quiet = rest[:1] == ["-q"]
    rest = rest[quiet:]
    as_module = rest[:1] == ["-m"]
    rest = rest[as_module:]
    if rest[:1] in (["-h"], ["--help"]):
        print(USAGE.format(program=program))
        return
    if not rest or rest[0].startswith("-"):
        fail(f"expected a script, got {rest[0] if rest else 'none'}; see {program} --help")
    if not as_module and not os.path.exists(rest[0]):
        fail(f"there is no file {rest[0]}")
    install(quiet)
    sys.argv[:] = rest
    sys.excepthook = report
    sys.path[0] = os.getcwd() if as_module else os.path.dirname(os.path.realpath(rest[0]))
    if as_module:
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        run_path(os.path.abspath(rest[0]))


def run_path(path: str) -> None:
    """Run the file of an absolute path as the module ``__main__``."""
    main_module = sys.modules["__main__"]
    names = vars(main_module)
    names.clear()
    names.update(
        __name__="__main__", __file__=path, __builtins__=__builtins__, __spec__=None, __loader__=None, __package__=None
    )
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    exec(code, names)


def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error as Python does, without the frames that led to the script."""
    own = (os.path.dirname(__file__), os.path.dirname(runpy.__file__) + os.sep + "runpy.py", "<frozen runpy>")
    first = trace
    while first is not None and first.tb_frame.f_code.co_filename.startswith(own):
        first = first.tb_next
    sys.__excepthook__(kind, error.with_traceback(first), first)


def fail(message: str) -> NoReturn:
    """Exit with code 2 and a line on stderr."""
    print(f"cygrad.torch: {message}", file=sys.stderr)
    raise SystemExit(2)
