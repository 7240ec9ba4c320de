"""Writers on a disk that fails: after any of their calls of the system, or after any number of bytes.

A writer that raises must raise an OSError of one line that names the file or folder, leave the old files as they were, and leave no
other file; one that does not raise must have written the new files. Then the disk works again, and so must the writer.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.fuzz import Fuzzer

CALLS = ("open", "fsync", "replace", "rename", "mkdir", "chmod", "write")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EACCES, errno.EROFS)


class Writer(NamedTuple):
    """``write(folder, value)`` writes the number 1 or 2 to a folder; ``read(folder)`` returns which one is there."""

    write: Callable[[Path, int], Any]
    read: Callable[[Path], int]


def writers() -> dict[str, Writer]:
    """The writers by name."""
    import numpy as np

    import cygrad as cg
    from cygrad import runs, train
    from cygrad.train.checkpoint import read_checkpoint, write_checkpoint
    from tests.saved import model_of, number_of, run_of

    def table(value: int) -> Any:
        return cg.data.Preprocessor().fit(cg.data.Table({"x": [0.0, 2.0 * value]}))

    def drawing(value: int) -> Any:
        x = cg.ones(2, requires_grad=True)
        return (x.sum() if value == 1 else x.exp().exp()).graph()

    def arrays(value: int) -> dict[str, Any]:
        return {"w": cg.Tensor(np.full(900, value, np.float32)), "n": value}

    def save(kind: str) -> Writer:
        return Writer(lambda f, v: cg.save(arrays(v), f / f"x{kind}"), lambda f: cg.load(f / f"x{kind}")["n"])

    known = {
        "npz": save(".npz"),
        "checkpoint": Writer(
            lambda f, v: write_checkpoint(f / "x.npz", arrays(v)), lambda f: read_checkpoint(f / "x.npz")["n"]
        ),
        "run": Writer(lambda f, v: runs.save(f, run_of(v)), number_of),
        "preprocessor": Writer(
            lambda f, v: table(v).save(f / "x.json"),
            lambda f: round(cg.data.Preprocessor.load(f / "x.json").encoders[0].mean),
        ),
        "drawing": Writer(
            lambda f, v: drawing(v).save(f / "x.svg"), lambda f: 1 + ("exp" in (f / "x.svg").read_text())
        ),
    }
    with contextlib.suppress(ImportError):
        import safetensors  # noqa: F401

        known["safetensors"] = save(".safetensors")
        known["model"] = Writer(
            lambda f, v: train.save_model(f, model_of(v)),
            lambda f: round(float(train.load_model(f)[0].weight.array[0, 0])),
        )
    return known


@contextlib.contextmanager
def failing(at: int | None = None, size: int | None = None, code: int = errno.ENOSPC) -> Iterator[list[int]]:
    """A block in which the call of the system number `at`, from 1, and all later ones fail, or files can't grow beyond a
    size. Gives a list that grows by 1 with each call."""
    calls: list[int] = []

    def faulty(call: Callable[..., Any]) -> Callable[..., Any]:
        def attempt(*arguments: Any, **options: Any) -> Any:
            calls.append(1)
            if at is not None and len(calls) >= at:
                named = [path for path in arguments[:1] if isinstance(path, (str, os.PathLike))]
                raise OSError(code, os.strerror(code), *named)
            return call(*arguments, **options)

        return attempt

    before = {name: getattr(os, name) for name in CALLS}
    with limited(size):
        try:
            for name, call in before.items():
                setattr(os, name, faulty(call))
            yield calls
        finally:
            for name, call in before.items():
                setattr(os, name, call)


@contextlib.contextmanager
def limited(size: int | None) -> Iterator[None]:
    """A block in which writing beyond a size fails with EFBIG."""
    if size is None:
        yield
        return
    import resource
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def problem_of(writer: Writer, **fault: Any) -> str | None:
    """What is wrong with a writer on a disk with this fault, if anything."""
    folder = Path(tempfile.mkdtemp())
    try:
        return tried(writer, folder, **fault)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tried(writer: Writer, folder: Path, **fault: Any) -> str | None:
    writer.write(folder, 1)
    files = sorted(os.listdir(folder))
    raised = None
    try:
        with failing(**fault):
            writer.write(folder, 2)
    except OSError as error:
        raised = error
    if raised is not None and (str(folder) not in str(raised) or "\n" in str(raised)):
        return f"the message does not name the file\n{raised!r}"
    found, wanted = writer.read(folder), 2 if raised is None else 1
    if found != wanted:
        return f"the folder has the files of write {found}, wanted {wanted}\n{raised!r}"
    if raised is not None and sorted(os.listdir(folder)) != files:
        return f"files are left\n{sorted(os.listdir(folder))}\n{raised!r}"
    writer.write(folder, 2)
    if writer.read(folder) != 2 or sorted(os.listdir(folder)) != files:
        return f"the next write does not work\n{sorted(os.listdir(folder))}"
    return None


class Writes(Fuzzer[dict[str, Any]]):
    """Writers on a disk that fails after some calls or some bytes."""

    name = "writes"
    quick = 60
    timeout = 60.0

    def start(self) -> None:
        self.writers = writers()

    def case(self, rng: random.Random) -> dict[str, Any]:
        chosen = rng.random()
        if rng.random() < 0.5:
            return {"writer": chosen, "fault": {"at": rng.randint(1, 60), "code": rng.choice(ERRORS)}}
        return {"writer": chosen, "fault": {"size": int(10 ** rng.uniform(0, 4.2))}}

    def run(self, case: dict[str, Any]) -> str | None:
        names = sorted(self.writers)
        name = names[int(case["writer"] * len(names))]
        self.counts[name] += 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            problem = problem_of(self.writers[name], **case["fault"])
        return None if problem is None else f"{name}: {problem}"

    def show(self, case: dict[str, Any]) -> str:
        return "\n".join(
            [
                "from tests.fuzz.writes import problem_of, writers",
                "known = writers()",
                f"writer = sorted(known)[int({case['writer']} * len(known))]",
                f"problem = problem_of(known[writer], **{case['fault']})",
                "assert problem is None, f'{writer}: {problem}'",
            ]
        )


FUZZERS: list[Fuzzer[Any]] = [Writes()]
