"""The callbacks of a training: when they are called, and with what."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cygrad import nn
from cygrad.train.callbacks import Callback, call_all, listens
from cygrad.train.history import History

__all__ = ["CallbackHost"]


class CallbackHost:
    """A training that calls callbacks, which receive it as their trainer."""

    name: str
    model: nn.Sequential
    history: History
    epoch: int
    epochs: int
    stopped: bool
    callbacks: list[Callback]

    @contextmanager
    def session(self, callbacks: Sequence[Callback], epochs: int) -> Iterator[None]:
        """A block that trains the network for at most `epochs` epochs, with these callbacks. Ctrl-C ends the block
        with a warning instead of an error."""
        self.callbacks = [require_callback(callback, self.name) for callback in callbacks]
        self.epochs = len(self.history) + epochs
        self.stopped = self.history.stopped = self.history.interrupted = False
        self.model.train()
        try:
            self.notify("on_fit_begin")
            yield
        except KeyboardInterrupt:
            self.history.interrupted = True
            warnings.warn(f"{self.name}: training was interrupted in epoch {self.epoch}", stacklevel=2)
        finally:
            self.model.eval()
            self.finish()
            self.notify("on_fit_end")
            self.callbacks = []

    def finish(self) -> None:
        """Called after the last update of the weights, before ``on_fit_end``."""

    def stop(self) -> None:
        """Ends the training after this epoch."""
        self.stopped = True

    def has_listener(self, moment: str) -> bool:
        """Whether any callback overrides the method `moment`."""
        return any([listens(callback, moment) for callback in self.callbacks])

    def notify(self, moment: str, *arguments: Any) -> None:
        """Calls the method `moment` of every callback."""
        call_all(self.callbacks, moment, self.name, self, *arguments)


def require_callback(value: Any, name: str) -> Callback:
    """Returns `value`. Raises TypeError if it is not a callback."""
    if not isinstance(value, Callback):
        raise TypeError(f"{name}: a callback must be a cygrad.train.Callback, got {type(value).__name__}")
    return value
