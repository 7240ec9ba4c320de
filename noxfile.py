"""The stages that must pass before a change lands, each in an environment of its own.

    nox --list
    nox -s lint
    nox -s tests -- -k relu

`.ci/run` runs all of them, in this order, except `sanitize`, `memory` and `coverage`, which take longer.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nox

ROOT = Path(__file__).parent
nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = True


def readme_commands(name: str) -> str:
    """The code block of README.md that follows the comment ``<!-- name -->``."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    match = re.search(rf"<!-- {name} -->\s*```\w*\n(.*?)```", text, re.DOTALL)
    assert match is not None, f"README.md has no code block marked <!-- {name} -->"
    return match[1].strip()


def bash(session: nox.Session, commands: str) -> None:
    """Run shell commands and stop at the first that fails."""
    session.run("bash", "-euo", "pipefail", "-c", commands, external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the README's test command; arguments after ``--`` go to pytest.

    With CI set, Hypothesis draws the same examples in every run: the same commit can't pass once and fail once.
    """
    session.env["CI"] = "true"
    bash(session, " ".join([readme_commands("test"), *session.posargs]))


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff, mypy and pyright."""
    session.install("ruff==0.17.6", "mypy==2.4.1", "pyright[nodejs]==1.1.414", "numpy>=2.0")
    session.run("ruff", "check", ".")
    session.run("python", "tools/make_stubs.py")
    session.run("python", "tools/make_kernel_stub.py")
    session.run("mypy")
    session.run("mypy", *map(str, ROOT.glob("src/cygrad/ops/*.py")))  # the first call has read the stubs beside these
    session.run("pyright")


@nox.session(venv_backend="none")
def kernels(session: nox.Session) -> None:
    """Run the C tests under AddressSanitizer and UndefinedBehaviorSanitizer."""
    session.run("csrc/tests/run.sh", external=True)


def build_instrumented(session: nox.Session, compiler: str, linker: str = "", **environment: str) -> None:
    """Install the package, built with these flags, with what its tests need."""
    session.install(".[test,serve]", env={"CYGRAD_CFLAGS": compiler, "LDFLAGS": linker, **environment})


def library_of_gcc(session: nox.Session, name: str) -> str:
    return str(session.run("gcc", f"-print-file-name={name}", external=True, silent=True)).strip()


@nox.session(default=False)
def sanitize(session: nox.Session) -> None:
    """Run the suite, or the command after ``--``, with kernels and Cython modules under ASan and UBSan.

    The modules check no more than the published ones do. All arrays come from malloc(), so that the end of each is
    seen; with CYGRAD_POOL=1 they come from the pool, as they do in the published wheel.
    """
    pool = "" if session.env.get("CYGRAD_POOL") else " -DCG_POOL_BYTES=INT64_MAX"
    sanitizers = "-fsanitize=address,undefined -fno-sanitize-recover=all"
    build_instrumented(session, f"{sanitizers} -fno-omit-frame-pointer -O1 -g1{pool}", sanitizers)
    # PyTorch throws exceptions of C++, for which libasan needs libstdc++ from the start.
    runtime = f"{library_of_gcc(session, 'libasan.so')} {library_of_gcc(session, 'libstdc++.so')}"
    # Python keeps what it has allocated until it exits, and its own allocator would hide the ends of its blocks.
    # Tests let a child die of a signal, and ask for more memory than there is; some expect the pool, or a speed.
    options = "detect_leaks=0:handle_segv=0:allocator_may_return_null=1"
    environment = {"LD_PRELOAD": runtime, "ASAN_OPTIONS": options, "PYTHONMALLOC": "malloc"}
    left_out = "not memory_pool and not in_a_second"
    command = session.posargs or ["pytest", "-n", "auto", "-k", left_out]
    session.run("python", "-m", *command, env=environment)


@nox.session(default=False)
def races(session: nox.Session) -> None:
    """Run threads that share the engine, with kernels and Cython modules under ThreadSanitizer.

    Nothing of CPython is instrumented, so nothing of it has to be suppressed.
    """
    build_instrumented(session, "-fsanitize=thread -fno-omit-frame-pointer -O1 -g1", "-fsanitize=thread")
    environment = {"LD_PRELOAD": library_of_gcc(session, "libtsan.so"), "PYTHONMALLOC": "malloc"}
    # ThreadSanitizer's memory layout allows no address randomization, or little.
    session.run("setarch", "-R", "python", "-m", "tests.raced", *session.posargs, env=environment, external=True)


@nox.session(default=False)
def memory(session: nox.Session) -> None:
    """Let every request for memory fail in turn, in a debug build in which all arrays come from the pool."""
    build_instrumented(session, "-DCG_POOL_BYTES=0", CYGRAD_DEBUG="1")
    session.run("python", "-m", "pytest", "tests/test_out_of_memory.py", *session.posargs)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Fail if a branch of csrc/ has neither a test in C nor a reason; ``-- --suite`` also counts lines of wrappers."""
    if "--suite" in session.posargs:
        session.install("setuptools>=77", "Cython>=3.1", "numpy>=2.0", ".[test,serve]")
    session.run("python", "tools/coverage.py", *session.posargs)


@nox.session
def dist(session: nox.Session) -> None:
    """Build the sdist and the wheel into dist/, and check their size and contents."""
    session.install("build==1.6.1")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("python", "-m", "build", "--quiet", "--outdir", "dist", ".")
    session.run("python", ".ci/check_dist.py", "dist")


@nox.session
def wheel(session: nox.Session) -> None:
    """Import, train, save and load with the wheel in dist/, out of reach of the source; run the README's command."""
    (path,) = ROOT.glob("dist/*.whl")
    session.install(f"{path}[train]")
    folder = Path(session.create_tmp())
    for script in ("smoke.py", "check_accuracy.py"):
        shutil.copy(ROOT / ".ci" / script, folder)
    session.chdir(folder)
    session.run("python", "-W", "error", "smoke.py")
    session.run("cygrad", "info")
    bash(session, "cygrad train digits --seed 0 --out run | tee log && python check_accuracy.py log 97")
