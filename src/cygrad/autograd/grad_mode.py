"""Grad mode and anomaly mode of the current thread: context managers that are decorators too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from cygrad.autograd import engine

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "detect_anomaly",
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]

F = TypeVar("F", bound=Callable[..., Any])


class Switch(engine.Switch):
    """Sets a mode on entry and restores it on exit, whatever happens in between."""

    @overload
    def __new__(cls, function: F, /) -> F: ...  # type: ignore[misc]
    @overload
    def __new__(cls, *args: bool, **kwargs: bool) -> Self: ...
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and callable(args[0]):  # the decorator without parentheses
            return cls()(args[0])
        return super().__new__(cls)

    def __call__(self, function: F) -> F:
        """The function, run between entry and exit; of a generator, each stretch up to its next yield."""
        import inspect

        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Any:
                inner = function(*args, **kwargs)
                try:
                    value = self._run(inner.send, None)
                    while True:
                        try:
                            sent = yield value
                        except GeneratorExit:
                            self._run(inner.close)
                            raise
                        except BaseException as error:
                            value = self._run(inner.throw, error)
                        else:
                            value = self._run(inner.send, sent)
                except StopIteration as stop:
                    return stop.value

            return generator  # type: ignore[return-value]

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            return self._run(function, *args, **kwargs)

        return wrapped  # type: ignore[return-value]

    def _run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self._again():
            return function(*args, **kwargs)

    def _again(self) -> Switch:
        """A separate switch for one call: decorated functions may run in several threads at once."""
        copy = object.__new__(type(self))
        vars(copy).update(value=self.value, before=[], set_at_once=False)
        return copy


class no_grad(Switch):
    """Switch grad mode off: ops leave no nodes, and their results require no gradient.

    A context manager and a decorator, for the current thread. As ``torch.no_grad``.

    >>> x = cg.ones(2, requires_grad=True)
    >>> with cg.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(Switch):
    """Switch grad mode on, also inside ``no_grad``.

    A context manager and a decorator, for the current thread. As ``torch.enable_grad``.
    """

    def __init__(self) -> None:
        super().__init__(True)


class inference_mode(Switch):
    """Switch grad mode off, as ``no_grad`` does.

    Args:
        mode: False switches grad mode on instead.
    """

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode)


class set_grad_enabled(Switch):
    """Switch grad mode on or off: at once when called, until the end of the block in a ``with`` statement.

    Args:
        mode: whether ops leave nodes in the graph.

    Ctrl-C between the call and its block leaves the mode as after a call alone; ``no_grad`` and ``enable_grad`` have
    no such moment.
    """

    at_once = True

    def __call__(self, function: F) -> F:
        if self.set_at_once:
            self.__exit__()
        self.set_at_once = False
        return super().__call__(function)


class detect_anomaly(Switch):
    """Check every gradient for NaN in backward, and name the op that returned the first.

    A context manager and a decorator, for the current thread. As ``torch.autograd.detect_anomaly``.

    Args:
        check_nan: whether to check.

    >>> x = cg.zeros(1, requires_grad=True)
    >>> with cg.autograd.detect_anomaly():
    ...     (x.sqrt() * 0).sum().backward()
    Traceback (most recent call last):
    RuntimeError: sqrt: its backward returned NaN in the gradient of input 0
    """

    anomaly = True

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(check_nan)


class set_detect_anomaly:
    """Switch the check of :class:`detect_anomaly` on or off in this thread; as a context, until its end.

    Args:
        mode: whether to check.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = engine.anomaly_enabled()
        engine.set_anomaly_enabled(bool(mode))

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        engine.set_anomaly_enabled(self.before)


def is_grad_enabled() -> bool:
    """Return whether grad mode is on in this thread."""
    return engine.grad_enabled()
