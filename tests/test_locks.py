"""Locks, modes and recorders: what interrupts a thread, forks it or races with it leaves them free, off and right."""

from __future__ import annotations

import ctypes
import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg
from cygrad import _kernels as kernels
from cygrad import nn
from cygrad.autograd import engine, recording
from tests.test_parallel import make

X, Y = cg.ones(8, 4), cg.arange(8) % 3


class Interrupted(BaseException):
    """Raised in a thread at a moment that another one chooses."""


def make_step(**options):
    """A compiled training step, and its model."""
    model, step = make(model=nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Dropout(0.1), nn.Linear(5, 3)))
    return cg.compile(step, **options), model


def raise_in(thread, error):
    """Raise an error in a thread at its next line of Python."""
    return ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def check_nothing_is_left():
    """Everything is as in a fresh process, for this thread."""
    assert cg.is_grad_enabled() and not engine.anomaly_enabled()
    assert recording.recorder() is None
    assert recording.lock.call(False, lambda: True, lambda: False)
    assert cg.autograd.trace(lambda x: x + 1, X)[0].steps
    x = cg.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]
    step, _ = make_step()
    for _ in range(4):
        assert step(X, Y).item() > 0
    assert len(step.programs()) == 1


PATIENCE = 120  # seconds after which something hangs, on a busy machine too


def rounds(most, seconds=8, least=10):
    """Numbers of rounds, fewer where they take long."""
    ends = time.monotonic() + seconds
    for number in range(most):
        if number < least or time.monotonic() < ends:
            yield number


dropped = []  # exceptions that Python could not raise, in callbacks of the garbage collector and of weak references


def until_interrupted(work, sent, start):
    """Call start(), then work until an interrupt has been sent. It is raised, unless Python has dropped it."""
    before = len(dropped)
    try:
        start()
        while not sent:
            work()
        time.sleep(0)  # raises what is pending
    except Interrupted:
        return
    assert len(dropped) > before, "an interrupt is lost"


# Interrupts


def record_and_replay():
    step, _ = make_step()
    for _ in range(4):
        step(X, Y)


def record():
    function = cg.compile(lambda x: x + 1)
    for _ in range(3):
        function(X)


def check():
    step, _ = make_step(check=True)
    for _ in range(3):
        step(X, Y)


def epochs():
    step, _ = make_step()
    for _ in range(4):
        step.epoch(X, Y, batch_size=3)


def blocks():
    with cg.no_grad():
        assert not cg.is_grad_enabled()
        with cg.enable_grad(), cg.inference_mode(), cg.autograd.detect_anomaly():
            assert not (X + 1).requires_grad


@cg.no_grad()
def decorated():
    return X + 1


@cg.no_grad()
def stretches():
    yield X + 1
    yield X + 2


def trace():
    cg.autograd.trace(lambda x: x.relu() + 1, X)


def draw():
    cg.manual_seed(1)
    cg.rand(3)
    cg.get_rng_state()


