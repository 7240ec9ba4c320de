"""Callbacks around a training."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cygrad import nn
from cygrad.train.callbacks import Callback, call_all, listens
from cygrad.train.history import History

__all__ = ["Watched"]


class Watched:
    """A training whose callbacks are told what happens. They are given it as their trainer."""

    name: str
    model: nn.Sequential
    history: History
    epoch: int
    epochs: int
    stopped: bool
    callbacks: list[Callback]

    @contextmanager
    def session(self, callbacks: Sequence[Callback], epochs: int) -> Iterator[None]:
        """A block in which the network is trained and callbacks are called. Ctrl-C ends it without an error."""
        self.callbacks = [checked(callback, self.name) for callback in callbacks]
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
            self.end()
            self.notify("on_fit_end")
            self.callbacks = []

    def end(self) -> None:
        """What is done when the network is not trained any more, before callbacks hear of it."""

    def stop(self) -> None:
        """Ends the training after this epoch."""
        self.stopped = True

    def watches(self, moment: str) -> bool:
        """Whether a callback does anything at a moment."""
        return any([listens(callback, moment) for callback in self.callbacks])

    def notify(self, moment: str, *arguments: Any) -> None:
        """Calls one method of every callback."""
        call_all(self.callbacks, moment, self.name, self, *arguments)


def checked(callback: Any, name: str) -> Callback:
    """The callback. Raises TypeError where it is none."""
    if not isinstance(callback, Callback):
        raise TypeError(f"{name}: a callback must be a cygrad.train.Callback, got {type(callback).__name__}")
    return callback
