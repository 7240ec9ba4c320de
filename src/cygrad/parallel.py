"""Parallel calls of a Python function, in threads of one core each."""

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
    claims, mode = Claims(), engine.grad_enabled()
    jobs = [Job(number, function, call, int(seeds[number]), mode, claims) for number, call in enumerate(calls)]
    if not jobs:
        return []
    threads = threads or (1 if kernels.uses_one_thread() else kernels.num_threads())
    return run(jobs, min(threads, len(jobs)), return_exceptions)


def run(jobs: list[Job], threads: int, return_exceptions: bool) -> list[Any]:
    """Run jobs on a pool of threads, and return their results in order."""
    from concurrent.futures import ALL_COMPLETED, FIRST_EXCEPTION, ThreadPoolExecutor, wait

    pool = ThreadPoolExecutor(threads, "cygrad-job", kernels.use_one_thread, (True,))
    futures: list[Future[Any]] = []
    try:
        futures += [pool.submit(copy_context().run, job) for job in jobs]
        until = ALL_COMPLETED if return_exceptions else FIRST_EXCEPTION
        done, waiting = wait(futures, 0, until)
        while waiting and (return_exceptions or not any([future.exception() for future in done])):
            done, waiting = wait(futures, 0.5, until)  # with a timeout, without which Ctrl-C waits on Windows
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
    """One call of the function.

    Args:
        number: its index among the calls
        function, args: what is called
        seed: for its default generator
        grad_mode: the grad mode of the caller
        claims: those of all jobs
    """

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
        """Run the job in this thread and context."""
        _job.set(self)
        use_generator(self.generator)
        previous_mode = engine.set_grad_enabled(self.grad_mode)
        try:
            with self._lock:
                self._thread = threading.get_ident()
            return self.function(*self.args)
        finally:
            self.finish()
            engine.set_grad_enabled(previous_mode)

    def finish(self) -> None:
        """Make the job uninterruptible from now on."""
        try:
            with self._lock:
                self._thread = None
        except KeyboardInterrupt:  # there is only one, which arrives late
            self._thread = None

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the job, at its next line of Python."""
        with self._lock:
            if self._thread is not None:
                self.interrupted = True
                kernels.interrupt_thread(self._thread)


class Claims:
    """Which job uses what alone: memory that it writes to, generators that it draws from."""

    def __init__(self) -> None:
        self._owners: dict[int, tuple[weakref.ref[Any], int]] = {}
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
