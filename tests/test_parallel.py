"""Parallel calls: bit-identical results for any thread count, errors that name the job, and no unnoticed sharing."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

import cygrad as cg
from cygrad import _kernels as kernels
from cygrad import nn
from cygrad.parallel import AT_ONCE, in_order

X, Y = cg.tensor(np.random.default_rng(0).standard_normal((64, 6)), dtype=cg.float32), cg.arange(64) % 4


def make(width=16, generator=None, model=None):
    """A network with dropout, and a step."""
    layers = nn.Linear(6, width), nn.ReLU(), nn.Dropout(0.3, generator=generator), nn.Linear(width, 4)
    model = model or nn.Sequential(*layers)
    optimizer = cg.optim.AdamW(model.parameters(), lr=0.01)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def fit(width, epochs=4, compiled=True):
    """Train, and return the bits of losses and weights."""
    model, step = make(width)
    losses = []
    compiled_step = cg.compile(step)
    for _ in range(epochs):
        order = cg.randperm(64)
        if compiled:
            losses.append(compiled_step.epoch(X, Y, batch_size=10, order=order).array)
        else:
            losses.append(np.array([step(X[rows], Y[rows]).array for rows in order.split(10)]))
    return b"".join([a.tobytes() for a in (*losses, *[p.array for p in model.parameters()])])


WIDTHS = [8, 16, 24, 32, 8, 16]


@pytest.mark.parametrize("cores", [1, 2, 8])
@pytest.mark.parametrize("threads", [None, 1, 2, 3, 9])
def test_the_same_bits_at_any_number_of_threads(threads, cores):
    before = cg.get_num_threads()
    cg.set_num_threads(cores)
    try:
        cg.manual_seed(3)
        wanted = cg.parallel_map(fit, WIDTHS, [4] * 6, [False] * 6, threads=1)
        left = cg.get_rng_state().tolist()
        cg.manual_seed(3)
        assert cg.parallel_map(fit, WIDTHS, threads=threads) == wanted
        assert cg.get_rng_state().tolist() == left
        assert len(set(wanted)) == len(wanted), "each job has random numbers of its own"
    finally:
        cg.set_num_threads(before)


def test_a_seeded_job_gives_what_it_gives_alone():
    def seeded(seed):
        cg.manual_seed(seed)
        return fit(16), cg.initial_seed(), cg.get_rng_state().tolist()

    cg.manual_seed(1)
    before = cg.get_rng_state().tolist()
    results = cg.parallel_map(seeded, range(4), threads=2)
    assert cg.get_rng_state().tolist() != before, "the seeds of jobs are drawn"
    assert results == [seeded(seed) for seed in range(4)]


def test_steps_that_were_recorded_outside_draw_from_the_jobs_generators():
    def further(step):
        cg.manual_seed(8)
        return step.epoch(X, Y, batch_size=10).tolist()

    results = []
    for run in (lambda steps: cg.parallel_map(further, steps, threads=2), lambda steps: [further(s) for s in steps]):
        cg.manual_seed(2)
        steps = [cg.compile(make(width)[1]) for width in WIDTHS]
        for step in steps:
            step.epoch(X, Y, batch_size=10)
        state = cg.get_rng_state().tolist()
        results.append(run(steps))
        if len(results) == 1:
            assert cg.get_rng_state().tolist()[0] == state[0], "a seed in a job is none of the caller's"
    assert results[0] == results[1]


def test_results_are_in_order_and_a_job_has_one_core():
    def job(number, wait):
        time.sleep(wait)
        return number, kernels.uses_one_thread(), threading.current_thread() is threading.main_thread()

    results = cg.parallel_map(job, range(5), [0.05, 0, 0.02, 0, 0], threads=3)
    assert results == [(number, True, False) for number in range(5)]
    assert not kernels.uses_one_thread()
    assert cg.parallel_map(job, [], []) == []


def test_jobs_in_jobs():
    def outer(number):
        return cg.parallel_map(lambda k: (number, k, cg.rand(1).item()), range(3))

    results = []
    for threads in 1, 2:
        cg.manual_seed(0)
        results.append(cg.parallel_map(outer, range(3), threads=threads))
    assert results[0] == results[1]
    assert len({value for job in results[0] for _, _, value in job}) == 9


def test_modes_of_the_caller_hold_in_jobs():
    with cg.no_grad(), np.errstate(divide="raise"):
        modes = cg.parallel_map(lambda _: (cg.is_grad_enabled(), np.geterr()["divide"]), range(2), threads=2)
    assert modes == [(False, "raise")] * 2
    assert cg.parallel_map(lambda _: cg.is_grad_enabled(), range(2)) == [True] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_runs_jobs():
    cg.manual_seed(3)
    wanted = cg.parallel_map(fit, WIDTHS, threads=2)
    child = os.fork()
    if child == 0:
        cg.manual_seed(3)
        os._exit(0 if cg.parallel_map(fit, WIDTHS, threads=2) == wanted else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Errors


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_names_its_job_and_stops_the_others(threads):
    ended, begun = [], threading.Event()

    def job(number):
        if number == 1:
            begun.wait(60)
            raise ValueError("a reason")
        try:
            begun.set()
            time.sleep(0.05)
            while number == 0 and threads == 2:
                fit(8)
        finally:
            ended.append(number)
        return number

    with pytest.raises(RuntimeError, match="parallel_map: job 1 raised ValueError: a reason") as caught:
        cg.parallel_map(job, range(8), threads=threads)
    assert isinstance(caught.value.__cause__, ValueError)
    assert ended[0] == 0 and len(ended) < 7


class Cleanup:
    """Python drops an exception that is raised while this is deleted."""

    def __init__(self, begun):
        self.begun = begun

    def __del__(self):
        self.begun.set()
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            pass


def run_to_the_end(job, monkeypatch):
    """Run job(begun) beside a job that fails once begun is set; job is interrupted."""
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    begun = threading.Event()

    def fail():
        begun.wait(60)
        raise ValueError("a reason")

    with pytest.raises(RuntimeError, match="parallel_map: job 1 raised ValueError: a reason"):
        cg.parallel_map(lambda number: fail() if number else job(begun), range(2), threads=2)


def test_an_interrupt_that_falls_into_a_destructor_comes_again(monkeypatch):
    ended = []

    def job(begun):
        cleanup = Cleanup(begun)
        del cleanup
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pass
        ended.append("by itself")

    run_to_the_end(job, monkeypatch)
    assert not ended


def test_a_job_that_ends_after_an_interrupt_is_left_alone(monkeypatch):
    ended = []

    def job(begun):
        try:
            begun.set()
            while True:
                pass
        finally:
            for _ in range(20):
                time.sleep(0.05)
            ended.append("in order")

    run_to_the_end(job, monkeypatch)
    assert ended == ["in order"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_call_that_forks_returns_in_the_child_too():
    parent = os.getpid()
    try:
        child = kernels.Task(threading.get_ident()).run(os.fork, ())
    finally:
        if os.getpid() != parent:
            os._exit(sys.exc_info()[0] is not None)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_errors_in_the_place_of_results():
    def job(number):
        if number % 2:
            raise ValueError(number)
        return number

    results = cg.parallel_map(job, range(5), threads=2, return_exceptions=True)
    assert results[::2] == [0, 2, 4]
    assert [(type(e), e.args) for e in results[1::2]] == [(ValueError, (1,)), (ValueError, (3,))]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shared", ["parameters", "a step", "a generator"])
def test_jobs_that_share_are_refused(shared, threads):
    generator = cg.Generator().manual_seed(1)
    model, step = make(generator=generator)
    step = cg.compile(step)
    step.epoch(X, Y, batch_size=10)
    steps = {
        "a step": lambda: step,
        "a generator": lambda: cg.compile(make(generator=generator)[1]),
        "parameters": lambda: cg.compile(make(model=model.eval())[1]),
    }

    def job(number):
        own = steps[shared]()
        for _ in range(3):
            own.epoch(X, Y, batch_size=10)

    what = "draw from the same generator" if shared == "a generator" else "train the same parameters"
    with pytest.raises(
        RuntimeError, match=rf"job \d raised RuntimeError: parallel_map: jobs \d and \d {what}; each needs its own"
    ):
        cg.parallel_map(job, range(3), threads=threads)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system has no signals")
def test_ctrl_c_stops_all_jobs():
    stopped, begun = [], []
    both = threading.Barrier(3)  # two jobs, and the one who presses Ctrl-C

    def job(number):
        begun.append(number)
        step = cg.compile(make()[1])
        try:
            both.wait(60)
            while True:
                step.epoch(X, Y, batch_size=8, order=np.arange(64).repeat(1000))
        except KeyboardInterrupt:
            stopped.append(number)
            raise

    def press():
        both.wait(60)
        time.sleep(0.2)  # until they run their epochs
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        cg.parallel_map(job, range(5), threads=2)
    presser.join()
    assert sorted(stopped) == sorted(begun) == [0, 1]
    assert not [t for t in threading.enumerate() if t.name.startswith("cygrad-job")]
    assert cg.parallel_map(lambda n: n, range(3), threads=2) == [0, 1, 2]


def test_bad_arguments():
    with pytest.raises(TypeError, match="parallel_map: needs at least one iterable of arguments"):
        cg.parallel_map(fit)
    with pytest.raises(ValueError, match="parallel_map: threads must be at least 1, got 0"):
        cg.parallel_map(fit, WIDTHS, threads=0)
    with pytest.raises(ValueError, match=r"argument 2 is shorter"):
        cg.parallel_map(fit, WIDTHS, [1])


# Calls that run ahead


@contextlib.contextmanager
def threads_set(count):
    """A block with this thread count."""
    before = cg.get_num_threads()
    cg.set_num_threads(count)
    try:
        yield
    finally:
        cg.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_calls_that_run_ahead_give_results_in_order_on_one_core_each(threads):
    taken = []

    def items():
        for i in range(20):
            taken.append(i)
            yield i

    def call(i):
        time.sleep(0.002 * (i % 3 == 0))
        return i, kernels.uses_one_thread(), threading.get_ident()

    with threads_set(threads):
        results, ahead = [], 0
        for result in in_order(call, items()):
            results.append(result)
            ahead = max(ahead, len(taken) - len(results))
    assert [i for i, *_ in results] == list(range(20))
    assert ahead <= threads <= AT_ONCE
    assert {one for _, one, _ in results} == {threads > 1}
    assert (threading.get_ident() in {thread for *_, thread in results}) == (threads == 1)


def test_an_error_ends_calls_that_run_ahead():
    started = []

    def call(i):
        started.append(i)
        if i == 3:
            raise ValueError("three")
        return i

    with threads_set(2):
        results = in_order(call, range(100))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="three"):
            next(results)
        assert len(started) <= 6 and not kernels.uses_one_thread()
        unfinished = in_order(call, range(100))
        assert next(unfinished) == 0
        unfinished.close()
        assert len(started) <= 12
