"""Schedules: threads that record, replay and draw, while others interrupt them, fork, replace arguments or set the thread count.

After every action no lock is held, no recorder is in use, gradients are on, and a step still works. What a thread computes from an
argument that another one replaces is that of one of its values.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from tests.fuzz import ScriptFuzzer

SHAPES = [(8, 4), (64, 4), (1, 1), (300, 300)]
WORKS = ["record", "record and replay", "check", "epochs", "blocks", "decorators", "trace", "draws", "shared"]


class World:
    """What the actions of a case share."""

    def __init__(self) -> None:
        import cygrad as cg
        from tests import test_locks

        self.cg, self.locks = cg, test_locks
        self.x = cg.ones(8, 4)
        self.step = cg.compile(lambda x: x.exp().log() * 2 + 1)
        self.threads: list[threading.Thread] = []
        self.failures: list[BaseException] = []
        self.quiet = False

    def work(self, name: str) -> None:
        """Do something once."""
        if name != "shared":
            try:
                self.locks.WORK[name]()
            except RuntimeError as error:  # other threads draw from the default generator while eager mode and program run
                if name != "check" or "differs from eager mode" not in str(error) or threading.active_count() == 1:
                    raise
            return
        y = self.step(self.x).array
        value = round(float(y.flat[0]), 3)
        assert value in (3, 5, 7) and abs(y - value).max() < 1e-3, f"a mixture of arguments: {y}"

    def check(self) -> None:
        """Raise if something is left behind."""
        self.locks.check_nothing_is_left()

    def background(self, name: str) -> None:
        """Do something in another thread, again and again."""

        def loop() -> None:
            try:
                while not self.quiet:
                    self.work(name)
            except BaseException as error:
                self.failures.append(error)

        self.threads.append(threading.Thread(target=loop, daemon=True))
        self.threads[-1].start()

    def interrupt(self, name: str, seconds: float) -> None:
        """Raise an exception in a thread that works."""
        began, ended = threading.Event(), threading.Event()

        def run() -> None:
            try:
                began.set()
                while True:
                    self.work(name)
            except self.locks.Interrupted:
                pass
            except BaseException as error:
                self.failures.append(error)
            ended.set()
            try:
                self.check_in_turn()
            except BaseException as error:
                self.failures.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        began.wait()
        time.sleep(seconds)
        self.locks.raise_in(thread.ident, self.locks.Interrupted)
        while not ended.wait(2):  # a callback of weakref has swallowed it
            self.locks.raise_in(thread.ident, self.locks.Interrupted)
        thread.join()

    def check_in_turn(self) -> None:
        """``check``, with patience for the lock that threads in the background take."""
        assert self.cg.is_grad_enabled(), "gradients are off"
        from cygrad.autograd import recording

        assert recording.recorder() is None and not recording.lock.is_mine(), "a recorder or its lock is left"
        if not self.threads:
            self.check()

    def alarm(self, name: str, seconds: float) -> None:
        """Raise an exception in the main thread, from a signal."""

        def handler(number: int, frame: Any) -> None:
            raise self.locks.Interrupted

        before = signal.signal(signal.SIGALRM, handler)
        with contextlib.suppress(self.locks.Interrupted):
            signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again, if a callback of weakref has swallowed the first
            while True:
                self.work(name)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        self.check_in_turn()

    def fork(self, name: str) -> None:
        """Work in a child."""
        child = os.fork()
        if child == 0:
            status = 1
            try:
                self.failures.clear()
                self.check()
                self.work(name)
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "a forked child failed"

    def jobs(self, name: str, count: int, failing: int) -> None:
        """Run jobs, of which one fails."""

        def job(number: int) -> None:
            for _ in range(1 + number % 3):
                self.work(name)
            if number == failing:
                raise ValueError("a reason")

        try:
            self.cg.parallel_map(job, range(count), threads=3)
        except RuntimeError as error:
            assert f"job {failing} raised ValueError: a reason" in str(error), error
        else:
            assert failing >= count, "the error of a job is lost"
        self.check_in_turn()

    def assign(self, shape: tuple[int, ...], value: float) -> None:
        """Replace the argument that threads share."""
        self.x.data = self.cg.full(shape, float(value))

    def threads_of_kernels(self, count: int) -> None:
        """Set the thread count, which launches in flight don't notice."""
        self.cg.set_num_threads(count)

    def leave(self, name: str) -> None:
        """End a process whose daemon threads still work."""
        lines = f"from tests.fuzz.schedules import World; w = World(); w.background({name!r}); w.background('shared')"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", f"{lines}; import time; time.sleep(0.02)"],
            capture_output=True, text=True, timeout=15,
        )  # fmt: skip
        assert done.returncode == 0, f"a process with daemon threads exits with {done.returncode}\n{done.stderr}"

    def finish(self) -> None:
        """Stop what runs in the background, and check everything."""
        self.quiet = True
        for thread in self.threads:
            thread.join()
        self.threads.clear()
        if self.failures:
            raise self.failures[0]
        self.check()


class Schedules(ScriptFuzzer):
    """Threads, interrupts, forks, signals and failing jobs at random moments."""

    name = "schedules"
    timeout = 60.0  # threads that wait for the GIL of others take long on a busy machine
    batch = 40
    quick = 10

    def start(self) -> None:
        world = World()
        for name in WORKS:  # import everything: Python's own import can't be interrupted, or forked in its middle
            world.work(name)
        world.check()

    def case(self, rng: random.Random) -> list[str]:
        lines = ["import warnings; warnings.simplefilter('ignore')", "from tests.fuzz.schedules import World"]
        lines += ["world = World()"]
        lines += [f"world.background({rng.choice(WORKS)!r})" for _ in range(rng.choice([0, 0, 1, 2]))]
        lines += [self.action(rng) for _ in range(rng.randint(1, 5))]
        return [*lines, "world.finish()"]

    def action(self, rng: random.Random) -> str:
        name, seconds = rng.choice(WORKS), round(rng.random() * rng.choice([1e-4, 1e-3, 5e-3]), 7)
        kind = rng.choice(["interrupt"] * 4 + ["alarm"] * 4 + ["fork", "jobs", "jobs", "assign", "assign", "threads"])
        if rng.random() < 0.01:
            return f"world.leave({name!r})"
        return {
            "interrupt": f"world.interrupt({name!r}, {seconds})",
            "alarm": f"world.alarm({name!r}, {seconds + 1e-6})",
            "fork": f"world.fork({name!r})",
            "jobs": f"world.jobs({name!r}, {rng.randint(1, 6)}, {rng.randint(0, 8)})",
            "assign": f"world.assign({rng.choice(SHAPES)}, {rng.choice([1, 2, 3])})",
            "threads": f"world.threads_of_kernels({rng.randint(1, 4)})",
        }[kind]

    def shrink(self, case: list[str]) -> Iterator[list[str]]:
        for middle in super().shrink(case[3:-1]):
            yield [*case[:3], *middle, case[-1]]


FUZZERS = [Schedules()]