WORK = {
    "record": record,
    "record and replay": record_and_replay,
    "check": check,
    "epochs": epochs,
    "blocks": lambda: [blocks() for _ in range(20)],
    "decorators": lambda: [(decorated(), list(stretches())) for _ in range(20)],
    "trace": trace,
    "draws": draw,
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_an_interrupt_at_any_moment_leaves_nothing_behind(work, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", dropped.append)
    begin, ready, caught = [threading.Semaphore(0) for _ in range(3)]
    failures, ended, sent = [], [], []

    def run():
        while begin.acquire() and not ended:
            try:
                sent.clear()
                until_interrupted(work, sent, ready.release)
                check_nothing_is_left()
            except BaseException as error:
                failures.append(error)
            caught.release()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    moments = random.Random(3)
    for _ in rounds(150):
        begin.release()
        assert ready.acquire(timeout=PATIENCE), "the thread hangs"
        time.sleep(moments.random() * 2e-3)
        raise_in(thread.ident, Interrupted)
        sent.append(True)
        assert caught.acquire(timeout=PATIENCE), "the thread hangs"
        if failures:
            raise failures[0]
    ended.append(True)
    begin.release()
    thread.join()


def run_program(body, **environment):
    """Run a program in a process of its own. One that hangs fails, with the lines of all its threads."""
    watch = f"import faulthandler; faulthandler.dump_traceback_later({PATIENCE}, exit=True)\n"
    # An interrupt in an import leaves CPython's lock of the module taken, so nothing is left to import.
    begin = "import cygrad as cg\nfrom tests.test_locks import *\nrecord_and_replay(), check(), epochs()\n"
    source = begin + watch + textwrap.dedent(body)
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", source],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


sent_signals = []


def handler(number, frame):
    signal.setitimer(signal.ITIMER_REAL, 0)
    sent_signals.append(number)
    raise Interrupted


def interrupt_by_a_signal(work, seconds):
    """Work until a signal comes, in a process of its own.

    It comes again after a second: CPython doesn't tell the main thread of one that a thread of a library has taken.
    """
    sys.unraisablehook = dropped.append
    sent_signals.clear()
    until_interrupted(work, sent_signals, lambda: signal.setitimer(signal.ITIMER_REAL, seconds, 1.0))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
@pytest.mark.parametrize("work", ["record", "check", "epochs", "blocks", "decorators"])
def test_a_signal_at_any_moment_leaves_nothing_behind(work):
    run_program(
        f"""
        signal.signal(signal.SIGALRM, handler)
        moments = random.Random(5)
        for _ in rounds(150):
            interrupt_by_a_signal(WORK[{work!r}], 1e-5 + moments.random() * 2e-3)
            check_nothing_is_left()
        """
    )


def test_a_failing_job_beside_steps_that_are_recorded():
    run_program(
        """
        def job(number):
            for _ in range(random.randrange(5)):
                record()
            if number == 3:
                raise ValueError("a reason")
            while True:
                record()

        for _ in rounds(200):
            try:
                cg.parallel_map(job, range(6), threads=4)
            except RuntimeError as error:
                assert "job 3 raised ValueError: a reason" in str(error), error
            else:
                raise AssertionError("the error is lost")
        check_nothing_is_left()
        """
    )


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
def test_signals_in_the_thread_that_waits_for_jobs():
    run_program(
        """
        def job(number):
            for _ in range(4):
                record_and_replay()

        signal.signal(signal.SIGALRM, handler)
        moments = random.Random(7)
        for _ in rounds(150):
            interrupt_by_a_signal(lambda: cg.parallel_map(job, range(4), threads=3), 1e-5 + moments.random() * 1e-2)
            check_nothing_is_left()
            assert not [t for t in threading.enumerate() if t.name.startswith("cygrad-job")]
        """
    )


# Interrupts at every moment


def interrupt_everywhere(work, check):
    """Interrupt work() at each call of Python and after each call of C in turn, where Python looks for interrupts; return
    the number of these moments."""
    work()  # imports what it needs
    for moments in count():
        left = moments

        def look(frame, event, arg):
            nonlocal left
            if event in ("call", "c_return") and frame.f_code.co_filename != __file__:
                left -= 1
                if left < 0:
                    sys.setprofile(None)
                    raise Interrupted

        try:
            sys.setprofile(look)
            work()
        except Interrupted:
            check()
        else:
            break
        finally:
            sys.setprofile(None)
    check()
    return moments


def switching():
    """``set_grad_enabled``, where its block follows."""
    modes = []

    def work():
        modes.append(cg.is_grad_enabled())
        with cg.set_grad_enabled(False):
            modes.append(cg.is_grad_enabled())

    return work, cg.is_grad_enabled


def evaluating():
    from cygrad.sklearn.network import evaluate

    model = nn.Sequential(nn.Dropout(0.1), nn.Linear(1, 1), nn.Dropout(0.2), nn.BatchNorm1d(1))
    return lambda: evaluate(model, lambda: [layer.training for layer in model]), (
        lambda: cg.is_grad_enabled() and all(layer.training for layer in model)
    )


def delaying():
    from cygrad.train.interrupts import uninterrupted

    def work():
        with uninterrupted():
            pass

    return work, lambda: signal.getsignal(signal.SIGINT) is signal.default_int_handler


def profiling():
    from cygrad.compiler.program import profile

    arrays = [np.zeros(3), np.zeros(2)]

    def change():
        for array in arrays:
            array += 1

    return lambda: profile.restoring(arrays, change), lambda: not np.concatenate(arrays).any()


BLOCKS = {f.__name__: f for f in (switching, evaluating, delaying, profiling)}


@pytest.mark.parametrize("prepare", BLOCKS.values(), ids=BLOCKS)
def test_a_block_ends_wherever_it_is_interrupted(prepare):
    work, is_restored = prepare()

    def check():
        assert is_restored()

    assert interrupt_everywhere(work, check) >= (1 if prepare is switching else 3)


class Watched(dict):
    """Attributes that say when they are empty."""

    def clear(self):
        raise AssertionError("another thread may need them")


def test_attributes_are_there_while_they_are_put_back():
    from cygrad.compiler.check.snapshot import Snapshot

    snapshot = Snapshot([])
    attributes = Watched(a=1, b=2)
    snapshot.containers.append((attributes, attributes.copy()))
    attributes["a"] = 3
    snapshot.restore()
    assert attributes == {"a": 1, "b": 2}


# All locks and modes

RESTORED = {
    "data/tables/content.py contextmanager": "files are closed in the exits of their own blocks",
    "random.py contextmanager": "the generator's state is set back in the generator's finally",
    "config.py global": "set once, by cygrad.torch.install()",
    "data/worker.py local": "of a loader's thread, which ends with it",
    "func.py global": "counted by a context, whose exit runs whatever interrupts; a wrong count keeps a graph longer",
    "nn/utils/parametrize.py contextmanager": "the cache is dropped in the generator's finally",
    "nn/utils/parametrize.py global": "the cache, as above",
    "_files.py contextmanager": "the file is removed in the generator's except, or when another process finds it unlocked",
    "_folders.py contextmanager": "the folder is removed in the generator's finally, or by the next commit; a lock dies with its process",
    "autograd/engine.py Lock": "held for a sum in compiled code; reset in the child",
    "autograd/engine.py local": "Switch restores it, compiled; the child has that of its thread",
    "autograd/engine.py global": "call_traced's finally, compiled; the child forgets other threads",
    "autograd/recording.py OwnedLock": "call's finally, compiled; freed in the child",
    "autograd/recording.py global": "record's finally, compiled; the child forgets other threads",
    "autograd/rehearsal.py contextmanager": "log and replies are dropped in the generators' finally",
    "autograd/rehearsal.py local": "as above; the child has those of its thread",
    "autograd/several.py contextmanager": "changes nothing",
    "autograd/tracing.py RLock": "held in a block; reset in the child",
    "autograd/tracing.py global": "the lock, reset in the child",
    "compiler/names/reads.py settrace": "follow's finally, or the trace function itself",
    "compiler/names/reads.py setprofile": "follow's finally, or the profile function itself",
    "compiler/record/array_access.pxi global": "set once",
    "compiler/record/tape.pxi global": "record's finally",
    "compiler/replay/replay.pyx OwnedLock": "call's finally, compiled; freed in the child",
    "cpu.py contextmanager": "changes nothing",
    "data/loader.py ThreadPoolExecutor": "prefetch's finally; the child builds batches itself",
    "distributed/failure.py global": "set once; the code of the exit is for the process's end",
    "distributed/lockstep.py ContextVar": "set for one shard, in its own context",
    "distributed/lockstep.py Thread": "joined, after an interrupt too",
    "distributed/process_group.py global": "set once, for the process's life",
    "futures.py Lock": "held in a block, of one call",
    "generator.py ContextVar": "set for one job, in its own context",
    "integrations/sender.py Event": "reset in the child",
    "integrations/sender.py Lock": "held in blocks; reset in the child",
    "integrations/sender.py Thread": "a daemon; the child sends at the end",
    "integrations/tensorboard/writer.py RLock": "held in blocks; reset in the child",
    "integrations/wandb.py Thread": "a daemon, waited for with a limit",
    "nn/modules/factory.py ContextVar": "reset in the generator's finally; a limit left behind ends with its context",
    "nn/modules/factory.py contextmanager": "as above",
    "nn/parallel.py contextmanager": "the reducer is switched back in the generators' finally",
    "parallel.py ContextVar": "set for one job, in its own context",
    "parallel.py Lock": "held in a block; reset in the child",
    "parallel.py SimpleQueue": "one for each call",
    "parallel.py Thread": "joined by the manager",
    "parallel.py ThreadPoolExecutor": "in_order's finally",
    "parallel.py start_new_thread": "the manager, which ends with the workers",
    "runs/search_console.py RLock": "held in blocks, of one search",
    "serve/load.py Event": "of one event loop",
    "serve/load.py Lock": "of one event loop",
    "serve/load.py asynccontextmanager": "the generator's finally, in one event loop",
    "sklearn/callback_host.py contextmanager": "the generator's finally: a network stays in the mode of training at worst",
    "train/interrupts.py signal": "Block, compiled",
    "train/search/slots.py Event": "of one search",
    "train/search/slots.py Thread": "a daemon, which ends with the search",
    "train/search/storage.py SimpleQueue": "one for each search, and one for each call",
    "train/search/storage.py Thread": "a daemon, which ends with the search",
    "train/search/worker.py Lock": "held in a block, of one search",
    "wrappers/locks.pxi register_at_fork": "the one register; all others hand their functions to in_child",
}
MAKERS = re.compile(
    r"@(?:contextlib\.)?(contextmanager|asynccontextmanager)\b|threading\.(Lock|RLock|local|Event|Condition|Thread)\b|asyncio\.(Lock|Event)\("
    r"|(ContextVar)\(|(OwnedLock)\([^i]|(register_at_fork)\(|(ThreadPoolExecutor|SimpleQueue|start_new_thread)\(|^ +(global) "
    r"|signal\.(signal)\(|sys\.(settrace|setprofile)\b", re.M,
)  # fmt: skip


def test_every_lock_and_mode_has_its_line():
    root, found = Path(cg.__file__).parent, set()
    for path in root.rglob("*.p[yx]*"):
        if path.suffix in (".py", ".pyx", ".pxi"):
            for match in MAKERS.finditer(path.read_text(encoding="utf-8")):
                found.add(f"{path.relative_to(root).as_posix()} {next(filter(None, match.groups()))}")
    assert found - RESTORED.keys() == set() and RESTORED.keys() - found == set()


# Steps that reach themselves, and each other


class Reach(cg.autograd.Function):
    """y = x + 1, where every forward calls something first."""

    inner = None

    @staticmethod
    def forward(ctx, x):
        if Reach.inner is not None:
            Reach.inner()
        return x + 1

    @staticmethod
    def backward(ctx, dy):
        return dy


def reaching(calls):
    """A compiled function whose replays call `calls`."""

    def step(x):
        return Reach.apply(x).detach()

    Reach.inner = None
    function = cg.compile(step)
    for _ in range(3):
        function(X)
    assert len(function.programs()) == 1
    Reach.inner = calls
    return function


def test_a_step_that_reaches_itself_runs_eagerly_inside():
    levels, results = iter([1, 2]), []

    def inner():
        level = next(levels, None)
        if level is not None:
            results.append(function(X * level).array[0, 0])

    function = reaching(inner)
    assert function(X * 3).array[0, 0] == 4
    assert results == [3, 2]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_step_that_starts_jobs_that_reach_it(threads):
    def inner():
        Reach.inner = None
        results.append(cg.parallel_map(lambda k: function(X * k).array[0, 0], range(3), threads=threads))

    results = []
    function = reaching(inner)
    assert function(X).array[0, 0] == 2
    assert results == [[1, 2, 3]]


def test_steps_of_two_threads_that_reach_each_other():
    run_program(
        """
        class Cross(cg.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                if ready:
                    other = ctx_functions[1 - int(x.array[0, 0])]
                    barrier.wait()
                    if not getattr(deep, "inside", False):
                        deep.inside = True
                        other(x)
                        deep.inside = False
                return x + 1

            @staticmethod
            def backward(ctx, dy):
                return dy

        class Barrier:
            def wait(self):
                time.sleep(random.random() * 1e-3)

        ready, deep, barrier = False, threading.local(), Barrier()
        ctx_functions = [cg.compile(lambda x: Cross.apply(x).detach()) for _ in range(2)]
        for function in ctx_functions:
            for _ in range(3):
                function(X)
            assert len(function.programs()) == 1
        ready = True

        def loop(number):
            for _ in rounds(200):
                ctx_functions[number](X * number)

        threads = [threading.Thread(target=loop, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """
    )


@pytest.mark.filterwarnings("ignore:compile:RuntimeWarning")
def test_jobs_that_record_within_a_step_that_is_recorded():
    run_program(
        """
        import warnings

        warnings.simplefilter("ignore")

        def outer(x):
            cg.parallel_map(lambda k: record_and_replay(), range(3), threads=2)
            return x + 1

        step = cg.compile(outer)
        for _ in range(3):
            assert step(X).array[0, 0] == 2
        """
    )


# Forks


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
FORKS = {
    "replays": "step, _ = make_step(); work = lambda: step(X, Y)",
    "records": "step = None; work = record_and_replay",
    "checks": "step, _ = make_step(check=True); work = lambda: step(X, Y)",
    "runs epochs": "step, _ = make_step(); work = lambda: step.epoch(X, Y, batch_size=2)",
    "draws": "step = None; work = draw",
    "switches modes": "step = None; work = blocks",
    "traces": "step = None; work = trace",
}


@needs_fork
@pytest.mark.parametrize("setup", FORKS.values(), ids=FORKS)
def test_a_child_of_a_process_in_which_another_thread_works(setup):
    run_program(
        f"""
        {setup}
        check_nothing_is_left()  # all is imported: Python's own locks of modules don't survive a fork
        work()
        stop = False

        def loop():
            while not stop:
                work()

        thread = threading.Thread(target=loop)
        thread.start()
        moments = random.Random(2)
        try:
            for _ in rounds(25, least=5):
                time.sleep(moments.random() * 5e-3)
                child = os.fork()
                if child == 0:
                    try:
                        signal.alarm(100)  # ends a child that hangs
                        assert engine.grad_enabled()
                        check_nothing_is_left()
                        work()
                        work()
                        os._exit(0)
                    except BaseException:
                        import traceback

                        traceback.print_exc()
                        os._exit(1)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        finally:
            stop = True
            thread.join()
        """
    )


HELD = {
    "the engine": "lock, work = engine._lock, lambda: check_nothing_is_left()",
    "tracing": "from cygrad.autograd import tracing; lock, work = tracing._lock, trace",
    "an event writer": """
        from cygrad.integrations.tensorboard import SummaryWriter

        writer = SummaryWriter(tempfile.mkdtemp(), flush_secs=1e9)
        writer.add_scalar("the parent's", 1, 0)
        lock, work = writer._lock, lambda: (writer.add_scalar("the child's", 1, 0), writer.close(), size())

        def size():
            (name,) = os.listdir(writer.log_dir)
            content = open(os.path.join(writer.log_dir, name), "rb").read()
            assert b"the child's" in content and b"the parent's" not in content
        """,
    "a sender": """
        from cygrad.integrations.sender import Sender

        sent = []
        sender = Sender(sent.extend, os.path.join(tempfile.mkdtemp(), "unsent"), seconds=1e9)
        sender.put({"of": "the parent"})
        lock = sender._lock

        def work():
            sender.put({"of": "the child"})
            assert sender.close(60) and sent == [{"of": "the child"}]
        """,
    "a sender's event": """
        from cygrad.integrations.sender import Sender

        sender = Sender(list, os.path.join(tempfile.mkdtemp(), "unsent"), seconds=1e9)
        lock, work = sender._closing._cond, lambda: sender.close(60)
        """,
    "the claims of jobs": """
        from cygrad.parallel import Claims

        claims, thing = Claims(), cg.Generator()
        lock, work = claims._lock, lambda: claims.take([thing], 0)
        """,
}


@needs_fork
@pytest.mark.parametrize("setup", HELD.values(), ids=HELD)
def test_a_child_of_a_process_in_which_another_thread_holds_a_lock(setup):
    run_program(
        f"""
        import tempfile
        {setup.strip()}
        check_nothing_is_left()
        held, leave = threading.Event(), threading.Event()

        def hold():
            with lock:
                held.set()
                leave.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # ends a child that hangs
            try:
                work()
                os._exit(0)
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        leave.set()
        thread.join()
        assert code == 0, code
        with lock:
            pass
        """
    )


@needs_fork
def test_a_child_goes_on_with_an_epoch():
    run_program(
        """
        rows = cg.data.TensorDataset(cg.arange(40))
        batches = iter(cg.data.DataLoader(rows, 4, num_workers=2, transform=lambda x: (time.sleep(0.01), x)[1:]))
        wanted = [list(range(start, start + 4)) for start in range(0, 40, 4)]
        found = [next(batches)[0].tolist() for _ in range(2)]
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            os._exit(0 if found + [x.tolist() for x, in batches] == wanted else 1)
        assert found + [x.tolist() for x, in batches] == wanted
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        """
    )


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system has no signals")
def test_ctrl_c_while_a_loader_builds_a_batch():
    """It does not wait for the batch, the threads end, and the next epoch is whole."""
    run_program(
        """
        building, slow, ended = threading.Event(), True, []

        class Rows(cg.data.Dataset):
            def __len__(self):
                return 8

            def __getitem__(self, index):
                try:
                    if slow and index >= 2:
                        building.set()
                    while slow and index >= 2:
                        time.sleep(1e-3)
                except KeyboardInterrupt:
                    ended.append(index)
                    raise
                return np.float32(index)

        def press():
            building.wait()
            time.sleep(0.1)  # until the other thread waits
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        loader = cg.data.DataLoader(Rows(), 2, num_workers=2)
        presser = threading.Thread(target=press)
        presser.start()
        seen = []
        try:
            for batch in loader:
                seen += batch.tolist()
        except KeyboardInterrupt:
            pass
        presser.join()
        assert seen in ([], [0, 1]), seen
        for thread in threading.enumerate():
            if thread.name.startswith("cygrad-loader"):
                thread.join()
        assert ended and all(index >= 2 for index in ended)
        slow = False
        assert [x for batch in loader for x in batch.tolist()] == list(range(8))
        assert threading.active_count() == 1
        """
    )


@needs_fork
def test_a_thread_that_forks_keeps_its_locks_and_modes():
    def function():
        child = os.fork()
        if child == 0:
            os._exit(0 if recording.lock.is_mine() and not cg.is_grad_enabled() else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    with cg.no_grad():
        assert recording.lock.call(True, function, lambda: 2) == 0


# What is checked is what is used


def test_arguments_that_another_thread_replaces():
    """A replay that waits for its program must not use what it has checked before."""
    width = 4096
    entered, leave = threading.Event(), threading.Event()

    def inner():
        if threading.current_thread() is holder:
            entered.set()
            leave.wait(PATIENCE)

    function = reaching(inner)
    holder = None
    x = cg.full((64, width), 7.0)
    big = cg.compile(lambda x: Reach.apply(x).detach())
    for _ in range(3):
        big(x)
    assert len(big.programs()) == 1
    results = []
    holder = threading.Thread(target=lambda: big(cg.zeros(64, width)))
    holder.start()
    assert entered.wait(PATIENCE)
    waiter = threading.Thread(target=lambda: results.append(big(x)))
    waiter.start()
    time.sleep(0.1)  # it waits for the program
    x.data = cg.ones(1, 1)
    leave.set()
    holder.join()
    waiter.join()
    assert results[0].shape == (1, 1) and results[0].item() == 2
    assert function is not None


def test_leaves_that_another_thread_replaces_while_a_replay_waits():
    entered, leave = threading.Event(), threading.Event()

    def inner():
        if threading.current_thread() is holder:
            entered.set()
            leave.wait(PATIENCE)

    reaching(None)
    holder, w = None, cg.ones(8, 4)
    function = cg.compile(lambda x: (Reach.apply(x) * w).detach())
    for _ in range(3):
        function(X)
    assert len(function.programs()) == 1
    Reach.inner = inner
    results = []
    holder = threading.Thread(target=lambda: function(X))
    holder.start()
    assert entered.wait(PATIENCE)
    waiter = threading.Thread(target=lambda: results.append(function(X)))
    waiter.start()
    time.sleep(0.1)
    w.data = cg.full((8, 4), 5.0)
    leave.set()
    holder.join()
    waiter.join()
    assert results[0].array[0, 0] == 10


def test_locks_of_threads_that_wait_for_each_other():
    low, high = kernels.OwnedLock(0), kernels.OwnedLock(1)
    assert low.call(True, lambda: high.call(True, lambda: "both", lambda: "one"), lambda: "none") == "both"
    assert low.call(True, lambda: low.call(True, lambda: "twice", lambda: "once"), lambda: "never") == "once"
    held, leave = threading.Event(), threading.Event()
    thread = threading.Thread(target=low.call, args=(True, lambda: (held.set(), leave.wait(PATIENCE)), lambda: None))
    thread.start()
    assert held.wait(PATIENCE)
    assert high.call(True, lambda: low.call(True, lambda: "both", lambda: "not waited"), lambda: "none") == "not waited"
    leave.set()
    thread.join()
    assert low.call(False, lambda: low.is_mine(), lambda: False) and not low.is_mine()


def test_an_error_in_a_call_with_a_lock_frees_it():
    lock = kernels.OwnedLock(0)
    with pytest.raises(ZeroDivisionError):
        lock.call(True, lambda: 1 / 0, lambda: None)
    assert lock.call(False, lambda: True, lambda: False)


def test_draws_of_threads_from_one_generator_are_distinct():
    generator = cg.Generator()
    drawn = []

    def draw_many():
        drawn.extend([generator.advance(3)[1] for _ in range(2000)])

    threads = [threading.Thread(target=draw_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(drawn) == list(range(0, 3 * 8000, 3))
    assert np.array_equal(generator.get_state().array, np.array([67280421310721, 24000], np.uint64))
