"""Parallel calls of a Python function, in threads of one core each."""

from __future__ import annotations

import contextlib
import threading
import weakref
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

import numpy as np

from cygrad import _kernels as kernels
from cygrad.autograd import engine
from cygrad.generator import Generator, current_generator, use_generator

__all__ = ["claim", "in_a_job", "in_order", "parallel_map"]

T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 8  # calls of in_order, whose items may be large


def parallel_map(
    function: Callable[..., Any],
    *iterables: Iterable[Any],
    threads: int | None = None,
    return_exceptions: bool = False,
) -> list[Any]:
    """Map a function over iterables in parallel threads, one core each.

    ``[function(a, b, …) for a, b, … in zip(*iterables)]``, for many small models at once: the ``epoch`` of a compiled
    function runs without the GIL, so such calls hardly wait for each other.

    Every call, a job, has its own default generator, seeded from the caller's; ``manual_seed`` in a job seeds that one.
    So results are bit-identical for any thread count. Jobs start in order. Ctrl-C raises KeyboardInterrupt in all jobs.

    Args:
        function: called once per job
        *iterables: its arguments, as for ``map``; all of the same length
        threads: number of jobs at a time, default ``get_num_threads()``, 1 within a job
        return_exceptions: whether an exception in a job takes the place of its result, default False: it raises
            KeyboardInterrupt in the other jobs, and RuntimeError, with the number of the job, in the caller

    Returns:
        The results in the order of the arguments.

    Raises:
        ValueError: the iterables differ in length
        RuntimeError: a job raised an exception; two jobs train the same parameters, or draw from the same generator
            passed to both

    Example:
        >>> def fit(seed, lr):
        ...     cg.manual_seed(seed)
        ...     layer = cg.nn.Linear(3, 1)
        ...     optimizer = cg.optim.SGD(layer.parameters(), lr=lr)
        ...     @cg.compile
        ...     def step(x, y):
        ...         optimizer.zero_grad()
        ...         loss = cg.nn.functional.mse_loss(layer(x), y)
        ...         loss.backward()
        ...         optimizer.step()
        ...         return loss
        ...     for _ in range(3):
        ...         losses = step.epoch(x, y, batch_size=8, order=cg.randperm(64))
        ...     return losses.mean().item()
        >>> x, y = cg.randn(64, 3), cg.ones(64, 1)
        >>> losses = cg.parallel_map(fit, range(4), [0.01, 0.02, 0.05, 0.1])
        >>> losses == sorted(losses, reverse=True)
        True
    """
    if not iterables:
        raise TypeError("parallel_map: needs at least one iterable of arguments")
    if threads is not None and threads < 1:
        raise ValueError(f"parallel_map: threads must be at least 1, got {threads}")
    calls = list(zip(*iterables, strict=True))
    seeds = current_generator().numpy().integers(2**64, size=len(calls), dtype=np.uint64)
    claims, mode, caller = Claims(), engine.grad_enabled(), threading.get_ident()
    jobs = [Job(number, function, call, int(seeds[number]), mode, claims, caller) for number, call in enumerate(calls)]
    if not jobs:
        return []
    threads = threads or (1 if kernels.uses_one_thread() else kernels.num_threads())
    Pool(jobs, min(threads, len(jobs)), return_exceptions).run()
    return results(jobs, return_exceptions)


