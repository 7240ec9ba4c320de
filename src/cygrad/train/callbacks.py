"""Callbacks: what else happens while a model is trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cygrad.train.trainer import Trainer

__all__ = ["Callback", "CallbackError", "call_all", "listens"]


class CallbackError(RuntimeError):
    """A callback raised an error, which is the ``__cause__``; the sentence names the callback and the moment."""


class Callback:
    """Base class of callbacks. A ``Trainer`` calls the methods, which do nothing here, in the order of its
    callbacks.

    Every method is given the trainer. Of use there:

    - ``trainer.model``, ``trainer.optimizer``
    - ``trainer.epoch``: the number of the epoch, from 1; ``trainer.epochs``: of how many
    - ``trainer.step``: the updates of the weights so far, over all epochs; ``trainer.steps_per_epoch``, None
      where the loader has no length
    - ``trainer.history``: the records of the epochs completed
    - ``trainer.stop()``: ends the training after this epoch

    `metrics` are numbers under their names; callbacks share the dict. After a resumption a callback may see
    steps again that it saw before the run was killed, and ``on_epoch_begin`` in the middle of an epoch. One that
    has a state of its own gives ``state_dict()`` and ``load_state_dict(state)``, and checkpoints hold it.

    What a callback raises ends the training as a ``CallbackError``, except warnings made errors, and Ctrl-C.

    >>> class Best(cg.train.Callback):
    ...     loss = np.inf
    ...     def on_epoch_end(self, trainer, metrics):
    ...         self.loss = min(self.loss, metrics["loss"])
    """

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Before the first batch of an epoch."""

    def on_backward_end(self, trainer: Trainer) -> None:
        """When the gradients of a step are there, before they are clipped and checked."""

    def on_batch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """After every update of the weights: ``loss``, ``grad_norm`` and ``lr`` of this step."""

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """After the validation: the record of the epoch."""

    def on_checkpoint(self, trainer: Trainer, path: str) -> None:
        """When a checkpoint has been written."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """At the end, whatever ended the training; the model has its final weights."""


def listens(callback: Callback, moment: str) -> bool:
    """Whether a callback has a method of its own for a moment."""
    return getattr(getattr(callback, moment), "__func__", None) is not getattr(Callback, moment)


def call_all(callbacks: Iterable[Callback], moment: str, name: str, trainer: Any, *arguments: Any) -> None:
    """Calls one method of every callback, for the training of a class called `name`."""
    for callback in callbacks:
        try:
            getattr(callback, moment)(trainer, *arguments)
        except (Warning, CallbackError):
            raise
        except Exception as error:
            raise CallbackError(
                f"{name}: {type(callback).__name__}.{moment} raised {type(error).__name__}: {error}"
            ) from error
