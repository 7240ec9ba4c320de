"""``torch.futures``: results that arrive later, on the standard library's ``concurrent.futures``."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

__all__ = ["Future", "collect_all", "wait_all"]

T = TypeVar("T")
S = TypeVar("S")


class Future(Generic[T]):
    """A result that another thread will set. As ``torch.futures.Future``.

    Args:
        devices: accepted, without effect.

    >>> future = cg.futures.Future()
    >>> doubled = future.then(lambda done: 2 * done.wait())
    >>> future.set_result(cg.ones(2))
    >>> doubled.wait()
    tensor([2., 2.])
    """

    def __init__(self, *, devices: object = None) -> None:
        self._future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def done(self) -> bool:
        """Return whether there is a result or an error."""
        return self._future.done()

    def wait(self) -> T:
        """Wait for the result and return it; raise the error if there is one."""
        return self._future.result()

    def value(self) -> T:
        """Return the result, or raise the error.

        Raises:
            RuntimeError: there is none yet.
        """
        if not self.done():
            raise RuntimeError("Future.value: there is no result yet; use wait()")
        return self._future.result()

    def set_result(self, result: T) -> None:
        """Set the result.

        Raises:
            RuntimeError: there is one already.
        """
        if self.done():
            raise RuntimeError("Future.set_result: there is a result already")
        self._future.set_result(result)

    def set_exception(self, result: BaseException) -> None:
        """Set the error that ``wait`` raises.

        Raises:
            RuntimeError: there is a result already.
            TypeError: result is not an exception.
        """
        if not isinstance(result, BaseException):
            raise TypeError(f"Future.set_exception: expected an exception, got {type(result).__name__}")
        if self.done():
            raise RuntimeError("Future.set_exception: there is a result already")
        self._future.set_exception(result)

    def add_done_callback(self, callback: Callable[[Future[T]], object]) -> None:
        """Call callback(self) once there is a result, at once if there is one. Its errors are logged only."""
        self._future.add_done_callback(lambda _: callback(self))

    def then(self, callback: Callable[[Future[T]], S]) -> Future[S]:
        """Return the future of callback(self), which is called once there is a result; its error is the future's."""
        following: Future[S] = Future()

        def run(_: Future[T]) -> None:
            try:
                following.set_result(callback(self))
            except Exception as error:
                following.set_exception(error)

        self.add_done_callback(run)
        return following


def collect_all(futures: Sequence[Future[Any]]) -> Future[list[Future[Any]]]:
    """Return a future of the list of all futures, which is done when they are."""
    everything: Future[list[Future[Any]]] = Future()
    lock, waiting = threading.Lock(), len(futures)

    def finish(_: Future[Any]) -> None:
        nonlocal waiting
        with lock:
            waiting -= 1
            last = waiting == 0
        if last:
            everything.set_result(list(futures))

    if not futures:
        everything.set_result([])
    for future in futures:
        future.add_done_callback(finish)
    return everything


def wait_all(futures: Sequence[Future[Any]]) -> list[Any]:
    """Wait for all futures, and return their results; raise the first error."""
    return [future.wait() for future in collect_all(futures).wait()]
