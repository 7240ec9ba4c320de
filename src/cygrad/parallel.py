"""Calls of a Python function side by side, each in a thread that keeps to one core."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad.autograd import engine
from cygrad.generator import Generator, current_generator, use_generator

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["claim", "in_a_job", "parallel_map"]


def parallel_map(
    function: Callable[..., Any],
    *iterables: Iterable[Any],
    threads: int | None = None,
    return_exceptions: bool = False,
) -> list[Any]:
    """``[function(a, b, …) for a, b, … in zip(*iterables)]``, with several calls at a time: one a thread, each on one
    core. For many small models at once: a compiled function's ``epoch`` runs without the GIL, so that such calls
    hardly wait for each other.

    Every call, a job, has a default generator of its own, seeded from the caller's; ``manual_seed`` in a job seeds that
    one. So the results are the same bits at any number of threads. ``threads`` is ``get_num_threads()`` unless given,
    and 1 in a job. Jobs begin in order.

    An exception in a job stops the others, in which KeyboardInterrupt is raised, and becomes a RuntimeError that names
    the job; with ``return_exceptions`` all go on, and it stands in the place of a result. Ctrl-C stops all.

    Raises ValueError where the iterables differ in length, RuntimeError where two jobs train the same parameters, or
    draw from one generator that both were given.

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
        raise TypeError("parallel_map: it needs an iterable of arguments, as map does")
    if threads is not None and threads < 1:
        raise ValueError(f"parallel_map: threads must be at least 1, got {threads}")
    calls = list(zip(*iterables, strict=True))
    seeds = current_generator().numpy().integers(2**64, size=len(calls), dtype=np.uint64)
    claims, mode = Claims(), engine.grad_enabled()
    jobs = [Job(number, function, call, int(seeds[number]), mode, claims) for number, call in enumerate(calls)]
    if not jobs:
        return []
    threads = threads or (1 if kernels.uses_one_thread() else kernels.num_threads())
    return run(jobs, min(threads, len(jobs)), return_exceptions)


def run(jobs: list[Job], threads: int, return_exceptions: bool) -> list[Any]:
    """The results of jobs in their order."""
    from concurrent.futures import ALL_COMPLETED, FIRST_EXCEPTION, ThreadPoolExecutor, wait

    pool = ThreadPoolExecutor(threads, "cygrad-job", kernels.use_one_thread, (True,))
    futures: list[Future[Any]] = []
    try:
        futures += [pool.submit(copy_context().run, job) for job in jobs]
        until = ALL_COMPLETED if return_exceptions else FIRST_EXCEPTION
        done, waiting = wait(futures, 0, until)
        while waiting and (return_exceptions or not any([future.exception() for future in done])):
            done, waiting = wait(futures, 0.5, until)  # in turns: on Windows nothing else lets Ctrl-C through
    finally:
        for future in futures:
            future.cancel()
        for job in jobs:
            job.interrupt()
        pool.shutdown()
    errors = [None if future.cancelled() else future.exception() for future in futures]
    if return_exceptions:
        return [future.result() if error is None else error for future, error in zip(futures, errors)]
    for job, error in zip(jobs, errors):
        if isinstance(error, Exception) and not job.interrupted:
            raise RuntimeError(f"parallel_map: job {job.number} raised {type(error).__name__}: {error}") from error
        if error is not None and not job.interrupted:
            raise error
    return [future.result() for future in futures]


class Job:
    """One call of the function, with what it has for itself."""

    def __init__(
        self, number: int, function: Callable[..., Any], args: Any, seed: int, grad_mode: bool, claims: Claims
    ) -> None:
        self.number = number
        self.function = function
        self.args = args
        self.generator = Generator().manual_seed(seed)
        self.grad_mode = grad_mode
        self.claims = claims
        self.interrupted = False
        self._thread: int | None = None  # while it runs
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        """Runs it, in this thread and context."""
        _job.set(self)
        use_generator(self.generator)
        before = engine.set_grad_enabled(self.grad_mode)
        try:
            with self._lock:
                self._thread = threading.get_ident()
            return self.function(*self.args)
        finally:
            self.leave()
            engine.set_grad_enabled(before)

    def leave(self) -> None:
        """Ends the time in which it can be interrupted."""
        try:
            with self._lock:
                self._thread = None
        except KeyboardInterrupt:  # the only one that there is, come late
            self._thread = None

    def interrupt(self) -> None:
        """Raises KeyboardInterrupt in it, wherever its Python is; at once, or when C returns."""
        with self._lock:
            if self._thread is not None:
                self.interrupted = True
                kernels.interrupt_thread(self._thread)


class Claims:
    """Which job has what for itself: memory that it moves, generators that it draws from."""

    def __init__(self) -> None:
        self._owners: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._lock = threading.Lock()

    def take(self, things: Iterable[Any], job: int) -> None:
        """Makes things a job's. Raises RuntimeError where one of them is another's."""
        with self._lock:
            for thing in things:
                known, owner = self._owners.get(id(thing), (None, job))
                if known is None or known() is not thing:
                    self._owners[id(thing)] = weakref.ref(thing), job
                elif owner != job:
                    share = (
                        "draw from the same generator" if isinstance(thing, Generator) else "train the same parameters"
                    )
                    raise RuntimeError(f"parallel_map: jobs {owner} and {job} {share}; each needs its own")


_job: ContextVar[Job | None] = ContextVar("job", default=None)


def in_a_job() -> bool:
    """Whether this runs in a job of ``parallel_map``."""
    return _job.get() is not None


def claim(things: Iterable[Any]) -> None:
    """Makes things the present job's, if there is one. Raises RuntimeError where one of them is another job's."""
    job = _job.get()
    if job is not None:
        job.claims.take(things, job.number)