def in_order(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield function(item) for each item, in order. Some calls run ahead of the caller, at most 8, in threads of one
    core each; the items are taken in the caller's thread, where kernels are limited to one thread one at a time.

    Unlike ``parallel_map``, for calls that do not train and draw no random numbers.
    """
    threads = 1 if kernels.uses_one_thread() else min(kernels.num_threads(), AT_ONCE)
    if threads == 1:
        yield from map(function, items)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    pool = ThreadPoolExecutor(threads, initializer=kernels.use_one_thread, initargs=(True,))
    running: deque[Future[R]] = deque()
    try:
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) > threads:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def results(jobs: list[Job], return_exceptions: bool) -> list[Any]:
    """The results of jobs that have ended, in order. Raises the error of the first job that has one."""
    for job in jobs:
        error = job.error
        if return_exceptions or error is None or job.task.interrupted:
            continue
        if isinstance(error, Exception):
            raise RuntimeError(f"parallel_map: job {job.number} raised {type(error).__name__}: {error}") from error
        raise error
    return [job.result if job.error is None else job.error for job in jobs]


class Pool:
    """Threads that run jobs.

    An interrupt can end the calling thread's work between any two bytecodes, also in the middle of Python's own locks
    and thread pools. So that thread makes single calls of C here: a manager, which no signal reaches, starts and joins
    the workers.

    Args:
        jobs: the jobs, in the order in which they start
        threads: number of workers
        return_exceptions: whether jobs go on after one has raised an exception
    """

    def __init__(self, jobs: list[Job], threads: int, return_exceptions: bool) -> None:
        from queue import SimpleQueue

        self.waiting = deque(jobs)
        self.tasks = [job.task for job in jobs]
        self.threads = threads
        self.return_exceptions = return_exceptions
        self.failure: Exception | None = None  # why no worker started
        self.turn = [None]
        self.ended = False
        self.news: Any = SimpleQueue()  # has an item at the end

    def run(self) -> None:
        """Run all jobs. Interrupts them if this thread is interrupted."""
        try:
            start_new_thread(self.manage, ())
            self.wait()
        except BaseException:
            kernels.interrupt_all(self.tasks)
            if not self.take_turn():  # the manager has begun
                self.wait()
            raise
        if self.failure is not None:
            raise self.failure

    def take_turn(self) -> bool:
        """Whether this is the first call: that of the manager, or of a caller that was interrupted before it began."""
        try:
            self.turn.pop()
        except IndexError:
            return False
        return True

    def wait(self) -> None:
        """Wait until all workers have ended."""
        from queue import Empty

        while not self.ended:
            with contextlib.suppress(Empty):
                self.news.get(timeout=0.5)  # without a timeout Ctrl-C waits on Windows

    def manage(self) -> None:
        """Start the workers, as many as the system allows, and join them."""
        if not self.take_turn():
            return
        workers: list[threading.Thread] = []
        try:
            while len(workers) < self.threads:
                worker = threading.Thread(target=self.work, name=f"cygrad-job-{len(workers)}")
                worker.start()
                workers.append(worker)
        except Exception as error:
            self.failure = None if workers else error
        for worker in workers:
            self.join(worker)
        self.ended = True
        self.news.put(None)

    def join(self, worker: threading.Thread) -> None:
        """Wait until a worker has ended. Interrupts its job again if that has lost the interrupt."""
        while worker.is_alive():
            worker.join(0.25)
            kernels.interrupt_all([task for task in self.tasks if task.interrupted])

    def work(self) -> None:
        """Run one job after the other."""
        kernels.use_one_thread(True)
        while self.waiting:
            try:
                job = self.waiting.popleft()
            except IndexError:  # another worker took the last one
                return
            job.run()
            if job.error is not None and not self.return_exceptions:
                kernels.interrupt_all(self.tasks)


class Job:
    """One call of the function.

    Args:
        number: its index among the calls
        function, args: what is called
        seed: for its default generator
        mode: the grad mode of the caller
        claims: those of all jobs
        caller: the thread that waits for it
    """

    def __init__(
        self, number: int, function: Callable[..., Any], args: Any, seed: int, mode: bool, claims: Claims, caller: int
    ) -> None:
        self.number = number
        self.function = function
        self.args = args
        self.generator = Generator().manual_seed(seed)
        self.grad_mode = mode
        self.claims = claims
        self.task = kernels.Task(caller)
        self.context = copy_context()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Call the function in this thread and the job's context, and keep the result or the error."""
        try:
            self.result = self.context.run(self.call)
        except BaseException as error:
            self.error = error

    def call(self) -> Any:
        """Call the function with the job's generator and the caller's grad mode."""
        _job.set(self)
        use_generator(self.generator)
        before = engine.set_grad_enabled(self.grad_mode)
        try:
            return self.task.run(self.function, self.args)
        finally:
            engine.set_grad_enabled(before)


class Claims:
    """Which job uses what alone: memory that it writes to, generators that it draws from."""

    def __init__(self) -> None:
        self._owners: dict[int, tuple[weakref.ref[Any], int]] = {}
        self.forget_other_threads()
        kernels.in_child(self.forget_other_threads)

    def forget_other_threads(self) -> None:
        """Called in a forked child too."""
        self._lock = threading.Lock()

    def take(self, things: Iterable[Any], job: int) -> None:
        """Claim things for a job. Raises RuntimeError if one of them belongs to another job."""
        with self._lock:
            for thing in things:
                reference, owner = self._owners.get(id(thing), (None, job))
                if reference is None or reference() is not thing:
                    self._owners[id(thing)] = weakref.ref(thing), job
                elif owner != job:
                    conflict = (
                        "draw from the same generator" if isinstance(thing, Generator) else "train the same parameters"
                    )
                    raise RuntimeError(f"parallel_map: jobs {owner} and {job} {conflict}; each needs its own")


_job: ContextVar[Job | None] = ContextVar("job", default=None)


def in_a_job() -> bool:
    """Whether the caller runs in a job of ``parallel_map``."""
    return _job.get() is not None


def claim(things: Iterable[Any]) -> None:
    """Claim things for the current job, if there is one. Raises RuntimeError if one of them belongs to another job."""
    job = _job.get()
    if job is not None:
        job.claims.take(things, job.number)
